//! PROTOCOL.md, promises 2 and 3: what was answered with `ok`, and what anybody saw, is stored;
//! and the same `client_id` is the same message, whenever and wherever it comes again.

use serde_json::{Value, json};

use crate::support::account::text;
use crate::support::native::seq;
use crate::support::{Native, Setup};

fn send(room: &str, message: &str, client_id: &str) -> Value {
    json!({"type": "send", "room": room, "message": message, "client_id": client_id})
}

async fn history(socket: &mut Native, room: &str) -> Vec<Value> {
    let page = socket.ask(json!({"type": "history", "room": room, "after": 0})).await;
    assert_eq!(page["more"], false, "few enough for a page");
    page["events"].as_array().expect("events").clone()
}

/// Everything but whether it is a duplicate.
fn place(ok: &Value) -> (&Value, &Value, &Value) {
    (&ok["id"], &ok["seq"], &ok["created_at"])
}

on_both_engines! {
    async fn the_same_client_id_is_the_first_message_and_nobody_sees_it_twice(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        // Who comes first decides whether guests are welcome.
        let mut guest = server.native_guest().await;
        guest.join("open").await;
        let mut user = server.native_as(&alice).await;
        user.join("open").await;
        let mut witness = server.native_guest().await;
        witness.join("open").await;
        for socket in [&mut user, &mut guest] {
            let first = socket.ok(send("open", "once", "c")).await;
            assert_eq!(first["duplicate"], false);
            for words in ["once", "once, in other words"] {
                let again = socket.ok(send("open", words, "c")).await;
                assert_eq!(again["duplicate"], true);
                assert_eq!(place(&again), place(&first));
            }
            assert_eq!(witness.next_durable().await["id"], first["id"]);
        }
        let last = guest.say("open", "marker").await;
        assert_eq!(witness.next_durable().await["id"], last["id"], "nothing came twice");
        let history = history(&mut witness, "open").await;
        assert_eq!(history.len(), 3, "{history:?}");
    }

    async fn a_client_id_is_its_senders_and_its_rooms(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let (mut hers, mut his) = (server.native_as(&alice).await, server.native_as(&bob).await);
        let (mut one, mut other) = (server.native_guest().await, server.native_guest().await);
        one.join("open").await;
        other.join("open").await;
        hers.join("open").await;
        his.join("open").await;
        hers.join("elsewhere").await;
        for socket in [&mut one, &mut other, &mut hers, &mut his] {
            assert_eq!(socket.ok(send("open", "mine", "c")).await["duplicate"], false);
        }
        assert_eq!(hers.ok(send("elsewhere", "mine", "c")).await["duplicate"], false);
        assert_eq!(hers.ok(send("open", "mine", "C")).await["duplicate"], false, "to the letter");
        for _ in 0..2 {
            let without = json!({"type": "send", "room": "open", "message": "none"});
            assert_eq!(hers.ok(without).await["duplicate"], false);
        }
    }

    async fn over_a_restart_a_client_id_is_the_same_message(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let mut user = server.native_as(&alice).await;
        user.join(&group).await;
        let first = user.ok(send(&group, "once", "c")).await;
        let mut guest = server.native_guest().await;
        let token = text(&guest.join("open").await.joined["guest_token"]);
        let guests = guest.ok(send("open", "once", "c")).await;
        let server = server.restart().await;
        let mut user = server.native_as(&alice).await;
        user.join(&group).await;
        let again = user.ok(send(&group, "once", "c")).await;
        assert_eq!((place(&again), &again["duplicate"]), (place(&first), &json!(true)));
        let mut guest = server.native_guest().await;
        guest.ok(json!({"type": "auth", "guest_token": token})).await;
        guest.join("open").await;
        let again = guest.ok(send("open", "once", "c")).await;
        assert_eq!((place(&again), &again["duplicate"]), (place(&guests), &json!(true)));
    }

    async fn two_sockets_of_one_sender_at_once_store_it_once(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut one = server.native_as(&alice).await;
        let mut two = server.native_as(&alice).await;
        one.join("lobby").await;
        two.join("lobby").await;
        for round in 0..30 {
            let frame = send("lobby", "once", &round.to_string());
            let (first, second) = tokio::join!(one.ok(frame.clone()), two.ok(frame));
            assert_eq!(place(&first), place(&second));
            let doubles = [&first, &second].iter().filter(|ok| ok["duplicate"] == true).count();
            assert_eq!(doubles, 1, "one of the two is the first");
        }
        let history = history(&mut one, "lobby").await;
        let seqs: Vec<i64> = history.iter().map(seq).collect();
        assert_eq!(seqs, (1..=30).collect::<Vec<_>>());
    }

    async fn two_sockets_of_one_guest_at_once_store_it_once(setup: Setup) {
        let server = setup.start().await;
        let mut one = server.native_guest().await;
        let token = text(&one.join("open").await.joined["guest_token"]);
        let mut two = server.native_guest().await;
        two.ok(json!({"type": "auth", "guest_token": token})).await;
        two.join("open").await;
        for round in 0..30 {
            let frame = send("open", "once", &round.to_string());
            let (first, second) = tokio::join!(one.ok(frame.clone()), two.ok(frame));
            assert_eq!(place(&first), place(&second));
        }
        assert_eq!(history(&mut one, "open").await.len(), 30);
    }

    async fn in_one_burst_a_client_id_is_stored_once(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        hers.join("lobby").await;
        for n in 0..18 {
            let mut frame = send("lobby", "burst", &(n % 3).to_string());
            frame["ref"] = json!(n.to_string());
            hers.send(frame).await;
        }
        let mut places = [const { None::<Value> }; 3];
        for _ in 0..18 {
            let ok = hers.next_of("ok").await;
            let which = text(&ok["ref"]).parse::<usize>().expect("a number") % 3;
            let id = places[which].get_or_insert_with(|| ok["id"].clone());
            assert_eq!(*id, ok["id"]);
        }
        assert_eq!(history(&mut hers, "lobby").await.len(), 3);
    }

    async fn a_client_id_is_the_same_over_rest(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let mut hers = server.native_as(&alice).await;
        hers.join(&group).await;
        let first = hers.ok(send(&group, "once", "c")).await;
        let path = format!("/api/chats/{group}/messages/");
        let body = json!({"content": "once", "client_id": "c"});
        let posted = alice.api.post(&path, body).await.is(200);
        assert_eq!((&posted["id"], &posted["seq"]), (&first["id"], &first["seq"]));
        let body = json!({"content": "by REST first", "client_id": "r"});
        let posted = alice.api.post(&path, body).await.is(201);
        let again = hers.ok(send(&group, "by REST first", "r")).await;
        assert_eq!((&again["id"], &again["duplicate"]), (&posted["id"], &json!(true)));
    }
}

on_both_databases! {
    async fn ok_means_stored(setup: Setup) {
        let mut server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let mut kept = Vec::new();
        for round in 0..5 {
            let mut hers = server.native_as(&alice).await;
            hers.join(&group).await;
            for n in 0..10 {
                let ok = hers.ok(send(&group, "x", &format!("{round} {n}"))).await;
                kept.push((ok["id"].clone(), seq(&ok)));
            }
            server.kill9();
            server = server.restart().await;
        }
        let mut hers = server.native_as(&alice).await;
        hers.join(&group).await;
        let stored: Vec<(Value, i64)> = history(&mut hers, &group)
            .await
            .iter()
            .filter(|event| event["type"] == "chat_message")
            .map(|event| (event["id"].clone(), seq(event)))
            .collect();
        assert_eq!(stored, kept);
    }

    async fn what_anybody_saw_is_stored(setup: Setup) {
        let server = setup.start().await;
        let mut talker = server.native_guest().await;
        let mut reader = server.native_guest().await;
        talker.join("open").await;
        reader.join("open").await;
        for n in 0..200 {
            let frame = send("open", &n.to_string(), &n.to_string());
            talker.send(frame).await;
        }
        let mut seen = Vec::new();
        while seen.len() < 100 {
            let shown = reader.next_of("chat_message").await;
            seen.push((shown["id"].clone(), seq(&shown)));
        }
        server.signal("KILL");
        while let Ok(frame) = reader.try_next().await {
            if frame["type"] == "chat_message" {
                seen.push((frame["id"].clone(), seq(&frame)));
            }
        }
        let server = server.restart().await;
        let mut reader = server.native_guest().await;
        reader.join("open").await;
        let stored: Vec<(Value, i64)> = history(&mut reader, "open")
            .await
            .iter()
            .map(|event| (event["id"].clone(), seq(event)))
            .collect();
        assert_eq!(stored[..seen.len()], seen[..]);
    }
}
