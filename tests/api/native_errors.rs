//! PROTOCOL.md, `error`: a frame that is refused says why, does nothing else, and the connection
//! lives on.

use serde_json::{Value, json};

use crate::support::account::text;
use crate::support::native::seq;
use crate::support::{Native, Setup, shape};

const NOBODYS: &str = "00000000-0000-7000-8000-000000000000";

/// The next error, which answers a frame without a `ref`.
async fn error(socket: &mut Native) -> String {
    let error = socket.next_of("error").await;
    shape(&error, "code:str detail:str");
    assert!(error["ref"].is_null(), "{error}");
    text(&error["code"])
}

/// An `invalid` (or `too_long`) whose detail names the field.
async fn names(socket: &mut Native, frame: Value, field: &str) {
    let asked: String = frame.to_string().chars().take(200).collect();
    let answer = socket.ask(frame).await;
    assert_eq!(answer["type"], "error", "{asked}: {answer}");
    let code = text(&answer["code"]);
    assert!(["invalid", "too_long"].contains(&code.as_str()), "{asked}: {answer}");
    assert!(text(&answer["detail"]).contains(field), "{asked}: {field} is not named: {answer}");
}

on_both_engines! {
    async fn bad_frame_is_what_is_no_frame(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        let entry = hers.join("lobby").await;
        let deep = format!("{{\"type\":\"ping\",\"x\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        for bad in [
            "", " ", "nonsense", "{", "[]", "7", "null", "\"ping\"", "{}", "{\"type\":7}",
            "{\"type\":null}", "{\"message\":\"x\"}", "[{\"type\":\"ping\"}]", &deep,
        ] {
            hers.send_text(bad).await;
            assert_eq!(error(&mut hers).await, "bad_frame", "{bad}");
        }
        hers.send_binary(b"{\"type\":\"ping\"}").await;
        assert_eq!(error(&mut hers).await, "bad_frame", "binary");
        let ok = hers.say("lobby", "the first one").await;
        assert_eq!(seq(&ok), entry.seq() + 1, "nothing else happened");
    }

    async fn unknown_type_is_an_error_and_nothing_else_happens(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        hers.join("lobby").await;
        for kind in ["shout", "", "SEND", "hello", "chat_message", "ok"] {
            let frame = json!({"type": kind, "room": "lobby", "message": "x"});
            hers.refused(frame, "unknown_type").await;
        }
        hers.say("lobby", "marker").await;
        let before = hers.until("marker").await;
        assert!(before.iter().all(|frame| frame["type"] != "chat_message"), "{before:?}");
    }

    async fn unknown_fields_are_ignored(setup: Setup) {
        let server = setup.start().await;
        let mut guest = server.native_guest().await;
        let join = json!({"type": "join", "room": "open", "colour": "red", "seq": {"a": [1]}});
        guest.enter(join).await;
        let send = json!({"type": "send", "room": "open", "message": "x", "sender_id": 1,
                          "sender": "root", "seq": 99, "id": NOBODYS, "replay": true});
        guest.ok(send).await;
        let shown = guest.next_of("chat_message").await;
        assert_eq!((&shown["sender_id"], &shown["sender"]), (&Value::Null, &json!("anonymous")));
        assert_ne!(shown["id"], NOBODYS);
    }

    async fn not_joined_is_every_act_in_a_room_that_this_socket_does_not_follow(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut inside = server.native_as(&alice).await;
        inside.join("lobby").await;
        let id = inside.say("lobby", "x").await["id"].clone();
        let mut outside = server.native_as(&alice).await;
        for room in ["lobby", "nowhere", NOBODYS] {
            for frame in [
                json!({"type": "send", "room": room, "message": "x"}),
                json!({"type": "edit", "room": room, "id": id, "message": "y"}),
                json!({"type": "delete", "room": room, "id": id}),
                json!({"type": "react", "room": room, "id": id, "emoji": "👍", "on": true}),
                json!({"type": "typing", "room": room, "on": true}),
                json!({"type": "read", "room": room, "seq": 1}),
                json!({"type": "leave", "room": room}),
            ] {
                outside.refused(frame, "not_joined").await;
            }
        }
        // A name that was only spoken of made no room.
        let rooms = server.api().get("/list_rooms/").await.is(200);
        assert!(!rooms.to_string().contains("nowhere"), "{rooms}");
    }

    async fn invalid_names_the_field(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        hers.join("lobby").await;
        let id = hers.say("lobby", "x").await["id"].clone();
        for room in [json!(null), json!(7), json!(""), json!("a/b"), json!("a\u{1}b"),
                     json!("x".repeat(101)), json!(["lobby"])] {
            names(&mut hers, json!({"type": "join", "room": room}), "room").await;
        }
        names(&mut hers, json!({"type": "join"}), "room").await;
        names(&mut hers, json!({"type": "send", "message": "x"}), "room").await;
        for message in [json!(null), json!(7), json!(""), json!(" \n"), json!({"message": "x"}),
                        json!("a\u{0}b")] {
            let frame = json!({"type": "send", "room": "lobby", "message": message});
            names(&mut hers, frame, "message").await;
            let frame = json!({"type": "edit", "room": "lobby", "id": id, "message": message});
            names(&mut hers, frame, "message").await;
        }
        for client_id in [json!(7), json!("x".repeat(65)), json!([])] {
            let frame = json!({"type": "send", "room": "lobby", "message": "x",
                               "client_id": client_id});
            names(&mut hers, frame, "client_id").await;
        }
        for bad in [json!(null), json!("no id"), json!(7)] {
            names(&mut hers, json!({"type": "delete", "room": "lobby", "id": bad}), "id").await;
        }
        for emoji in [json!(null), json!(""), json!(7), json!("x".repeat(1_000))] {
            let frame =
                json!({"type": "react", "room": "lobby", "id": id, "emoji": emoji, "on": true});
            names(&mut hers, frame, "emoji").await;
        }
        for on in [json!("yes"), json!(1)] {
            let frame = json!({"type": "react", "room": "lobby", "id": id, "emoji": "👍", "on": on});
            names(&mut hers, frame, "on").await;
            names(&mut hers, json!({"type": "typing", "room": "lobby", "on": on}), "on").await;
        }
        for bad in [json!("7"), json!(-1), json!(1.5)] {
            names(&mut hers, json!({"type": "read", "room": "lobby", "seq": bad}), "seq").await;
            for field in ["after", "before", "limit"] {
                names(&mut hers, json!({"type": "history", "room": "lobby", field: bad}), field)
                    .await;
            }
            let frame = json!({"type": "join", "room": "lobby", "after": bad, "epoch": "x"});
            names(&mut hers, frame, "after").await;
        }
        names(&mut hers, json!({"type": "watch", "people": "all"}), "people").await;
        names(&mut hers, json!({"type": "auth"}), "token").await;
        let mut guest = server.native_guest().await;
        for nick_name in [json!(7), json!("x".repeat(1_000))] {
            let frame = json!({"type": "join", "room": "open", "nick_name": nick_name});
            names(&mut guest, frame, "nick_name").await;
        }
    }

    async fn too_long_is_a_text_over_8_kib(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        hers.join("lobby").await;
        let fits = "é".repeat(4 * 1024);
        let send = |text: &str| json!({"type": "send", "room": "lobby", "message": text});
        let id = hers.ok(send(&fits)).await["id"].clone();
        let error = hers.refused(send(&format!("{fits}x")), "too_long").await;
        assert!(text(&error["detail"]).contains("message"), "{error}");
        let edit = json!({"type": "edit", "room": "lobby", "id": id, "message": format!("{fits}x")});
        hers.refused(edit, "too_long").await;
    }

    async fn not_found_is_a_message_that_is_not_in_this_room(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        hers.join("lobby").await;
        hers.join("elsewhere").await;
        let other = text(&hers.say("elsewhere", "x").await["id"]);
        for id in [NOBODYS, &other] {
            for frame in [
                json!({"type": "edit", "room": "lobby", "id": id, "message": "y"}),
                json!({"type": "delete", "room": "lobby", "id": id}),
                json!({"type": "react", "room": "lobby", "id": id, "emoji": "👍", "on": true}),
            ] {
                hers.refused(frame, "not_found").await;
            }
        }
    }

    async fn forbidden_is_a_room_of_others_and_one_that_is_not_there_alike(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[]).await;
        let shh = alice.create_shh_room("Lounge").await;
        let mut his = server.native_as(&bob).await;
        let mut details = Vec::new();
        for room in [group.as_str(), &shh, NOBODYS] {
            let error = his.refused(json!({"type": "join", "room": room}), "forbidden").await;
            details.push(text(&error["detail"]));
        }
        assert!(details.iter().all(|detail| *detail == details[0]), "{details:?}");
        let room = json!({"type": "history", "room": group});
        let error = his.ask(room).await;
        assert_eq!(error["type"], "error", "{error}");
        let who = his.ask(json!({"type": "who", "room": group})).await;
        assert_eq!(who["type"], "error", "{who}");
        his.join("lobby").await;
    }

    async fn a_frame_over_the_limit_closes_with_1009(setup: Setup) {
        let server = setup.env("HUBBUB__SESSION__MAX_FRAME_BYTES", "20000").start().await;
        let mut socket = server.native_guest().await;
        socket.join("open").await;
        let padding = "x".repeat(19_900);
        socket.send(json!({"type": "ping", "padding": padding})).await;
        socket.next_of("pong").await;
        socket.send(json!({"type": "ping", "padding": "x".repeat(20_000)})).await;
        assert_eq!(socket.close_code().await, Some(1009));
    }
}
