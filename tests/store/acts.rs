//! Acts on messages: edits, deletes and reactions take a place of their own in the room's order,
//! change what history shows, and change nothing when it is so already.

use hubbub::domain::{Author, EventId, EventKind, NewEvent, clock, ids};
use hubbub::store::{Outcome, Store};

use crate::home::{Ear, Home, act, guest_event, on_both, reaction, seq, user_event};

on_both!(
    an_edit_is_an_event_and_the_messages_new_text,
    what_is_deleted_is_gone_from_every_row,
    acts_are_for_those_who_may_and_on_messages_of_the_room,
    reactions_are_set_once_and_taken_back_once,
    acts_of_one_batch_see_one_another,
    an_act_that_comes_again_is_the_first_one,
    a_bad_act_stands_alone,
    two_nodes_react_to_one_message,
);

/// The room's events of every kind.
async fn all(store: &Store, room: &NewEvent) -> Vec<hubbub::domain::Event> {
    store.events_after(room.room, 0, 1_000, usize::MAX).await.expect("a page")
}

/// The same event by somebody else.
fn by(author: Author, event: NewEvent) -> NewEvent {
    NewEvent { author, sender: None, ..event }
}

async fn an_edit_is_an_event_and_the_messages_new_text(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (alice, room) = (home.user("alice").await, home.room("global").await);
    let hers = user_event(room.id, &alice.card, "helo");
    let mut guests = guest_event(room.id, "ho");
    (guests.raw, guests.nick_name) = (Some("{}".into()), Some("nick".into()));
    for event in [&hers, &guests] {
        seq(&ear.post(store, event.clone(), 0).await);
    }
    let (one, two) = (act(EventKind::Edit, &hers, "hello"), act(EventKind::Edit, &guests, "hoho"));
    assert_eq!(seq(&ear.post(store, one.clone(), 0).await), 3);
    assert_eq!(seq(&ear.post(store, two.clone(), 0).await), 4);
    let same = ear.post(store, act(EventKind::Edit, &hers, "hello"), 0).await;
    assert!(matches!(same, Outcome::Unchanged(4)), "{same:?}");
    let events = all(store, &hers).await;
    let texts: Vec<_> = events.iter().map(|event| event.content.as_str()).collect();
    assert_eq!(texts, ["hello", "hoho", "hello", "hoho"]);
    assert_eq!(
        (events[0].edited_at, events[1].edited_at),
        (Some(one.created_at), Some(two.created_at))
    );
    assert_eq!((&events[1].raw, events[1].nick_name.as_deref()), (&None, Some("nick")));
    assert_eq!((events[2].kind, events[2].target), (EventKind::Edit, Some(hers.id)));
    assert_eq!(events[2].sender.as_deref(), Some(&*alice.card));
    let page = store.latest_messages(room.id, 9).await.expect("a page");
    assert_eq!(page.iter().map(|message| message.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(store.room(room.id).await.expect("an answer").expect("there").last_seq, 4);
}

async fn what_is_deleted_is_gone_from_every_row(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (alice, room) = (home.user("alice").await, home.room("global").await);
    let (hers, kept) = (user_event(room.id, &alice.card, "oops"), guest_event(room.id, "kept"));
    let mut guests = guest_event(room.id, "oops");
    (guests.raw, guests.nick_name) = (Some("\"oops\"".into()), Some("nick".into()));
    for event in [&hers, &kept, &guests] {
        seq(&ear.post(store, event.clone(), 0).await);
    }
    for event in [
        act(EventKind::Edit, &hers, "oops again"),
        act(EventKind::Edit, &kept, "still kept"),
        act(EventKind::Edit, &hers, "and oops again"),
        reaction(&hers, "+", true),
    ] {
        seq(&ear.post(store, event, 0).await);
    }
    let delete = act(EventKind::Delete, &hers, "");
    assert_eq!(seq(&ear.post(store, delete.clone(), 0).await), 8);
    assert_eq!(seq(&ear.post(store, act(EventKind::Delete, &guests, ""), 0).await), 9);
    let events = all(store, &hers).await;
    assert!(events.iter().all(|event| !event.content.contains("oops")), "{events:#?}");
    assert!(events.iter().all(|event| event.raw.as_deref() != Some("\"oops\"")), "{events:#?}");
    assert_eq!(events.len(), 9, "places stay");
    assert_eq!(
        (events[0].deleted_at, events[2].nick_name.as_deref()),
        (Some(delete.created_at), Some("nick"))
    );
    assert_eq!((events[1].content.as_str(), events[1].deleted_at), ("still kept", None));
    assert_eq!(events[4].content, "still kept");
    assert!(events[6].is_on() && events[6].content == "+");
    let last = store.last_messages(&[room.id]).await.expect("an answer");
    assert_eq!((last[&room.id].seq, last[&room.id].content.as_str()), (3, ""));
    for (event, unchanged) in [
        (act(EventKind::Delete, &hers, ""), true),
        (act(EventKind::Edit, &hers, "back"), false),
        (reaction(&hers, "+", false), false),
    ] {
        match ear.post(store, event, 0).await {
            Outcome::Unchanged(9) if unchanged => {}
            Outcome::NoTarget if !unchanged => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn acts_are_for_those_who_may_and_on_messages_of_the_room(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (room, other) = (home.room("a").await, home.room("b").await);
    let (hers, elsewhere) = (guest_event(room.id, "hers"), guest_event(other.id, "elsewhere"));
    for event in [&hers, &elsewhere] {
        seq(&ear.post(store, event.clone(), 0).await);
    }
    let edit = act(EventKind::Edit, &hers, "mine");
    seq(&ear.post(store, edit.clone(), 0).await);
    let stranger = Author::Guest(ids::random());
    for event in [
        by(stranger, act(EventKind::Edit, &hers, "x")),
        by(stranger, act(EventKind::Delete, &hers, "")),
    ] {
        let refused = ear.post(store, event, 0).await;
        assert!(matches!(refused, Outcome::NotAllowed), "{refused:?}");
    }
    let never = guest_event(room.id, "never sent");
    let there = NewEvent { room: room.id, ..act(EventKind::Edit, &elsewhere, "x") };
    let none = NewEvent { target: None, ..act(EventKind::Delete, &hers, "") };
    let acts = [act(EventKind::Edit, &never, "x"), there, none, act(EventKind::Delete, &edit, "")];
    for event in acts.into_iter().chain([reaction(&edit, "+", true), reaction(&never, "+", true)]) {
        let refused = ear.post(store, event, 0).await;
        assert!(matches!(refused, Outcome::NoTarget), "{refused:?}");
    }
    // The fence and the room's end come first: what was checked against the past is no verdict.
    let fenced = ear.post(store, by(stranger, act(EventKind::Edit, &hers, "x")), 7).await;
    assert!(matches!(fenced, Outcome::Fenced), "{fenced:?}");
    ear.append_as(store, by(stranger, act(EventKind::Edit, &hers, "x")), 0, true).await;
    ear.append_as(store, by(stranger, act(EventKind::Delete, &hers, "")), 0, true).await;
    let outcomes = ear.outcomes(2).await;
    assert!(matches!(outcomes[0].1, Outcome::NotAllowed), "{outcomes:?}");
    assert_eq!(seq(&outcomes[1].1), 3, "refused acts take no place");
    assert!(store.close_room(room.id, clock::now(), None).await.expect("closed"));
    let closed = ear.post(store, act(EventKind::Edit, &hers, "x"), 0).await;
    assert!(matches!(closed, Outcome::Closed), "{closed:?}");
}

async fn reactions_are_set_once_and_taken_back_once(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (alice, room) = (home.user("alice").await, home.room("global").await);
    let message = user_event(room.id, &alice.card, "hi");
    let guest = Author::Guest(ids::random());
    seq(&ear.post(store, message.clone(), 0).await);
    let mut head = 1;
    for (event, changes) in [
        (reaction(&message, "👍", false), false),
        (reaction(&message, "👍", true), true),
        (reaction(&message, "👍", true), false),
        (reaction(&message, "🎉", true), true),
        (by(guest, reaction(&message, "👍", true)), true),
        (reaction(&message, "👍", false), true),
        (reaction(&message, "👍", false), false),
        (by(guest, reaction(&message, "👍", true)), false),
        (reaction(&message, "👍", true), true),
        (reaction(&message, "🎉", true), false),
    ] {
        head += i64::from(changes);
        match ear.post(store, event.clone(), 0).await {
            Outcome::Stored(seq) if changes => assert_eq!(seq, head),
            Outcome::Unchanged(seq) if !changes => assert_eq!(seq, head),
            other => panic!("{event:?}: {other:?}"),
        }
    }
    let events = all(store, &message).await;
    let said: Vec<_> = events[1..].iter().map(|e| (e.content.as_str(), e.is_on())).collect();
    assert_eq!(said, [("👍", true), ("🎉", true), ("👍", true), ("👍", false), ("👍", true)]);
    assert_eq!(events[3].author, guest);
}

async fn acts_of_one_batch_see_one_another(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let (room, other) = (home.room("a").await, home.room("b").await);
    let message = guest_event(room.id, "first");
    let held = home.hold_writes().await;
    ear.append(store, guest_event(room.id, "goes alone"), 0).await;
    for event in [
        message.clone(),
        act(EventKind::Edit, &message, "second"),
        act(EventKind::Edit, &message, "second"),
        act(EventKind::Edit, &message, "third"),
        reaction(&message, "+", true),
        reaction(&message, "+", true),
        guest_event(other.id, "noise"),
        act(EventKind::Delete, &message, ""),
        act(EventKind::Delete, &message, ""),
        act(EventKind::Edit, &message, "fourth"),
        guest_event(room.id, "last"),
    ] {
        ear.append(store, event, 0).await;
    }
    held.release().await;
    let outcomes = ear.outcomes(12).await;
    let in_room: Vec<String> = outcomes
        .iter()
        .map(|(_, outcome)| match outcome {
            Outcome::Stored(seq) => format!("stored {seq}"),
            other => format!("{other:?}"),
        })
        .collect();
    let mut expected = vec![
        "stored 1",
        "stored 2",
        "stored 3",
        "Unchanged(3)",
        "stored 4",
        "stored 5",
        "Unchanged(5)",
        "stored 6",
        "Unchanged(6)",
        "NoTarget",
        "stored 7",
        "stored 1",
    ];
    let mut in_room = in_room;
    // The other room's answer comes in a message of its own, wherever its lane puts it.
    expected.sort_unstable();
    in_room.sort_unstable();
    assert_eq!(in_room, expected);
    let events = all(store, &message).await;
    let texts: Vec<_> = events.iter().map(|event| event.content.as_str()).collect();
    assert_eq!(texts, ["goes alone", "", "", "", "+", "", "last"]);
    assert!(events[1].deleted_at.is_some() && events[1].edited_at.is_some());
}

async fn an_act_that_comes_again_is_the_first_one(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let room = home.room("global").await;
    let message = guest_event(room.id, "hi");
    seq(&ear.post(store, message.clone(), 0).await);
    let again = |id: &str| {
        let mut edit = act(EventKind::Edit, &message, "ho");
        edit.client_id = Some(id.into());
        edit
    };
    let first = again("c1");
    assert_eq!(seq(&ear.post(store, first.clone(), 0).await), 2);
    assert_eq!(seq(&ear.post(store, act(EventKind::Edit, &message, "hu"), 0).await), 3);
    let outcome = ear.post(store, again("c1"), 0).await;
    let Outcome::Duplicate(found) = outcome else { panic!("{outcome:?}") };
    assert_eq!((found.id, found.seq, found.kind), (first.id, 2, EventKind::Edit));
    let events = all(store, &message).await;
    assert_eq!((events.len(), events[0].content.as_str()), (3, "hu"), "done once");
}

/// One whose row the database refuses, between others that change the same message.
async fn a_bad_act_stands_alone(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let room = home.room("global").await;
    let message = guest_event(room.id, "0");
    seq(&ear.post(store, message.clone(), 0).await);
    let held = home.hold_writes().await;
    ear.append(store, guest_event(room.id, "goes alone"), 0).await;
    for n in 1..=20 {
        let mut edit = act(EventKind::Edit, &message, &n.to_string());
        if n == 7 || n == 20 {
            edit.id = message.id;
        }
        ear.append(store, edit, 0).await;
    }
    held.release().await;
    let outcomes = ear.outcomes(21).await;
    let failed = outcomes.iter().filter(|(_, o)| matches!(o, Outcome::Failed(_))).count();
    assert_eq!(failed, 2, "{outcomes:?}");
    let seqs: Vec<i64> =
        outcomes.iter().filter(|(id, _)| *id != message.id).map(|(_, o)| seq(o)).collect();
    assert_eq!(seqs, (2..=20).collect::<Vec<_>>());
    assert_eq!(all(store, &message).await[0].content, "19");
}

async fn two_nodes_react_to_one_message(home: Home) {
    let other = home.another().await;
    let (mut here, mut there) = (Ear::new(), Ear::new());
    let room = home.room("global").await;
    let message = guest_event(room.id, "hi");
    seq(&here.post(&home.store, message.clone(), 0).await);
    for n in 0..100 {
        let one = reaction(&message, "+", n % 2 == 0);
        let two = NewEvent { id: EventId(ids::at(clock::now())), ..one.clone() };
        here.append(&home.store, one, 0).await;
        there.append(&other, two, 0).await;
    }
    here.outcomes(100).await;
    there.outcomes(100).await;
    let events = all(&home.store, &message).await;
    assert!(events.len() > 1);
    for (n, event) in events[1..].iter().enumerate() {
        assert_eq!(event.is_on(), n % 2 == 0, "set or taken back twice at {}", event.seq);
    }
}

/// A message that many reacted to, in a room among others, is not read as a whole. (On SQLite the
/// statements name their indexes, and fail without them.)
#[actix::test]
async fn acts_look_up_rows_by_index_on_postgres() {
    let home = Home::postgres().await;
    let mut ear = Ear::new();
    let room = home.room("a").await;
    let message = guest_event(room.id, "hi");
    ear.post(&home.store, message.clone(), 0).await;
    for n in 0..2_000 {
        let event = if n % 2 == 0 {
            by(Author::Guest(ids::random()), reaction(&message, "+", true))
        } else {
            guest_event(room.id, "noise")
        };
        ear.append(&home.store, event, 0).await;
    }
    ear.outcomes(2_000).await;
    let on = format!("f.room = '{}' AND f.target = '{}'", room.id, message.id);
    home.tell("ANALYZE").await;
    let newest = "f.author = 'g:x' AND f.content = '+' ORDER BY f.seq DESC LIMIT 1";
    for (sql, index) in [
        (
            format!("SELECT * FROM event f WHERE f.kind = 'reaction' AND {on} AND {newest}"),
            "event_reaction",
        ),
        (format!("UPDATE event f SET content = '' WHERE {on} AND f.kind = 'edit'"), "event_edit"),
    ] {
        let plan = home.plan(&sql).await;
        assert!(plan.contains(index), "{plan}");
    }
}

/// Ends connections in the middle of commits: each edit is done once, in order, or not at all.
#[actix::test]
async fn cut_connections_lose_and_double_no_act() {
    let home = Home::postgres().await;
    let mut ear = Ear::new();
    let room = home.room("global").await;
    let message = guest_event(room.id, "0");
    seq(&ear.post(&home.store, message.clone(), 0).await);
    let cutter = home.cutter().await;
    for round in 0..10 {
        for n in 0..100 {
            let text = (round * 100 + n + 1).to_string();
            ear.append(&home.store, act(EventKind::Edit, &message, &text), 0).await;
        }
        let first = ear.commits.recv().await.expect("an answer").outcomes;
        cutter.cut().await;
        let rest = ear.outcomes(100 - first.len()).await;
        let seqs: Vec<i64> = first.iter().chain(&rest).map(|(_, outcome)| seq(outcome)).collect();
        assert_eq!(seqs, (round * 100 + 2..round * 100 + 102).collect::<Vec<_>>());
    }
    assert!(home.store.writer().figures().retries > 0, "nothing was cut");
    assert_eq!(all(&home.another().await, &message).await[0].content, "1000");
}
