//! Who is in a room: people, each counted once however many sockets he holds. Pure.

use std::collections::HashMap;
use std::hash::Hash;

use uuid::Uuid;

use crate::domain::{Author, UserId};

/// The people in a room and how many sockets each holds.
#[derive(Debug, Default)]
pub struct Presence {
    users: HashMap<UserId, u32>,
    guests: HashMap<Uuid, u32>,
    sessions: u64,
}

fn come<Id: Eq + Hash>(sockets: &mut HashMap<Id, u32>, who: Id) -> bool {
    let sockets = sockets.entry(who).or_default();
    *sockets += 1;
    *sockets == 1
}

/// None when he is not here.
fn go<Id: Eq + Hash>(all: &mut HashMap<Id, u32>, who: &Id) -> Option<bool> {
    let sockets = all.get_mut(who)?;
    *sockets -= 1;
    let is_gone = *sockets == 0;
    if is_gone {
        all.remove(who);
    }
    Some(is_gone)
}

impl Presence {
    /// A socket of his came; whether he was not here before.
    pub fn join(&mut self, who: Author) -> bool {
        self.sessions += 1;
        match who {
            Author::User(user) => come(&mut self.users, user),
            Author::Guest(guest) => come(&mut self.guests, guest),
        }
    }

    /// A socket of his went; whether he is no longer here.
    pub fn leave(&mut self, who: Author) -> bool {
        let gone = match who {
            Author::User(user) => go(&mut self.users, &user),
            Author::Guest(guest) => go(&mut self.guests, &guest),
        };
        self.sessions -= u64::from(gone.is_some());
        gone.unwrap_or_default()
    }

    /// Whether he is.
    #[must_use]
    pub fn has(&self, who: Author) -> bool {
        self.sockets_of(who) > 0
    }

    /// Sockets of his.
    #[must_use]
    pub fn sockets_of(&self, who: Author) -> u32 {
        let sockets = match who {
            Author::User(user) => self.users.get(&user),
            Author::Guest(guest) => self.guests.get(&guest),
        };
        sockets.copied().unwrap_or_default()
    }

    /// How many people are here.
    #[must_use]
    pub fn people(&self) -> u64 {
        self.users.len() as u64 + self.guests()
    }

    /// How many of them are guests.
    #[must_use]
    pub fn guests(&self) -> u64 {
        self.guests.len() as u64
    }

    /// How many sockets.
    #[must_use]
    pub const fn sessions(&self) -> u64 {
        self.sessions
    }

    /// Each of them, with his sockets.
    pub fn each(&self) -> impl Iterator<Item = (Author, u32)> {
        let users = self.users.iter().map(|(user, sockets)| (Author::User(*user), *sockets));
        let guests = self.guests.iter().map(|(guest, sockets)| (Author::Guest(*guest), *sockets));
        users.chain(guests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_equal_those_of_a_plain_list(acts in prop::collection::vec((any::<bool>(), 0i64..5), 0..200)) {
            let (mut presence, mut list) = (Presence::default(), Vec::new());
            for (comes, id) in acts {
                let who = match id {
                    0..3 => Author::User(UserId(id)),
                    guest => Author::Guest(Uuid::from_u64_pair(0, guest.unsigned_abs())),
                };
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
                prop_assert_eq!(presence.each().count(), people.len());
                let guests = people.iter().filter(|who| who.user().is_none()).count();
                prop_assert_eq!(presence.guests(), guests as u64);
                prop_assert_eq!(presence.sessions(), list.len() as u64);
            }
        }
    }
}
