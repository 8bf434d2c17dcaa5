//! What a lane remembers of the rooms that it wrote to last: their heads, so that the next commit
//! need not ask for them. Kept by a lane, read and filled by its batches. Nothing may depend on it
//! being right: whoever goes by it has the database compare.

use std::collections::HashMap;

use super::plan::{Head, NewHead};
use crate::domain::RoomId;

/// Rooms that are remembered. Beyond it all are forgotten, which costs the next commit of each of
/// them a look.
const MOST: usize = 8192;

/// Heads of rooms that were open.
#[derive(Debug, Default)]
pub(super) struct Heads {
    rooms: HashMap<RoomId, Head>,
}

impl Heads {
    /// The heads of all these rooms, or none. They are forgotten by it: whoever has written puts
    /// back what they are then, and after anything else they are not known.
    pub fn take(
        &mut self,
        rooms: impl Iterator<Item = RoomId> + Clone,
    ) -> Option<HashMap<RoomId, Head>> {
        let has_all = rooms.clone().all(|room| self.rooms.contains_key(&room));
        has_all.then(|| rooms.filter_map(|room| Some((room, self.rooms.remove(&room)?))).collect())
    }

    /// As they were read, and what was written over that.
    pub fn remember(&mut self, read: HashMap<RoomId, Head>, written: &[NewHead]) {
        if self.rooms.len() + read.len() > MOST {
            self.rooms.clear();
        }
        if read.len() > MOST {
            return;
        }
        self.rooms.extend(read.into_iter().filter(|(_, head)| !head.closed));
        for new in written {
            if let Some(head) = self.rooms.get_mut(&new.room) {
                head.last_seq = new.last_seq;
            }
        }
    }

    /// This room is changed by other means.
    pub fn forget(&mut self, room: RoomId) {
        self.rooms.remove(&room);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const HEAD: Head = Head { last_seq: 7, member_rev: 1, closed: false };

    fn room(n: usize) -> RoomId {
        RoomId(Uuid::from_u128(n as u128))
    }

    #[test]
    fn all_or_none_are_given_once_as_they_were_written() {
        let mut heads = Heads::default();
        let closed = Head { closed: true, ..HEAD };
        let written = NewHead { room: room(1), last_seq: 9, last_at: 0, user_wrote: false };
        heads.remember([(room(1), HEAD), (room(2), HEAD), (room(3), closed)].into(), &[written]);
        assert_eq!(heads.take([room(1), room(3)].into_iter()), None, "the closed one is unknown");
        let both = heads.take([room(1), room(2), room(1)].into_iter());
        let wanted = [(room(1), Head { last_seq: 9, ..HEAD }), (room(2), HEAD)];
        assert_eq!(both, Some(wanted.into()));
        assert_eq!(heads.take([room(2)].into_iter()), None);
    }

    #[test]
    fn there_is_a_bound() {
        let mut heads = Heads::default();
        for n in 0..=MOST {
            heads.remember([(room(n), HEAD)].into(), &[]);
            assert!(heads.rooms.len() <= MOST);
        }
        assert_eq!(heads.take([room(0)].into_iter()), None);
        assert!(heads.take([room(MOST)].into_iter()).is_some());
    }
}
