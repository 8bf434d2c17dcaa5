//! Every bound has a consequence, and it is the one that the contract names.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::raw::{CLOSE, Received, TEXT};
use crate::support::{Account, RawSocket, Server, Setup, eventually};

/// A burst of posts to a new group: how many were stored, how many refused as busy. What was
/// refused left nothing behind, and is taken when sent again.
async fn burst(server: &Server) -> (usize, usize) {
    let alice = server.account("alice").await;
    let group = alice.create_group("group", &[]).await;
    let path = format!("/api/chats/{group}/messages/");
    let post = |n: usize| alice.api.post(&path, json!({"content": n, "client_id": n.to_string()}));
    let answers = join_all((0..60).map(post)).await;
    let mut busy = Vec::new();
    for (n, answer) in answers.into_iter().enumerate() {
        if answer.status == 503 {
            let wait = answer.header("retry-after").and_then(|secs| secs.parse::<u64>().ok());
            assert!(wait.is_some_and(|secs| (1..=60).contains(&secs)), "{answer:?}");
            assert_eq!(answer.error(503)["code"], "busy");
            busy.push(n);
        } else {
            answer.is(201);
        }
    }
    assert_eq!(stored(&alice, &path).await.len(), 60 - busy.len(), "nothing half done");
    for &n in &busy {
        post(n).await.is(201);
    }
    let seqs = stored(&alice, &path).await;
    assert_eq!(seqs, (1..=60).collect::<Vec<_>>());
    (60 - busy.len(), busy.len())
}

async fn stored(alice: &Account, path: &str) -> Vec<i64> {
    let history = alice.api.get(path).await.is(200);
    history.as_array().unwrap().iter().map(|m| m["seq"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_room_without_a_permit_left_is_busy_and_nothing_is_half_done() {
    let server = Setup::direct().env("HUBBUB__ROOMS__PERMITS", "1").start().await;
    let (taken, busy) = burst(&server).await;
    assert!(taken > 0 && busy > 0, "{taken} taken, {busy} refused");
}

#[tokio::test]
async fn a_writer_that_is_behind_is_busy_and_nothing_is_half_done() {
    let server = Setup::direct().env("HUBBUB__STORE__MAX_WAITING", "1").start().await;
    let (taken, busy) = burst(&server).await;
    assert!(taken > 0 && busy > 0, "{taken} taken, {busy} refused");
}

#[tokio::test]
async fn with_bounds_as_they_are_a_burst_is_all_stored() {
    let server = Setup::direct().start().await;
    assert_eq!(burst(&server).await, (60, 0));
}

#[tokio::test]
async fn a_login_storm_waits_or_is_refused_and_the_chat_goes_on() {
    let setup = Setup::direct()
        .env("HUBBUB__AUTH__HASH_THREADS", "1")
        .env("HUBBUB__AUTH__HASH_WAITING", "2");
    let server = setup.start().await;
    let mut guest = server.room("open").open().await;
    let body = json!({"username": "nobody", "password": "some password"});
    let storm = join_all((0..40).map(|_| {
        let (api, body) = (server.api(), body.clone());
        async move { api.post("/api/token/", body).await }
    }));
    let (answers, ()) = tokio::join!(storm, guest.is_alive_with_nothing_waiting("meanwhile"));
    let busy = answers.iter().filter(|answer| answer.status == 503).count();
    let checked = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(busy + checked, 40);
    assert!(busy > 0 && checked > 0, "{busy} refused, {checked} checked");
    assert!(answers.iter().filter(|a| a.status == 503).all(|a| a.header("retry-after").is_some()));
}

#[tokio::test]
async fn a_body_over_256_kib_is_413() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let group = alice.create_group("group", &[]).await;
    let path = format!("/api/chats/{group}/messages/");
    let padded = |len: usize| json!({"content": "x", "padding": "x".repeat(len)});
    alice.api.post(&path, padded(255 * 1024)).await.is(201);
    alice.api.post(&path, padded(256 * 1024)).await.error(413);
    alice.api.post(&path, padded(1024 * 1024)).await.error(413);
    server.api().form("/login/", &"x".repeat(300 * 1024)).await.error(413);
}

#[tokio::test]
async fn a_group_takes_so_many_members_and_no_more() {
    let server = Setup::direct().env("HUBBUB__ROOMS__MAX_MEMBERS", "3").start().await;
    let alice = server.account("alice").await;
    let (bob, carol) = (server.account("bob").await, server.account("carol").await);
    let dave = server.account("dave").await;
    let body = json!({"name": "x", "member_ids": [bob.id, carol.id, dave.id]});
    alice.api.post("/api/chats/group/", body).await.invalid("member_ids");
    let group = alice.create_group("group", &[&bob, &carol]).await;
    let path = format!("/api/chats/{group}/add-member/");
    alice.api.post(&path, json!({"user_id": dave.id})).await.error(400);
    alice.remove_from_chat(&group, &bob).await;
    alice.add_to_chat(&group, &dave).await;
}

/// How often the store is asked when somebody comes back who lacks the last so many messages.
async fn asked_for(server: &Server, room: &str, lacks: i64) -> u64 {
    let before = server.queries("history").await;
    let mut guest = server.native_guest().await;
    let head = guest.join(room).await.seq();
    guest.ok(json!({"type": "leave", "room": room})).await;
    let resume = json!({"type": "join", "room": room, "after": head - lacks});
    let replay = guest.enter(resume).await.replay;
    assert_eq!(replay.len(), usize::try_from(lacks).expect("a number"));
    server.queries("history").await - before
}

#[tokio::test]
async fn of_the_events_in_memory_those_go_first_that_nobody_used_for_longest() {
    let server = Setup::direct().env("HUBBUB__ROOMS__WINDOWS_BYTES", "65536").start().await;
    let mut talker = server.native_guest().await;
    let text = "x".repeat(1_000);
    for (room, messages) in [("quiet", 20), ("loud", 0)] {
        talker.join(room).await;
        for _ in 0..messages {
            talker.say(room, &text).await;
        }
    }
    assert_eq!(asked_for(&server, "quiet", 20).await, 0, "all of it is in memory");
    for _ in 0..80 {
        talker.say("loud", &text).await;
    }
    assert_eq!(asked_for(&server, "loud", 20).await, 0, "who talks keeps the newest");
    eventually("the quiet room gave way", Duration::from_secs(5), || async {
        let asked = asked_for(&server, "quiet", 20).await;
        if asked > 0 { Ok(()) } else { Err("it is all in memory".to_owned()) }
    })
    .await;
}

on_both_engines! {
    async fn nothing_is_dropped_when_a_rooms_permits_are_few(setup: Setup) {
        let server = setup.env("HUBBUB__ROOMS__PERMITS", "1").start().await;
        let mut reader = server.room("open").open().await;
        let writers = join_all((0..4).map(|writer| {
            let door = server.room("open");
            async move {
                let mut socket = door.open().await;
                for n in 0..50 {
                    socket.say(&format!("{writer} {n}")).await;
                }
                socket
            }
        }));
        let (_writers, said) = tokio::join!(writers, async {
            let mut said = Vec::new();
            for _ in 0..200 {
                said.push(reader.next().await["message"].as_str().unwrap().to_owned());
            }
            said
        });
        for writer in 0..4 {
            let prefix = format!("{writer} ");
            let mine: Vec<_> = said.iter().filter_map(|text| text.strip_prefix(&prefix)).collect();
            let wanted: Vec<_> = (0..50).map(|n| n.to_string()).collect();
            assert_eq!(mine, wanted, "in the order they were sent");
        }
    }

    async fn a_socket_whose_post_finds_no_place_in_time_closes_with_1013(setup: Setup) {
        let setup =
            setup.env("HUBBUB__ROOMS__PERMITS", "1").env("HUBBUB__SESSION__BUSY_WAIT_S", "1");
        let (server, database, _) = setup.start_behind_a_proxy().await;
        let mut first = server.room("open").open().await;
        let mut second = server.room("open").open().await;
        first.is_alive_with_nothing_waiting("the room lives").await;
        second.next().await;
        database.silence();
        first.say("one of the two").await;
        second.say("one of the two").await;
        let code = tokio::select! {
            code = first.close_code() => code,
            code = second.close_code() => code,
        };
        assert_eq!(code, Some(1013));
        database.heal();
        eventually("the other one is stored", Duration::from_secs(40), || async {
            let history = server.api().get("/chat/history/open/").await;
            if history.text.matches("one of the two").count() == 1 {
                Ok(())
            } else {
                Err(history.text)
            }
        })
        .await;
    }

    async fn a_reader_that_stalls_is_removed_and_others_still_receive(setup: Setup) {
        let server = setup.env("HUBBUB__SESSION__MAX_PENDING_BYTES", "65536").start().await;
        stall(&server, 1_500).await;
    }

    async fn a_reader_that_stalls_for_too_long_is_removed_however_little_waits(setup: Setup) {
        let setup = setup
            .env("HUBBUB__SESSION__MAX_PENDING_BYTES", "100000000")
            .env("HUBBUB__SESSION__MAX_PENDING_S", "1");
        let server = setup.start().await;
        stall(&server, 1_500).await;
    }

    async fn the_members_of_a_room_with_a_stalled_reader_can_be_asked_for(setup: Setup) {
        let server = setup.start().await;
        let path = "/ws/chat/open/";
        let _stalled = RawSocket::open_with(server.addr(), path, "", Some(4_096)).await;
        let mut talker = server.room("open").open().await;
        for n in 0..100 {
            talker.is_alive_with_nothing_waiting(&format!("{n} {}", "x".repeat(4_000))).await;
        }
        let rooms = server.api().get("/list_rooms/").await.is(200);
        assert_eq!(rooms[0]["active_members"], 2);
    }
}

/// One that reads nothing, one that reads, one that talks: 8 KiB a message.
async fn stall(server: &Server, messages: usize) {
    let mut stalled = RawSocket::open_with(server.addr(), "/ws/chat/open/", "", Some(4_096)).await;
    let mut talker = server.room("open").open().await;
    let mut reader = server.room("open").open().await;
    let padding = "x".repeat(8_000);
    for n in 0..messages {
        let text = format!("{n} {padding}");
        talker.say(&text).await;
        talker.expect_value(&json!(text)).await;
        reader.expect_value(&json!(text)).await;
    }
    eventually("the stalled reader is removed", Duration::from_secs(20), || async {
        let rooms = server.api().get("/list_rooms/").await.is(200);
        let left = rooms[0]["active_members"].clone();
        if left == 2 { Ok(()) } else { Err(format!("{left} are in the room")) }
    })
    .await;
    talker.say("and on").await;
    reader.expect_value(&json!("and on")).await;
    let mut seen = 0;
    while let Some(Received { opcode, payload }) = stalled.next().await {
        match opcode {
            TEXT => {
                let value: Value = serde_json::from_slice(&payload).expect("whole frames");
                let text = value["message"].as_str().expect("a text");
                assert!(text.starts_with(&format!("{seen} ")), "no gap in what it got");
                seen += 1;
            }
            CLOSE => {
                assert_eq!(payload.get(..2), Some(&1013_u16.to_be_bytes()[..]));
                break;
            }
            _ => {}
        }
    }
    assert!(seen < messages, "it was removed before it could get all");
}
