//! Tokens of every wrong kind, at every door: REST and sockets. And what an expired one is.

use serde_json::json;

use crate::support::account::text;
use crate::support::tokens::{claims, expired, wrong_kinds};
use crate::support::{Account, Server, Setup};

async fn wrong_ones(server: &Server) -> (Account, Vec<(&'static str, String)>) {
    let alice = server.account("alice").await;
    let bob = server.account("bob").await;
    let mut all = wrong_kinds(&alice.access, &alice.refresh, &bob.access);
    bob.log_out().await;
    all.push(("a login that has ended", bob.access.clone()));
    (alice, all)
}

#[tokio::test]
async fn no_wrong_token_is_a_credential_over_rest() {
    let server = Setup::direct().start().await;
    let (alice, wrong) = wrong_ones(&server).await;
    alice.api.get("/api/me/").await.is(200);
    for (kind, token) in &wrong {
        for api in [server.api().bearer(token), server.api().cookie(token)] {
            let answer = api.get("/api/me/").await;
            assert_eq!(answer.status, 401, "{kind}: {answer:?}");
            assert_eq!(answer.error(401)["code"], "token_not_valid", "{kind}");
        }
        let history = server.api().bearer(token).get("/chat/history/open/").await;
        assert_eq!(history.status, 401, "{kind}");
    }
    for line in ["Bearer", "Bearer ", "Basic YTpi", "bearer-token", "Token x"] {
        let answer = server.api().with("authorization", line).get("/api/me/").await;
        assert_eq!(answer.status, 401, "{line:?}: {answer:?}");
    }
}

#[tokio::test]
async fn an_expired_token_is_401_over_rest() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let body = server.api().bearer(&expired(&alice.access)).get("/api/me/").await.error(401);
    assert_eq!(body["code"], "token_not_valid");
    assert_eq!(body["messages"][0]["message"], "Token is invalid or expired");
}

on_both_engines! {
    async fn no_wrong_token_opens_a_socket(setup: Setup) {
        let server = setup.start().await;
        let (alice, wrong) = wrong_ones(&server).await;
        let group = alice.create_group("group", &[]).await;
        server.room("open").open().await.is_alive_with_nothing_waiting("made by a guest").await;
        for (kind, token) in &wrong {
            for room in ["open", "new", group.as_str()] {
                assert_eq!(server.room(room).token(token).refused().await, 403, "{kind} in {room}");
                assert_eq!(
                    server.room(room).bearer(token).refused().await,
                    403,
                    "{kind} in {room}"
                );
            }
        }
        for query in ["?token=", "?token=null", "?token=undefined"] {
            let door = server.door(&format!("/ws/chat/open/{query}"));
            assert_eq!(door.refused().await, 403, "{query}");
        }
    }

    async fn an_expired_token_is_accepted_and_closed_with_4001(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let old = expired(&alice.access);
        let group = alice.create_group("group", &[]).await;
        let shh = alice.create_shh_room("Lounge").await;
        for room in ["open", group.as_str(), shh.as_str()] {
            server.room(room).token(&old).accepted_then_closed(4001).await;
            server.room(room).bearer(&old).accepted_then_closed(4001).await;
        }
        server.room(&group).cookie(&old).accepted_then_closed(4001).await;
        server.room(&shh).cookie(&old).accepted_then_closed(4001).await;
    }

    async fn a_plain_socket_lives_as_long_as_its_login_and_not_just_its_token(setup: Setup) {
        let setup = setup.env("HUBBUB__AUTH__ACCESS_TTL_S", "2");
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut socket = server.room("lobby").token(&alice.access).open().await;
        crate::support::eventually(
            "the token ends",
            std::time::Duration::from_secs(10),
            || async {
                let status = alice.api.get("/api/me/").await.status;
                if status == 401 { Ok(()) } else { Err(format!("{status}")) }
            },
        )
        .await;
        socket.is_alive_with_nothing_waiting("longer than its token").await;
        server.room("lobby").token(&alice.access).accepted_then_closed(4001).await;
        alice.again().await.api.post("/logout/", json!({})).await.is(200);
        socket.is_alive_with_nothing_waiting("another login has ended").await;
    }
}

#[tokio::test]
async fn a_revoked_sid_refuses_the_tokens_that_are_made_from_it() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let body = json!({"refresh": alice.refresh});
    let renewed = server.api().post("/api/token/refresh/", body).await.is(200);
    let renewed = text(&renewed["access"]);
    assert_eq!(claims(&renewed)["sid"], claims(&alice.access)["sid"], "one login");
    alice.log_out().await;
    server.api().bearer(&renewed).get("/api/me/").await.error(401);
    assert_eq!(server.room("lobby").token(&renewed).refused().await, 403);
}

#[tokio::test]
async fn the_key_is_the_bytes_of_the_setting_unchanged() {
    let key = "  ünïcode with spaces, not base64 ==  ";
    let server = Setup::direct().env("SECRET_KEY", key).start().await;
    let alice = server.account("alice").await;
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    rules.validate_exp = false;
    let key = jsonwebtoken::DecodingKey::from_secret(key.as_bytes());
    jsonwebtoken::decode::<serde_json::Value>(&alice.access, &key, &rules).expect("that key");
}
