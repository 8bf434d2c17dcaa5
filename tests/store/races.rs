//! Several at once, and databases that go away: two nodes in one room, copies of one message on
//! both, connections cut in the middle of commits.

use std::collections::HashMap;

use hubbub::domain::{Author, EventId, Role, clock, ids};
use hubbub::store::{CheckedRoles, MemberChange, Outcome, Store, StoreError};

use crate::home::{Ear, Home, guest_event, on_both, room_name, seq, user_event, user_id};

on_both!(
    two_nodes_number_one_room_together,
    copies_of_a_message_on_two_nodes_are_one,
    a_removal_on_one_node_fences_the_other,
    whoever_was_removed_on_one_node_changes_no_members_on_the_other,
    whoever_became_the_owner_on_one_node_is_not_removed_as_a_member_on_the_other,
    a_database_that_is_held_for_long_is_waited_for,
);

/// Every `seq` once, from 1 on, and each outcome where it says.
async fn check_order(store: &Store, room: hubbub::domain::RoomId, stored: &HashMap<EventId, i64>) {
    let events = store.events_after(room, 0, 100_000, usize::MAX).await.expect("a page");
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    let wanted: Vec<i64> = (1..).take(stored.len()).collect();
    assert_eq!(seqs, wanted, "a gap, or one twice");
    for event in events {
        assert_eq!(stored.get(&event.id), Some(&event.seq));
    }
}

async fn two_nodes_number_one_room_together(home: Home) {
    let other = home.another().await;
    let (mut here, mut there) = (Ear::new(), Ear::new());
    let room = home.room("global").await;
    for n in 0..400 {
        here.append(&home.store, guest_event(room.id, &n.to_string()), 0).await;
        there.append(&other, guest_event(room.id, &n.to_string()), 0).await;
        if n % 40 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let (a, b) = (here.outcomes(400).await, there.outcomes(400).await);
    for own in [&a, &b] {
        assert!(own.windows(2).all(|two| seq(&two[0].1) < seq(&two[1].1)), "order was lost");
    }
    let stored = a.iter().chain(&b).map(|(id, outcome)| (*id, seq(outcome))).collect();
    check_order(&home.store, room.id, &stored).await;
}

async fn copies_of_a_message_on_two_nodes_are_one(home: Home) {
    let other = home.another().await;
    let (mut here, mut there) = (Ear::new(), Ear::new());
    let (room, author) = (home.room("global").await, Author::Guest(ids::random()));
    for n in 0..200 {
        let mut one = guest_event(room.id, "hi");
        (one.author, one.client_id) = (author, Some(format!("c{n}")));
        let mut two = one.clone();
        two.id = EventId(ids::at(clock::now()));
        here.append(&home.store, one, 0).await;
        there.append(&other, two, 0).await;
    }
    let (a, b) = (here.outcomes(200).await, there.outcomes(200).await);
    let mut stored = HashMap::new();
    for ((a_id, a), (b_id, b)) in a.into_iter().zip(b) {
        match (a, b) {
            (Outcome::Stored(seq), Outcome::Duplicate(first)) => {
                assert_eq!((first.id, first.seq), (a_id, seq));
                stored.insert(a_id, seq);
            }
            (Outcome::Duplicate(first), Outcome::Stored(seq)) => {
                assert_eq!((first.id, first.seq), (b_id, seq));
                stored.insert(b_id, seq);
            }
            both => panic!("{both:?}"),
        }
    }
    check_order(&home.store, room.id, &stored).await;
}

async fn a_removal_on_one_node_fences_the_other(home: Home) {
    let other = home.another().await;
    let mut ear = Ear::new();
    let (alice, bob) = (home.user("alice").await, home.user("bob").await);
    let (a, b) = (user_id(&alice), user_id(&bob));
    let room =
        home.store.create_group(&room_name("g"), a, &[b], clock::now()).await.expect("a group");
    ear.change(&home.store, room.id, MemberChange::Remove(b), a).await.result.expect("removed");
    let late = ear.post(&other, user_event(room.id, &bob.card, "late"), 0).await;
    assert!(matches!(late, Outcome::Fenced), "{late:?}");
}

async fn whoever_was_removed_on_one_node_changes_no_members_on_the_other(home: Home) {
    let other = home.another().await;
    let mut ear = Ear::new();
    let mut users = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        users.push(user_id(&home.user(name).await));
    }
    let [a, b, c, d] = users[..] else { panic!("four") };
    let group = home.store.create_group(&room_name("g"), a, &[b, c], clock::now()).await;
    let room = group.expect("a group").id;
    ear.change(&home.store, room, MemberChange::Remove(b), a).await.result.expect("removed");
    ear.roles = CheckedRoles { by: Some(Role::Member), subject: None };
    for change in [MemberChange::Add(d), MemberChange::Remove(c)] {
        let late = ear.change(&other, room, change, b).await.result;
        assert!(matches!(late, Err(StoreError::Fenced)), "{change:?}: {late:?}");
    }
    let gone = ear.change(&other, room, MemberChange::Remove(b), b).await.result.expect("is gone");
    assert!(gone.event.is_none(), "nothing is left to be done");
    let row = other.room(room).await.expect("an answer").expect("a room");
    assert_eq!((row.last_seq, row.member_rev), (1, 1), "what was fenced left nothing behind");
    ear.change(&other, room, MemberChange::Add(d), c).await.result.expect("she is a member");
}

async fn whoever_became_the_owner_on_one_node_is_not_removed_as_a_member_on_the_other(home: Home) {
    let other = home.another().await;
    let mut ear = Ear::new();
    let (a, b) = (user_id(&home.user("alice").await), user_id(&home.user("bob").await));
    let group = home.store.create_group(&room_name("g"), a, &[b], clock::now()).await;
    let room = group.expect("a group").id;
    ear.change(&home.store, room, MemberChange::Remove(a), a).await.result.expect("she leaves");
    ear.change(&home.store, room, MemberChange::Add(a), b).await.result.expect("she is back");
    ear.roles = CheckedRoles { by: Some(Role::Member), subject: Some(Role::Member) };
    let late = ear.change(&other, room, MemberChange::Remove(b), a).await.result;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(other.role(room, b).await.expect("an answer"), Some(Role::Owner));
}

/// Longer than any time-out of the database's own: whoever waits is refused there, and tried
/// again.
async fn a_database_that_is_held_for_long_is_waited_for(home: Home) {
    let mut ear = Ear::new();
    let room = home.room("global").await;
    let held = home.hold_writes().await;
    for n in 0..10 {
        ear.append(&home.store, guest_event(room.id, &n.to_string()), 0).await;
    }
    while home.store.writer().figures().retries == 0 {
        tokio::task::yield_now().await;
    }
    held.release().await;
    let seqs: Vec<i64> = ear.outcomes(10).await.iter().map(|(_, outcome)| seq(outcome)).collect();
    assert_eq!(seqs, (1..=10).collect::<Vec<_>>());
}

/// Ends the server's side of every connection again and again: some commits get no answer.
#[actix::test]
async fn cut_connections_lose_and_double_nothing() {
    let home = Home::postgres().await;
    let mut ear = Ear::new();
    let room = home.room("global").await;
    let mut stored = HashMap::new();
    let cutter = home.cutter().await;
    let mut sent = 0;
    while sent < 4_000 {
        for n in 0..200 {
            let mut event = guest_event(room.id, &n.to_string());
            event.client_id = Some(format!("c{}", sent + n));
            ear.append(&home.store, event, 0).await;
        }
        sent += 200;
        // While some of these are on their way, which ones is chance.
        let first = ear.commits.recv().await.expect("an answer").outcomes;
        cutter.cut().await;
        let rest = ear.outcomes(200 - first.len()).await;
        for (id, outcome) in first.into_iter().chain(rest) {
            stored.insert(id, seq(&outcome));
        }
    }
    assert!(home.store.writer().figures().retries > 0, "nothing was cut");
    check_order(&home.another().await, room.id, &stored).await;
}
