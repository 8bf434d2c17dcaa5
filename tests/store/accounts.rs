//! Accounts: unique by key and by address, found by any spelling, changed.

use hubbub::domain::{UserId, clock};
use hubbub::store::StoreError;

use crate::home::{Home, new_user, on_both, room_name, user_id};

on_both!(
    names_and_addresses_are_unique_by_their_keys,
    a_named_rooms_name_is_no_users,
    two_who_ask_for_one_name_at_once_get_one_account,
    users_are_listed_in_order_and_changed,
);

async fn names_and_addresses_are_unique_by_their_keys(home: Home) {
    let (store, now) = (&home.store, clock::now());
    let alice = store.create_user(new_user("Alice", " A@Example.org "), now).await.expect("new");
    let same = store.create_user(new_user("ALICE", ""), now).await;
    assert!(matches!(same, Err(StoreError::Taken("username"))), "{same:?}");
    let same = store.create_user(new_user("bob", "a@EXAMPLE.org"), now).await;
    assert!(matches!(same, Err(StoreError::Taken("email"))), "{same:?}");
    // No address is nobody's address.
    home.user("bob").await;
    home.user("carol").await;
    let found = store.user_by_name("aLiCe").await.expect("an answer").expect("found");
    assert_eq!(found.card, alice.card);
    assert_eq!((found.card.email.as_str(), found.created_at), ("A@Example.org", now));
    let found = store.user_by_email("A@EXAMPLE.ORG").await.expect("an answer").expect("found");
    assert_eq!(found.card.username, "Alice");
    assert!(store.user_by_email("").await.expect("an answer").is_none());
    assert!(store.user_by_name("nobody").await.expect("an answer").is_none());
    assert!(store.user(UserId(999)).await.expect("an answer").is_none());
}

async fn a_named_rooms_name_is_no_users(home: Home) {
    let room = home.room("Lobby").await;
    let refused = home.store.create_user(new_user("lobby", ""), clock::now()).await;
    assert!(matches!(refused, Err(StoreError::Taken("username"))), "{refused:?}");
    assert!(home.store.close_room(room.id, clock::now(), None).await.expect("closed"));
    home.user("lobby").await;
    // A group's name is nobody's affair.
    let owner = user_id(&home.user("owner").await);
    home.store.create_group(&room_name("team"), owner, &[], clock::now()).await.expect("a group");
    home.user("team").await;
}

async fn two_who_ask_for_one_name_at_once_get_one_account(home: Home) {
    let other = home.another().await;
    let make = |store: hubbub::store::Store, name: &'static str| async move {
        store.create_user(new_user(name, ""), clock::now()).await
    };
    let (a, b) = tokio::join!(make(home.store.clone(), "dora"), make(other, "DORA"));
    let refused = match (a, b) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        both => panic!("{both:?}"),
    };
    assert!(matches!(refused, StoreError::Taken("username")), "{refused:?}");
}

async fn users_are_listed_in_order_and_changed(home: Home) {
    let store = &home.store;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(user_id(&home.user(name).await));
    }
    let names = |rows: Vec<hubbub::store::UserRow>| -> Vec<String> {
        rows.into_iter().map(|row| row.card.username.clone()).collect()
    };
    assert_eq!(names(store.users(None, None, 2).await.expect("a page")), ["a", "b"]);
    assert_eq!(names(store.users(Some(ids[1]), None, 2).await.expect("a page")), ["c"]);
    let found = |part: &'static str| async move {
        names(store.users(None, Some(part), 9).await.expect("a page"))
    };
    home.user("d_e").await;
    assert_eq!(found("B").await, ["b"]);
    assert_eq!((found("_").await, found("D_").await), (vec!["d_e".into()], vec!["d_e".into()]));
    // No sign means more than itself.
    assert!(found("%").await.is_empty() && found("a_").await.is_empty());
    assert!(found("nobody").await.is_empty());
    let some = [ids[2], UserId(999), ids[0]];
    assert_eq!(names(store.users_by_ids(&some).await.expect("rows")), ["a", "c"]);
    assert!(store.users_by_ids(&[]).await.expect("rows").is_empty());

    let now = clock::now();
    store.set_password(ids[0], "new").await.expect("changed");
    store.seen(&[ids[0], ids[1]], now).await.expect("changed");
    store.seen(&[], now).await.expect("nothing to do");
    let row = store.user(ids[0]).await.expect("an answer").expect("there");
    assert_eq!(row.password_hash, "new");
    assert_eq!(row.last_seen, Some(now));
    let refused = store.set_password(UserId(999), "x").await;
    assert!(matches!(refused, Err(StoreError::Missing("user"))), "{refused:?}");
}
