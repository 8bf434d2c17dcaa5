//! CONTRACT section 3, *What the socket speaks*, *Between dialects* and *Bad input*: each row of
//! the table, and several of them in one room.

use serde_json::{Value, json};

use crate::support::{Account, Server, Setup, Socket, shape};

on_both_engines! {
    async fn a_guests_socket_gets_exactly_the_value_and_no_other_key_or_frame_ever(setup: Setup) {
        let server = setup.start().await;
        let mut ann = server.room("open").open().await;
        let mut ben = server.room("open").open().await;
        for value in [
            json!("plain"),
            json!({"message": "hi", "nick_name": "ann"}),
            json!({"message": "hi", "nick_name": "ann", "more": {"n": 1.5, "deep": [true, null]}}),
            json!("<script>alert(1)</script> \"quotes\" \\ \n 🦀 שלום"),
            json!(""),
            json!("   "),
        ] {
            ann.send_json(&json!({"message": value})).await;
            ben.expect_value(&value).await;
            ann.expect_value(&value).await;
        }
        ben.send_json(&json!({"type": "chat_message", "message": "typed", "extra": 1})).await;
        ann.expect_value(&json!("typed")).await;
        ben.expect_value(&json!("typed")).await;
        ben.send_json(&json!({"content": "by another name"})).await;
        ann.expect_value(&json!("by another name")).await;
    }

    async fn a_guests_frame_holds_the_value_to_the_letter(setup: Setup) {
        let server = setup.start().await;
        let mut ann = server.room("open").open().await;
        let mut ben = server.room("open").open().await;
        ann.send_text(
            r#" { "message" : {"nick_name":"ann", "message":"1","n":1.00,"z":0,"a":1e2} } "#,
        )
        .await;
        let text = ben.next_text().await;
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value.as_object().map(serde_json::Map::len), Some(1), "{text}");
        assert!(
            text.contains(r#""nick_name":"ann", "message":"1","n":1.00,"z":0,"a":1e2"#),
            "{text}"
        );
    }

    async fn a_named_room_with_a_token_speaks_superset_frames_and_says_nothing_on_connect(
        setup: Setup,
    ) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        for door in [
            server.room("global").token(&alice.access),
            server.room("global").bearer(&alice.access),
        ] {
            let mut socket = door.open().await;
            socket
                .send_json(&json!({"message": "hi", "sender": "bob", "username": "bob",
                                     "nick_name": "bob", "sender_id": 99}))
                .await;
            let frame = socket.expect_text("hi").await;
            assert_eq!(frame["type"], "chat_message");
            for key in ["sender", "username", "user"] {
                assert_eq!(frame[key], "alice", "identity is the token's: {frame}");
            }
            assert_eq!((&frame["sender_id"], &frame["room"]), (&json!(alice.id), &json!("global")));
        }
    }

    async fn a_group_and_a_private_chat_by_uuid_say_nothing_on_connect(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let private = alice.private_chat_with(&bob).await;
        for id in [&group, &private] {
            alice.post_to_chat(id, "before").await;
            for door in [server.room(id).token(&bob.access), server.room(id).cookie(&bob.access)] {
                let mut socket = door.open().await;
                socket.say("hi").await;
                let frame = socket.expect_text("hi").await;
                assert_eq!(
                    (&frame["type"], &frame["user"]),
                    (&json!("chat_message"), &json!("bob"))
                );
                assert_eq!(frame["chat_id"], *id);
                assert!(frame.get("history").is_none(), "{frame}");
            }
        }
    }

    async fn a_private_chat_by_name_pushes_its_history_one_frame_a_message(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let private = alice.private_chat_with(&bob).await;
        alice.post_to_chat(&private, "one").await;
        bob.post_to_chat(&private, "two").await;
        for door in [
            server.room("bob").cookie(&alice.access),
            server.room("alice_bob").cookie(&alice.access),
            server.room("alice_bob").token(&alice.access),
        ] {
            let mut socket = door.open().await;
            for (text, sender) in [("one", "alice"), ("two", "bob")] {
                let frame = socket.expect_text(text).await;
                assert_eq!(
                    (&frame["type"], &frame["history"]),
                    (&json!("chat_message"), &json!(true))
                );
                assert_eq!((&frame["sender"], &frame["user"]), (&json!(sender), &json!(sender)));
            }
        }
    }

    async fn pushed_history_is_the_latest_200(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let private = alice.private_chat_with(&bob).await;
        let shh = alice.create_shh_room("Lounge").await;
        for number in 1..=205 {
            alice.post_to_chat(&private, &number.to_string()).await;
            alice.post_to_shh(&shh, &number.to_string()).await;
        }
        let mut socket = server.room("bob").cookie(&alice.access).open().await;
        for number in 6..=205 {
            assert_eq!(socket.expect_text(&number.to_string()).await["history"], true);
        }
        socket.is_alive_with_nothing_waiting("live").await;
        let mut socket = server.room(&shh).token(&alice.access).open().await;
        let history = socket.next().await;
        let messages = history["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 200);
        assert_eq!(
            (&messages[0]["message"], &messages[199]["message"]),
            (&json!("6"), &json!("205"))
        );
    }

    async fn an_shh_socket_gets_its_history_even_when_there_is_none(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let shh = alice.create_shh_room("Lounge").await;
        for door in
            [server.room(&shh).token(&alice.access), server.room(&shh).cookie(&alice.access)]
        {
            let history = door.open().await.next().await;
            assert_eq!(
                (&history["type"], &history["messages"]),
                (&json!("message_history"), &json!([]))
            );
        }
    }

    async fn shh_frames_are_message_for_cookies_and_chat_message_for_tokens(setup: Setup) {
        let server = setup.start().await;
        let (alice, mut cookie, mut token) = shh_pair(&server).await;
        cookie.say("hi").await;
        for (socket, kind) in [(&mut cookie, "message"), (&mut token, "chat_message")] {
            let frame = socket.expect_text("hi").await;
            assert_eq!(frame["type"], kind);
            assert_eq!(
                (&frame["user"], &frame["username"]),
                (&json!(alice.email), &json!("alice"))
            );
        }
    }

    async fn typing_is_a_signal_on_shh_sockets_and_a_word_elsewhere(setup: Setup) {
        let server = setup.start().await;
        let (alice, mut cookie, mut token) = shh_pair(&server).await;
        let bob = server.account("bob").await;
        bob.join_shh_room(&shh_id(&alice).await).await;
        let mut his = server.room(&shh_id(&alice).await).token(&bob.access).open().await;
        his.next().await;
        his.say("typing").await;
        for socket in [&mut cookie, &mut token] {
            let typing = socket.next().await;
            shape(&typing, "type:str user:str username:str");
            assert_eq!((&typing["type"], &typing["username"]), (&json!("typing"), &json!("bob")));
            assert_eq!(typing["user"], bob.email);
        }
        let history = alice.api.get("/messages/Lounge/").await.is(200);
        assert_eq!(history["messages"], json!([]), "not stored");
        let mut lobby = server.room("lobby").token(&alice.access).open().await;
        lobby.say("typing").await;
        lobby.expect_text("typing").await;
        let mut guest = server.room("open").open().await;
        guest.say("typing").await;
        guest.expect_value(&json!("typing")).await;
    }

    async fn guests_and_users_in_one_room_understand_one_another(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut guest = server.room("mixed").open().await;
        let mut nameless = server.room("mixed").open().await;
        let mut user = server.room("mixed").token(&alice.access).open().await;
        let mut cookie = server.room("mixed").cookie(&alice.access).open().await;

        let value = json!({"message": "hello", "nick_name": "ann"});
        guest.send_json(&json!({"message": value})).await;
        let frame = user.expect_text("hello").await;
        assert_eq!(frame["sender_id"], Value::Null);
        assert_eq!((&frame["sender"], &frame["username"]), (&json!("ann"), &json!("ann")));
        assert_eq!((&frame["user"], &frame["type"]), (&json!(""), &json!("chat_message")));
        for socket in [&mut guest, &mut nameless, &mut cookie] {
            socket.expect_value(&value).await;
        }
        nameless.say("no name").await;
        assert_eq!(user.expect_text("no name").await["sender"], "anonymous");
        for socket in [&mut guest, &mut nameless, &mut cookie] {
            socket.expect_value(&json!("no name")).await;
        }
        user.say("from a user").await;
        user.expect_text("from a user").await;
        for socket in [&mut guest, &mut nameless, &mut cookie] {
            let value = json!({"message": "from a user", "nick_name": "alice"});
            socket.expect_value(&value).await;
        }
        cookie.say("verbatim").await;
        let frame = user.expect_text("verbatim").await;
        assert_eq!((&frame["sender"], &frame["sender_id"]), (&json!("alice"), &json!(alice.id)));
        for socket in [&mut guest, &mut nameless, &mut cookie] {
            socket.expect_value(&json!("verbatim")).await;
        }
    }

    async fn nobodys_address_goes_to_strangers(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut user = server.room("mixed").token(&alice.access).open().await;
        user.say("hi").await;
        let text = user.next_text().await;
        assert!(!text.contains('@'), "{text}");
    }

    async fn every_dialect_sees_one_order(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut guest = server.room("mixed").open().await;
        let mut user = server.room("mixed").token(&alice.access).open().await;
        for number in 0..40 {
            guest.say(&format!("g{number}")).await;
            user.say(&format!("u{number}")).await;
        }
        for seq in 1..=80 {
            let frame = user.next().await;
            assert_eq!(frame["seq"], seq);
            let seen = guest.next().await;
            let text = seen["message"].as_str().or(seen["message"]["message"].as_str());
            assert_eq!(text, frame["message"].as_str());
        }
    }
}

/// Alice in her shh room with a cookie and with a token, past the history.
async fn shh_pair(server: &Server) -> (Account, Socket, Socket) {
    let alice = server.account("alice").await;
    let shh = alice.create_shh_room("Lounge").await;
    let mut cookie = server.room(&shh).cookie(&alice.access).open().await;
    let mut token = server.room(&shh).token(&alice.access).open().await;
    for socket in [&mut cookie, &mut token] {
        assert_eq!(socket.next().await["type"], "message_history");
    }
    (alice, cookie, token)
}

async fn shh_id(alice: &Account) -> String {
    let rooms = alice.api.get("/rooms/").await.is(200);
    rooms["rooms"][0]["room_id"].as_str().expect("an id").to_owned()
}
