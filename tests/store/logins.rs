//! Logins end once and for all; refresh tokens rotate, and one that is used again too late ends
//! its login.

use hubbub::domain::{LoginId, Timestamp, UserId, clock, ids};
use hubbub::store::{RefreshRow, Rotation, StoreError};

use crate::home::{Home, on_both, user_id};

on_both!(
    a_login_is_found_with_its_user_and_ends_once,
    refresh_tokens_rotate_and_reuse_ends_the_login,
    two_rotations_at_once_give_one_successor,
    a_secret_is_made_once,
);

fn token(login: LoginId, now: Timestamp) -> RefreshRow {
    RefreshRow { jti: ids::random(), login, issued_at: now, expires_at: now.plus_secs(3600) }
}

async fn a_login_is_found_with_its_user_and_ends_once(home: Home) {
    let (store, now) = (&home.store, clock::now());
    let alice = home.user("alice").await;
    let id = user_id(&alice);
    let mut logins = Vec::new();
    for _ in 0..3 {
        logins.push(store.start_login(id, now).await.expect("a login"));
    }
    let found = store.login(logins[0]).await.expect("an answer").expect("there");
    assert_eq!((found.user.card, found.revoked_at), (alice.card, None));
    assert!(store.revoke_login(logins[0], now).await.expect("an answer"));
    assert!(!store.revoke_login(logins[0], now).await.expect("an answer"));
    let found = store.login(logins[0]).await.expect("an answer").expect("there");
    assert_eq!(found.revoked_at, Some(now));
    let ended = store.revoke_logins(id, Some(logins[1]), now).await.expect("an answer");
    assert_eq!(ended, [logins[2]]);
    assert_eq!(store.revoke_logins(id, None, now).await.expect("an answer"), [logins[1]]);
    assert!(store.login(LoginId(ids::random())).await.expect("an answer").is_none());
    let nobody = store.start_login(UserId(999), now).await;
    assert!(matches!(nobody, Err(StoreError::Missing("user"))), "{nobody:?}");
}

async fn refresh_tokens_rotate_and_reuse_ends_the_login(home: Home) {
    let (store, now) = (&home.store, clock::now());
    let user = user_id(&home.user("alice").await);
    let login = store.start_login(user, now).await.expect("a login");
    let (first, second, third) = (token(login, now), token(login, now), token(login, now));
    store.keep_refresh(first.clone()).await.expect("kept");
    let rotate = |jti, successor: &RefreshRow, at: Timestamp| {
        let (store, successor) = (store.clone(), successor.clone());
        async move { store.rotate_refresh(jti, successor, 30, at).await.expect("an answer") }
    };
    let swapped = Rotation::Successor(second.clone());
    assert_eq!(rotate(first.jti, &second, now).await, swapped);
    // A second tab, within the grace, gets the same one, not another.
    assert_eq!(rotate(first.jti, &third, now.plus_secs(30)).await, swapped);
    let later = now.plus_secs(31);
    assert_eq!(rotate(second.jti, &third, later).await, Rotation::Successor(third.clone()));
    assert_eq!(rotate(first.jti, &token(login, later), later).await, Rotation::Reused);
    let ended = store.login(login).await.expect("an answer").expect("there").revoked_at;
    assert_eq!(ended, Some(later));
    assert_eq!(rotate(third.jti, &token(login, later), later).await, Rotation::Unknown);
    assert_eq!(rotate(ids::random(), &token(login, later), later).await, Rotation::Unknown);

    let login = store.start_login(user, now).await.expect("a login");
    let old = token(login, now);
    store.keep_refresh(old.clone()).await.expect("kept");
    let end = old.expires_at;
    assert_eq!(rotate(old.jti, &token(login, end), end).await, Rotation::Unknown);
}

async fn two_rotations_at_once_give_one_successor(home: Home) {
    let now = clock::now();
    let user = user_id(&home.user("alice").await);
    let login = home.store.start_login(user, now).await.expect("a login");
    let first = token(login, now);
    home.store.keep_refresh(first.clone()).await.expect("kept");
    let other = home.another().await;
    let (a, b) = tokio::join!(
        home.store.rotate_refresh(first.jti, token(login, now), 30, now),
        other.rotate_refresh(first.jti, token(login, now), 30, now),
    );
    let (a, b) = (a.expect("an answer"), b.expect("an answer"));
    assert!(matches!(a, Rotation::Successor(_)), "{a:?}");
    assert_eq!(a, b);
}

async fn a_secret_is_made_once(home: Home) {
    assert_eq!(home.store.secret("key", "a").await.expect("kept"), "a");
    assert_eq!(home.store.secret("key", "b").await.expect("kept"), "a");
    let other = home.another().await;
    let (a, b) = tokio::join!(home.store.secret("two", "a"), other.secret("two", "b"));
    assert_eq!(a.expect("kept"), b.expect("kept"));
}
