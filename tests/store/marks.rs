//! Read marks only grow, and what is unread is counted as far as anybody needs to know.

use hubbub::domain::{EventKind, RoomId, UserId, clock, ids};
use hubbub::store::{MemberChange, Store};

use crate::home::{
    Ear, Home, act, guest_event, on_both, reaction, room_name, seq, user_event, user_id,
};

on_both!(
    a_mark_grows_up_to_the_rooms_head,
    many_marks_at_once_on_two_nodes,
    others_messages_after_the_mark_are_unread,
    what_is_unread_is_counted_to_a_thousand,
    unread_is_a_range_of_places,
    unread_after_each_ones_mark_up_to_a_head,
);

async fn mark(store: &Store, room: RoomId, user: UserId) -> i64 {
    let members = store.members(room).await.expect("rows");
    members.iter().find(|row| row.card.id == user.0).expect("a member").read_seq
}

async fn unread(store: &Store, room: RoomId, user: UserId) -> Option<u64> {
    store.unread(user, &[room]).await.expect("an answer").get(&room).copied()
}

async fn a_mark_grows_up_to_the_rooms_head(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let alice = home.user("alice").await;
    let (a, b) = (user_id(&alice), user_id(&home.user("bob").await));
    let room = store.create_group(&room_name("g"), a, &[b], clock::now()).await.expect("a group");
    for _ in 0..10 {
        seq(&ear.post(store, user_event(room.id, &alice.card, "hi"), 0).await);
    }
    assert_eq!(mark(store, room.id, a).await, 0, "who posts has not therefore read");
    for (seq, expected) in [(4, 4), (2, 4), (4, 4), (7, 7), (11, 10), (i64::MAX, 10), (-1, 10)] {
        store.mark_read(&[(room.id, b, seq)]).await.expect("marked");
        assert_eq!(mark(store, room.id, b).await, expected, "{seq}");
    }
    assert_eq!(mark(store, room.id, a).await, 0, "another's mark is his own");
    // The same one several times in a list, in any order: the highest counts.
    store.mark_read(&[(room.id, a, 3), (room.id, a, 8), (room.id, a, 5)]).await.expect("marked");
    assert_eq!(mark(store, room.id, a).await, 8);
    let nobodys = [
        (room.id, UserId(999), 5),
        (RoomId(ids::random()), a, 5),
        (home.room("named").await.id, a, 5),
    ];
    store.mark_read(&nobodys).await.expect("nothing happens");
    store.mark_read(&[]).await.expect("nothing happens");
    assert_eq!(store.members(room.id).await.expect("rows").len(), 2);
}

async fn many_marks_at_once_on_two_nodes(home: Home) {
    let store = &home.store;
    let other = home.another().await;
    let mut ear = Ear::new();
    let alice = home.user("alice").await;
    let owner = user_id(&alice);
    let mut rooms = Vec::new();
    for n in 0..300 {
        let name = room_name(&format!("g{n}"));
        let room = store.create_group(&name, owner, &[], clock::now()).await.expect("a group").id;
        ear.append(store, user_event(room, &alice.card, "hi"), 0).await;
        ear.append(store, user_event(room, &alice.card, "hi"), 0).await;
        rooms.push(room);
    }
    ear.outcomes(600).await;
    for round in 1..=2 {
        let forth: Vec<_> = rooms.iter().map(|room| (*room, owner, round)).collect();
        let back: Vec<_> = forth.iter().rev().copied().collect();
        let (one, two, three) =
            tokio::join!(store.mark_read(&forth), other.mark_read(&back), store.mark_read(&forth));
        one.and(two).and(three).expect("marked");
        let members = store.members_of(&rooms).await.expect("rows");
        assert!(rooms.iter().all(|room| members[room][0].read_seq == round));
    }
    let all = store.unread(owner, &rooms).await.expect("an answer");
    assert_eq!((all.len(), all.values().sum::<u64>()), (300, 0));
}

async fn others_messages_after_the_mark_are_unread(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (alice, bob) = (home.user("alice").await, home.user("bob").await);
    let (a, b) = (user_id(&alice), user_id(&bob));
    let room = store.create_group(&room_name("g"), a, &[b], clock::now()).await.expect("a group");
    let empty = store.create_group(&room_name("e"), a, &[b], clock::now()).await.expect("a group");
    let (first, second) =
        (user_event(room.id, &alice.card, "one"), user_event(room.id, &alice.card, "two"));
    for event in [
        first.clone(),
        second.clone(),
        user_event(room.id, &bob.card, "his own"),
        act(EventKind::Edit, &first, "uno"),
        reaction(&first, "+", true),
    ] {
        seq(&ear.post(store, event, 0).await);
    }
    let carol = user_id(&home.user("carol").await);
    ear.change(store, room.id, MemberChange::Add(carol), a).await.result.expect("added");
    assert_eq!(unread(store, room.id, b).await, Some(2));
    assert_eq!(unread(store, room.id, a).await, Some(1));
    assert_eq!(unread(store, room.id, carol).await, Some(3));
    store.mark_read(&[(room.id, b, 1)]).await.expect("marked");
    assert_eq!(unread(store, room.id, b).await, Some(1));
    seq(&ear.post(store, act(EventKind::Delete, &second, ""), 1).await);
    assert_eq!(unread(store, room.id, b).await, Some(0));
    seq(&ear.post(store, guest_event(room.id, "from outside"), 1).await);
    assert_eq!(unread(store, room.id, b).await, Some(1));
    let named = home.room("named").await.id;
    let all = store.unread(b, &[room.id, empty.id, named]).await.expect("an answer");
    assert_eq!((all.len(), all[&room.id], all[&empty.id]), (2, 1, 0));
    assert!(store.unread(b, &[]).await.expect("an answer").is_empty());
}

async fn what_is_unread_is_counted_to_a_thousand(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (alice, bob) = (home.user("alice").await, home.user("bob").await);
    let (a, b) = (user_id(&alice), user_id(&bob));
    let room = store.create_group(&room_name("g"), a, &[b], clock::now()).await.expect("a group");
    for (card, many) in [(&bob.card, 20), (&alice.card, 2_980), (&bob.card, 1_500)] {
        for _ in 0..many {
            ear.append(store, user_event(room.id, card, "hi"), 0).await;
        }
    }
    ear.outcomes(4_500).await;
    assert_eq!(unread(store, room.id, a).await, Some(1_000));
    assert_eq!(unread(store, room.id, b).await, Some(1_000), "behind all that he wrote himself");
    store.mark_read(&[(room.id, a, 4_100)]).await.expect("marked");
    assert_eq!(unread(store, room.id, a).await, Some(400));
}

async fn unread_is_a_range_of_places(home: Home) {
    let mut ear = Ear::new();
    let alice = home.user("alice").await;
    for name in ["a", "b", "c", "d"] {
        let owner = user_id(&alice);
        let room = home.store.create_group(&room_name(name), owner, &[], clock::now()).await;
        let room = room.expect("a group").id;
        for _ in 0..1_000 {
            ear.append(&home.store, guest_event(room, "hi"), 0).await;
        }
        ear.outcomes(1_000).await;
    }
    home.tell("ANALYZE").await;
    let plan = home
        .plan(
            "SELECT m.room, (SELECT count(*) FROM (SELECT 1 AS one FROM event e \
                 WHERE e.room = m.room AND e.seq > CASE WHEN m.read_seq < r.last_seq - 4000 \
                     THEN r.last_seq - 4000 ELSE m.read_seq END \
                 AND e.kind = 'message' AND e.author <> 'u:1' LIMIT 1000) c) \
             FROM membership m JOIN room r ON r.id = m.room WHERE m.user_id = 1",
        )
        .await;
    let whole = ["SCAN e\n", "Seq Scan on event", "Sort", "TEMP B-TREE"];
    assert!(!whole.iter().any(|word| plan.contains(word)), "{plan}");
    assert!(plan.contains("event_pkey") || plan.contains("PRIMARY KEY"), "{plan}");
}

async fn unread_after_each_ones_mark_up_to_a_head(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (alice, bob) = (home.user("alice").await, home.user("bob").await);
    let (a, b) = (user_id(&alice), user_id(&bob));
    let room = store.create_group(&room_name("g"), a, &[b], clock::now()).await.expect("a group");
    for _ in 0..3 {
        seq(&ear.post(store, user_event(room.id, &alice.card, "hi"), 0).await);
        seq(&ear.post(store, user_event(room.id, &bob.card, "hi"), 0).await);
    }
    let after = async |marks: &[(UserId, i64)], head| {
        let found = store.unread_after(room.id, marks, head).await.expect("an answer");
        marks.iter().map(|(user, _)| found[user]).collect::<Vec<_>>()
    };
    assert_eq!(after(&[(a, 0), (b, 0)], 6).await, [3, 3]);
    assert_eq!(after(&[(a, 2), (b, 3)], 6).await, [2, 1]);
    assert_eq!(after(&[(a, 0), (b, 6)], 3).await, [1, 0]);
    let many: Vec<_> = (0..300).map(|n| (UserId(1_000 + n), 4)).collect();
    assert_eq!(after(&many, 6).await, vec![2; 300]);
    assert!(store.unread_after(room.id, &[], 6).await.expect("an answer").is_empty());
}
