//! CONTRACT section 4: the mistakes of the five systems, one test each. The signing key that is
//! committed or defaulted stands in `commands`, history without a bound in `everywhere`.

use serde_json::json;

use crate::support::tokens::expired;
use crate::support::{Setup, shape};

#[tokio::test]
async fn no_user_reads_or_deletes_a_room_that_is_not_his() {
    let server = Setup::direct().start().await;
    let (alice, eve) = (server.account("alice").await, server.account("eve").await);
    let room = alice.create_shh_room("Lounge").await;
    let chat = alice.create_group("group", &[]).await;
    alice.post_to_shh(&room, "secret").await;
    alice.post_to_chat(&chat, "secret").await;
    for path in [format!("/messages/{room}/"), format!("/api/chats/{chat}/messages/")] {
        let answer = eve.api.get(&path).await;
        assert!(!answer.text.contains("secret"));
        answer.error(403);
    }
    eve.api.delete(&format!("/room/delete/{room}/")).await.error(403);
    let status = eve.api.delete(&format!("/api/chats/{chat}/")).await.status;
    assert!(matches!(status, 403 | 404), "{status}");
    assert_eq!(eve.api.get("/rooms/").await.is(200)["count"], 0);
    assert_eq!(eve.api.get("/api/chats/").await.is(200), json!([]));
}

on_both_engines! {
    async fn a_refresh_token_is_no_socket_credential(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        for room in ["new", group.as_str()] {
            assert_eq!(server.room(room).token(&alice.refresh).refused().await, 403);
            assert_eq!(server.room(room).bearer(&alice.refresh).refused().await, 403);
        }
        assert_eq!(server.room(&group).cookie(&alice.refresh).refused().await, 403);
        assert_eq!(server.room(&group).token(&expired(&alice.refresh)).refused().await, 403);
    }

    async fn a_removed_members_open_socket_neither_receives_nor_posts(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let mut his = server.room(&group).token(&bob.access).open().await;
        let removed = alice.remove_from_chat(&group, &bob);
        let (_, ()) = tokio::join!(removed, async {
            for n in 0..50 {
                if !his.try_say(&n.to_string()).await {
                    break;
                }
            }
        });
        alice.post_to_chat(&group, "among ourselves").await;
        let history = alice.api.get(&format!("/api/chats/{group}/messages/")).await.is(200);
        let last = history.as_array().unwrap().last().unwrap();
        assert_eq!(last["content"], "among ourselves", "nothing of his after his removal");
        let mut his = Some(his);
        while let Some(mut socket) = his.take() {
            match socket.next_or_close().await {
                Ok(frame) => {
                    assert_ne!(frame["message"], "among ourselves");
                    his = Some(socket);
                }
                Err(code) => assert_eq!(code, Some(4403)),
            }
        }
    }

    async fn a_cookie_socket_from_a_foreign_page_is_refused(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let door = server.room(&group).cookie(&alice.access).origin("https://evil.example");
        assert_eq!(door.refused().await, 403);
    }

    async fn history_is_not_sent_again_to_everybody_on_each_join(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let shh = alice.create_shh_room("Lounge").await;
        bob.join_shh_room(&shh).await;
        alice.post_to_shh(&shh, "old").await;
        let mut hers = server.room(&shh).token(&alice.access).open().await;
        assert_eq!(hers.next().await["type"], "message_history");
        for _ in 0..3 {
            let mut his = server.room(&shh).token(&bob.access).open().await;
            assert_eq!(his.next().await["type"], "message_history");
        }
        hers.is_alive_with_nothing_waiting("nothing came of their joins").await;
    }

    async fn a_rest_post_is_seen_by_sockets(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let mut hers = server.room(&group).token(&alice.access).open().await;
        alice.post_to_chat(&group, "by REST").await;
        hers.expect_text("by REST").await;
    }
}

#[tokio::test]
async fn history_of_a_room_that_needs_an_account_needs_one() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let mut socket = server.room("hers").token(&alice.access).open().await;
    socket.is_alive_with_nothing_waiting("secret").await;
    let answer = server.api().get("/chat/history/hers/").await;
    assert!(!answer.text.contains("secret"));
    answer.error(401);
    alice.api.get("/chat/history/hers/").await.is(200);
}

#[tokio::test]
async fn tokens_do_not_come_into_the_log() {
    let server = Setup::direct().env("RUST_LOG", "debug").start().await;
    let alice = server.account("alice").await;
    let old = expired(&alice.access);
    let mut socket = server.room("lobby").token(&alice.access).open().await;
    socket.is_alive_with_nothing_waiting("words that stay in the room").await;
    server.room("lobby").token(&old).accepted_then_closed(4001).await;
    server.room("lobby").token("a-wrong-token").refused().await;
    server.api().get("/list_rooms/?token=a-wrong-token").await;
    server.api().bearer("a-wrong-token").get("/api/me/").await;
    alice.api.post("/api/token/refresh/", json!({"refresh": alice.refresh})).await.is(200);
    let log = server.log();
    for secret in [
        alice.access.as_str(),
        &alice.refresh,
        &old,
        "a-wrong-token",
        "words that stay in the room",
        crate::support::account::PASSWORD,
        crate::support::setup::SECRET_KEY,
    ] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[tokio::test]
async fn a_bad_uuid_is_no_500() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    for id in ["x", "7", "%00", "0192f7a0-0000-7000-8000", "%27%20OR%201=1", "\u{1F980}"] {
        for path in [
            format!("/api/chats/{id}/"),
            format!("/api/chats/{id}/messages/"),
            format!("/messages/{id}/"),
            format!("/api/admin/rooms/{id}/"),
        ] {
            let answer = alice.api.get(&path).await;
            assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
            shape(&answer.body(), "detail:str");
        }
        let answer = alice.api.delete(&format!("/room/delete/{id}/")).await;
        assert!((400..500).contains(&answer.status), "{id}: {answer:?}");
    }
}
