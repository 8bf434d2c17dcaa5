//! Everything sent over REST reaches the room's sockets, and everything sent over a socket is in
//! the REST history: the same id, the same `seq`, once.

use serde_json::json;

use crate::support::Setup;

on_both_engines! {
    async fn a_post_to_a_chat_reaches_its_sockets(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let private = alice.private_chat_with(&bob).await;
        for chat in [&group, &private] {
            let mut his = server.room(chat).token(&bob.access).open().await;
            let posted = alice.post_to_chat(chat, "by REST").await;
            let frame = his.expect_text("by REST").await;
            assert_eq!((&frame["id"], &frame["seq"]), (&posted["id"], &posted["seq"]));
            assert_eq!(frame["created_at"], posted["created_at"]);
            assert_eq!(
                (&frame["sender_id"], &frame["chat_id"]),
                (&json!(alice.id), &posted["chat"])
            );
            let path = format!("/api/chats/{chat}/messages/");
            let body = json!({"content": "once", "client_id": "c"});
            alice.api.post(&path, body.clone()).await.is(201);
            alice.api.post(&path, body).await.is(200);
            his.expect_text("once").await;
            his.is_alive_with_nothing_waiting("the duplicate was not sent").await;
        }
    }

    async fn a_post_to_an_shh_room_reaches_its_sockets(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let shh = alice.create_shh_room("Lounge").await;
        bob.join_shh_room(&shh).await;
        let mut his = server.room(&shh).cookie(&bob.access).open().await;
        his.next().await;
        let posted = alice.post_to_shh("Lounge", "by REST").await;
        let frame = his.expect_text("by REST").await;
        assert_eq!((&frame["id"], &frame["type"]), (&posted["id"], &json!("message")));
        assert_eq!(frame["user"], alice.email);
    }

    async fn what_a_socket_says_is_in_the_rest_history(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let shh = alice.create_shh_room("Lounge").await;
        for (room, path, list) in [
            (group.as_str(), format!("/api/chats/{group}/messages/"), false),
            (shh.as_str(), format!("/messages/{shh}/"), true),
            ("lobby", "/chat/history/lobby/".to_owned(), false),
        ] {
            let mut socket = server.room(room).token(&alice.access).open().await;
            if list {
                socket.next().await;
            }
            socket.say("by socket").await;
            let frame = socket.expect_text("by socket").await;
            let history = alice.api.get(&path).await.is(200);
            let history = if list { history["messages"].clone() } else { history };
            let last = history.as_array().and_then(|all| all.last()).expect("a message");
            assert_eq!((&last["id"], &last["seq"]), (&frame["id"], &frame["seq"]), "{room}");
        }
        let mut guest = server.room("open").open().await;
        let value = json!({"message": "by a guest", "nick_name": "ann"});
        guest.send_json(&json!({"message": value})).await;
        guest.next().await;
        let history = server.api().get("/chat/history/open/").await.is(200);
        assert_eq!(
            (&history[0]["content"], &history[0]["sender"]),
            (&json!("by a guest"), &json!("ann"))
        );
    }

    async fn a_message_that_is_seen_is_stored(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut socket = server.room("lobby").token(&alice.access).open().await;
        for number in 0..100 {
            socket.say(&number.to_string()).await;
        }
        for number in 0..100 {
            assert_eq!(socket.expect_text(&number.to_string()).await["seq"], number + 1);
        }
        let server = server.restart().await;
        let api = server.api().bearer(&alice.access);
        let history = api.get("/chat/history/lobby/").await.is(200);
        let seqs: Vec<_> =
            history.as_array().unwrap().iter().map(|m| m["seq"].as_i64().unwrap()).collect();
        assert_eq!(seqs, (1..=100).rev().collect::<Vec<_>>());
    }
}
