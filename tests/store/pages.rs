//! Pages of history: right at both ends, and one stretch of the index however long the room is.

use std::sync::Arc;

use hubbub::domain::{Event, EventKind, clock};
use hubbub::store::MemberChange;

use crate::home::{Ear, Home, guest_event, on_both, reaction, room_name, user_event, user_id};

on_both!(
    pages_are_cut_at_both_ends_and_read_oldest_first,
    a_page_holds_messages_alone_and_a_replay_everything,
    a_replay_is_bounded_by_its_bytes,
    events_before_a_place_are_the_newest_ones_oldest_first,
    history_begins_with_what_is_still_kept,
    a_page_is_one_stretch_of_the_index,
);

fn seqs(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.seq).collect()
}

async fn pages_are_cut_at_both_ends_and_read_oldest_first(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (room, other) = (home.room("a").await, home.room("b").await);
    let alice = home.user("alice").await;
    for n in 0..20 {
        ear.append(store, user_event(room.id, &alice.card, &n.to_string()), 0).await;
        ear.append(store, guest_event(other.id, "noise"), 0).await;
    }
    ear.outcomes(40).await;
    let latest = store.latest_messages(room.id, 3).await.expect("a page");
    assert_eq!(seqs(&latest), [18, 19, 20]);
    assert!(Arc::ptr_eq(
        latest[0].sender.as_ref().expect("a card"),
        latest[1].sender.as_ref().expect("a card")
    ));
    assert_eq!(seqs(&store.messages_before(room.id, 4, 2).await.expect("a page")), [2, 3]);
    assert_eq!(seqs(&store.messages_before(room.id, 1, 2).await.expect("a page")), [0; 0]);
    assert_eq!(seqs(&store.messages_after(room.id, 17, 9).await.expect("a page")), [18, 19, 20]);
    assert_eq!(seqs(&store.messages_after(room.id, 20, 9).await.expect("a page")), [0; 0]);
    let last = store.last_messages(&[room.id, other.id]).await.expect("an answer");
    assert_eq!((last[&room.id].seq, last[&other.id].content.as_str()), (20, "noise"));
    assert!(last[&other.id].sender.is_none());
    assert!(store.last_messages(&[]).await.expect("an answer").is_empty());
}

async fn a_page_holds_messages_alone_and_a_replay_everything(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (alice, bob) = (home.user("alice").await, home.user("bob").await);
    let room = store
        .create_group(&room_name("team"), user_id(&alice), &[], clock::now())
        .await
        .expect("a group");
    let mut event = user_event(room.id, &alice.card, "hi");
    (event.client_id, event.raw) = (Some("c1".into()), Some("{}".into()));
    event.nick_name = Some("al".into());
    let sent = event.clone();
    ear.post(store, event, 0).await;
    ear.change(store, room.id, MemberChange::Add(user_id(&bob)), user_id(&alice)).await;
    assert_eq!(seqs(&store.latest_messages(room.id, 9).await.expect("a page")), [1]);
    assert_eq!(store.last_messages(&[room.id]).await.expect("an answer")[&room.id].seq, 1);
    let all = store.events_after(room.id, 0, 9, usize::MAX).await.expect("a page");
    assert_eq!(seqs(&all), [1, 2]);
    assert_eq!((all[1].kind, all[1].sender.as_ref()), (EventKind::Member, Some(&alice.card)));
    assert_eq!(
        (all[0].id, all[0].author, all[0].client_id.as_ref(), all[0].raw.as_ref()),
        (sent.id, sent.author, sent.client_id.as_ref(), sent.raw.as_ref())
    );
    assert_eq!((&all[0].nick_name, all[0].created_at), (&sent.nick_name, sent.created_at));
}

async fn a_replay_is_bounded_by_its_bytes(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let room = home.room("a").await;
    for _ in 0..150 {
        ear.append(store, guest_event(room.id, &"x".repeat(1_000)), 0).await;
    }
    ear.outcomes(150).await;
    for (after, limit, bytes, expected) in [
        (0, 500, usize::MAX, 150),
        (0, 100, usize::MAX, 100),
        (0, 500, 10_000, 10),
        (0, 500, 100_000, 100),
        (149, 500, 1, 1),
        (0, 64, usize::MAX, 64),
        (0, 0, usize::MAX, 0),
        (150, 500, usize::MAX, 0),
    ] {
        let page = store.events_after(room.id, after, limit, bytes).await.expect("a page");
        assert_eq!(page.len(), expected, "{after} {limit} {bytes}");
    }
}

async fn events_before_a_place_are_the_newest_ones_oldest_first(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (room, other) = (home.room("a").await, home.room("b").await);
    let first = guest_event(room.id, &"x".repeat(1_000));
    ear.append(store, first.clone(), 0).await;
    ear.append(store, reaction(&first, "+", true), 0).await;
    for _ in 2..150 {
        ear.append(store, guest_event(room.id, &"x".repeat(1_000)), 0).await;
        ear.append(store, guest_event(other.id, "noise"), 0).await;
    }
    ear.outcomes(298).await;
    for (before, limit, bytes, expected) in [
        (i64::MAX, 500, usize::MAX, 1..=150),
        (151, 100, usize::MAX, 51..=150),
        (101, 64, usize::MAX, 37..=100),
        (101, 65, usize::MAX, 36..=100),
        (i64::MAX, 500, 10_000, 141..=150),
        (i64::MAX, 500, 100_000, 51..=150),
        (4, 500, usize::MAX, 1..=3),
        (i64::MAX, 500, 1, 150..=150),
        (2, 500, 1, 1..=1),
    ] {
        let page = store.events_before(room.id, before, limit, bytes).await.expect("a page");
        assert_eq!(seqs(&page), expected.collect::<Vec<_>>(), "{before} {limit} {bytes}");
    }
    for (before, limit) in [(1, 500), (151, 0)] {
        let page = store.events_before(room.id, before, limit, 99).await.expect("a page");
        assert!(page.is_empty(), "{before} {limit}");
    }
    let page = store.events_before(room.id, 3, 9, 9_999).await.expect("a page");
    assert_eq!((page[1].kind, page[1].target), (EventKind::Reaction, Some(first.id)));
}

async fn history_begins_with_what_is_still_kept(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (room, now) = (home.room("a").await, clock::now());
    assert_eq!(store.first_seq(room.id).await.expect("an answer"), None);
    for n in 0..10 {
        let mut event = guest_event(room.id, "hi");
        event.created_at = now.plus_secs(n - 7);
        ear.append(store, event, 0).await;
    }
    ear.outcomes(10).await;
    assert_eq!(store.first_seq(room.id).await.expect("an answer"), Some(1));
    store.forget_events(now).await.expect("forgotten");
    assert_eq!(store.first_seq(room.id).await.expect("an answer"), Some(8));
    assert_eq!(seqs(&store.events_after(room.id, 0, 9, 999).await.expect("a page")), [8, 9, 10]);
    store.forget_events(now.plus_secs(99)).await.expect("forgotten");
    assert_eq!(store.first_seq(room.id).await.expect("an answer"), None);
}

async fn a_page_is_one_stretch_of_the_index(home: Home) {
    let mut ear = Ear::new();
    for name in ["a", "b"] {
        let room = home.room(name).await;
        for _ in 0..1_000 {
            ear.append(&home.store, guest_event(room.id, "hi"), 0).await;
        }
        ear.outcomes(1_000).await;
    }
    home.tell("ANALYZE").await;
    let room = "(SELECT id FROM room WHERE name = 'a')";
    for order in [
        "e.seq < 500 AND e.kind = 'message' ORDER BY e.seq DESC",
        "e.seq < 500 ORDER BY e.seq DESC",
        "e.seq > 9 ORDER BY e.seq",
    ] {
        let plan = home
            .plan(&format!(
                "SELECT e.*, u.username FROM event e LEFT JOIN \"user\" u ON u.id = e.sender \
                 WHERE e.room = {room} AND {order} LIMIT 50"
            ))
            .await;
        let whole = ["SCAN e\n", "Seq Scan on event", "Sort", "TEMP B-TREE"];
        assert!(!whole.iter().any(|word| plan.contains(word)), "{plan}");
        assert!(plan.contains("event_pkey") || plan.contains("PRIMARY KEY"), "{plan}");
    }
}
