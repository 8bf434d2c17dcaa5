//! PROTOCOL.md, *Frames*: what each client frame is answered with, and each `error.code`. Acts on
//! messages stand in `native_acts`, unsequenced frames in `native_light`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::native::{CHAT_MESSAGE, seq};
use crate::support::{Native, Setup, shape, shape_all};

/// A page of history; its events and whether there is more.
async fn history(socket: &mut Native, mut ask: Value) -> (Vec<Value>, bool) {
    ask["type"] = json!("history");
    let answer = socket.ask(ask).await;
    assert_eq!(answer["type"], "history", "{answer}");
    shape(&answer, "chat_id:uuid events:arr more:bool");
    let events = answer["events"].as_array().expect("events").clone();
    assert!(events.iter().all(|event| event["replay"] == true), "{answer}");
    (events, answer["more"] == true)
}

fn texts(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["message"].as_str().expect("a message")).collect()
}

on_both_engines! {
    async fn a_send_is_answered_and_shown_to_everybody_the_sender_too(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let (mut hers, mut his) = (server.native_as(&alice).await, server.native_as(&bob).await);
        let entry = hers.join("lobby").await;
        his.join("lobby").await;
        let send = json!({"type": "send", "room": "lobby", "message": "Hello", "client_id": "c1"});
        let ok = hers.ok(send).await;
        shape(&ok, "id:uuid seq:int created_at:time duplicate:bool");
        assert_eq!(ok["duplicate"], false);
        assert_eq!(seq(&ok), entry.seq() + 1);
        for socket in [&mut hers, &mut his] {
            let shown = socket.next_of("chat_message").await;
            shape(&shown, CHAT_MESSAGE);
            assert_eq!(shown["message"], "Hello");
            assert_eq!(shown["chat_id"], entry.chat());
            for key in ["id", "seq", "created_at"] {
                assert_eq!(shown[key], ok[key], "{key}");
            }
            assert_eq!((&shown["sender_id"], &shown["sender"]), (&json!(alice.id), &json!("alice")));
            assert!(shown.get("replay").is_none_or(|replay| replay == false), "{shown}");
        }
    }

    async fn the_senders_own_copy_names_its_client_id(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        hers.join("lobby").await;
        let name = "é".repeat(32);
        let send = json!({"type": "send", "room": "lobby", "message": "x", "client_id": name});
        hers.ok(send).await;
        assert_eq!(hers.next_of("chat_message").await["client_id"], name.as_str());
    }

    async fn a_reply_names_the_message_it_is_to(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        hers.join("lobby").await;
        let first = hers.say("lobby", "first").await["id"].clone();
        hers.until("first").await;
        let send = |to: &Value| {
            json!({"type": "send", "room": "lobby", "message": "reply", "reply_to": to})
        };
        hers.ok(send(&first)).await;
        assert_eq!(hers.next_of("chat_message").await["reply_to"], first);
        hers.refused(send(&json!("no id")), "invalid").await;
        hers.refused(send(&json!("00000000-0000-7000-8000-000000000000")), "not_found").await;
        hers.join("elsewhere").await;
        let answer = json!({"type": "send", "room": "elsewhere", "message": "re", "reply_to": first});
        hers.refused(answer, "not_found").await;
    }

    async fn twenty_sends_in_flight_and_more_are_all_answered_in_order(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        let entry = hers.join("lobby").await;
        for n in 0..100 {
            hers.send(json!({"type": "send", "room": "lobby", "message": n.to_string(),
                             "client_id": n.to_string(), "ref": n.to_string()}))
                .await;
        }
        let (mut answered, mut shown) = (Vec::new(), Vec::new());
        while answered.len() < 100 || shown.len() < 100 {
            let frame = hers.next().await;
            match frame["type"].as_str() {
                Some("ok") => answered.push((frame["ref"].clone(), seq(&frame))),
                Some("chat_message") => shown.push((frame["message"].clone(), seq(&frame))),
                Some("error") => panic!("waiting is no error: {frame}"),
                _ => {}
            }
        }
        let wanted: Vec<(Value, i64)> =
            (0..100).map(|n| (json!(n.to_string()), entry.seq() + 1 + n)).collect();
        assert_eq!(shown, wanted, "in the order they were sent");
        answered.sort_by_key(|(_, seq)| *seq);
        assert_eq!(answered, wanted, "each answer is its own");
    }

    async fn ping_is_answered_with_pong(setup: Setup) {
        let server = setup.start().await;
        let mut socket = server.native_guest().await;
        let pong = socket.ask(json!({"type": "ping"})).await;
        assert_eq!(pong["type"], "pong");
        shape(&pong, "at:time ref:str");
        socket.send(json!({"type": "ping"})).await;
        let pong = socket.next_of("pong").await;
        assert!(pong.get("ref").is_none_or(Value::is_null), "{pong}");
    }

    async fn a_ref_is_any_text_of_64_bytes(setup: Setup) {
        let server = setup.start().await;
        let mut socket = server.native_guest().await;
        for name in ["", "7", "é\"\\ \u{1}", &"x".repeat(64)] {
            socket.send(json!({"type": "ping", "ref": name})).await;
            assert_eq!(socket.next_of("pong").await["ref"], name);
        }
        for (name, value) in [("ref", json!("x".repeat(65))), ("ref", json!(7))] {
            socket.send(json!({"type": "ping", name: value})).await;
            let error = socket.next_of("error").await;
            assert!(["invalid", "too_long"].iter().any(|code| error["code"] == *code), "{error}");
        }
        socket.is_alive().await;
    }

    async fn leave_ends_following_and_no_membership(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let mut his = server.native_as(&bob).await;
        his.join(&group).await;
        his.join("lobby").await;
        his.ok(json!({"type": "leave", "room": group})).await;
        his.refused(json!({"type": "send", "room": group, "message": "x"}), "not_joined").await;
        alice.post_to_chat(&group, "without him").await;
        his.say("lobby", "marker").await;
        let before = his.until("marker").await;
        assert!(before.iter().all(|frame| frame["type"] != "chat_message"), "{before:?}");
        let chat = bob.api.get(&format!("/api/chats/{group}/")).await.is(200);
        assert_eq!(chat["members"].as_array().map(Vec::len), Some(2), "he is a member still");
        his.join(&group).await;
        his.say(&group, "back").await;
        his.ok(json!({"type": "leave", "room": group})).await;
        his.refused(json!({"type": "leave", "room": group}), "not_joined").await;
    }

    async fn one_socket_follows_many_rooms(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        let mut chats = BTreeSet::new();
        for n in 0..50 {
            chats.insert(hers.join(&format!("room {n}")).await.chat());
        }
        assert_eq!(chats.len(), 50);
        let mut other = server.native_as(&alice).await;
        for n in 0..50 {
            other.join(&format!("room {n}")).await;
            other.say(&format!("room {n}"), "to all").await;
        }
        let mut told = BTreeSet::new();
        while told.len() < 50 {
            let shown = hers.next_of("chat_message").await;
            told.insert(shown["chat_id"].as_str().expect("a chat_id").to_owned());
        }
        assert_eq!(told, chats);
    }

    async fn who_tells_the_people_and_counts_the_guests(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let mut guest = server.native_guest().await;
        guest.enter(json!({"type": "join", "room": "open", "nick_name": "Zoe"})).await;
        let mut hers = server.native_as(&alice).await;
        hers.join("open").await;
        let mut her_other = server.native_as(&alice).await;
        her_other.join("open").await;
        let mut his = server.native_as(&bob).await;
        let entry = his.join("open").await;
        assert_eq!(entry.joined["active_users"], 3, "oneself counts, and each person once");
        assert_eq!(entry.joined["sessions"], 4);
        let who = hers.ask(json!({"type": "who", "room": "open"})).await;
        assert_eq!(who["type"], "who");
        shape(&who, "chat_id:uuid active_users:int guests:int members:arr as_of:time more:bool");
        assert_eq!(who["guest_names"], json!(["Zoe"]));
        shape_all(&who["members"], "user_id:int username:str nick_name:str|null sessions:int");
        assert_eq!((&who["active_users"], &who["guests"]), (&json!(3), &json!(1)));
        assert_eq!(who["more"], false);
        let mut people: Vec<(i64, i64)> = who["members"]
            .as_array()
            .expect("members")
            .iter()
            .map(|one| (one["user_id"].as_i64().expect("id"), one["sessions"].as_i64().expect("n")))
            .collect();
        people.sort_unstable();
        assert_eq!(people, [(alice.id, 2), (bob.id, 1)]);
    }

    async fn history_pages_both_ways(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        let entry = hers.join("lobby").await;
        for n in 1..=30 {
            hers.say("lobby", &n.to_string()).await;
        }
        let at = |n: i64| entry.seq() + n;
        let (all, more) = history(&mut hers, json!({"room": "lobby"})).await;
        assert_eq!((all.len(), more), (30, false));
        assert_eq!(all.iter().map(seq).collect::<Vec<_>>(), (at(1)..=at(30)).collect::<Vec<_>>());
        let (events, more) = history(&mut hers, json!({"room": "lobby", "limit": 3})).await;
        assert_eq!((texts(&events), more), (vec!["28", "29", "30"], true));
        let ask = json!({"room": "lobby", "before": at(28), "limit": 3});
        let (events, more) = history(&mut hers, ask).await;
        assert_eq!((texts(&events), more), (vec!["25", "26", "27"], true));
        let ask = json!({"room": entry.chat(), "before": at(3)});
        let (events, more) = history(&mut hers, ask).await;
        assert_eq!((texts(&events), more), (vec!["1", "2"], false));
        let ask = json!({"room": "lobby", "after": at(10), "limit": 2});
        let (events, more) = history(&mut hers, ask).await;
        assert_eq!((texts(&events), more), (vec!["11", "12"], true));
        let (events, more) = history(&mut hers, json!({"room": "lobby", "after": at(28)})).await;
        assert_eq!((texts(&events), more), (vec!["29", "30"], false));
        let (events, more) = history(&mut hers, json!({"room": "lobby", "after": at(30)})).await;
        assert_eq!((events.len(), more), (0, false));
        let between = json!({"room": "lobby", "after": at(10), "before": at(13)});
        let (events, more) = history(&mut hers, between).await;
        assert_eq!((texts(&events), more), (vec!["11", "12"], false));
    }

    async fn history_is_at_most_256_kib_a_page(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        let entry = hers.join("lobby").await;
        let long = "x".repeat(8_000);
        for _ in 0..50 {
            hers.say("lobby", &long).await;
        }
        let mut have = entry.seq();
        let mut pages = 0;
        loop {
            let ask = json!({"room": "lobby", "after": have, "limit": 500});
            let (events, more) = history(&mut hers, ask).await;
            let bytes: usize = events.iter().map(|event| event.to_string().len()).sum();
            assert!(bytes <= 256 * 1024, "{bytes}");
            for event in &events {
                assert_eq!(seq(event), have + 1, "no gap between pages");
                have = seq(event);
            }
            pages += 1;
            if !more {
                break;
            }
        }
        assert_eq!(have, entry.seq() + 50);
        assert!(pages > 1, "{pages}");
        let mut from = have + 1;
        loop {
            let ask = json!({"room": "lobby", "before": from, "limit": 500});
            let (events, more) = history(&mut hers, ask).await;
            let bytes: usize = events.iter().map(|event| event.to_string().len()).sum();
            assert!(bytes <= 256 * 1024, "{bytes}");
            for event in events.iter().rev() {
                assert_eq!(seq(event), from - 1, "no gap between pages");
                from = seq(event);
            }
            if !more {
                break;
            }
        }
        assert_eq!(from, 1);
    }
}
