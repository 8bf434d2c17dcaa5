//! A node's share as it is kept in Redis: one hash a node, a field a room, and one without a name
//! for what holds of all. Pure.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::RoomId;

use super::presence::View;
use super::share::{Share, Snapshot};

/// The field that says which run wrote the hash, and up to which change.
pub(super) const HEAD: &str = "";

/// What is to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Number of the last change in it.
    pub rev: u64,
    /// Whether it is all there is, in place of whatever stood there.
    pub whole: bool,
    /// Fields and what they hold.
    pub set: Vec<(String, String)>,
    /// Fields that go.
    pub gone: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    s: i64,
    r: u64,
}

/// This node's whole share.
pub(super) fn whole(view: &View, started: i64) -> Kept {
    let rooms = view.own_rooms().map(|(room, share)| (field(room), text(share)));
    let set = std::iter::once(head(view, started)).chain(rooms).collect();
    Kept { rev: view.own_rev(), whole: true, set, gone: Vec::new() }
}

/// This node's share in these rooms.
pub(super) fn changes(view: &View, started: i64, rooms: &[RoomId]) -> Kept {
    let (mut set, mut gone) = (vec![head(view, started)], Vec::new());
    for room in rooms {
        match view.own(*room) {
            Some(share) => set.push((field(*room), text(share))),
            None => gone.push(field(*room)),
        }
    }
    Kept { rev: view.own_rev(), whole: false, set, gone }
}

/// What was read; none when nothing, or nothing that makes sense, stands there.
pub(super) fn snapshot(fields: HashMap<String, String>) -> Option<Snapshot> {
    let head: Head = serde_json::from_str(fields.get(HEAD)?).ok()?;
    let share = |(field, text): (String, String)| {
        let room = RoomId(Uuid::try_parse(&field).ok()?);
        Some((room, serde_json::from_str::<Share>(&text).ok()?))
    };
    let rooms = fields.into_iter().filter_map(share).collect();
    Some(Snapshot { started: head.s, rev: head.r, rooms })
}

/// A room's field.
pub(super) fn field(room: RoomId) -> String {
    room.to_string()
}

fn head(view: &View, started: i64) -> (String, String) {
    (HEAD.to_owned(), text(&Head { s: started, r: view.own_rev() }))
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::nodes::{Moves, Present, RoomTag};
    use crate::domain::{NodeId, RoomKind, Timestamp, UserId};

    #[test]
    fn what_is_kept_reads_back() {
        let mut view = View::new(NodeId::from("a"));
        let tag = RoomTag { kind: RoomKind::Chat, name: None, by_guest: false };
        let (one, two) = (RoomId(Uuid::from_u128(1)), RoomId(Uuid::from_u128(2)));
        let alice = Present {
            id: UserId(7),
            name: "alice".into(),
            since: Timestamp::from_micros(5),
            sessions: 3,
        };
        let moves = Moves { came: vec![alice], went: Vec::new(), guests: 2, sessions: 4 };
        view.moved(one, &tag, moves);
        view.moved(two, &tag, Moves { guests: 1, sessions: 1, ..Moves::default() });
        view.moved(two, &tag, Moves::default());

        let kept = whole(&view, 9);
        assert_eq!((kept.rev, kept.set.len()), (3, 2));
        let read = snapshot(kept.set.into_iter().collect()).unwrap_or_default();
        assert_eq!((read.started, read.rev, read.rooms.len()), (9, 3, 1));
        assert_eq!(read.rooms.get(&one), view.own(one));

        let kept = changes(&view, 9, &[one, two]);
        assert_eq!((kept.set.len(), kept.gone), (2, vec![field(two)]));
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let read = |fields: &[(&str, &str)]| {
            snapshot(fields.iter().map(|(f, t)| ((*f).to_owned(), (*t).to_owned())).collect())
        };
        assert!(read(&[]).is_none());
        assert!(read(&[("", "x")]).is_none());
        let head = ("", r#"{"s":1,"r":2,"later":true}"#);
        let read = read(&[head, ("x", "{}"), ("00000000000000000000000000000001", "{}")]);
        assert!(read.is_some_and(|read| read.rooms.is_empty()));
    }
}
