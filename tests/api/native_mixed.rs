//! Native and plain sockets in one room: each sees the others' messages in its own words, in one
//! order, and they count one another.

use serde_json::{Value, json};

use crate::support::native::seq;
use crate::support::{Setup, shape};

on_both_engines! {
    async fn a_native_guest_and_plain_sockets_understand_one_another(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut native = server.native_guest().await;
        native.join("mixed").await;
        let mut named = server.native_guest().await;
        named.enter(json!({"type": "join", "room": "mixed", "nick_name": "Zoë"})).await;
        let mut guest = server.room("mixed").open().await;
        let mut user = server.room("mixed").token(&alice.access).open().await;

        native.say("mixed", "without a name").await;
        guest.expect_value(&json!("without a name")).await;
        let frame = user.expect_text("without a name").await;
        assert_eq!((&frame["sender_id"], &frame["sender"]), (&Value::Null, &json!("anonymous")));
        native.until("without a name").await;

        named.say("mixed", "with a name").await;
        guest.expect_value(&json!({"message": "with a name", "nick_name": "Zoë"})).await;
        assert_eq!(user.expect_text("with a name").await["sender"], "Zoë");
        let shown = native.next_of("chat_message").await;
        assert_eq!((&shown["sender"], &shown["nick_name"]), (&json!("Zoë"), &json!("Zoë")));

        guest.say("plain words").await;
        guest.expect_value(&json!("plain words")).await;
        let shown = native.next_of("chat_message").await;
        assert_eq!((&shown["message"], &shown["sender"]), (&json!("plain words"), &json!("anonymous")));
        assert_eq!((&shown["sender_id"], &shown["nick_name"]), (&Value::Null, &Value::Null));

        guest.send_json(&json!({"message": {"message": "hello", "nick_name": "ann"}})).await;
        let shown = native.next_of("chat_message").await;
        assert_eq!((&shown["message"], &shown["sender"]), (&json!("hello"), &json!("ann")));
        assert_eq!(shown["nick_name"], "ann");
    }

    async fn a_native_user_and_plain_sockets_understand_one_another(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let mut guest = server.room("mixed").open().await;
        let mut plain = server.room("mixed").token(&bob.access).open().await;
        let mut native = server.native_as(&alice).await;
        native.join("mixed").await;
        let ok = native.say("mixed", "from alice").await;
        let frame = plain.expect_text("from alice").await;
        assert_eq!((&frame["id"], &frame["seq"]), (&ok["id"], &ok["seq"]));
        assert_eq!((&frame["sender"], &frame["sender_id"]), (&json!("alice"), &json!(alice.id)));
        guest.expect_value(&json!({"message": "from alice", "nick_name": "alice"})).await;
        native.until("from alice").await;
        plain.say("from bob").await;
        let frame = plain.expect_text("from bob").await;
        let shown = native.next_of("chat_message").await;
        assert_eq!((&shown["id"], &shown["seq"]), (&frame["id"], &frame["seq"]));
        assert_eq!((&shown["sender"], &shown["sender_id"]), (&json!("bob"), &json!(bob.id)));
        assert_eq!(shown["message"], "from bob");
        assert!(!shown.to_string().contains('@'), "nobody's address: {shown}");
    }

    async fn every_dialect_sees_the_native_order(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut native = server.native_guest().await;
        native.join("mixed").await;
        let mut guest = server.room("mixed").open().await;
        let mut user = server.room("mixed").token(&alice.access).open().await;
        for n in 0..40 {
            native.send(json!({"type": "send", "room": "mixed", "message": format!("n{n}")})).await;
            guest.say(&format!("g{n}")).await;
            user.say(&format!("u{n}")).await;
        }
        for place in 1..=120 {
            let shown = native.next_of("chat_message").await;
            let frame = user.next().await;
            let value = guest.next().await;
            assert_eq!((seq(&shown), &frame["seq"]), (place, &json!(place)));
            assert_eq!((&shown["id"], &shown["message"]), (&frame["id"], &frame["message"]));
            let text = value["message"].as_str().or(value["message"]["message"].as_str());
            assert_eq!(text, shown["message"].as_str());
        }
    }

    async fn what_is_said_natively_is_in_every_history_over_rest(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let shh = alice.create_shh_room("Lounge").await;
        let mut hers = server.native_as(&alice).await;
        for (room, path, text) in [
            ("lobby", "/chat/history/lobby/".to_owned(), "content"),
            (&group, format!("/api/chats/{group}/messages/"), "content"),
            (&shh, "/messages/Lounge/".to_owned(), "message"),
        ] {
            hers.join(room).await;
            let ok = hers.say(room, "said natively").await;
            let history = alice.api.get(&path).await.is(200);
            let message = if room == shh { &history["messages"][0] } else { &history[0] };
            assert_eq!((&message["id"], &message["seq"]), (&ok["id"], &ok["seq"]), "{path}");
            assert_eq!(message[text], "said natively", "{path}");
        }
    }

    async fn what_is_posted_over_rest_is_seen_natively(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let shh = alice.create_shh_room("Lounge").await;
        bob.join_shh_room(&shh).await;
        let mut his = server.native_as(&bob).await;
        his.join(&group).await;
        his.join(&shh).await;
        let posted = alice.post_to_chat(&group, "to the group").await;
        let shown = his.next_of("chat_message").await;
        assert_eq!((&shown["id"], &shown["message"]), (&posted["id"], &json!("to the group")));
        let posted = alice.post_to_shh("Lounge", "to the lounge").await;
        let shown = his.next_of("chat_message").await;
        assert_eq!((&shown["id"], &shown["message"]), (&posted["id"], &json!("to the lounge")));
        assert_eq!(shown["sender"], "alice", "no address: {shown}");
    }

    async fn typing_goes_between_native_and_shh_sockets(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let shh = alice.create_shh_room("Lounge").await;
        bob.join_shh_room(&shh).await;
        let mut plain = server.room(&shh).cookie(&alice.access).open().await;
        assert_eq!(plain.next().await["type"], "message_history");
        let mut native = server.native_as(&bob).await;
        native.join(&shh).await;
        plain.say("typing").await;
        let typing = native.next_of("typing").await;
        assert_eq!((&typing["user_id"], &typing["on"]), (&json!(alice.id), &json!(true)));
        native.send(json!({"type": "typing", "room": shh, "on": true})).await;
        let typing = plain.next().await;
        shape(&typing, "type:str user:str username:str");
        assert_eq!((&typing["type"], &typing["username"]), (&json!("typing"), &json!("bob")));
    }

    async fn elsewhere_plain_sockets_see_messages_alone(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let mut plain = server.room(&group).token(&alice.access).open().await;
        let mut guest = server.room("mixed").open().await;
        let mut his = server.native_as(&bob).await;
        for room in [group.as_str(), "mixed"] {
            his.join(room).await;
            for on in [true, false] {
                his.send(json!({"type": "typing", "room": room, "on": on})).await;
            }
            his.send(json!({"type": "read", "room": room, "seq": 0})).await;
            his.say(room, "words").await;
        }
        plain.expect_text("words").await;
        plain.is_alive_with_nothing_waiting("and nothing else").await;
        guest.expect_value(&json!({"message": "words", "nick_name": "bob"})).await;
        guest.is_alive_with_nothing_waiting("and nothing else").await;
    }

    async fn native_and_plain_sockets_count_one_another(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let _guest = server.room("mixed").open().await;
        let _user = server.room("mixed").token(&alice.access).open().await;
        let mut native = server.native_as(&alice).await;
        let entry = native.join("mixed").await;
        assert_eq!((&entry.joined["active_users"], &entry.joined["sessions"]),
                   (&json!(2), &json!(3)), "she holds two sockets and is one person");
        let mut other = server.native_guest().await;
        assert_eq!(other.join("mixed").await.joined["active_users"], 3);
        let rooms = server.api().get("/list_rooms/").await.is(200);
        assert_eq!(rooms[0]["active_members"], 3);
        let online = alice.api.get("/api/online/").await.is(200);
        assert_eq!(online.as_array().map(Vec::len), Some(1), "{online}");
    }

    async fn a_room_is_named_as_on_plain_sockets(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let private = alice.private_chat_with(&bob).await;
        let mut hers = server.native_as(&alice).await;
        let entry = hers.join("alice_bob").await;
        assert_eq!((entry.chat(), &entry.joined["kind"]), (private.clone(), &json!("pair")));
        // To whom a cookie speaks, another user's name is the private chat with him.
        let mut cookie = server.native("/ws/").cookie(&alice.access).hello().await;
        assert_eq!(cookie.join("bob").await.chat(), private);
        assert_eq!(hers.join("bob").await.joined["kind"], "named");
        // A name and its NFC are one room, and so is its UUID; a frame is not percent-decoded.
        let open = hers.join("cafe\u{301}").await.chat();
        assert_eq!(hers.join("café").await.chat(), open);
        assert_eq!(hers.join(&open).await.chat(), open);
        assert_ne!(hers.join("caf%C3%A9").await.chat(), open);
        let (_, entry) = server.native_room("caf%C3%A9").bearer(&bob.access).entered().await;
        assert_eq!(entry.chat(), open, "a path is");
    }
}
