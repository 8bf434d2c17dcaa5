//! What nodes know of one another, against a model in which they know everything: whatever is
//! lost, doubled or late, one reading brings a view back to the truth.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::RoomKind;
use uuid::Uuid;

const S: Duration = Duration::from_secs(1);

fn room(n: u8) -> RoomId {
    RoomId(Uuid::from_u128(u128::from(n)))
}

fn tag() -> RoomTag {
    RoomTag { kind: RoomKind::Named, name: Some("global".into()), by_guest: false }
}

fn user(id: i64, since: i64) -> Present {
    Present {
        id: UserId(id),
        name: format!("u{id}"),
        since: Timestamp::from_secs(since),
        sessions: 1,
    }
}

fn node(name: &str) -> NodeId {
    NodeId::from(name)
}

fn all_of(view: &View, started: i64) -> Snapshot {
    let rooms = view.own_rooms().map(|(room, share)| (room, share.clone())).collect();
    Snapshot { started, rev: view.own_rev(), rooms }
}

/// Users by room with their sockets, and guests, as a view has them of all nodes.
fn seen(view: &View) -> BTreeMap<RoomId, (BTreeMap<i64, u32>, u64)> {
    let people = |seen: RoomSeen| {
        let people = view.people(seen.room);
        let users = people.users.iter().map(|user| (user.id.0, user.sessions)).collect();
        (seen.room, (users, people.guests))
    };
    view.rooms().into_iter().map(people).collect()
}

/// A node that came or went somewhere, and what becomes of the word of it.
#[derive(Clone, Debug)]
struct Act {
    room: u8,
    user: i64,
    guests: u64,
    replaces: bool,
    fate: u8,
}

fn act() -> impl Strategy<Value = Act> {
    (0_u8..3, 0_i64..5, 0_u64..2, prop::bool::weighted(0.1), any::<u8>())
        .prop_map(|(room, user, guests, replaces, fate)| Act { room, user, guests, replaces, fate })
}

fn perform(teller: &mut View, act: &Act) -> Option<Delta> {
    let id = room(act.room);
    let here = teller.own(id).cloned();
    let users = here.map(|share| share.users).unwrap_or_default();
    if act.replaces {
        let users = users.into_values().skip(1).collect();
        return teller.replaced(id, &tag(), users, act.guests, act.guests);
    }
    let mut moves = Moves { guests: act.guests, sessions: act.guests, ..Moves::default() };
    if let Some(mut known) = users.get(&UserId(act.user)).cloned()
        && act.fate.is_multiple_of(3)
    {
        known.sessions += 1;
        moves.came.push(known);
        moves.sessions += users.len() as u64;
    } else if users.contains_key(&UserId(act.user)) {
        moves.went.push(UserId(act.user));
        moves.sessions += users.len() as u64 - 1;
    } else {
        moves.came.push(user(act.user, 0));
        moves.sessions += users.len() as u64 + 1;
    }
    Some(teller.moved(id, &tag(), moves))
}

proptest! {
    #[test]
    fn in_order_and_complete_the_deltas_are_enough(acts in prop::collection::vec(act(), 0..60)) {
        let (mut teller, mut hearer) = (View::new(node("a")), View::new(node("b")));
        hearer.heard(&node("a"), 1, 0, S, Timestamp::default());
        for act in acts {
            if let Some(delta) = perform(&mut teller, &act) {
                let took = hearer.delta(&node("a"), 1, room(act.room), delta.clone());
                prop_assert_eq!(took, Took::Changed);
                prop_assert_eq!(hearer.delta(&node("a"), 1, room(act.room), delta), Took::Old);
            }
            prop_assert_eq!(seen(&hearer), seen(&teller));
        }
    }

    #[test]
    fn whatever_is_lost_doubled_or_late_one_reading_tells_the_truth(
        acts in prop::collection::vec(act(), 0..60),
    ) {
        let (mut teller, mut hearer) = (View::new(node("a")), View::new(node("b")));
        hearer.heard(&node("a"), 1, 0, S, Timestamp::default());
        let (mut late, mut read_late) = (Vec::new(), None);
        for act in &acts {
            let Some(delta) = perform(&mut teller, act) else { continue };
            let tell = |hearer: &mut View, delta: &Delta| {
                hearer.delta(&node("a"), 1, room(act.room), delta.clone())
            };
            match act.fate % 8 {
                0 => {}
                1 => late.push((act.room, delta)),
                2 => { tell(&mut hearer, &delta); tell(&mut hearer, &delta); }
                3 => read_late = Some(all_of(&teller, 1)),
                4 => {
                    for (n, delta) in late.drain(..) {
                        hearer.delta(&node("a"), 1, room(n), delta);
                    }
                    if let Some(read) = read_late.take() {
                        hearer.read(&node("a"), read);
                    }
                }
                _ => if tell(&mut hearer, &delta) == Took::Gap {
                    let mut read = all_of(&teller, 1);
                    read.rooms.retain(|id, _| *id == room(act.room));
                    hearer.read_room(&node("a"), room(act.room), read);
                    prop_assert_eq!(
                        hearer.people(room(act.room)).users,
                        teller.people(room(act.room)).users
                    );
                },
            }
        }
        hearer.heard(&node("a"), 1, teller.own_rev(), S, Timestamp::default());
        hearer.read(&node("a"), all_of(&teller, 1));
        prop_assert_eq!(seen(&hearer), seen(&teller));
        prop_assert!(hearer.unread().is_empty());
        for (n, delta) in late {
            prop_assert_ne!(hearer.delta(&node("a"), 1, room(n), delta), Took::Changed);
        }
        prop_assert_eq!(seen(&hearer), seen(&teller));
    }
}

/// A view of `me` with a user and a guest on it, who hears of `a` and `b` at `now`.
fn three(now: Duration) -> View {
    let mut view = View::new(node("me"));
    let moves = |users: &[(i64, i64)], guests| Moves {
        came: users.iter().map(|(id, since)| user(*id, *since)).collect(),
        guests,
        sessions: users.len() as u64 + guests,
        ..Moves::default()
    };
    view.moved(room(1), &tag(), moves(&[(1, 9)], 1));
    for (name, users) in [("a", [(1, 5), (2, 6)]), ("b", [(2, 7), (3, 8)])] {
        let mut other = View::new(node(name));
        other.moved(room(1), &tag(), moves(&users, 2));
        other.moved(room(2), &tag(), moves(&users[1..], 0));
        view.heard(&node(name), 1, other.own_rev(), now, Timestamp::from_secs(100));
        view.read(&node(name), all_of(&other, 1));
    }
    view
}

fn ids(users: &[Present]) -> Vec<i64> {
    users.iter().map(|user| user.id.0).collect()
}

#[test]
fn a_user_on_two_nodes_is_one_person_and_each_node_has_its_share() {
    let view = three(S);
    let people = view.people(room(1));
    assert_eq!(ids(&people.users), [1, 2, 3]);
    assert_eq!((people.guests, people.sessions), (5, 10));
    assert_eq!(people.nodes, [(node("a"), 2, 2), (node("b"), 2, 2), (node("me"), 1, 1)]);
    let online = view.online();
    assert_eq!(ids(&online), [1, 2, 3]);
    assert_eq!(online[0].since, Timestamp::from_secs(5), "since the first of his sockets");
    let rooms: Vec<_> = view.rooms().iter().map(|r| (r.room, r.active_users, r.sessions)).collect();
    assert_eq!(rooms, [(room(1), 8, 10), (room(2), 2, 2)]);
    assert_eq!(view.others(), [node("a"), node("b")]);
}

#[test]
fn a_node_that_is_not_heard_of_is_gone_unless_nobody_can_be() {
    let mut view = three(S);
    view.heard(&node("b"), 1, 0, S * 5, Timestamp::from_secs(104));
    assert_eq!(view.as_of(), Some(Timestamp::from_secs(100)));
    assert!(view.expire(S + GONE_AFTER).is_empty());
    let mut gone = view.expire(S * 12);
    gone.sort();
    assert_eq!(gone, [room(1), room(2)]);
    assert_eq!(ids(&view.people(room(1)).users), [1, 2, 3]);
    assert_eq!(view.others(), [node("b")]);

    view.freeze();
    assert!(view.expire(S * 1_000).is_empty());
    assert_eq!(view.as_of(), Some(Timestamp::from_secs(104)), "as old as it is");
    view.thaw(S * 1_000);
    assert_eq!(view.unread(), [node("b")]);
    assert!(view.expire(S * 1_010).is_empty());
    assert_eq!(view.expire(S * 1_011).len(), 2);
    assert_eq!(ids(&view.people(room(1)).users), [1]);
    assert_eq!(view.as_of(), None);
}

#[test]
fn a_node_that_says_goodbye_or_starts_again_takes_its_people_with_it() {
    let mut view = three(S);
    assert_eq!(view.left(&node("a"), 1).len(), 2);
    assert_eq!(view.people(room(1)).guests, 3);
    assert_eq!(view.heard(&node("b"), 2, 7, S, Timestamp::default()).len(), 2);
    assert_eq!(view.people(room(1)).guests, 1);
    assert_eq!(view.unread(), [node("b")]);
    assert!(view.heard(&node("b"), 1, 99, S, Timestamp::default()).is_empty(), "of the run before");
    assert!(view.left(&node("b"), 1).is_empty(), "the run before said so");
    assert_eq!(view.others(), [node("b")]);
    assert!(view.read(&node("b"), Snapshot { started: 1, ..Snapshot::default() }).is_empty());
    assert!(view.left(&node("nobody"), 1).is_empty());
}
