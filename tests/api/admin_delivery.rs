//! CONTRACT section 5, "why didn't U get N?": what became of one event for one user, found from when
//! his sockets came and went, and from the exceptions that are remembered.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::admin::admin;
use crate::support::native::seq;
use crate::support::nodes::nodes;
use crate::support::redis_server::RedisServer;
use crate::support::{
    Account, Native, RawSocket, Server, Setup, Stalled, eventually, shape, shape_all,
};

const DELIVERY: &str = "room_id:uuid event_id:uuid seq:int kind:str at:time user_id:int \
                        username:str fate:str why:str known_since:time stays:arr";
const STAY: &str = "session:uuid node:str dialect:str since:time joined_seq:int replayed:arr|null \
                    left_seq:int|null left_at:time|null fate:str why:str";

/// What became of an event for somebody.
async fn of(boss: &Account, room: &str, seq: i64, user: &Account) -> Value {
    let path = format!("/api/admin/rooms/{room}/delivery/?seq={seq}&user_id={}", user.id);
    let found = boss.api.get(&path).await.is(200);
    shape(&found, DELIVERY);
    if found["stays"] != json!([]) {
        shape_all(&found["stays"], STAY);
    }
    assert_eq!((&found["seq"], &found["user_id"]), (&json!(seq), &json!(user.id)), "{found}");
    found
}

/// Waits until this became of it.
async fn is(boss: &Account, room: &str, seq: i64, user: &Account, fate: &str) -> Value {
    let what = format!("{seq} is {fate}");
    eventually(&what, Duration::from_secs(20), || async {
        let found = of(boss, room, seq, user).await;
        if found["fate"] == fate { Ok(found) } else { Err(found.to_string()) }
    })
    .await
}

/// Says so many messages of 8 KiB; the last one's `seq`.
async fn talk(talker: &mut Native, messages: usize) -> i64 {
    let padding = "x".repeat(8_000);
    let mut last = 0;
    for n in 0..messages {
        last = seq(&talker.say("open", &format!("{n} {padding}")).await);
        talker.next_of("chat_message").await;
    }
    last
}

/// Waits until her newest socket has left; the room's newest event then.
async fn left_at(boss: &Account, room: &str, user: &Account) -> i64 {
    eventually("she has left", Duration::from_secs(20), || async {
        let found = of(boss, room, 1, user).await;
        found["stays"][0]["left_seq"].as_i64().ok_or_else(|| found.to_string())
    })
    .await
}

async fn accounts(server: &Server) -> (Account, Account, Account) {
    let boss = admin(server).await;
    (boss, server.account("alice").await, server.account("bob").await)
}

on_both_engines! {
    async fn what_became_of_an_event_follows_from_when_a_socket_came_and_went(setup: Setup) {
        let server = setup.start().await;
        let (boss, alice, bob) = accounts(&server).await;
        let mut talker = server.native_guest().await;
        let entry = talker.join("open").await;
        let (room, epoch) = (entry.chat(), entry.epoch().to_owned());
        let mut hers = server.native_as(&alice).await;
        hers.join("open").await;
        let first = seq(&talker.say("open", "one").await);
        hers.until("one").await;
        let found = is(&boss, &room, first, &alice, "written").await;
        let stay = &found["stays"][0];
        assert_eq!((&stay["joined_seq"], &stay["left_seq"]), (&json!(0), &Value::Null), "{found}");
        assert_eq!((&found["kind"], &found["username"]), (&json!("message"), &json!("alice")));
        let found = of(&boss, &room, first, &bob).await;
        assert_eq!((&found["fate"], &found["stays"]), (&json!("not_connected"), &json!([])));

        // He comes later, with nothing, and again with a resume.
        let mut his = server.native_as(&bob).await;
        his.join("open").await;
        let found = of(&boss, &room, first, &bob).await;
        assert_eq!(found["fate"], "not_connected", "{found}");
        assert_eq!(found["stays"][0]["joined_seq"], first, "{found}");
        his.join_after("open", 0, &epoch).await;
        let found = is(&boss, &room, first, &bob, "written").await;
        assert_eq!(found["stays"][0]["replayed"], json!([1, first]), "{found}");

        // She leaves, and it is remembered how far she got.
        hers.ok(json!({"type": "leave", "room": "open"})).await;
        let second = seq(&talker.say("open", "two").await);
        his.until("two").await;
        let found = is(&boss, &room, second, &alice, "not_connected").await;
        assert_eq!(found["stays"][0]["left_seq"], first, "{found}");
        is(&boss, &room, first, &alice, "written").await;

        // A plain socket is told of messages and not of what becomes of them.
        let plain = server.room("open").token(&alice.access).open().await;
        let ok = talker.say("open", "three").await;
        let third = seq(&ok);
        let edit = json!({"type": "edit", "room": "open", "id": ok["id"], "message": "four"});
        let edit = seq(&talker.ok(edit).await);
        is(&boss, &room, third, &alice, "written").await;
        assert_eq!(is(&boss, &room, edit, &alice, "not_said").await["kind"], "edit");
        is(&boss, &room, edit, &bob, "written").await;
        drop(plain);
        for socket in [his, talker] {
            socket.close().await;
        }
        // Also when nobody is there any more.
        is(&boss, &room, third, &alice, "written").await;
        is(&boss, &room, edit, &bob, "written").await;
    }

    async fn a_reader_who_was_told_to_lag_is_named_with_the_event_from_which_on(setup: Setup) {
        let server = setup.env("HUBBUB__SESSION__MAX_PENDING_BYTES", "65536").start().await;
        let (boss, alice, bob) = accounts(&server).await;
        let mut talker = server.native_as(&bob).await;
        let room = talker.join("open").await.chat();
        let stalled = Stalled::user_in(&server, "open", &alice.access).await;
        let last = talk(&mut talker, 1_200).await;
        let found = is(&boss, &room, last, &alice, "lagged").await;
        assert!(found["why"].as_str().is_some_and(|why| why.contains("lag")), "{found}");
        is(&boss, &room, 1, &alice, "written").await;
        is(&boss, &room, last, &bob, "written").await;
        drop(stalled);
        left_at(&boss, &room, &alice).await;
        assert_eq!(of(&boss, &room, last, &alice).await["fate"], "lagged");
        assert_eq!(of(&boss, &room, 1, &alice).await["fate"], "written");
    }

    async fn what_a_plain_reader_left_lying_until_it_was_closed_is_dropped(setup: Setup) {
        let server = setup.env("HUBBUB__SESSION__MAX_PENDING_BYTES", "65536").start().await;
        let (boss, alice, bob) = accounts(&server).await;
        let mut talker = server.native_as(&bob).await;
        let room = talker.join("open").await.chat();
        let line = format!("Authorization: Bearer {}\r\n", alice.access);
        let path = "/ws/chat/open/";
        let stalled = RawSocket::open_with(server.addr(), path, &line, Some(4_096)).await;
        let last = talk(&mut talker, 1_200).await;
        let end = left_at(&boss, &room, &alice).await;
        assert!(end < last, "it was let go on the way: {end}");
        let found = of(&boss, &room, end, &alice).await;
        assert_eq!(found["fate"], "dropped", "{found}");
        assert!(found["why"].as_str().is_some_and(|why| why.contains("1013")), "{found}");
        is(&boss, &room, 1, &alice, "written").await;
        is(&boss, &room, last, &alice, "not_connected").await;
        is(&boss, &room, last, &bob, "written").await;
        drop(stalled);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_says_what_would() {
    let server = Setup::direct().start().await;
    let (boss, alice, _) = accounts(&server).await;
    let mut talker = server.native_guest().await;
    let room = talker.join("open").await.chat();
    talker.say("open", "one").await;
    let path = |room: &str, query: &str| format!("/api/admin/rooms/{room}/delivery/?{query}");
    let good = format!("seq=1&user_id={}", alice.id);
    server.api().get(&path(&room, &good)).await.error(401);
    alice.api.get(&path(&room, &good)).await.error(403);
    for query in [String::new(), "seq=1".into(), format!("user_id={}", alice.id)] {
        boss.api.get(&path(&room, &query)).await.error(400);
    }
    boss.api.get(&path(&room, &format!("seq=one&user_id={}", alice.id))).await.error(400);
    for seq in [-1, 0, 2] {
        let query = format!("seq={seq}&user_id={}", alice.id);
        let refused = boss.api.get(&path(&room, &query)).await.error(404);
        assert_eq!(refused["detail"], "There is no such event in this room.");
    }
    boss.api.get(&path(&room, "seq=1&user_id=999999")).await.error(404);
    boss.api.get(&path("no-id", &good)).await.error(404);
    boss.api.get(&path(&uuid::Uuid::nil().to_string(), &good)).await.error(404);
}

#[tokio::test]
async fn what_a_node_that_was_started_anew_can_not_know_it_does_not_claim() {
    let server = Setup::direct().start().await;
    let (boss, alice, bob) = accounts(&server).await;
    let mut talker = server.native_as(&bob).await;
    let room = talker.join("open").await.chat();
    let mut hers = server.native_as(&alice).await;
    hers.join("open").await;
    talker.say("open", "one").await;
    hers.until("one").await;
    assert_eq!(of(&boss, &room, 1, &alice).await["fate"], "written");
    let server = server.restart().await;
    let boss = boss.at(&server);
    let found = of(&boss, &room, 1, &alice).await;
    assert_eq!(found["fate"], "past_keeping", "{found}");
    assert!(found["known_since"].as_str() > found["at"].as_str(), "{found}");
}

#[tokio::test]
async fn any_node_knows_of_the_sockets_of_all() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let (boss, alice, bob) = accounts(&a).await;
    let mut talker = a.native_as(&bob).await;
    let room = talker.join("open").await.chat();
    let mut hers = b.native_as(&alice).await;
    let name = hers.said_hello()["node"].clone();
    hers.join("open").await;
    let first = seq(&talker.say("open", "one").await);
    hers.until("one").await;
    hers.close().await;
    for node in [&a, &b] {
        let boss = boss.at(node);
        assert_eq!(left_at(&boss, &room, &alice).await, first);
        let second = seq(&talker.say("open", "two").await);
        let found = is(&boss, &room, first, &alice, "written").await;
        assert_eq!(found["stays"][0]["node"], name, "{found}");
        is(&boss, &room, second, &alice, "not_connected").await;
        is(&boss, &room, second, &bob, "written").await;
    }
    // Who says nothing may know something.
    let second = seq(&talker.say("open", "three").await);
    b.signal("STOP");
    let found = is(&boss, &room, second, &alice, "past_keeping").await;
    assert_eq!(found["missing"], json!([name]), "{found}");
    is(&boss, &room, second, &bob, "written").await;
    b.signal("CONT");
}
