//! What the Writer promises: order without gaps, nothing twice, the fence, bounds, and an answer
//! to everything that it accepted.

use hubbub::domain::{Author, EventKind, Role, UserId, clock, ids};
use hubbub::store::{MemberChange, Outcome, Store, StoreError};

use crate::home::{Ear, Home, guest_event, on_both, room_name, seq, user_event, user_id};

on_both!(
    posts_are_numbered_in_order_and_read_back,
    what_gathers_while_a_commit_runs_is_one_commit,
    the_same_client_id_is_the_same_message,
    a_post_checked_against_old_members_comes_back,
    a_bad_row_stands_alone_and_the_rest_is_stored_in_order,
    over_the_bound_there_is_no_permit_and_nothing_is_lost,
    a_change_of_members_takes_its_turn,
    the_owners_place_goes_to_the_longest_member,
);

async fn posts_are_numbered_in_order_and_read_back(home: Home) {
    let mut ear = Ear::new();
    let (alice, room) = (home.user("alice").await, home.room("global").await);
    for n in 1..=600 {
        let mut event = user_event(room.id, &alice.card, &format!("text {n}"));
        event.client_id = Some(format!("c{n}"));
        ear.append(&home.store, event, 0).await;
    }
    let outcomes = ear.outcomes(600).await;
    let seqs: Vec<i64> = outcomes.iter().map(|(_, outcome)| seq(outcome)).collect();
    assert_eq!(seqs, (1..=600).collect::<Vec<_>>());
    let page = home.store.latest_messages(room.id, 2).await.expect("a page");
    let texts: Vec<_> = page.iter().map(|event| event.content.as_str()).collect();
    assert_eq!(texts, ["text 599", "text 600"]);
    assert_eq!(page[0].sender.as_deref(), Some(&*alice.card));
    assert_eq!(home.store.room(room.id).await.expect("an answer").expect("a room").last_seq, 600);
}

async fn what_gathers_while_a_commit_runs_is_one_commit(home: Home) {
    let mut ear = Ear::new();
    let (a, b) = (home.room("a").await, home.room("b").await);
    let held = home.hold_writes().await;
    ear.append(&home.store, guest_event(a.id, "first"), 0).await;
    for _ in 0..30 {
        ear.append(&home.store, guest_event(a.id, "more"), 0).await;
        ear.append(&home.store, guest_event(b.id, "more"), 0).await;
    }
    held.release().await;
    let mut messages = 0;
    let mut answered = 0;
    while answered < 61 {
        let committed = ear.commits.recv().await.expect("an answer");
        answered += committed.outcomes.len();
        messages += 1;
    }
    // Two rooms and at most two commits in each of their lanes.
    assert!(messages <= 4, "{messages} messages");
    let figures = home.store.writer().figures();
    assert_eq!((figures.rows, figures.waiting), (61, 0));
    assert!(figures.commits <= 4, "{figures:?}");
    assert_eq!(figures.store_time.count(), 61);
}

async fn the_same_client_id_is_the_same_message(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (alice, bob) = (home.user("alice").await, home.user("bob").await);
    let (room, other) = (home.room("a").await, home.room("b").await);
    let event = |room, card, text: &str| {
        let mut event = user_event(room, card, text);
        event.client_id = Some("c1".into());
        event
    };
    let first = event(room.id, &alice.card, "first");
    let id = first.id;
    assert_eq!(seq(&ear.post(store, first, 0).await), 1);
    // Another text, and a fence that would not let it in: it is the first one all the same.
    let again = ear.post(store, event(room.id, &alice.card, "again"), 7).await;
    let Outcome::Duplicate(found) = again else { panic!("{again:?}") };
    assert_eq!((found.id, found.seq, found.content.as_str()), (id, 1, "first"));
    assert_eq!(found.sender.as_deref(), Some(&*alice.card));
    // Of another author, in another room: another message.
    assert_eq!(seq(&ear.post(store, event(room.id, &bob.card, "bob's"), 0).await), 2);
    assert_eq!(seq(&ear.post(store, event(other.id, &alice.card, "there"), 0).await), 1);
    // Both copies in one batch.
    let held = home.hold_writes().await;
    ear.append(store, guest_event(room.id, "first in"), 0).await;
    let mut one = guest_event(room.id, "one");
    one.client_id = Some("c2".into());
    let mut two = one.clone();
    two.id = hubbub::domain::EventId(ids::at(clock::now()));
    let one_id = one.id;
    ear.append(store, one, 0).await;
    ear.append(store, two, 0).await;
    held.release().await;
    let outcomes = ear.outcomes(3).await;
    assert_eq!(seq(&outcomes[1].1), 4);
    let Outcome::Duplicate(found) = &outcomes[2].1 else { panic!("{outcomes:?}") };
    assert_eq!((found.id, found.seq), (one_id, 4));
    assert_eq!(store.events_after(room.id, 0, 99, usize::MAX).await.expect("a page").len(), 4);
}

async fn a_post_checked_against_old_members_comes_back(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (alice, bob) = (home.user("alice").await, home.user("bob").await);
    let (a, b) = (user_id(&alice), user_id(&bob));
    let room = store.create_group(&room_name("g"), a, &[b], clock::now()).await.expect("a group");
    seq(&ear.post(store, user_event(room.id, &bob.card, "in"), 0).await);
    // Sent before the answer to the removal is known: it is behind it all the same.
    ear.send_change(store, room.id, MemberChange::Remove(b), a, clock::now()).await;
    let late = ear.post(store, user_event(room.id, &bob.card, "late"), 0).await;
    assert!(matches!(late, Outcome::Fenced), "{late:?}");
    assert_eq!(seq(&ear.post(store, user_event(room.id, &alice.card, "alone"), 1).await), 3);
    assert!(store.close_room(room.id, clock::now(), None).await.expect("closed"));
    let closed = ear.post(store, user_event(room.id, &alice.card, "closed"), 1).await;
    assert!(matches!(closed, Outcome::Closed), "{closed:?}");
    let changed = ear.changes.recv().await.expect("the removal's answer");
    assert_eq!(changed.result.expect("changed").member_rev, 1);
    let gone = ear.change(store, room.id, MemberChange::Add(b), a).await.result;
    assert!(matches!(gone, Err(StoreError::Missing("room"))), "{gone:?}");
}

async fn a_bad_row_stands_alone_and_the_rest_is_stored_in_order(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (room, other) = (home.room("a").await, home.room("b").await);
    let taken = guest_event(other.id, "its id is taken");
    let bad = taken.id;
    seq(&ear.post(store, taken, 0).await);
    let held = home.hold_writes().await;
    ear.append(store, guest_event(room.id, "0"), 0).await;
    for n in 1..40 {
        let mut event = guest_event(room.id, &n.to_string());
        if n == 7 || n == 30 {
            event.id = bad;
        }
        ear.append(store, event, 0).await;
    }
    held.release().await;
    let mut expected = 0;
    for (id, outcome) in ear.outcomes(40).await {
        if id == bad {
            assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        } else {
            expected += 1;
            assert_eq!(seq(&outcome), expected);
        }
    }
    let texts: Vec<String> = store
        .latest_messages(room.id, 99)
        .await
        .expect("a page")
        .into_iter()
        .map(|event| event.content)
        .collect();
    let sent: Vec<_> = (0..40).filter(|n| *n != 7 && *n != 30).map(|n| n.to_string()).collect();
    assert_eq!(texts, sent);
}

async fn over_the_bound_there_is_no_permit_and_nothing_is_lost(home: Home) {
    let mut settings = home.settings.clone();
    settings.max_waiting = 5;
    let store = Store::open(&settings).await.expect("it opens");
    let mut ear = Ear::new();
    let room = home.room("a").await;
    let held = home.hold_writes().await;
    for _ in 0..5 {
        assert!(store.writer().try_permit().is_some());
        ear.append(&store, guest_event(room.id, "hi"), 0).await;
    }
    assert!(store.writer().try_permit().is_none(), "busy");
    assert_eq!(store.writer().figures().waiting, 5);
    let later = store.writer().permit();
    held.release().await;
    later.await;
    assert_eq!(
        ear.outcomes(5).await.iter().map(|(_, o)| seq(o)).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    assert_eq!(store.writer().figures().waiting, 0);
}

async fn a_change_of_members_takes_its_turn(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (alice, bob) = (home.user("alice").await, home.user("bob").await);
    let (a, b) = (user_id(&alice), user_id(&bob));
    let room = store.create_group(&room_name("g"), a, &[], clock::now()).await.expect("a group");
    seq(&ear.post(store, user_event(room.id, &alice.card, "hi"), 0).await);
    let changed = ear.change(store, room.id, MemberChange::Add(b), a).await.result.expect("added");
    let event = changed.event.expect("an event");
    assert_eq!((event.seq, event.kind, event.author), (2, EventKind::Member, Author::User(a)));
    let content: serde_json::Value = serde_json::from_str(&event.content).expect("JSON");
    let expected = serde_json::json!({"action": "added", "user_id": b.0, "by": a.0, "rev": 1});
    assert_eq!(content, expected);
    assert_eq!(changed.member_rev, 1);
    assert_eq!(changed.members, [(a, Role::Owner), (b, Role::Member)]);

    let same = ear.change(store, room.id, MemberChange::Add(b), b).await.result.expect("there");
    assert!(same.event.is_none() && same.member_rev == 1 && same.members.len() == 2);
    for (change, by, action) in [
        (MemberChange::Remove(b), b, "left"),
        (MemberChange::Add(b), b, "joined"),
        (MemberChange::Remove(b), a, "removed"),
    ] {
        let changed = ear.change(store, room.id, change, by).await.result.expect("changed");
        let content = changed.event.expect("an event").content;
        assert!(content.contains(&format!("\"{action}\"")), "{content}");
    }
    let none = ear.change(store, room.id, MemberChange::Remove(b), a).await.result.expect("gone");
    assert!(none.event.is_none() && none.member_rev == 4 && none.members.len() == 1);
    let unknown = MemberChange::Add(UserId(999));
    let refused = ear.change(store, room.id, unknown, a).await.result;
    assert!(matches!(refused, Err(StoreError::Missing("user"))), "{refused:?}");
    let row = store.room(room.id).await.expect("an answer").expect("there");
    assert_eq!((row.last_seq, row.member_rev), (5, 4));
}

async fn the_owners_place_goes_to_the_longest_member(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(user_id(&home.user(name).await));
    }
    let room =
        store.create_group(&room_name("g"), ids[0], &[], clock::now()).await.expect("a group");
    for user in [ids[2], ids[1]] {
        ear.change(store, room.id, MemberChange::Add(user), ids[0]).await.result.expect("added");
    }
    let changed = ear.change(store, room.id, MemberChange::Remove(ids[0]), ids[0]).await;
    let members = changed.result.expect("left").members;
    assert_eq!(members, [(ids[2], Role::Owner), (ids[1], Role::Member)]);
    for user in [ids[2], ids[1]] {
        ear.change(store, room.id, MemberChange::Remove(user), user).await.result.expect("left");
    }
    assert!(store.members(room.id).await.expect("rows").is_empty());
}
