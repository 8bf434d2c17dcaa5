//! Bans through the Writer: with the membership that ends by one, the fence and the record, in one
//! transaction.

use std::net::IpAddr;

use hubbub::domain::{Ban, Deed, Role, Subject, UserId, clock, ids};
use hubbub::store::{Changed, MemberChange, Outcome, StoreError};
use serde_json::{Value, json};

use crate::home::{Ear, Home, guest_event, on_both, room_name, user_event, user_id};

on_both!(
    a_ban_is_stored_with_its_record_and_fences_what_was_checked_before,
    a_banned_member_is_none_and_is_not_added_again,
    the_two_of_a_private_chat_stay_its_members,
    a_ban_that_is_over_is_not_in_force,
    a_message_is_taken_away_with_its_record,
    a_room_is_closed_with_its_record,
);

fn deed(by: UserId) -> Deed {
    let ip: IpAddr = [203, 0, 113, 7].into();
    Deed { by: Some(by), ip: Some(ip), at: clock::now() }
}

async fn told(home: &Home) -> (String, String, Option<Value>, Option<Value>) {
    let row = home.store.records(None, 1).await.expect("rows").remove(0);
    (row.action, row.target, row.before, row.after)
}

fn made(result: Result<Changed, StoreError>) -> Changed {
    result.expect("it is made")
}

async fn a_ban_is_stored_with_its_record_and_fences_what_was_checked_before(home: Home) {
    let (store, mut ear) = (&home.store, Ear::new());
    let boss = user_id(&home.user("root").await);
    let room = home.room("open").await;
    let subject = Subject::Address([198, 51, 100, 1].into());
    let until = Some(clock::now().plus_secs(3_600));
    let ban = Ban { subject, until };
    let changed = made(ear.act(store, room.id, MemberChange::Ban(ban), deed(boss)).await.result);
    assert!(changed.event.is_none(), "a named room has no members");
    assert_eq!((changed.member_rev, changed.bans), (1, vec![ban]));
    let target = format!("room:{}", room.id);
    let free = json!({"subject": "ip:198.51.100.1", "banned": false});
    let banned = json!({"subject": "ip:198.51.100.1", "banned": true, "until": until});
    let expected =
        ("room.ban".to_owned(), target.clone(), Some(free.clone()), Some(banned.clone()));
    assert_eq!(told(&home).await, expected);
    let late = ear.post(store, guest_event(room.id, "late"), 0).await;
    assert!(matches!(late, Outcome::Fenced), "{late:?}");
    let rows = store.room_rows(room.id, clock::now()).await.expect("rows").expect("there");
    assert_eq!((rows.row.member_rev, rows.row.last_seq, rows.bans), (1, 0, vec![ban]));

    // Until later, then not at all; and nothing twice.
    let longer = Ban { subject, until: None };
    let changed = made(ear.act(store, room.id, MemberChange::Ban(longer), deed(boss)).await.result);
    assert_eq!((changed.member_rev, changed.bans), (2, vec![longer]));
    let unban = MemberChange::Unban(subject);
    let changed = made(ear.act(store, room.id, unban, deed(boss)).await.result);
    assert_eq!((changed.member_rev, changed.bans), (3, vec![]));
    let forever = json!({"subject": "ip:198.51.100.1", "banned": true, "until": null});
    let expected = ("room.unban".to_owned(), target, Some(forever), Some(free));
    assert_eq!(told(&home).await, expected);
    let changed = made(ear.act(store, room.id, unban, deed(boss)).await.result);
    assert_eq!(changed.member_rev, 3, "nothing to check again");
    assert_eq!(store.records(None, 10).await.expect("rows").len(), 4);
    let ok = ear.post(store, guest_event(room.id, "again"), 3).await;
    assert!(matches!(ok, Outcome::Stored(1)), "{ok:?}");

    assert!(store.close_room(room.id, clock::now(), None).await.expect("closed"));
    let closed = ear.act(store, room.id, unban, deed(boss)).await.result;
    assert!(matches!(closed, Err(StoreError::Missing("room"))), "{closed:?}");
}

async fn a_banned_member_is_none_and_is_not_added_again(home: Home) {
    let (store, mut ear) = (&home.store, Ear::new());
    let boss = user_id(&home.user("root").await);
    let (alice, bob) = (user_id(&home.user("alice").await), user_id(&home.user("bob").await));
    let name = room_name("team");
    let room = store.create_group(&name, alice, &[bob], clock::now()).await.expect("a group");
    let subject = Subject::User(alice);
    let ban = MemberChange::Ban(Ban { subject, until: None });
    let changed = made(ear.act(store, room.id, ban, deed(boss)).await.result);
    assert_eq!(changed.members, [(bob, Role::Owner)], "the owner's place goes on");
    let event = changed.event.expect("an event");
    let words: Value = serde_json::from_str(&event.content).expect("JSON");
    let expected = json!({"action": "banned", "user_id": alice, "by": boss, "rev": 1});
    assert_eq!((event.seq, words), (1, expected));
    let promoted = changed.promoted.expect("another one");
    let words: Value = serde_json::from_str(&promoted.content).expect("JSON");
    let expected = json!({"action": "promoted", "user_id": bob, "by": boss, "rev": 1});
    assert_eq!((promoted.seq, words), (2, expected));
    assert_eq!(store.room(room.id).await.expect("an answer").expect("there").last_seq, 2);

    let refused = ear.change(store, room.id, MemberChange::Add(alice), bob).await.result;
    assert!(matches!(refused, Err(StoreError::Banned)), "{refused:?}");
    // Banned again she is no member who goes: no event.
    let changed = made(ear.act(store, room.id, ban, deed(boss)).await.result);
    assert!(changed.event.is_none());
    let unban = MemberChange::Unban(subject);
    let changed = made(ear.act(store, room.id, unban, deed(boss)).await.result);
    assert_eq!(changed.members, [(bob, Role::Owner)], "who was a member does not become one");
    let added = made(ear.change(store, room.id, MemberChange::Add(alice), bob).await.result);
    assert_eq!(added.members.len(), 2);
}

async fn the_two_of_a_private_chat_stay_its_members(home: Home) {
    let (store, mut ear) = (&home.store, Ear::new());
    let (alice, bob) = (user_id(&home.user("alice").await), user_id(&home.user("bob").await));
    let (room, _) = store.open_pair(alice, bob, clock::now()).await.expect("a chat");
    let ban = MemberChange::Ban(Ban { subject: Subject::User(bob), until: None });
    let changed = made(ear.act(store, room.id, ban, deed(alice)).await.result);
    assert_eq!((changed.members.len(), changed.bans.len()), (2, 1));
    assert!(changed.event.is_some_and(|event| event.content.contains("banned")));
}

async fn a_ban_that_is_over_is_not_in_force(home: Home) {
    let (store, mut ear) = (&home.store, Ear::new());
    let boss = user_id(&home.user("root").await);
    let room = home.room("open").await;
    let now = clock::now();
    let guest = Subject::Guest(ids::random());
    for (subject, until) in [(guest, now.plus_secs(-1)), (Subject::User(boss), now.plus_secs(60))] {
        let ban = MemberChange::Ban(Ban { subject, until: Some(until) });
        made(ear.act(store, room.id, ban, deed(boss)).await.result);
    }
    let in_force = |rows: hubbub::store::RoomRows| -> Vec<Subject> {
        rows.bans.iter().map(|ban| ban.subject).collect()
    };
    let rows = store.room_rows(room.id, now).await.expect("rows").expect("there");
    assert_eq!(in_force(rows), [Subject::User(boss)]);
    let later = store.room_rows(room.id, now.plus_secs(60)).await.expect("rows").expect("there");
    assert_eq!(in_force(later), []);
}

async fn a_message_is_taken_away_with_its_record(home: Home) {
    use hubbub::domain::{Action, EventKind, Target};
    let (store, mut ear) = (&home.store, Ear::new());
    let (boss, alice) = (home.user("root").await, home.user("alice").await);
    let room = home.room("open").await;
    let hers = user_event(room.id, &alice.card, "hers");
    ear.post(store, hers.clone(), 0).await;
    let record = deed(user_id(&boss)).was(
        Action::DeleteMessage,
        Target::Message(hers.id),
        None,
        Some(json!({"deleted": true})),
    );
    let taken = || hubbub::domain::NewEvent {
        kind: EventKind::Delete,
        target: Some(hers.id),
        ..user_event(room.id, &boss.card, "")
    };
    // What comes back is not recorded, nor is what is so already.
    let fenced = ear.post_with(store, taken(), 7, record.clone()).await;
    assert!(matches!(fenced, Outcome::Fenced), "{fenced:?}");
    assert!(store.records(None, 10).await.expect("rows").is_empty());
    let stored = ear.post_with(store, taken(), 0, record.clone()).await;
    assert!(matches!(stored, Outcome::Stored(2)), "{stored:?}");
    let again = ear.post_with(store, taken(), 0, record.clone()).await;
    assert!(matches!(again, Outcome::Unchanged(2)), "{again:?}");
    let rows = store.records(None, 10).await.expect("rows");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].action.as_str(), &rows[0].after), ("message.delete", &record.after));
    assert_eq!((rows[0].actor, rows[0].ip.as_deref()), (record.deed.by, Some("203.0.113.7")));
    let message = store.event(hers.id).await.expect("an answer").expect("its place stays");
    assert!(message.content.is_empty() && message.deleted_at.is_some());
    let nothing = hubbub::domain::EventId(ids::random());
    assert!(store.event(nothing).await.expect("an answer").is_none());
}

async fn a_room_is_closed_with_its_record(home: Home) {
    let store = &home.store;
    let boss = user_id(&home.user("root").await);
    let (room, deed) = (home.room("open").await, deed(boss));
    assert!(store.close_room(room.id, deed.at, Some(&deed)).await.expect("an answer"));
    assert!(!store.close_room(room.id, deed.at, Some(&deed)).await.expect("an answer"));
    let closed = store.room(room.id).await.expect("an answer").expect("kept");
    assert_eq!((closed.closed_at, closed.member_rev), (Some(deed.at), room.member_rev + 1));
    let (open, closed) = (json!({"closed_at": null}), json!({"closed_at": deed.at}));
    let target = format!("room:{}", room.id);
    assert_eq!(told(&home).await, ("room.close".to_owned(), target, Some(open), Some(closed)));
    assert_eq!(store.records(None, 10).await.expect("rows").len(), 1, "no act, no record");
}
