//! What a room tells its native sockets without storing it: who came and went, who types, how far
//! somebody has read. Gathered here and told now and then, the newest word of each only; what is
//! over a bound is left out, and the counts still hold. Pure; `telling` sends.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use uuid::Uuid;

use crate::domain::{Author, UserId};
use crate::protocol::native::Person;

use super::seat::Seat;

/// People named in one frame; beyond it the count alone speaks, and `who` has the rest.
const NAMED: usize = 100;
/// Who is shown to type, and how far how many have read, at a time.
pub const SHOWN: usize = 50;

/// Somebody came or went.
#[derive(Debug)]
struct Move {
    came: bool,
    person: Person,
}

/// What was not told yet.
#[derive(Debug, Default)]
pub struct Light {
    /// It is about to be told.
    pub is_waiting: bool,
    moves: HashMap<Author, Move>,
    unnamed: bool,
    typing: HashMap<Author, Typist>,
    read: HashMap<UserId, i64>,
}

/// Somebody who types, or no longer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typist {
    /// None for a guest.
    pub user: Option<UserId>,
    /// As others see him.
    pub name: String,
    /// Still.
    pub on: bool,
}

/// What is to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Who is here changed: who came, and who went. Not everybody need be named.
    pub presence: Option<(Vec<Person>, Vec<Person>)>,
    /// Who types.
    pub typing: Vec<Typist>,
    /// How far they have read: all of it is to be stored, the first few are shown.
    pub read: Vec<(UserId, i64)>,
}

impl Light {
    /// Somebody came who was not here.
    pub fn came(&mut self, seat: &Seat) {
        self.moved(seat, true);
    }

    /// Somebody went who has no other socket here. Whoever types no more need not be told so.
    pub fn went(&mut self, seat: &Seat) {
        self.typing.remove(&seat.who);
        self.moved(seat, false);
    }

    /// A guest without a name is nobody to name: on plain sockets, that is every guest.
    fn moved(&mut self, seat: &Seat, came: bool) {
        if seat.card.is_none() && seat.nick_name.is_none() {
            // He may have had one when he came.
            self.moves.remove(&seat.who);
            self.unnamed = true;
        } else {
            self.somebody_moved(seat.who, person(seat), came);
        }
    }

    /// A user came to the room on another node, or went there.
    pub fn moved_elsewhere(&mut self, user: UserId, name: &str, came: bool) {
        let person =
            Person { user_id: Some(user.0), username: Some(name.to_owned()), nick_name: None };
        self.somebody_moved(Author::User(user), person, came);
    }

    /// Guests came or went there.
    pub const fn guests_moved_elsewhere(&mut self) {
        self.unnamed = true;
    }

    /// Somebody types on another node, or no longer.
    pub fn typing_elsewhere(&mut self, user: Option<UserId>, name: String, on: bool) {
        // Guests elsewhere are told apart by their names alone.
        let key = user.map_or_else(|| nameless(&name), Author::User);
        if self.typing.len() < SHOWN || self.typing.contains_key(&key) {
            self.typing.insert(key, Typist { user, name, on });
        }
    }

    fn somebody_moved(&mut self, who: Author, person: Person, came: bool) {
        match self.moves.get(&who) {
            // Back before anybody was told that he had gone, or gone before he was seen.
            Some(before) if before.came != came => {
                self.moves.remove(&who);
                self.unnamed = true;
            }
            _ if self.moves.len() >= 2 * NAMED => self.unnamed = true,
            _ => {
                self.moves.insert(who, Move { came, person });
            }
        }
    }

    /// Somebody types, or no longer.
    pub fn typing(&mut self, seat: &Seat, on: bool) {
        if self.typing.len() < SHOWN || self.typing.contains_key(&seat.who) {
            let typist = Typist { user: seat.user(), name: shown_name(seat), on };
            self.typing.insert(seat.who, typist);
        }
    }

    /// A member has read up to `seq`. Every mark is kept: there are no more than members.
    pub fn read(&mut self, user: UserId, seq: i64) {
        let mark = self.read.entry(user).or_insert(seq);
        *mark = seq.max(*mark);
    }

    /// Whether there is something to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty() && !self.unnamed && self.typing.is_empty() && self.read.is_empty()
    }

    /// Takes it all.
    pub fn take(&mut self) -> News {
        let mut news = News::default();
        let moves = std::mem::take(&mut self.moves);
        if std::mem::take(&mut self.unnamed) || !moves.is_empty() {
            let (came, went): (Vec<_>, Vec<_>) = moves.into_values().partition(|one| one.came);
            let named = |moves: Vec<Move>| {
                moves.into_iter().take(NAMED).map(|one| one.person).collect::<Vec<_>>()
            };
            news.presence = Some((named(came), named(went)));
        }
        news.typing = std::mem::take(&mut self.typing).into_values().collect();
        news.read = std::mem::take(&mut self.read).into_iter().collect();
        news
    }
}

/// As presence names him.
#[must_use]
pub fn person(seat: &Seat) -> Person {
    Person {
        user_id: seat.user().map(|user| user.0),
        username: seat.card.as_ref().map(|card| card.username.clone()),
        nick_name: seat.nick_name.clone(),
    }
}

/// A guest on another node, of whom no more than his name is known.
fn nameless(name: &str) -> Author {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    Author::Guest(Uuid::from_u64_pair(0, hasher.finish()))
}

/// As whoever sees him type reads it.
#[must_use]
pub fn shown_name(seat: &Seat) -> String {
    let nick = seat.nick_name.clone();
    nick.or_else(|| seat.card.as_ref().map(|card| card.username.clone()))
        .unwrap_or_else(|| "anonymous".into())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::domain::{SessionId, Timestamp, ids};
    use crate::protocol::Dialect;
    use crate::rooms::Slot;

    fn guest(nick_name: Option<&str>) -> Seat {
        Seat {
            session: SessionId(ids::random()),
            slot: Slot::nowhere(0),
            dialect: Dialect::Native,
            who: Author::Guest(Uuid::from_u64_pair(0, 1)),
            card: None,
            nick_name: nick_name.map(str::to_owned),
            login: None,
            ip: IpAddr::from([127, 0, 0, 1]),
            since: Timestamp::default(),
        }
    }

    #[test]
    fn a_guest_who_lost_his_name_and_went_is_not_said_to_be_here() {
        let mut light = Light::default();
        light.came(&guest(Some("Bob")));
        light.went(&guest(None));
        assert_eq!(light.take().presence, Some((Vec::new(), Vec::new())));
        assert!(light.is_empty());
    }
}
