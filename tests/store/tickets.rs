//! Tickets open one socket each, once, on whichever node; guests' tokens open nothing else.

use hubbub::auth::{Auth, TokenError};
use hubbub::config::AuthSettings;
use hubbub::domain::{SignedIn, Timestamp, clock, ids};
use hubbub::store::{Store, TicketRow};

use crate::home::{Home, on_both, user_id};

on_both!(
    a_ticket_is_its_users_once_on_whichever_node,
    a_ticket_ends_with_its_time_its_login_and_its_token,
    tickets_that_nobody_used_are_removed,
    each_kind_of_token_counts_in_its_place_alone,
);

const SECRET: &str = "a secret of at least thirty-two bytes";

fn auth(store: &Store) -> Auth {
    let settings = AuthSettings {
        secret_key: String::new(),
        issuer: "hubbub".to_owned(),
        access_ttl_s: 3600,
        refresh_ttl_s: 604_800,
        rotate_refresh: false,
        refresh_grace_s: 30,
        hash_threads: 1,
        hash_waiting: 1,
        allow_guests: true,
        rate_limits: true,
        logins_per_minute_account: 10,
        logins_per_minute_ip: 30,
        registrations_per_hour_ip: 10,
    };
    Auth::new(store.clone(), settings, SECRET)
}

/// A caller, as a request has him.
async fn caller(home: &Home, auth: &Auth, name: &str) -> SignedIn {
    let user = home.user(name).await;
    let pair = auth.start_login(user_id(&user)).await.expect("a login");
    auth.identify(&pair.access).await.expect("a credential")
}

async fn a_ticket_is_its_users_once_on_whichever_node(home: Home) {
    let here = auth(&home.store);
    let there = auth(&home.another().await);
    let alice = caller(&home, &here, "alice").await;
    let (one, two) = (here.mint_ticket(&alice).await, here.mint_ticket(&alice).await);
    let (one, two) = (one.expect("minted"), two.expect("minted"));
    assert_ne!(one, two);
    assert!(one.len() == 43 && one.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
    let found = there.use_ticket(&one).await.expect("good");
    assert_eq!((found.card, found.login), (alice.card, alice.login));
    assert_eq!(found.token_expires, alice.token_expires);
    assert!(!found.is_superuser);
    for auth in [&here, &there] {
        assert_eq!(auth.use_ticket(&one).await.err(), Some(TokenError::Invalid), "used");
    }
    let (a, b) = tokio::join!(here.use_ticket(&two), there.use_ticket(&two));
    assert!(a.is_ok() ^ b.is_ok(), "one of two at once");
    for wrong in ["", "null", &"a".repeat(43), &"é".repeat(21), &"a".repeat(10_000)] {
        assert_eq!(here.use_ticket(wrong).await.err(), Some(TokenError::Invalid), "{wrong}");
    }
}

async fn a_ticket_ends_with_its_time_its_login_and_its_token(home: Home) {
    let (store, auth) = (&home.store, auth(&home.store));
    let alice = caller(&home, &auth, "alice").await;
    let old = auth.mint_ticket(&alice).await.expect("minted");
    home.tell("UPDATE ticket SET expires_at = 0").await;
    assert_eq!(auth.use_ticket(&old).await.err(), Some(TokenError::Invalid), "too old");

    let ending = SignedIn { token_expires: clock::now(), ..alice.clone() };
    let ticket = auth.mint_ticket(&ending).await.expect("minted");
    assert_eq!(auth.use_ticket(&ticket).await.err(), Some(TokenError::Expired));
    assert_eq!(auth.use_ticket(&ticket).await.err(), Some(TokenError::Invalid), "used");

    let ticket = auth.mint_ticket(&alice).await.expect("minted");
    home.tell("UPDATE ticket SET token_expires = NULL").await;
    let found = auth.use_ticket(&ticket).await.expect("an older node's");
    assert!(found.token_expires <= clock::now().plus_secs(30));

    let ticket = auth.mint_ticket(&alice).await.expect("minted");
    store.revoke_login(alice.login, clock::now()).await.expect("ended");
    assert_eq!(auth.use_ticket(&ticket).await.err(), Some(TokenError::Invalid), "signed out");

    let bob = caller(&home, &auth, "bob").await;
    let ticket = auth.mint_ticket(&bob).await.expect("minted");
    home.tell("UPDATE \"user\" SET disabled_at = 1").await;
    assert_eq!(auth.use_ticket(&ticket).await.err(), Some(TokenError::Invalid), "disabled");
}

async fn tickets_that_nobody_used_are_removed(home: Home) {
    let store = &home.store;
    let user = user_id(&home.user("alice").await);
    let login = store.start_login(user, clock::now()).await.expect("a login");
    let now = clock::now();
    let row = |expires_at: Timestamp| TicketRow { login, expires_at, token_expires: now };
    for n in 0..600 {
        store.keep_ticket(&format!("old {n}"), row(now.plus_secs(-1))).await.expect("kept");
    }
    store.keep_ticket("new", row(now.plus_secs(30))).await.expect("kept");
    assert_eq!(store.forget_tickets(now).await.expect("removed"), 600);
    assert_eq!(store.take_ticket("old 7").await.expect("an answer"), None);
    let found = store.take_ticket("new").await.expect("an answer");
    assert_eq!(found, Some(row(now.plus_secs(30))));
    assert_eq!(store.take_ticket("new").await.expect("an answer"), None);

    // Minting one removes what is old.
    let auth = auth(store);
    store.keep_ticket("old", row(now.plus_secs(-1))).await.expect("kept");
    auth.mint_ticket(&caller(&home, &auth, "bob").await).await.expect("minted");
    assert_eq!(store.forget_tickets(now).await.expect("removed"), 0);
}

async fn each_kind_of_token_counts_in_its_place_alone(home: Home) {
    let auth = auth(&home.store);
    let user = home.user("alice").await;
    let pair = auth.start_login(user_id(&user)).await.expect("a login");
    let alice = auth.identify(&pair.access).await.expect("a credential");
    let ticket = auth.mint_ticket(&alice).await.expect("minted");
    let guest = ids::random();
    let token = auth.guest_token(guest);
    assert_eq!(auth.identify_guest(&token), Ok(guest));
    for other in [&pair.access, &pair.refresh, &ticket] {
        assert_eq!(auth.identify_guest(other), Err(TokenError::Invalid));
    }
    assert_eq!(auth.identify(&token).await.err(), Some(TokenError::Invalid));
    assert_eq!(auth.identify(&ticket).await.err(), Some(TokenError::Invalid));
    assert!(auth.renew(&token).await.is_err() && auth.renew_cookie(&token).await.is_err());
    assert_eq!(auth.sign_out(&token).await.expect("an answer"), None);
    for other in [&token, &pair.access, &pair.refresh] {
        assert_eq!(auth.use_ticket(other).await.err(), Some(TokenError::Invalid));
    }
    assert!(auth.use_ticket(&ticket).await.is_ok(), "nothing above has used it");
    let expired = hubbub::auth::tokens::Keys::new(SECRET, "hubbub")
        .sign_guest(guest, Timestamp::from_secs(0), Timestamp::from_secs(60))
        .expect("signed");
    assert_eq!(auth.identify_guest(&expired), Err(TokenError::Expired));
}
