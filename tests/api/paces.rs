//! SECURITY, *Abuse*: the paces of plain sockets, which can be told nothing and so are held back,
//! and of REST. Native sockets stand in `native_limits`.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{join_all, select_all};
use serde_json::{Value, json};

use crate::support::{Account, Answer, Server, Setup, Socket, eventually, shape};

/// A message a second for a socket, two for a user.
fn slow(setup: Setup) -> Setup {
    let setup = setup.without("RATE_LIMITS").env("HUBBUB__PACES__MESSAGES_PER_S", "1");
    setup.env("HUBBUB__PACES__MESSAGES_BURST", "1")
}

/// Four messages at once from an address, and one a second.
fn of_one_address(setup: Setup) -> Setup {
    let setup = setup.without("RATE_LIMITS").env("HUBBUB__PACES__MESSAGES_PER_S_IP", "1");
    setup.env("HUBBUB__PACES__MESSAGES_BURST_IP", "4")
}

/// Sockets of hers in a public room.
async fn sockets(server: &Server, alice: &Account, number: usize) -> Vec<Socket> {
    let mut all = Vec::new();
    for _ in 0..number {
        all.push(server.room("open").token(&alice.access).open().await);
    }
    all
}

/// When the server took it.
fn taken_at(frame: &Value) -> DateTime<Utc> {
    let text = frame["created_at"].as_str().expect("a time");
    text.parse().expect("RFC 3339")
}

/// The next frames on this socket, as many as there are to be: from the first to the last, the
/// server let this time pass.
async fn reads(socket: &mut Socket, number: usize) -> (Vec<Value>, TimeDelta) {
    let mut frames = Vec::new();
    for _ in 0..number {
        frames.push(socket.next().await);
    }
    let took = taken_at(frames.last().expect("frames")) - taken_at(&frames[0]);
    (frames, took)
}

on_both_engines! {
    async fn a_plain_sockets_posts_are_held_back_to_its_pace_and_all_come_in_order(setup: Setup) {
        let server = setup.without("RATE_LIMITS").start().await;
        let alice = server.account("alice").await;
        let mut socket = sockets(&server, &alice, 1).await.remove(0);
        for n in 0..100 {
            socket.say(&n.to_string()).await;
        }
        let (frames, took) = reads(&mut socket, 100).await;
        let said: Vec<&str> = frames.iter().filter_map(|frame| frame["message"].as_str()).collect();
        let wanted: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(said, wanted);
        // Forty over the burst of 60, at 20 a second.
        assert!(took >= TimeDelta::milliseconds(1_900), "{took}");
        socket.is_alive_with_nothing_waiting("still here").await;
    }

    async fn a_guests_posts_are_held_back_too(setup: Setup) {
        let server = setup.without("RATE_LIMITS").start().await;
        let mut guest = server.room("open").open().await;
        let since = Instant::now();
        for n in 0..80 {
            guest.say(&n.to_string()).await;
        }
        for n in 0..80 {
            guest.expect_value(&n.to_string().into()).await;
        }
        // Twenty over the burst.
        assert!(since.elapsed().as_millis() >= 900, "{:?}", since.elapsed());
    }

    async fn a_users_sockets_share_twice_the_pace_of_one(setup: Setup) {
        let server = setup.without("RATE_LIMITS").start().await;
        let alice = server.account("alice").await;
        let mut sockets = sockets(&server, &alice, 3).await;
        for n in 0..60 {
            for socket in &mut sockets {
                socket.say(&n.to_string()).await;
            }
        }
        let (_, took) = reads(&mut sockets[0], 180).await;
        // Sixty over the burst of 120, at 40 a second.
        assert!(took >= TimeDelta::milliseconds(1_400), "{took}");
    }

    async fn a_post_that_would_be_held_back_for_too_long_closes_its_socket(setup: Setup) {
        let server = slow(setup).env("HUBBUB__SESSION__BUSY_WAIT_S", "1").start().await;
        let alice = server.account("alice").await;
        let mut sockets = sockets(&server, &alice, 30).await;
        for socket in &mut sockets {
            socket.say("at once").await;
        }
        // Two at once, and two a second.
        let mut open: Vec<_> =
            sockets.into_iter().map(|socket| Box::pin(socket.close_code())).collect();
        for _ in 0..20 {
            let (code, _, rest) = select_all(open).await;
            assert_eq!(code, Some(1013));
            open = rest;
        }
        let mut guest = server.room("lobby").open().await;
        guest.is_alive_with_nothing_waiting("others go on").await;
    }

    async fn whoever_comes_from_one_address_shares_its_pace(setup: Setup) {
        let setup = of_one_address(setup).env("HUBBUB__SERVER__TRUSTED_PROXIES", "127.0.0.1");
        let server = setup.start().await;
        let from = |n: u8| server.native("/ws/").header("x-forwarded-for", &format!("203.0.113.{n}"));
        let send = json!({"type": "send", "room": "open", "message": "another guest each time"});
        let since = Instant::now();
        let (mut stored, mut refused) = (0, 0);
        for _ in 0..30 {
            let mut guest = from(1).hello().await;
            guest.join("open").await;
            let answer = guest.ask(send.clone()).await;
            if answer["type"] == "ok" {
                stored += 1;
            } else {
                shape(&answer, "code:str detail:str retry_after_ms:int");
                assert_eq!(answer["code"], "rate_limited", "{answer}");
                refused += 1;
            }
        }
        let most = 4 + since.elapsed().as_secs() + 1;
        assert!((4..=most).contains(&stored), "{stored} in {:?}", since.elapsed());
        assert!(refused > 0, "thirty at once are too many");
        let mut elsewhere = from(2).hello().await;
        elsewhere.join("open").await;
        elsewhere.ok(send).await;
    }

    async fn plain_guests_of_one_address_are_held_back_to_its_pace(setup: Setup) {
        let server = of_one_address(setup).start().await;
        let mut guests = [server.room("open").open().await, server.room("open").open().await];
        let since = Instant::now();
        for n in 0..6 {
            guests[n % 2].say(&n.to_string()).await;
        }
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(guests[0].next().await["message"].as_str().expect("a text").to_owned());
        }
        seen.sort();
        assert_eq!(seen, ["0", "1", "2", "3", "4", "5"]);
        // Two over the burst, at one a second.
        assert!(since.elapsed().as_millis() >= 1_900, "{:?}", since.elapsed());
    }

    async fn typing_over_its_rate_is_left_out_and_costs_nothing_else(setup: Setup) {
        let server = setup.without("RATE_LIMITS").start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let room = alice.create_shh_room("Lounge").await;
        bob.join_shh_room(&room).await;
        let mut hers = server.room(&room).token(&alice.access).open().await;
        let mut his = server.room(&room).token(&bob.access).open().await;
        for socket in [&mut hers, &mut his] {
            assert_eq!(socket.next().await["type"], "message_history");
        }
        let since = Instant::now();
        for _ in 0..50 {
            his.say("typing").await;
        }
        his.say("done").await;
        let mut seen = 0;
        loop {
            let frame = hers.next().await;
            if frame["type"] != "typing" {
                assert_eq!(frame["message"], "done");
                break;
            }
            seen += 1;
        }
        let most = 2 + 2 * (since.elapsed().as_secs() + 1);
        assert!((1..=most).contains(&seen), "{seen} in {:?}", since.elapsed());
    }
}

on_both_engines! {
    async fn over_what_the_node_can_hold_an_upgrade_is_503_and_the_rest_goes_on(setup: Setup) {
        let server = setup.env("HUBBUB__SESSION__MAX_SOCKETS", "2").start().await;
        let mut plain = server.room("open").open().await;
        let native = server.native_guest().await;
        assert_eq!(server.room("open").refused().await, 503);
        assert_eq!(server.door("/ws/").subprotocols("hubbub.v1").refused().await, 503);
        plain.is_alive_with_nothing_waiting("those inside are not touched").await;
        server.api().get("/list_rooms/").await.is(200);
        native.close().await;
        eventually("a place is free", Duration::from_secs(5), || async {
            let opened = server.room("open").open_or_status().await;
            opened.map(drop).map_err(|status| status.to_string())
        })
        .await;
    }

    async fn by_default_sockets_leave_descriptors_for_everything_else(setup: Setup) {
        let server = setup.under(&["prlimit", "--nofile=256:256"]).start().await;
        let alice = server.account("alice").await;
        let mut held = Vec::new();
        let status = loop {
            match server.room("open").open_or_status().await {
                Ok(socket) => held.push(socket),
                Err(status) => break status,
            }
        };
        assert_eq!(status, 503);
        assert!((50..200).contains(&held.len()), "{}", held.len());
        alice.create_group("group", &[]).await;
        server.account("bob").await;
    }
}

/// A refusal that says when to come again; the seconds.
#[track_caller]
fn refused(answer: Answer) -> u64 {
    let wait = answer.header("retry-after").and_then(|secs| secs.parse().ok());
    assert_eq!(answer.error(429)["code"], "rate_limited");
    wait.filter(|secs| *secs >= 1).expect("seconds to wait")
}

#[tokio::test]
async fn posts_over_rest_and_over_sockets_share_their_users_pace() {
    let server = slow(Setup::direct()).start().await;
    let alice = server.account("alice").await;
    let (chat, room) = (alice.create_group("group", &[]).await, alice.create_shh_room("x").await);
    let (chats, shh) = (format!("/api/chats/{chat}/messages/"), format!("/messages/{room}/send/"));
    let mut socket = server.room(&chat).token(&alice.access).open().await;
    socket.say("from the socket").await;
    let body = json!({"content": "x", "message": "x"});
    let posts =
        (0..20).map(|n| alice.api.post(if n % 2 == 0 { &chats } else { &shh }, body.clone()));
    let its_own = async {
        loop {
            let frame = socket.next().await;
            if frame["message"] == "from the socket" {
                return frame;
            }
        }
    };
    let (answers, said) = tokio::join!(join_all(posts), its_own);
    let mut taken = vec![taken_at(&said)];
    let mut waits = Vec::new();
    for answer in answers {
        if answer.status == 201 {
            let stored = answer.body();
            let time = stored.get("created_at").unwrap_or(&stored["timestamp"]);
            taken.push(taken_at(&json!({"created_at": time})));
        } else {
            waits.push(refused(answer));
        }
    }
    assert!(waits.iter().all(|secs| *secs <= 2), "{waits:?}");
    assert!(waits.len() >= 10, "{} of 20 were refused", waits.len());
    // Two at once and two a second, wherever they come from: of three, the last is half a second
    // after the first.
    taken.sort();
    for three in taken.windows(3) {
        assert!(three[2] - three[0] >= TimeDelta::milliseconds(450), "{three:?}");
    }
    let kept = alice.api.get(&chats).await.is(200).as_array().expect("messages").len();
    let theirs = alice.api.get(&format!("/messages/{room}/")).await.is(200);
    let kept = kept + theirs["messages"].as_array().expect("messages").len();
    assert!(kept <= taken.len() + 1, "what was refused left nothing behind");
}

#[tokio::test]
async fn posts_over_rest_count_for_their_address_whoever_posts() {
    let server = of_one_address(Setup::direct()).start().await;
    let (alice, bob) = (server.account("alice").await, server.account("bob").await);
    let chat = alice.create_group("group", &[&bob]).await;
    let path = format!("/api/chats/{chat}/messages/");
    let body = json!({"content": "x"});
    let since = Instant::now();
    let posts =
        (0..20).map(|n| if n % 2 == 0 { &alice } else { &bob }.api.post(&path, body.clone()));
    let (taken, waits): (Vec<_>, Vec<_>) =
        join_all(posts).await.into_iter().partition(|answer| answer.status == 201);
    let most = 4 + since.elapsed().as_secs() + 1;
    assert!((4..=most).contains(&(taken.len() as u64)), "{} were taken", taken.len());
    assert!(!waits.is_empty(), "twenty at once are too many");
    for answer in waits {
        assert!(refused(answer) <= 2);
    }
}

#[tokio::test]
async fn rooms_of_every_kind_are_made_at_one_pace_and_finding_one_costs_nothing() {
    let setup = Setup::direct().without("RATE_LIMITS").env("HUBBUB__PACES__ROOMS_PER_HOUR", "4");
    let server = setup.start().await;
    let (alice, bob) = (server.account("alice").await, server.account("bob").await);
    let carol = server.account("carol").await;
    let public = json!({"name": "public"});
    alice.api.post("/create_room/", public.clone()).await.is(201);
    alice.create_shh_room("invited").await;
    alice.create_group("group", &[]).await;
    alice.private_chat_with(&bob).await;
    for _ in 0..5 {
        alice.api.post("/create_room/", public.clone()).await.is(200);
        alice.private_chat_with(&bob).await;
        let taken = json!({"chat_room_name": "invited"});
        alice.api.post("/rooms/create/", taken).await.error(400);
        server.room("alice_bob").token(&alice.access).open().await.close().await;
        server.room("public").token(&alice.access).open().await.close().await;
    }
    for (path, body) in [
        ("/create_room/", json!({"name": "another"})),
        ("/rooms/create/", json!({"chat_room_name": "another"})),
        ("/api/chats/group/", json!({"name": "another"})),
        ("/api/chats/private/", json!({"other_user_id": carol.id})),
    ] {
        let wait = refused(alice.api.post(path, body).await);
        assert!((600..=900).contains(&wait), "four an hour: {wait}");
    }
    for name in ["another", "alice_carol"] {
        server.room(name).token(&alice.access).accepted_then_closed(1013).await;
        let mut native = server.native_as(&alice).await;
        let answer = native.ask(json!({"type": "join", "room": name})).await;
        shape(&answer, "code:str detail:str retry_after_ms:int");
        assert_eq!(answer["code"], "rate_limited", "{answer}");
        native.is_alive().await;
    }
    // Others are not held up, and what she may not make she may enter.
    bob.create_group("his", &[&alice]).await;
    bob.api.post("/create_room/", json!({"name": "another"})).await.is(201);
    let mut hers = server.room("another").token(&alice.access).open().await;
    hers.is_alive_with_nothing_waiting("in").await;
}

#[tokio::test]
async fn guests_of_one_address_make_rooms_at_one_pace() {
    let setup = Setup::direct().without("RATE_LIMITS").env("HUBBUB__PACES__ROOMS_PER_HOUR", "2");
    let server = setup.start().await;
    let alice = server.account("alice").await;
    server.api().post("/create_room/", json!({"name": "posted"})).await.is(201);
    server.room("joined").open().await.is_alive_with_nothing_waiting("in").await;
    refused(server.api().post("/create_room/", json!({"name": "another"})).await);
    server.room("another").accepted_then_closed(1013).await;
    server.room("posted").open().await.is_alive_with_nothing_waiting("in").await;
    alice.api.post("/create_room/", json!({"name": "hers"})).await.is(201);
}
