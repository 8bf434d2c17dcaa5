//! Whatever a socket was handed and whatever of it was not taken: nothing is said to be written
//! that was not, and the ring of those who left says from when on it is whole.

use proptest::prelude::*;

use super::*;
use crate::domain::ids;

const USER: UserId = UserId(7);

fn visit(dialect: Dialect, head: i64) -> Visit {
    Visit {
        user: USER,
        session: SessionId(ids::random()),
        slot: Slot::nowhere(0),
        dialect,
        came: Timestamp::default(),
        since: Since { head, replayed: None },
        missed: None,
        reached: head,
        untaken: 0,
        left_at: Some(Timestamp::default()),
    }
}

proptest! {
    /// Events come one after the other, some of them no messages, with light frames between them;
    /// the last `untaken` frames are not taken.
    #[test]
    fn what_is_said_to_be_written_was_taken(
        events in prop::collection::vec((any::<bool>(), 0_u8..3), 1..30),
        replayed in 0_i64..6,
        untaken in 0_usize..40,
        head in 6_i64..9,
        is_native in any::<bool>(),
        lags_at in prop::option::of(0_usize..30),
    ) {
        let dialect = if is_native { Dialect::Native } else { Dialect::Chat };
        let mut visit = visit(dialect, head);
        if replayed > 0 {
            visit.since.replayed = Some((head - replayed + 1, head));
        }
        // What it was handed, in order; none for what is no event.
        let mut frames: Vec<Option<i64>> = (head - replayed + 1..=head).map(Some).collect();
        let mut messages = Vec::new();
        for (place, (is_message, light)) in events.iter().enumerate() {
            visit.reached += 1;
            if *is_message {
                messages.push(visit.reached);
            }
            if lags_at.is_some_and(|at| at <= place) {
                visit.missed = visit.missed.or(Some((visit.reached, Why::Lags)));
                continue;
            }
            if is_native || *is_message {
                frames.push(Some(visit.reached));
            }
            frames.extend((0..*light).map(|_| None));
        }
        let untaken = untaken.min(frames.len());
        visit.untaken = untaken as u64;
        let (taken, left) = frames.split_at(frames.len() - untaken);
        for seq in head - replayed + 1..=visit.reached + 1 {
            let is_message = seq <= head || messages.contains(&seq);
            let kind = if is_message { EventKind::Message } else { EventKind::Edit };
            let count = visit.unclear(seq).map(|(from, to)| {
                messages.iter().filter(|seq| (from..=to).contains(seq)).count() as u64
            });
            let (fate, why) = visit.fate(seq, kind, count);
            let expected = match seq {
                _ if seq > visit.reached => Some(Fate::NotConnected),
                _ if !is_native && !is_message => Some(Fate::NotSaid),
                _ if visit.missed.is_some_and(|(from, _)| from <= seq) => Some(Fate::Lagged),
                _ if left.contains(&Some(seq)) => Some(Fate::Dropped),
                // Where light frames were dropped more may be said to be.
                _ if left.contains(&None) => None,
                // A replay counts as a whole.
                _ if seq <= head && left.iter().flatten().any(|lost| *lost <= head) => None,
                _ => Some(Fate::Written),
            };
            if fate == Fate::Written {
                prop_assert!(taken.contains(&Some(seq)), "{} of {:?}", seq, visit);
            }
            if let Some(expected) = expected {
                prop_assert_eq!(fate, expected, "{}: {}, {:?}", seq, why, visit);
            }
        }
        prop_assert_eq!(visit.fate(head - replayed, EventKind::Message, None).0, Fate::NotConnected);
    }
}

#[test]
fn while_a_socket_is_there_what_was_not_taken_waits() {
    let mut visit = visit(Dialect::Native, 3);
    (visit.left_at, visit.reached, visit.untaken) = (None, 5, 1);
    for (seq, fate) in
        [(3, Fate::NotConnected), (4, Fate::Written), (5, Fate::Waiting), (6, Fate::Waiting)]
    {
        assert_eq!(visit.fate(seq, EventKind::Message, None).0, fate, "{seq}");
    }
}

#[test]
fn who_left_is_remembered_for_a_while_and_from_when_on_is_known() {
    let (room, other) = (RoomId(ids::random()), RoomId(ids::random()));
    let mut gone = Gone::new(Timestamp::from_secs(1));
    for number in 0..KEPT {
        let at = Timestamp::from_secs(2 + i64::try_from(number).unwrap_or(0));
        let visit = Visit { left_at: Some(at), ..visit(Dialect::Native, 0) };
        gone.note(if number == 0 { room } else { other }, visit);
    }
    assert_eq!(gone.known_since(), Timestamp::from_secs(1));
    assert_eq!(gone.of(room, USER).count(), 1);
    assert_eq!(gone.of(room, UserId(8)).count(), 0);
    gone.note(other, visit(Dialect::Native, 0));
    assert_eq!(gone.known_since(), Timestamp::from_secs(2));
    assert_eq!((gone.of(room, USER).count(), gone.of(other, USER).count()), (0, KEPT));
}
