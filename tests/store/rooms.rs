//! Rooms: one of a name, one a pair, listed and closed, and forgotten when nobody needs them.

use hubbub::domain::{Role, RoomId, RoomKind, UserId, clock, ids};
use hubbub::store::{CONTROL_ROOM, MemberRow, Outcome, StoreError};

use crate::home::{Ear, Home, guest_event, on_both, room_name, seq, user_event, user_id};

on_both!(
    a_named_room_is_made_once_and_anew_when_closed,
    rooms_are_listed_by_name_for_guests_and_users,
    one_open_shh_room_has_a_name,
    a_group_starts_with_its_owner_and_known_members,
    two_users_have_one_private_chat,
    rooms_of_a_user_come_most_recently_active_first,
    bans_hold_until_they_end,
    rooms_that_only_guests_used_are_forgotten,
    old_events_are_forgotten_lowest_first,
    new_epochs_reach_every_room,
);

async fn a_named_room_is_made_once_and_anew_when_closed(home: Home) {
    let (store, now, name) = (&home.store, clock::now(), room_name("global"));
    assert_eq!(store.named_room(&name).await.expect("an answer"), None);
    let other = home.another().await;
    let (a, b) = tokio::join!(
        store.open_named(&name, None, false, now),
        other.open_named(&name, None, false, now),
    );
    let ((a, a_made), (b, b_made)) = (a.expect("a room"), b.expect("a room"));
    assert_eq!(a, b);
    assert!(a_made ^ b_made, "made once");
    assert_eq!((a.kind, a.name.as_deref(), a.by_guest), (RoomKind::Named, Some("global"), true));
    assert_eq!((a.last_seq, a.member_rev, a.created_at, a.closed_at), (0, 0, now, None));
    assert!(!a.epoch.is_empty());
    let (posted, made) = store.open_named(&name, None, true, now).await.expect("a room");
    assert!(posted.listed && !made && posted.id == a.id);
    assert!(store.close_room(a.id, now, None).await.expect("an answer"));
    assert!(!store.close_room(a.id, now, None).await.expect("an answer"));
    assert!(!store.close_room(RoomId(ids::random()), now, None).await.expect("an answer"));
    assert_eq!(store.room(a.id).await.expect("an answer").expect("kept").closed_at, Some(now));
    let user = Some(user_id(&home.user("alice").await));
    let (anew, made) = store.open_named(&name, user, false, now).await.expect("a room");
    assert!(made && anew.id != a.id && !anew.by_guest && anew.created_by == user);
    let control = store.room(CONTROL_ROOM).await.expect("an answer").expect("made by migration");
    assert_eq!((control.kind, control.epoch), (RoomKind::Control, a.epoch));
}

async fn rooms_are_listed_by_name_for_guests_and_users(home: Home) {
    let (store, now) = (&home.store, clock::now());
    let user = Some(user_id(&home.user("alice").await));
    for (name, by, listed) in
        [("b", None, true), ("a", None, true), ("c", user, true), ("d", None, false)]
    {
        store.open_named(&room_name(name), by, listed, now).await.expect("a room");
    }
    let names = |rows: Vec<hubbub::domain::RoomRow>| -> Vec<String> {
        rows.into_iter().filter_map(|row| row.name).collect()
    };
    assert_eq!(names(store.listed_rooms(true, None, 10).await.expect("rows")), ["a", "b", "c"]);
    assert_eq!(names(store.listed_rooms(false, None, 10).await.expect("rows")), ["a", "b"]);
    assert_eq!(names(store.listed_rooms(true, Some("a"), 1).await.expect("rows")), ["b"]);
}

async fn one_open_shh_room_has_a_name(home: Home) {
    let (store, now, name) = (&home.store, clock::now(), room_name("den"));
    let owner = user_id(&home.user("alice").await);
    // A named room of the same name is another thing.
    home.room("den").await;
    let room = store.create_shh_room(&name, owner, now).await.expect("a room");
    assert_eq!((room.kind, room.created_by, room.by_guest), (RoomKind::Room, Some(owner), false));
    let same = store.create_shh_room(&name, owner, now).await;
    assert!(matches!(same, Err(StoreError::Taken("name"))), "{same:?}");
    assert_eq!(store.shh_room("den").await.expect("an answer"), Some(room.clone()));
    let other = store.create_shh_room(&room_name("pit"), owner, now).await.expect("a room");
    let same = store.rename_room(other.id, &name).await;
    assert!(matches!(same, Err(StoreError::Taken("name"))), "{same:?}");
    store.rename_room(other.id, &room_name("hut")).await.expect("renamed");
    assert!(store.shh_room("hut").await.expect("an answer").is_some());
    store.close_room(room.id, now, None).await.expect("closed");
    let closed = store.rename_room(room.id, &room_name("x")).await;
    assert!(matches!(closed, Err(StoreError::Missing("room"))), "{closed:?}");
    store.create_shh_room(&name, owner, now).await.expect("the name is free again");
    let nobody = store.create_shh_room(&room_name("y"), UserId(999), now).await;
    assert!(matches!(nobody, Err(StoreError::Missing("user"))), "{nobody:?}");
}

async fn a_group_starts_with_its_owner_and_known_members(home: Home) {
    let (store, now, name) = (&home.store, clock::now(), room_name("team"));
    let (bob, alice) = (home.user("bob").await, home.user("alice").await);
    let (owner, member) = (user_id(&alice), user_id(&bob));
    let members = [member, owner, member];
    let room = store.create_group(&name, owner, &members, now).await.expect("a group");
    let unknown = store.create_group(&name, owner, &[UserId(999)], now).await;
    assert!(matches!(unknown, Err(StoreError::Missing("user"))), "{unknown:?}");
    let shown = |rows: &[MemberRow]| -> Vec<(String, Role)> {
        rows.iter().map(|row| (row.card.username.clone(), row.role)).collect()
    };
    let expected = [("alice".to_owned(), Role::Owner), ("bob".to_owned(), Role::Member)];
    assert_eq!(shown(&store.members(room.id).await.expect("rows")), expected);
    let again = store.create_group(&name, member, &[], now).await.expect("names may repeat");
    let all = store.members_of(&[room.id, again.id]).await.expect("rows");
    assert_eq!((all[&room.id].len(), all[&again.id].len()), (2, 1));
    assert!(store.members_of(&[]).await.expect("rows").is_empty());
    assert_eq!(store.role(room.id, member).await.expect("an answer"), Some(Role::Member));
    assert_eq!(store.role(again.id, owner).await.expect("an answer"), None);
}

async fn two_users_have_one_private_chat(home: Home) {
    let (store, now) = (&home.store, clock::now());
    let a = user_id(&home.user("a").await);
    let b = user_id(&home.user("b").await);
    let other = home.another().await;
    let (one, two, three, four) = tokio::join!(
        store.open_pair(a, b, now),
        store.open_pair(b, a, now),
        other.open_pair(b, a, now),
        other.open_pair(a, b, now),
    );
    let all = [one, two, three, four].map(|pair| pair.expect("a pair"));
    assert_eq!(all.iter().filter(|(_, made)| *made).count(), 1);
    assert!(all.iter().all(|(row, _)| row.id == all[0].0.id));
    let members = store.members(all[0].0.id).await.expect("rows");
    assert!(members.len() == 2 && members.iter().all(|row| row.role == Role::Member));
    let nobody = store.open_pair(a, UserId(999), now).await;
    assert!(matches!(nobody, Err(StoreError::Missing("user"))), "{nobody:?}");
}

async fn rooms_of_a_user_come_most_recently_active_first(home: Home) {
    let (store, now) = (&home.store, clock::now());
    let mut ear = Ear::new();
    let alice = home.user("alice").await;
    let (owner, other) = (user_id(&alice), user_id(&home.user("bob").await));
    let mut rooms = Vec::new();
    for (n, name) in [(0, "one"), (1, "two"), (2, "three")] {
        let at = now.plus_secs(n - 10);
        rooms.push(store.create_group(&room_name(name), owner, &[], at).await.expect("a group"));
    }
    let (pair, _) = store.open_pair(owner, other, now.plus_secs(-20)).await.expect("a pair");
    store.create_shh_room(&room_name("shh"), owner, now).await.expect("a room");
    seq(&ear.post(store, user_event(rooms[0].id, &alice.card, "hi"), 0).await);
    let kinds = [RoomKind::Chat, RoomKind::Pair];
    let list = async |after, limit| -> Vec<RoomId> {
        let rows = store.rooms_of(owner, &kinds, after, limit).await.expect("rows");
        rows.into_iter().map(|row| row.id).collect()
    };
    let expected = [rooms[0].id, rooms[2].id, rooms[1].id, pair.id];
    assert_eq!(list(None, 10).await, expected);
    assert_eq!(list(None, 2).await, expected[..2]);
    assert_eq!(list(Some(expected[1]), 10).await, expected[2..]);
    store.close_room(rooms[2].id, now, None).await.expect("closed");
    assert_eq!(list(None, 10).await.len(), 3);
    assert_eq!(store.rooms_of(other, &kinds, None, 10).await.expect("rows").len(), 1);
}

async fn bans_hold_until_they_end(home: Home) {
    let (store, now) = (&home.store, clock::now());
    let room = home.room("global").await;
    home.ban(room.id, "u:1", None).await;
    home.ban(room.id, "ip:10.0.0.1", Some(now)).await;
    let banned = async |subjects: &[&str], at| {
        let subjects: Vec<String> = subjects.iter().map(|&s| s.to_owned()).collect();
        store.banned(room.id, &subjects, at).await.expect("an answer")
    };
    assert!(banned(&["g:x", "u:1"], now).await);
    assert!(banned(&["ip:10.0.0.1"], now.plus_secs(-1)).await);
    assert!(!banned(&["ip:10.0.0.1"], now).await);
    assert!(!banned(&["u:2"], now).await);
    assert!(!banned(&[], now).await);
}

async fn rooms_that_only_guests_used_are_forgotten(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let alice = home.user("alice").await;
    let then = clock::now().plus_secs(-100);
    let make = async |name: &str, by, listed| {
        store.open_named(&room_name(name), by, listed, then).await.expect("a room").0
    };
    let idle = make("idle", None, false).await;
    let kept = [
        make("posted", None, true).await,
        make("of a user", Some(user_id(&alice)), false).await,
        make("a user wrote", None, false).await,
        make("just used", None, false).await,
        make("in use", None, false).await,
        make("left just now", None, false).await,
    ];
    let mut old = guest_event(idle.id, "hi");
    old.created_at = then;
    seq(&ear.post(store, old, 0).await);
    let mut old = user_event(kept[2].id, &alice.card, "hi");
    old.created_at = then;
    seq(&ear.post(store, old, 0).await);
    seq(&ear.post(store, guest_event(kept[3].id, "hi"), 0).await);
    store.room_left(kept[4].id, then).await.expect("noted");
    store.room_entered(kept[4].id).await.expect("noted");
    store.room_left(kept[5].id, clock::now()).await.expect("noted");
    store.room_left(idle.id, then).await.expect("noted");

    let before = then.plus_secs(50);
    assert_eq!(store.forget_idle_rooms(before).await.expect("an answer"), 1);
    assert!(store.room(idle.id).await.expect("an answer").is_none());
    assert!(store.events_after(idle.id, 0, 9, 999).await.expect("a page").is_empty());
    for room in &kept {
        assert_eq!(store.room(room.id).await.expect("an answer").expect("kept").closed_at, None);
    }
    let gone = ear.post(store, guest_event(idle.id, "hi"), 0).await;
    assert!(matches!(gone, Outcome::Closed), "{gone:?}");
    // Somebody is in one of which the database was told that its last one had left, elsewhere.
    store.room_left(kept[4].id, then).await.expect("noted");
    store.somebody_is_in(vec![kept[4].id], then.plus_secs(1)).await.expect("noted");
    assert_eq!(store.forget_idle_rooms(before).await.expect("an answer"), 0);
    // Whoever left after that was looked at, has left.
    store.somebody_is_in(vec![kept[5].id], then).await.expect("noted");
    store.room_entered(kept[3].id).await.expect("noted");
    let now = clock::now().plus_secs(1);
    assert_eq!(store.forget_idle_rooms(now).await.expect("an answer"), 1);
    assert!(store.room(kept[5].id).await.expect("an answer").is_none());
    // A process that was killed leaves rooms that nobody seems to have left.
    store.nobody_is_in(then).await.expect("noted");
    assert_eq!(store.forget_idle_rooms(before).await.expect("an answer"), 1);
    assert!(store.room(kept[4].id).await.expect("an answer").is_none());
}

async fn old_events_are_forgotten_lowest_first(home: Home) {
    let store = &home.store;
    let mut ear = Ear::new();
    let room = home.room("global").await;
    let now = clock::now();
    for n in 0..700_i64 {
        let mut event = guest_event(room.id, "hi");
        event.created_at = now.plus_secs(n - 600);
        ear.append(store, event, 0).await;
    }
    ear.outcomes(700).await;
    assert_eq!(store.forget_events(now).await.expect("an answer"), 600);
    let rest = store.events_after(room.id, 0, 999, usize::MAX).await.expect("a page");
    assert_eq!((rest.len(), rest[0].seq), (100, 601));
    assert_eq!(seq(&ear.post(store, guest_event(room.id, "hi"), 0).await), 701);
}

async fn new_epochs_reach_every_room(home: Home) {
    let before = home.room("before").await;
    home.store.new_epochs().await.expect("changed");
    let now = home.store.room(before.id).await.expect("an answer").expect("there");
    assert_ne!(now.epoch, before.epoch);
    assert_eq!(home.room("after").await.epoch, now.epoch);
}
