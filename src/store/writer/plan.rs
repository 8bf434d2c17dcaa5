//! What becomes of each event of a batch, once its rooms are locked: pure. Called by the batch's
//! transaction. Must know no database.

use std::collections::HashMap;

use super::acts::{Known, Standing, Verdict};
use crate::domain::{Author, Event, NewEvent, RoomId};

/// What a locked room's row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub last_seq: i64,
    pub member_rev: i64,
    pub closed: bool,
}

/// What a room's row must say afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NewHead {
    pub room: RoomId,
    pub last_seq: i64,
    /// Microseconds; time of its newest event.
    pub last_at: i64,
    /// Whether a user is among the new events' authors.
    pub user_wrote: bool,
}

/// One of the batch, and what it was checked against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Post<'a> {
    pub event: &'a NewEvent,
    pub member_rev: i64,
    pub may_moderate: bool,
}

/// What becomes of one of the batch.
#[derive(Clone, Debug)]
pub(super) enum Decision {
    /// Stored, with this `seq`.
    Store(i64),
    /// Stored long ago.
    First(Box<Event>),
    /// The same as an earlier one of this batch, which is stored.
    Twin { of: usize, seq: i64 },
    /// Checked against another `member_rev`.
    Fenced,
    /// The room is closed or gone.
    Closed,
    /// An act on what is no message of the room's, or no more.
    NoTarget,
    /// An act that is not for its author to do.
    NotAllowed,
    /// An act that changes nothing, and the room's newest `seq` at this place.
    Unchanged(i64),
}

/// What makes two events the same one.
pub(super) type Key<'a> = (RoomId, Author, &'a str);

/// The key of an event that has one.
pub(super) fn key(event: &NewEvent) -> Option<Key<'_>> {
    event.client_id.as_deref().map(|client_id| (event.room, event.author, client_id))
}

/// Decides, in order. `heads` holds every room that there is; `firsts` the stored events that have
/// a key of the batch's; `known` what the batch's acts are about. A duplicate is answered before anything is checked: it was let in once.
pub(super) fn plan(
    posts: &[Post<'_>],
    heads: &HashMap<RoomId, Head>,
    firsts: &[Event],
    known: &Known,
) -> (Vec<Decision>, Vec<NewHead>) {
    let mut stored: HashMap<Key<'_>, &Event> = HashMap::with_capacity(firsts.len());
    for first in firsts {
        if let Some(client_id) = &first.client_id {
            stored.insert((first.room, first.author, client_id), first);
        }
    }
    let mut here: HashMap<Key<'_>, (usize, i64)> = HashMap::with_capacity(posts.len());
    let mut standing = Standing::new(posts.iter().map(|post| post.event), known);
    let mut new_heads: Vec<NewHead> = Vec::new();
    let mut place: HashMap<RoomId, usize> = HashMap::new();
    let mut decisions = Vec::with_capacity(posts.len());
    for (index, Post { event, member_rev, may_moderate }) in posts.iter().enumerate() {
        let key = key(event);
        if let Some(first) = key.and_then(|key| stored.get(&key)) {
            decisions.push(Decision::First(Box::new((*first).clone())));
            continue;
        }
        if let Some((of, seq)) = key.and_then(|key| here.get(&key)) {
            decisions.push(Decision::Twin { of: *of, seq: *seq });
            continue;
        }
        let Some(head) = heads.get(&event.room).filter(|head| !head.closed) else {
            decisions.push(Decision::Closed);
            continue;
        };
        if head.member_rev != *member_rev {
            decisions.push(Decision::Fenced);
            continue;
        }
        let unchanged = match standing.judge(event, *may_moderate) {
            Verdict::Store => None,
            Verdict::NoTarget => Some(Decision::NoTarget),
            Verdict::NotAllowed => Some(Decision::NotAllowed),
            Verdict::Unchanged => {
                let here = place.get(&event.room).map(|at| new_heads[*at].last_seq);
                Some(Decision::Unchanged(here.unwrap_or(head.last_seq)))
            }
        };
        if let Some(decision) = unchanged {
            decisions.push(decision);
            continue;
        }
        let at = *place.entry(event.room).or_insert_with(|| {
            let last_seq = head.last_seq;
            new_heads.push(NewHead { room: event.room, last_seq, last_at: 0, user_wrote: false });
            new_heads.len() - 1
        });
        let new_head = &mut new_heads[at];
        new_head.last_seq += 1;
        new_head.last_at = event.created_at.micros();
        new_head.user_wrote |= event.author.user().is_some();
        if let Some(key) = key {
            here.insert(key, (index, new_head.last_seq));
        }
        decisions.push(Decision::Store(new_head.last_seq));
    }
    (decisions, new_heads)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{EventId, EventKind, Timestamp, UserId};

    const ROOM: RoomId = RoomId(Uuid::from_u128(1));
    const OTHER: RoomId = RoomId(Uuid::from_u128(2));

    fn event(room: RoomId, user: i64, client_id: Option<&str>) -> NewEvent {
        NewEvent {
            id: EventId(Uuid::nil()),
            room,
            kind: EventKind::Message,
            author: Author::User(UserId(user)),
            sender: None,
            nick_name: None,
            content: "hi".into(),
            raw: None,
            target: None,
            client_id: client_id.map(str::to_owned),
            created_at: Timestamp::from_micros(5),
        }
    }

    fn decide(posts: &[(NewEvent, i64)], firsts: &[Event]) -> (Vec<String>, Vec<NewHead>) {
        let heads = HashMap::from([
            (ROOM, Head { last_seq: 7, member_rev: 1, closed: false }),
            (OTHER, Head { last_seq: 3, member_rev: 0, closed: true }),
        ]);
        let posts: Vec<_> = posts
            .iter()
            .map(|(event, rev)| Post { event, member_rev: *rev, may_moderate: false })
            .collect();
        let (decisions, heads) = plan(&posts, &heads, firsts, &Known::default());
        let words = decisions.iter().map(|decision| match decision {
            Decision::Store(seq) => format!("store {seq}"),
            Decision::First(first) => format!("first {}", first.seq),
            Decision::Twin { of, seq } => format!("twin of {of} {seq}"),
            Decision::Fenced => "fenced".into(),
            Decision::Closed => "closed".into(),
            other => format!("{other:?}"),
        });
        (words.collect(), heads)
    }

    #[test]
    fn new_ones_are_numbered_in_order_and_the_rest_take_no_number() {
        let first = event(ROOM, 1, Some("old")).stored_at(2);
        let (decisions, heads) = decide(
            &[
                (event(ROOM, 1, None), 1),
                (event(ROOM, 1, Some("a")), 1),
                (event(ROOM, 1, Some("a")), 1),
                (event(ROOM, 2, Some("a")), 1),
                (event(ROOM, 1, Some("old")), 0),
                (event(ROOM, 1, None), 0),
                (event(OTHER, 1, None), 0),
                (event(RoomId(Uuid::nil()), 1, None), 0),
                (event(ROOM, 1, None), 1),
            ],
            &[first],
        );
        let expected = [
            "store 8",
            "store 9",
            "twin of 1 9",
            "store 10",
            "first 2",
            "fenced",
            "closed",
            "closed",
            "store 11",
        ];
        assert_eq!(decisions, expected);
        let head = NewHead { room: ROOM, last_seq: 11, last_at: 5, user_wrote: true };
        assert_eq!(heads, [head]);
    }

    #[test]
    fn one_that_was_not_stored_is_nobodys_first() {
        let (decisions, heads) =
            decide(&[(event(ROOM, 1, Some("a")), 0), (event(ROOM, 1, Some("a")), 1)], &[]);
        assert_eq!(decisions, ["fenced", "store 8"]);
        assert_eq!(heads.len(), 1);
    }
}
