//! CONTRACT section 3, *Cookies and `Origin`*, and section 1 on cookies over REST: a cookie is a
//! credential only where the page that sends it is trusted.

use serde_json::json;

use crate::support::Setup;
use crate::support::account::PASSWORD;
use crate::support::tokens::expired;

const FOREIGN: &str = "https://evil.example";

#[tokio::test]
async fn a_cookie_is_a_rest_credential_and_counts_on_unsafe_methods_with_an_allowed_origin_alone() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let api = server.api().cookie(&alice.access);
    api.get("/api/me/").await.is(200);
    api.with("origin", FOREIGN).get("/api/me/").await.is(200);
    let body = json!({"name": "group"});
    let suffixed = format!("{}.evil.example", server.origin());
    for origin in [FOREIGN, "null", suffixed.as_str()] {
        let answer = api.with("origin", origin).post("/api/chats/group/", body.clone()).await;
        assert_eq!(answer.status, 401, "{origin}: {answer:?}");
    }
    assert_eq!(api.post("/api/chats/group/", body.clone()).await.status, 401, "no Origin at all");
    let own = server.origin();
    for origin in [own.as_str(), "http://localhost:3000"] {
        api.with("origin", origin).post("/api/chats/group/", body.clone()).await.is(201);
    }
    alice.api.with("origin", FOREIGN).post("/api/chats/group/", body).await.is(201);
}

#[tokio::test]
async fn a_foreign_page_signs_nobody_out_and_renews_nothing() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let login = server.api().post("/login/", body).await;
    let access = login.cookie("access_token").expect("a cookie").to_owned();
    let cookie =
        format!("access_token={access}; refresh_token={}", login.cookie("refresh_token").unwrap());
    let api = server.api().with("cookie", &cookie).with("origin", FOREIGN);
    api.post("/logout/", json!({})).await;
    server.api().bearer(&access).get("/api/me/").await.is(200);
    let refreshed = api.post("/refresh/", json!({})).await;
    assert!(matches!(refreshed.status, 400 | 401 | 403), "{refreshed:?}");
    alice.api.get("/api/me/").await.is(200);
}

on_both_engines! {
    async fn a_cookie_socket_needs_an_allowed_origin_where_an_account_is_needed(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        server.account("bob").await;
        let group = alice.create_group("group", &[]).await;
        let shh = alice.create_shh_room("Lounge").await;
        server.room("hers").token(&alice.access).open().await;
        let suffixed = format!("{}.evil.example", server.origin());
        for room in [group.as_str(), shh.as_str(), "hers", "bob"] {
            for origin in [FOREIGN, "null", suffixed.as_str()] {
                let door = server.room(room).cookie(&alice.access).origin(origin);
                assert_eq!(door.refused().await, 403, "{room} from {origin}");
            }
            let door = server.room(room).cookie(&alice.access).no_origin();
            assert_eq!(door.refused().await, 403, "{room} without an origin");
            assert_eq!(server.room(room).cookie("wrong").refused().await, 403, "{room}");
            server.room(room).cookie(&expired(&alice.access)).accepted_then_closed(4001).await;
            server.room(room).cookie(&alice.access).open().await;
            server.room(room).cookie(&alice.access).origin("http://localhost:5173").open().await;
        }
    }

    async fn in_an_anonymous_named_room_a_cookie_never_refuses(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut guest = server.room("open").open().await;
        for door in [
            server.room("open").cookie("wrong"),
            server.room("open").cookie(&expired(&alice.access)),
            server.room("open").cookie(&alice.access).origin(FOREIGN),
            server.room("open").cookie(&alice.access).no_origin(),
            server.room("new 1".replace(' ', "%20").as_str()).cookie("wrong"),
            server.room("new2").cookie(&expired(&alice.access)),
        ] {
            door.open().await.is_alive_with_nothing_waiting("in").await;
        }
        for _ in 0..4 {
            guest.expect_value(&json!("in")).await;
        }
        let history = server.api().get("/chat/history/open/").await.is(200);
        assert!(
            history.as_array().unwrap().iter().all(|line| line["sender"] == "anonymous"),
            "such a cookie counts as absent: {history}"
        );
    }

    async fn a_good_cookies_user_is_counted_and_stored_and_relayed_to_the_letter(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut guest = server.room("open").open().await;
        let mut hers = server.room("open").cookie(&alice.access).open().await;
        let value = json!({"message": "hello", "nick_name": "queen", "more": [1, null]});
        hers.send_json(&json!({"message": value})).await;
        guest.expect_value(&value).await;
        hers.expect_value(&value).await;
        let history = server.api().get("/chat/history/open/").await.is(200);
        assert_eq!(
            (&history[0]["sender"], &history[0]["content"]),
            (&json!("alice"), &json!("hello"))
        );
        let online = alice.api.get("/api/online/").await.is(200);
        assert_eq!(online[0]["username"], "alice");
    }

    async fn any_other_socket_is_open_to_every_origin(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        for origin in [FOREIGN, "null", "file://", "http://localhost:3000"] {
            server.room("open").origin(origin).open().await;
            server.room(&group).token(&alice.access).origin(origin).open().await;
            server.room(&group).bearer(&alice.access).origin(origin).open().await;
        }
    }

    async fn an_explicit_token_wins_over_a_cookie(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let mut socket = server
            .room("lobby")
            .token(&bob.access)
            .cookie(&alice.access)
            .origin(FOREIGN)
            .open()
            .await;
        socket.say("hi").await;
        assert_eq!(socket.expect_text("hi").await["sender"], "bob");
        let door = server.room("lobby").token("wrong").cookie(&alice.access);
        assert_eq!(door.refused().await, 403, "a wrong token is not mended by a cookie");
    }
}
