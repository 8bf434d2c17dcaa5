//! PROTOCOL.md: what goes too far. Readers that are too slow (`lag`, 4002), rates (`rate_limited`,
//! 4005), frames that make no sense (4502), and too many sockets (4504).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::native::{Ended, seq};
use crate::support::stalled::Fate;
use crate::support::{Follower, Native, Server, Setup, Stalled, eventually, shape};

/// Talks to this room for so many messages of 8 KiB, while somebody reads them all.
async fn talk(server: &Server, messages: i64) -> Follower {
    let mut talker = server.native_guest().await;
    talker.join("open").await;
    let mut reader = server.native_guest().await;
    let mut follower = Follower::of("open");
    follower.join(&mut reader).await.expect("it stays");
    let padding = "x".repeat(8_000);
    for n in 0..messages {
        let ok = talker.say("open", &format!("{n} {padding}")).await;
        talker.next_of("chat_message").await;
        follower.until(&mut reader, seq(&ok)).await.expect("who reads is not held up");
    }
    assert_eq!(follower.lagged, 0);
    follower
}

/// Whether it ended, and how, after asking the same many times; how many were refused with `code`.
async fn insist(
    socket: &mut Native,
    ask: &Value,
    code: &str,
    times: usize,
) -> (usize, Option<Ended>) {
    let mut refused = 0;
    for _ in 0..times {
        match socket.try_ask(ask.clone()).await {
            Ok(answer) if answer["type"] == "error" => {
                assert_eq!(answer["code"], code, "{answer}");
                refused += 1;
            }
            Ok(_) => {}
            Err(ended) => return (refused, Some(ended)),
        }
    }
    (refused, None)
}

on_both_engines! {
    async fn a_reader_that_stalls_lags_or_is_closed_and_loses_nothing(setup: Setup) {
        let server = setup.env("HUBBUB__SESSION__MAX_PENDING_BYTES", "65536").start().await;
        let mut stalled = Stalled::guest_in(&server, "open").await;
        let all = talk(&server, 1_200).await;
        stalled.reads_at_last().await;
        assert!(stalled.holds().have() < 1_200, "it was held up by the network alone");
        let resumed = stalled.resumes(server.native_guest().await, 1_200).await;
        assert_eq!(resumed.seen(), all.seen());
    }

    async fn a_reader_that_never_reads_again_is_closed_and_counted_no_more(setup: Setup) {
        let setup = setup
            .env("HUBBUB__SESSION__MAX_PENDING_BYTES", "65536")
            .env("HUBBUB__SESSION__MAX_PENDING_S", "1");
        let server = setup.start().await;
        let mut stalled = Stalled::guest_in(&server, "open").await;
        talk(&server, 1_200).await;
        eventually("the stalled reader is out", Duration::from_secs(20), || async {
            let rooms = server.api().get("/list_rooms/").await.is(200);
            let left = rooms[0]["active_members"].clone();
            if left == 0 || left.is_null() { Ok(()) } else { Err(format!("{left} are there")) }
        })
        .await;
        assert_eq!(stalled.reads_at_last().await, Fate::Closed);
    }

    async fn too_many_messages_are_rate_limited_and_say_when_to_try_again(setup: Setup) {
        let server = setup.without("RATE_LIMITS").start().await;
        let mut guest = server.native_guest().await;
        guest.join("open").await;
        let mut stored = Vec::new();
        let mut wait = None;
        for n in 0..100 {
            let send = json!({"type": "send", "room": "open", "message": n.to_string(),
                              "client_id": n.to_string()});
            let answer = guest.ask(send).await;
            if answer["type"] == "ok" {
                stored.push(n);
            } else {
                shape(&answer, "code:str detail:str retry_after_ms:int");
                assert_eq!(answer["code"], "rate_limited", "{answer}");
                let after = answer["retry_after_ms"].as_u64().expect("a wait");
                assert!((1..=5_000).contains(&after), "{answer}");
                wait.get_or_insert((n, after));
            }
        }
        assert!(stored.len() >= 60, "a burst of 60 is fine: {}", stored.len());
        let (refused, after) = wait.expect("a hundred at once are too many");
        let page = guest.ask(json!({"type": "history", "room": "open", "after": 0})).await;
        let kept: Vec<i64> = page["events"].as_array().expect("events").iter()
            .filter_map(|event| event["message"].as_str()?.parse().ok()).collect();
        assert_eq!(kept, stored, "what was refused left nothing behind");
        // Time is the only event here, and the server named it.
        tokio::time::sleep(Duration::from_millis(after + 500)).await;
        let send = json!({"type": "send", "room": "open", "message": "again",
                          "client_id": refused.to_string()});
        assert_eq!(guest.ok(send).await["duplicate"], false);
    }

    async fn one_who_goes_on_and_on_is_closed_with_4005(setup: Setup) {
        let server = setup.without("RATE_LIMITS").start().await;
        let mut guest = server.native_guest().await;
        guest.join("open").await;
        let send = json!({"type": "send", "room": "open", "message": "again and again"});
        let (refused, ended) = insist(&mut guest, &send, "rate_limited", 50_000).await;
        assert!(refused > 0, "it is told before");
        assert_eq!(ended, Some(Some(4005)));
        assert_eq!(guest.next_of("bye").await["code"], 4005);
    }

    async fn joins_are_limited_per_socket(setup: Setup) {
        let server = setup.without("RATE_LIMITS").start().await;
        let mut guest = server.native_guest().await;
        let since = Instant::now();
        let mut granted = 0;
        for n in 0..60 {
            let answer = guest.ask(json!({"type": "join", "room": format!("room {n}")})).await;
            if answer["type"] == "joined" {
                granted += 1;
            } else {
                assert_eq!(answer["code"], "rate_limited", "{answer}");
                shape(&answer, "retry_after_ms:int");
            }
        }
        // 10 a second, and no more at once than a few seconds' worth.
        let most = 40 + 10 * since.elapsed().as_secs();
        assert!((5..=most).contains(&granted), "{granted} in {:?}", since.elapsed());
    }

    async fn many_frames_that_make_no_sense_close_with_4502(setup: Setup) {
        let server = setup.without("RATE_LIMITS").start().await;
        let mut guest = server.native_guest().await;
        guest.join("open").await;
        let shout = json!({"type": "shout"});
        let (refused, ended) = insist(&mut guest, &shout, "unknown_type", 10_000).await;
        assert!(refused > 3, "a few are forgiven: {refused}");
        assert_eq!(ended, Some(Some(4502)));
        assert_eq!(guest.next_of("bye").await["code"], 4502);
        let mut other = server.native_guest().await;
        other.join("open").await;
        let mut sent = 0;
        while sent < 10_000 {
            other.send_text("no frame").await;
            sent += 1;
            let answer = other.next().await;
            if answer["type"] == "bye" {
                assert_eq!(answer["code"], 4502, "{answer}");
                assert_eq!(other.close_code().await, Some(4502));
                return;
            }
        }
        panic!("{sent} were all forgiven");
    }

    async fn too_many_sockets_of_a_user_are_4504(setup: Setup) {
        let setup = setup.without("RATE_LIMITS").env("HUBBUB__PACES__MAX_PER_USER", "2");
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let one = server.native_as(&alice).await;
        let mut two = server.native_guest().await;
        two.ok(json!({"type": "auth", "token": alice.access})).await;
        server.native("/ws/").bearer(&alice.access).turned_away(4504).await;
        server.native_room("lobby").bearer(&alice.access).turned_away(4504).await;
        let mut late = server.native_guest().await;
        late.send(json!({"type": "auth", "token": alice.access})).await;
        late.expect_bye_and_close(4504).await;
        server.native_as(&bob).await.is_alive().await;
        two.is_alive().await;
        one.close().await;
        a_place_is_free(&server, &alice.access).await;
    }

    async fn too_many_sockets_of_an_address_are_4504(setup: Setup) {
        let setup = setup.without("RATE_LIMITS").env("HUBBUB__PACES__MAX_PER_IP", "3");
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let _hers = server.native_as(&alice).await;
        let _his = server.native_as(&bob).await;
        let guest = server.native_guest().await;
        server.native("/ws/").turned_away(4504).await;
        server.native("/ws/").bearer(&alice.access).turned_away(4504).await;
        guest.close().await;
        a_place_is_free(&server, &alice.access).await;
    }

    async fn too_many_unproven_sockets_of_an_address_are_4504(setup: Setup) {
        let setup = setup.without("RATE_LIMITS").env("HUBBUB__PACES__MAX_UNPROVEN_PER_IP", "2");
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut one = server.native_guest().await;
        let mut two = server.native_guest().await;
        server.native("/ws/").turned_away(4504).await;
        // Whoever says who he is owes nothing, and frees the place by it.
        let mut proven = server.native_as(&alice).await;
        proven.is_alive().await;
        one.join("open").await;
        let _three = server.native_guest().await;
        server.native("/ws/").turned_away(4504).await;
        two.ok(json!({"type": "auth", "token": alice.access})).await;
        let _four = server.native_guest().await;
        // A plain socket never owes anything.
        let mut plain = server.room("open").open().await;
        plain.is_alive_with_nothing_waiting("still here").await;
    }
}

/// A socket of this user opens and stays, once the server has seen the other one go.
async fn a_place_is_free(server: &Server, access: &str) {
    eventually("a place is free", Duration::from_secs(5), || async {
        let mut socket = server.native("/ws/").bearer(access).open().await;
        let mut frame = socket.next().await;
        if frame["type"] == "hello" {
            socket.send_json(&json!({"type": "ping"})).await;
            frame = socket.next().await;
        }
        if frame["type"] == "pong" { Ok(()) } else { Err(frame.to_string()) }
    })
    .await;
}
