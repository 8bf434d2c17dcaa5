//! Who is in a room: people, each counted once however many sockets he holds. Pure.

use std::collections::HashMap;

use crate::domain::Author;

/// The people in a room and how many sockets each holds.
#[derive(Debug, Default)]
pub struct Presence {
    sockets: HashMap<Author, u32>,
    guests: u64,
    sessions: u64,
}

impl Presence {
    /// A socket of his came; whether he was not here before.
    pub fn join(&mut self, who: Author) -> bool {
        self.sessions += 1;
        let sockets = self.sockets.entry(who).or_default();
        *sockets += 1;
        let is_new = *sockets == 1;
        self.guests += u64::from(is_new && who.user().is_none());
        is_new
    }

    /// A socket of his went; whether he is no longer here.
    pub fn leave(&mut self, who: Author) -> bool {
        let Some(sockets) = self.sockets.get_mut(&who) else { return false };
        self.sessions -= 1;
        *sockets -= 1;
        if *sockets == 0 {
            self.sockets.remove(&who);
            self.guests -= u64::from(who.user().is_none());
            true
        } else {
            false
        }
    }

    /// Whether he is.
    #[must_use]
    pub fn has(&self, who: Author) -> bool {
        self.sockets.contains_key(&who)
    }

    /// Sockets of his.
    #[must_use]
    pub fn sockets_of(&self, who: Author) -> u32 {
        self.sockets.get(&who).copied().unwrap_or_default()
    }

    /// How many people are here.
    #[must_use]
    pub fn people(&self) -> u64 {
        self.sockets.len() as u64
    }

    /// How many of them are guests.
    #[must_use]
    pub const fn guests(&self) -> u64 {
        self.guests
    }

    /// How many sockets.
    #[must_use]
    pub const fn sessions(&self) -> u64 {
        self.sessions
    }

    /// Each of them, with his sockets.
    pub fn each(&self) -> impl Iterator<Item = (Author, u32)> {
        self.sockets.iter().map(|(who, sockets)| (*who, *sockets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UserId;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_equal_those_of_a_plain_list(acts in prop::collection::vec((any::<bool>(), 0i64..5), 0..200)) {
            let (mut presence, mut list) = (Presence::default(), Vec::new());
            for (comes, id) in acts {
                let who = Author::User(UserId(id));
                if comes {
                    prop_assert_eq!(presence.join(who), !list.contains(&who));
                    list.push(who);
                } else if let Some(at) = list.iter().position(|other| *other == who) {
                    list.swap_remove(at);
                    prop_assert_eq!(presence.leave(who), !list.contains(&who));
                } else {
                    prop_assert!(!presence.leave(who));
                }
                let mut people = list.clone();
                people.sort_by_key(ToString::to_string);
                people.dedup();
                prop_assert_eq!(presence.people(), people.len() as u64);
                prop_assert_eq!(presence.sessions(), list.len() as u64);
            }
        }
    }
}
