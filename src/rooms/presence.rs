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
    /// Guests with one socket and never another: they are counted alone.
    passers_by: u64,
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
    /// A socket of his came; whether he was not here before. None: see [`Seat::person`].
    ///
    /// [`Seat::person`]: super::seat::Seat::person
    pub fn join(&mut self, who: Option<Author>) -> bool {
        self.sessions += 1;
        match who {
            Some(Author::User(user)) => come(&mut self.users, user),
            Some(Author::Guest(guest)) => come(&mut self.guests, guest),
            None => {
                self.passers_by += 1;
                true
            }
        }
    }

    /// A socket of his went; whether he is no longer here.
    pub fn leave(&mut self, who: Option<Author>) -> bool {
        let gone = match who {
            Some(Author::User(user)) => go(&mut self.users, &user),
            Some(Author::Guest(guest)) => go(&mut self.guests, &guest),
            None => {
                let left = self.passers_by.checked_sub(1);
                self.passers_by = left.unwrap_or_default();
                left.map(|_| true)
            }
        };
        self.sessions -= u64::from(gone.is_some());
        gone.unwrap_or_default()
    }

    /// Whether this user is.
    #[must_use]
    pub fn has(&self, user: UserId) -> bool {
        self.sockets_of(user) > 0
    }

    /// Sockets of this user.
    #[must_use]
    pub fn sockets_of(&self, user: UserId) -> u32 {
        self.users.get(&user).copied().unwrap_or_default()
    }

    /// How many people are here.
    #[must_use]
    pub fn people(&self) -> u64 {
        self.users.len() as u64 + self.guests()
    }

    /// How many of them are guests.
    #[must_use]
    pub fn guests(&self) -> u64 {
        self.guests.len() as u64 + self.passers_by
    }

    /// How many sockets.
    #[must_use]
    pub const fn sessions(&self) -> u64 {
        self.sessions
    }

    /// Each user, with his sockets.
    pub fn users(&self) -> impl Iterator<Item = (UserId, u32)> {
        self.users.iter().map(|(user, sockets)| (*user, *sockets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_equal_those_of_a_plain_list(acts in prop::collection::vec((any::<bool>(), 0i64..6), 0..200)) {
            let (mut presence, mut list) = (Presence::default(), Vec::new());
            for (comes, id) in acts {
                let who = match id {
                    0..3 => Some(Author::User(UserId(id))),
                    3..5 => Some(Author::Guest(Uuid::from_u64_pair(0, id.unsigned_abs()))),
                    _ => None,
                };
                let is_alone = |list: &[_]| who.is_none() || !list.contains(&who);
                if comes {
                    prop_assert_eq!(presence.join(who), is_alone(&list));
                    list.push(who);
                } else if let Some(at) = list.iter().position(|other| *other == who) {
                    list.swap_remove(at);
                    prop_assert_eq!(presence.leave(who), is_alone(&list));
                } else {
                    prop_assert!(!presence.leave(who));
                }
                let mut people: Vec<Author> = list.iter().copied().flatten().collect();
                people.sort_by_key(ToString::to_string);
                people.dedup();
                let passers_by = list.iter().filter(|who| who.is_none()).count();
                prop_assert_eq!(presence.people(), (people.len() + passers_by) as u64);
                let users = people.iter().filter(|who| who.user().is_some()).count();
                prop_assert_eq!(presence.users().count(), users);
                prop_assert_eq!(presence.guests(), (people.len() - users + passers_by) as u64);
                prop_assert_eq!(presence.sessions(), list.len() as u64);
            }
        }
    }
}
