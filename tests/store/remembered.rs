//! What the Writer remembers of its rooms is never believed: others write to the same database, and
//! every answer is as if it had looked.

use hubbub::domain::{RoomId, clock};
use hubbub::store::Outcome;

use crate::home::{Ear, Home, guest_event, new_user, on_both, room_name, seq, user_event};

on_both!(
    a_room_that_another_closed_is_closed,
    members_that_another_changed_fence,
    what_another_posted_comes_first,
    one_room_that_moved_holds_up_none_of_a_batch,
    the_same_client_id_is_the_first_one_in_a_room_that_is_remembered,
    many_rooms_go_on_from_batch_to_batch,
    a_row_that_cant_be_stored_leaves_nothing_behind,
    a_remembered_room_waits_for_a_database_that_is_held,
    who_else_writes_has_a_turn_while_posts_pour_in,
);

/// Behind the Writer's back.
async fn set(home: &Home, room: RoomId, what: &str) {
    let sqlite = home.settings.database_url.starts_with("sqlite");
    let id = if sqlite { format!("x'{}'", room.0.simple()) } else { format!("'{room}'") };
    home.tell(&format!("UPDATE room SET {what} WHERE id = {id}")).await;
}

/// Two posts: the second one goes by what the first one left.
async fn warm(home: &Home, ear: &mut Ear, name: &str) -> RoomId {
    let room = home.room(name).await.id;
    for n in 1..=2 {
        assert_eq!(seq(&ear.post(&home.store, guest_event(room, "hi"), 0).await), n);
    }
    room
}

/// Every `seq` from 1 on, once, and as many as the room says.
async fn check(home: &Home, room: RoomId, last_seq: i64) {
    let events = home.store.events_after(room, 0, 10_000, usize::MAX).await.expect("a page");
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=last_seq).collect::<Vec<_>>());
    let row = home.store.room(room).await.expect("an answer").expect("a room");
    assert_eq!(row.last_seq, last_seq);
}

async fn a_room_that_another_closed_is_closed(home: Home) {
    let mut ear = Ear::new();
    let room = warm(&home, &mut ear, "a").await;
    set(&home, room, "closed_at = 1").await;
    for _ in 0..2 {
        let closed = ear.post(&home.store, guest_event(room, "late"), 0).await;
        assert!(matches!(closed, Outcome::Closed), "{closed:?}");
    }
    set(&home, room, "closed_at = NULL").await;
    assert_eq!(seq(&ear.post(&home.store, guest_event(room, "open"), 0).await), 3);
    check(&home, room, 3).await;
}

async fn members_that_another_changed_fence(home: Home) {
    let mut ear = Ear::new();
    let room = warm(&home, &mut ear, "a").await;
    set(&home, room, "member_rev = 1").await;
    let late = ear.post(&home.store, guest_event(room, "late"), 0).await;
    assert!(matches!(late, Outcome::Fenced), "{late:?}");
    assert_eq!(seq(&ear.post(&home.store, guest_event(room, "checked again"), 1).await), 3);
    // Who knows of the change before the Writer does is let in.
    set(&home, room, "member_rev = 2").await;
    assert_eq!(seq(&ear.post(&home.store, guest_event(room, "checked"), 2).await), 4);
    check(&home, room, 4).await;
}

async fn what_another_posted_comes_first(home: Home) {
    let other = home.another().await;
    let (mut here, mut there) = (Ear::new(), Ear::new());
    let room = warm(&home, &mut here, "a").await;
    for n in (3..20).step_by(4) {
        for at in [n, n + 1] {
            assert_eq!(seq(&there.post(&other, guest_event(room, "there"), 0).await), at);
        }
        for at in [n + 2, n + 3] {
            assert_eq!(seq(&here.post(&home.store, guest_event(room, "here"), 0).await), at);
        }
    }
    check(&home, room, 22).await;
}

async fn one_room_that_moved_holds_up_none_of_a_batch(home: Home) {
    let mut ear = Ear::new();
    let mut rooms = Vec::new();
    for n in 0..20 {
        rooms.push(warm(&home, &mut ear, &format!("r{n}")).await);
    }
    set(&home, rooms[7], "closed_at = 1").await;
    set(&home, rooms[8], "member_rev = 1").await;
    let held = home.hold_writes().await;
    for room in &rooms {
        for text in ["one", "two"] {
            ear.append(&home.store, guest_event(*room, text), 0).await;
        }
    }
    held.release().await;
    let outcomes = ear.outcomes(40).await;
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, one)| is(one)).count();
    assert_eq!(count(|one| matches!(one, Outcome::Closed)), 2);
    assert_eq!(count(|one| matches!(one, Outcome::Fenced)), 2);
    for (n, room) in rooms.iter().enumerate() {
        check(&home, *room, if n == 7 || n == 8 { 2 } else { 4 }).await;
    }
}

async fn the_same_client_id_is_the_first_one_in_a_room_that_is_remembered(home: Home) {
    let mut ear = Ear::new();
    let alice = home.user("alice").await;
    let (room, other) = (warm(&home, &mut ear, "a").await, warm(&home, &mut ear, "b").await);
    let event = |text: &str| {
        let mut event = user_event(room, &alice.card, text);
        event.client_id = Some("c1".into());
        event
    };
    let first = event("first");
    let id = first.id;
    assert_eq!(seq(&ear.post(&home.store, first, 0).await), 3);
    for n in 4..7 {
        let again = ear.post(&home.store, event("again"), 0).await;
        let Outcome::Duplicate(found) = again else { panic!("{again:?}") };
        assert_eq!((found.id, found.seq, found.content.as_str()), (id, 3, "first"));
        assert_eq!(seq(&ear.post(&home.store, guest_event(room, "hi"), 0).await), n);
    }
    // Among others in one batch.
    let held = home.hold_writes().await;
    for again in [guest_event(room, "new"), event("again"), guest_event(other, "new")] {
        ear.append(&home.store, again, 0).await;
    }
    held.release().await;
    let outcomes = ear.outcomes(3).await;
    let again = outcomes.iter().filter(|(_, one)| matches!(one, Outcome::Duplicate(_)));
    assert_eq!(again.count(), 1, "{outcomes:?}");
    check(&home, room, 7).await;
    check(&home, other, 3).await;
}

async fn many_rooms_go_on_from_batch_to_batch(home: Home) {
    let mut ear = Ear::new();
    let mut rooms = Vec::new();
    for n in 0..150 {
        rooms.push(home.room(&format!("r{n}")).await.id);
    }
    for round in 1..=4 {
        let held = home.hold_writes().await;
        for n in 0..3 {
            // Not all of them each time, and not always as often.
            for room in rooms.iter().skip(round + n) {
                ear.append(&home.store, guest_event(*room, "hi"), 0).await;
            }
        }
        held.release().await;
        let sent = (0..3).map(|n| rooms.len() - round - n).sum();
        for (_, outcome) in ear.outcomes(sent).await {
            assert!(seq(&outcome) >= 1);
        }
    }
    for (at, room) in rooms.iter().enumerate() {
        let posts = (1..=4).flat_map(|round| (0..3).map(move |n| round + n));
        check(&home, *room, i64::try_from(posts.filter(|skipped| at >= *skipped).count()).unwrap())
            .await;
    }
}

async fn a_row_that_cant_be_stored_leaves_nothing_behind(home: Home) {
    let mut ear = Ear::new();
    let (room, other) = (warm(&home, &mut ear, "a").await, warm(&home, &mut ear, "b").await);
    let taken = guest_event(other, "its id is taken");
    let mut bad = guest_event(room, "bad");
    bad.id = taken.id;
    assert_eq!(seq(&ear.post(&home.store, taken, 0).await), 3);
    let failed = ear.post(&home.store, bad, 0).await;
    assert!(matches!(failed, Outcome::Failed(_)), "{failed:?}");
    // Whoever writes over the same connection goes on, and so does the room.
    let user = home.store.create_user(new_user("alice", ""), clock::now()).await;
    user.expect("an account");
    assert_eq!(seq(&ear.post(&home.store, guest_event(room, "good"), 0).await), 3);
    check(&home, room, 3).await;
    check(&home, other, 3).await;
}

async fn a_remembered_room_waits_for_a_database_that_is_held(home: Home) {
    let mut ear = Ear::new();
    let room = warm(&home, &mut ear, "a").await;
    let held = home.hold_writes().await;
    ear.append(&home.store, guest_event(room, "waits"), 0).await;
    while home.store.writer().figures().retries == 0 {
        tokio::task::yield_now().await;
    }
    held.release().await;
    assert_eq!(seq(&ear.outcomes(1).await[0].1), 3);
    let named = home.store.open_named(&room_name("b"), None, false, clock::now()).await;
    named.expect("the connection is free");
    assert_eq!(seq(&ear.post(&home.store, guest_event(room, "after"), 0).await), 4);
    check(&home, room, 4).await;
}

/// Posts are handed over all the time, so that the Writer never rests; each account is made while they
/// are, long before they end.
async fn who_else_writes_has_a_turn_while_posts_pour_in(home: Home) {
    let mut ear = Ear::new();
    let room = warm(&home, &mut ear, "a").await;
    let mut made = 0;
    let mut last = 2;
    while made < 20 {
        for _ in 0..40 {
            ear.append(&home.store, guest_event(room, "hi"), 0).await;
        }
        let name = format!("user{made}");
        let user = new_user(&name, &format!("{name}@example.org"));
        let (user, outcomes) =
            tokio::join!(home.store.create_user(user, clock::now()), ear.outcomes(40));
        user.expect("an account");
        made += 1;
        for (_, outcome) in outcomes {
            last += 1;
            assert_eq!(seq(&outcome), last);
        }
    }
    check(&home, room, last).await;
}
