//! What several nodes said of themselves, as one answer: plain functions. Counts add up; people
//! count once, as presence knows them; times are the slowest node's. Called by `stats` alone.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::bus::presence::RoomSeen;
use crate::domain::RoomId;
use crate::domain::figures::{Load, RoomDetail, RoomLoad, UserInRoom};

use super::listing::Row;

/// A count of which each node has a share and which may overlap: as presence has it, which may be
/// a second behind the nodes' own words, but never less than one of them or more than all.
fn once(known: u64, shares: impl Iterator<Item = u64> + Clone) -> u64 {
    let (most, all) = (shares.clone().max().unwrap_or(0), shares.sum());
    known.clamp(most, all)
}

/// All nodes together; `users` and `rooms` as presence knows them.
pub(super) fn total(loads: &[Load], users: u64, rooms: u64) -> Load {
    let Some((first, others)) = loads.split_first() else { return Load::default() };
    let mut total = *first;
    for load in others {
        total.sessions += load.sessions;
        total.guests += load.guests;
        total.messages_per_s += load.messages_per_s;
        total.deliveries_per_s += load.deliveries_per_s;
        total.fanout_ms = total.fanout_ms.slowest(load.fanout_ms);
        total.store_ms = total.store_ms.slowest(load.store_ms);
        total.queued_bytes += load.queued_bytes;
        total.slow_readers += load.slow_readers;
        total.refused += load.refused;
        total.cpu_s += load.cpu_s;
        total.rss_bytes += load.rss_bytes;
    }
    total.users = once(users, loads.iter().map(|load| load.users));
    total.rooms = once(rooms, loads.iter().map(|load| load.rooms));
    total
}

/// Every live room once, with what it is sorted by: presence knows the people of all nodes, and who
/// speaks there is the busiest node's word.
pub(super) fn index<'a>(
    own: &'a [RoomLoad],
    seen: &'a [RoomSeen],
    rates: impl IntoIterator<Item = (RoomId, f64)>,
) -> Vec<Row<'a>> {
    let mut rows: HashMap<RoomId, Row<'_>> =
        own.iter().map(|load| (load.room_id, Row::from(load))).collect();
    for RoomSeen { room, tag, active_users, .. } in seen {
        let row = Row { room: *room, name: tag.name.as_deref(), people: 0, messages_per_s: 0.0 };
        let row = rows.entry(*room).or_insert(row);
        row.people = row.people.max(*active_users);
    }
    for (room, rate) in rates {
        if let Some(row) = rows.get_mut(&room) {
            row.messages_per_s = row.messages_per_s.max(rate);
        }
    }
    rows.into_values().collect()
}

/// The rooms that speak, the busiest first.
pub(super) fn busiest(own: &[RoomLoad], most: usize) -> Vec<(RoomId, f64)> {
    let rates = own.iter().map(|load| (load.room_id, load.messages_per_s));
    let mut rates: Vec<_> = rates.filter(|(_, rate)| *rate > 0.0).collect();
    rates.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    rates.truncate(most);
    rates
}

/// These rooms, each once and in this order; who nobody spoke of is left out. `people`: as presence
/// knows them, by room.
pub(super) fn rooms(
    page: &[RoomId],
    said: impl IntoIterator<Item = RoomLoad>,
    people: &HashMap<RoomId, u64>,
) -> Vec<RoomLoad> {
    let mut shares: HashMap<RoomId, Vec<RoomLoad>> = HashMap::new();
    for load in said {
        shares.entry(load.room_id).or_default().push(load);
    }
    let of = |room: &RoomId| people.get(room).copied().unwrap_or(0);
    page.iter().filter_map(|room| merged(shares.remove(room)?, of(room))).collect()
}

/// One room, of which there is a share at least.
fn merged(shares: Vec<RoomLoad>, people: u64) -> Option<RoomLoad> {
    let active_users = once(people, shares.iter().map(|load| load.active_users));
    let mut shares = shares.into_iter();
    let mut room = shares.next()?;
    room.active_users = active_users;
    for share in shares {
        room.sessions += share.sessions;
        room.seq = room.seq.max(share.seq);
        // Every node sees the same messages, one of them a moment later.
        room.messages_per_s = room.messages_per_s.max(share.messages_per_s);
        room.deliveries_per_s += share.deliveries_per_s;
        room.fanout_ms = room.fanout_ms.slowest(share.fanout_ms);
        room.mailbox_depth += share.mailbox_depth;
        room.queued_bytes += share.queued_bytes;
        room.slow_readers += share.slow_readers;
        room.nodes.extend(share.nodes);
    }
    room.nodes.sort();
    Some(room)
}

/// One room with at most `limit` of its people and sockets; none when no node has it.
pub(super) fn detail(said: Vec<RoomDetail>, people: u64, limit: usize) -> Option<RoomDetail> {
    let (mut loads, mut session_list, mut ledger) = (Vec::new(), Vec::new(), None);
    let mut users: HashMap<i64, UserInRoom> = HashMap::new();
    for detail in said {
        loads.push(detail.load);
        session_list.extend(detail.session_list);
        match &mut ledger {
            None => ledger = Some(detail.ledger),
            Some(ledger) => ledger.add(&detail.ledger),
        }
        for user in detail.users {
            match users.entry(user.id) {
                Entry::Occupied(mut there) => there.get_mut().sessions += user.sessions,
                Entry::Vacant(place) => {
                    place.insert(user);
                }
            }
        }
    }
    session_list.sort_by_key(|socket| (socket.since, socket.session));
    session_list.truncate(limit);
    let by_id: BTreeMap<i64, UserInRoom> = users.into_iter().collect();
    let users = by_id.into_values().take(limit).collect();
    Some(RoomDetail { load: merged(loads, people)?, users, session_list, ledger: ledger? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::figures::{Ledger, Percentiles};
    use crate::domain::nodes::RoomTag;
    use crate::domain::{RoomKind, ids};
    use std::collections::HashSet;

    use super::super::{Sort, Wanted, listing};

    fn share(room: RoomId, node: &str, people: u64, per_s: f64) -> RoomLoad {
        RoomLoad {
            room_id: room,
            name: None,
            kind: "named".into(),
            active_users: people,
            sessions: people,
            seq: 7,
            messages_per_s: per_s,
            deliveries_per_s: 1.0,
            fanout_ms: Percentiles { p50: per_s, ..Percentiles::default() },
            mailbox_depth: 1,
            queued_bytes: 2,
            slow_readers: 3,
            nodes: vec![node.to_owned()],
        }
    }

    #[test]
    fn people_are_counted_once_and_what_presence_can_not_mean_is_bounded() {
        for (known, counted) in [(4, 4), (2, 3), (9, 5)] {
            let load = |users| Load { users, sessions: 3, cpu_s: 1.5, ..Load::default() };
            let total = total(&[load(3), load(2)], known, 0);
            assert_eq!((total.users, total.sessions), (counted, 6));
            assert!((total.cpu_s - 3.0).abs() < 1e-9);
        }
        assert_eq!(total(&[], 7, 7).users, 0);
    }

    #[test]
    fn a_room_on_two_nodes_is_one_and_its_messages_are_not_counted_twice() {
        let (one, two) = (RoomId(ids::random()), RoomId(ids::random()));
        let said = [share(one, "b", 2, 3.0), share(two, "b", 1, 1.0), share(one, "a", 2, 4.0)];
        let merged = rooms(&[two, one, RoomId(ids::random())], said, &HashMap::from([(one, 3)]));
        let [other, room] = &merged[..] else { panic!("{merged:?}") };
        assert_eq!(other.room_id, two);
        assert_eq!((room.active_users, room.sessions, room.queued_bytes), (3, 4, 4));
        assert_eq!(room.nodes, ["a", "b"]);
        assert!((room.messages_per_s - 4.0).abs() < 1e-9);
        assert!((room.fanout_ms.p50 - 4.0).abs() < 1e-9);
        assert!((room.deliveries_per_s - 2.0).abs() < 1e-9);
    }

    /// With 10,000 rooms on each of two nodes and 100,000 people, what goes between them for a page
    /// is that page and, for one order, who speaks.
    #[test]
    fn a_page_of_many_rooms_on_two_nodes_is_the_right_one_and_asks_for_no_more() {
        let ids: Vec<RoomId> = (0..15_000).map(|_| RoomId(ids::random())).collect();
        let rate = |n: usize| match n % 7 {
            0 => f64::from(u8::try_from(n % 101).unwrap_or(0)),
            _ => 0.0,
        };
        // 5,000 rooms live on both.
        let a: Vec<_> = (0..10_000).map(|n| share(ids[n], "a", 5, rate(n))).collect();
        let b: Vec<_> = (5_000..15_000).map(|n| share(ids[n], "b", 5, rate(n) / 2.0)).collect();
        let tag = RoomTag { kind: RoomKind::Named, name: None, by_guest: false };
        let seen = |n: usize| RoomSeen {
            room: ids[n],
            tag: tag.clone(),
            active_users: if (5_000..10_000).contains(&n) { 10 } else { 5 },
            sessions: 10,
        };
        let seen: Vec<_> = (0..15_000).map(seen).collect();
        let people: HashMap<RoomId, u64> =
            seen.iter().map(|room| (room.room, room.active_users)).collect();
        for sort in [Sort::ActiveUsers, Sort::MessagesPerS] {
            let rates = if sort == Sort::MessagesPerS { busiest(&b, 5_000) } else { Vec::new() };
            assert!(rates.len() < 2_000, "who is silent is not spoken of");
            let rows = index(&a, &seen, rates);
            assert_eq!(rows.len(), 15_000);
            let (mut after, mut last, mut all) = (None, f64::MAX, HashSet::new());
            for _ in 0..3 {
                let wanted = Wanted { sort, q: None, limit: 50, after };
                let (page, next) = listing::page(&rows, &wanted).expect("a page");
                let asked: HashSet<RoomId> = page.iter().copied().collect();
                let said = a.iter().chain(&b).filter(|load| asked.contains(&load.room_id));
                let shown = rooms(&page, said.cloned(), &people);
                assert_eq!((shown.len(), asked.len()), (50, 50));
                for room in &shown {
                    let by = if sort == Sort::MessagesPerS {
                        room.messages_per_s
                    } else {
                        f64::from(u8::try_from(room.active_users).unwrap_or(0))
                    };
                    assert!(by <= last, "{by} after {last}");
                    last = by;
                    assert!(all.insert(room.room_id), "no room comes twice");
                }
                after = next;
            }
            let first = if sort == Sort::MessagesPerS { 100.0 } else { 10.0 };
            assert!(last > first / 2.0, "the greatest come first");
        }
    }

    #[test]
    fn a_user_on_two_nodes_is_one_row() {
        let room = RoomId(ids::random());
        let said = |node, users: &[i64]| RoomDetail {
            load: share(room, node, users.len() as u64, 0.0),
            users: users
                .iter()
                .map(|id| UserInRoom { id: *id, username: format!("u{id}"), sessions: 1 })
                .collect(),
            session_list: Vec::new(),
            ledger: Ledger { due: 1, written: 1, ..Ledger::default() },
        };
        let merged = detail(vec![said("a", &[1, 3]), said("b", &[2, 3])], 3, 2).expect("a room");
        let rows: Vec<_> = merged.users.iter().map(|user| (user.id, user.sessions)).collect();
        assert_eq!(rows, [(1, 1), (2, 1)]);
        assert_eq!((merged.load.active_users, merged.ledger.due), (3, 2));
        let all = detail(vec![said("a", &[1, 3]), said("b", &[2, 3])], 3, 9).expect("a room");
        assert_eq!(all.users.last().map(|user| (user.id, user.sessions)), Some((3, 2)));
        assert!(detail(Vec::new(), 0, 9).is_none());
    }
}
