//! Several nodes on one database are one chat: with Redis between them, without it, and while it
//! comes and goes. Nodes are real processes; so are Redis and `PostgreSQL`.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::eventually;
use crate::support::nodes::nodes;
use crate::support::redis_server::RedisServer;
use crate::support::{Account, Native, Server};

/// What the issue gives a message without Redis.
const WITHOUT_REDIS: Duration = Duration::from_secs(2);
/// What it gives presence after the end of a node.
const COUNTED_WITHIN: Duration = Duration::from_secs(15);

/// How many people a node counts in the hall.
async fn in_the_hall(node: &Server) -> Value {
    let rooms = node.api().get("/list_rooms/").await.body();
    let hall = rooms.as_array().and_then(|rooms| rooms.iter().find(|room| room["name"] == "hall"));
    hall.map_or(Value::Null, |hall| hall["active_members"].clone())
}

/// Until a node counts so many people in the hall.
async fn has_in_the_hall(node: &Server, people: u64) {
    eventually("they are counted", COUNTED_WITHIN, || async {
        let counted = in_the_hall(node).await;
        if counted == people { Ok(()) } else { Err(counted.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn what_is_said_on_one_node_is_seen_on_the_others_in_one_order() {
    let redis = RedisServer::start();
    let [a, b, c] = nodes(&redis).await;
    let mut sockets = Vec::new();
    for node in [&a, &b, &c] {
        let mut socket = node.native_guest().await;
        socket.join("hall").await;
        sockets.push(socket);
    }
    for n in 0..30 {
        sockets[n % 3].say("hall", &n.to_string()).await;
    }
    let mut orders = Vec::new();
    for socket in &mut sockets {
        let mut seen = Vec::new();
        while seen.len() < 30 {
            let frame = socket.next_of("chat_message").await;
            seen.push((frame["seq"].as_i64().expect("a number"), frame["message"].clone()));
        }
        orders.push(seen);
    }
    let numbers: Vec<_> = orders[0].iter().map(|(seq, _)| *seq).collect();
    assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
    assert!(orders.iter().all(|order| *order == orders[0]));
}

#[tokio::test]
async fn with_redis_gone_the_chat_goes_on_between_nodes() {
    let mut redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let (mut here, mut there) = (a.native_guest().await, b.native_guest().await);
    here.join("hall").await;
    there.join("hall").await;
    redis.kill();
    for n in 0..5 {
        let text = n.to_string();
        here.say("hall", &text).await;
        let said = Instant::now();
        let frame = there.next_where(|frame| frame["message"] == text).await;
        let took = said.elapsed();
        println!("without Redis: message {n} was seen after {took:?}");
        assert!(took <= WITHOUT_REDIS, "{took:?}");
        assert_eq!(frame["seq"], n + 1);
    }
    redis.start_again();
    there.say("hall", "back").await;
    here.until("back").await;
}

#[tokio::test]
async fn who_is_there_is_one_person_on_however_many_nodes() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let mut guest = b.native_guest().await;
    guest.join("hall").await;
    let alice = a.account("alice").await;
    let (mut first, mut second) = (a.native_as(&alice).await, b.native_as(&alice.at(&b)).await);
    first.join("hall").await;
    second.join("hall").await;
    let mut third = a.native_as(&alice).await;
    third.join("hall").await;
    for (node, socket) in [(&a, &mut first), (&b, &mut second)] {
        has_in_the_hall(node, 2).await;
        let end = Instant::now() + Duration::from_secs(15);
        loop {
            let who = socket.ask(json!({"type": "who", "room": "hall"})).await;
            assert_eq!((&who["active_users"], &who["guests"]), (&json!(2), &json!(1)), "{who}");
            let members = who["members"].as_array().expect("a list").iter();
            let people: Vec<_> = members.map(|row| (&row["username"], &row["sessions"])).collect();
            if people == [(&json!("alice"), &json!(3))] {
                break;
            }
            assert!(Instant::now() < end, "two sockets on one node, one on the other: {who}");
        }
    }
    drop(b);
    has_in_the_hall(&a, 1).await;
}

/// Until this node says over REST that those of the other one are gone.
async fn rest_forgets(node: &Server, alice: &Account) {
    has_in_the_hall(node, 2).await;
    eventually("who is online", COUNTED_WITHIN, || async {
        let online = alice.at(node).api.get("/api/online/").await.is(200);
        let names: Vec<&Value> =
            online.as_array().expect("a list").iter().map(|row| &row["username"]).collect();
        if names == ["alice"] { Ok(()) } else { Err(online.to_string()) }
    })
    .await;
}

/// Until this socket was told that those of the other node are gone, and by whose ids.
async fn socket_forgets(socket: &mut Native, bob: &Account) {
    let is_gone = |frame: &Value| frame["type"] == "presence" && frame["active_users"] == 2;
    let left = socket.next_where(is_gone).await;
    assert!(left["left"].to_string().contains(&bob.id.to_string()), "{left}");
    let is_offline = |frame: &Value| {
        let ids = frame["offline"].as_array();
        frame["type"] == "people" && ids.is_some_and(|ids| ids.iter().any(|id| *id == bob.id))
    };
    socket.next_where(is_offline).await;
    let who = socket.ask(json!({"type": "who", "room": "hall"})).await;
    assert_eq!((&who["active_users"], &who["guests"]), (&json!(2), &json!(1)), "{who}");
}

#[tokio::test]
async fn who_was_on_a_node_that_is_killed_is_gone_within_15_s_on_rest_and_on_sockets() {
    let redis = RedisServer::start();
    let [a, b, mut c] = nodes(&redis).await;
    // A room that a guest makes is open to guests.
    let mut guest = b.native_guest().await;
    guest.join("hall").await;
    let (alice, bob) = (a.account("alice").await, a.account("bob").await);
    let mut hers = a.native_as(&alice).await;
    hers.join("hall").await;
    hers.ok(json!({"type": "watch", "people": true})).await;
    let (mut his, mut strangers) = (c.native_as(&bob).await, c.native_guest().await);
    his.join("hall").await;
    strangers.join("hall").await;
    let all_there = |frame: &Value| frame["type"] == "presence" && frame["active_users"] == 4;
    hers.next_where(all_there).await;
    for node in [&a, &b] {
        has_in_the_hall(node, 4).await;
    }
    let knows_him = |frame: &Value| {
        frame["type"] == "people" && frame["online"].to_string().contains("\"bob\"")
    };
    hers.next_where(knows_him).await;
    c.kill9();
    let killed = Instant::now();
    let gone = async {
        let rest = join_all([&a, &b].map(|node| rest_forgets(node, &alice)));
        tokio::join!(rest, socket_forgets(&mut hers, &bob));
    };
    timeout(COUNTED_WITHIN, gone).await.expect("all of it within 15 s");
    println!("who was on a node that was killed is gone after {:.1?}", killed.elapsed());
}

#[tokio::test]
async fn who_was_on_a_node_that_drains_is_gone_at_once() {
    let redis = RedisServer::start();
    let [a, mut b] = nodes(&redis).await;
    let (mut here, mut there) = (a.native_guest().await, b.native_guest().await);
    here.join("hall").await;
    there.join("hall").await;
    has_in_the_hall(&a, 2).await;
    let (status, _) = tokio::join!(b.stop(), there.expect_bye_and_close(4003));
    assert_eq!(status.code(), Some(0));
    assert!(!b.log().contains("took longer"), "it waits for its own sockets alone");
    let who = here.ask(json!({"type": "who", "room": "hall"})).await;
    assert_eq!(who["active_users"], 1, "it said goodbye before it ended: {who}");
    assert_eq!(in_the_hall(&a).await, 1);
}

#[tokio::test]
async fn a_member_who_is_removed_on_one_node_is_out_on_the_other() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let (alice, bob) = (a.account("alice").await, a.account("bob").await);
    let group = alice.create_group("team", &[&bob]).await;
    let mut his = b.native_as(&bob.at(&b)).await;
    his.join(&group).await;
    let mut hers = a.native_as(&alice).await;
    hers.join(&group).await;
    alice.remove_from_chat(&group, &bob).await;
    assert_eq!(his.next_of("member").await["action"], "removed");
    let send = json!({"type": "send", "room": group, "message": "still here?"});
    his.refused(send, "not_joined").await;
}

#[tokio::test]
async fn signing_out_on_one_node_closes_on_the_other() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let alice = a.account("alice").await;
    let socket = b.native_as(&alice.at(&b)).await;
    alice.log_out().await;
    socket.expect_bye_and_close(4401).await;
}

#[tokio::test]
async fn while_redis_is_frozen_the_chat_goes_on_and_nobody_elsewhere_is_forgotten() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let (mut here, mut there) = (a.native_guest().await, b.native_guest().await);
    let hall = here.join("hall").await.chat();
    there.join("hall").await;
    here.next_where(|frame| frame["type"] == "presence" && frame["active_users"] == 2).await;
    redis.stop();
    eventually("it is noticed", Duration::from_secs(5), || async {
        let ready = a.api().get("/readyz").await.body();
        if ready["bus"] == "down" { Ok(()) } else { Err(ready.to_string()) }
    })
    .await;
    there.say("hall", "frozen").await;
    here.until("frozen").await;
    let who = here.ask(json!({"type": "who", "room": hall})).await;
    assert_eq!(who["active_users"], 2, "{who}");
    redis.go_on();
    there.say("hall", "on it goes").await;
    here.until("on it goes").await;
}

#[tokio::test]
async fn a_node_without_a_member_in_a_room_follows_nothing_of_it() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let mut here = a.native_guest().await;
    let hall = here.join("hall").await.chat();
    let mut elsewhere = b.native_guest().await;
    elsewhere.join("corner").await;
    let channel = format!("hubbub:main:room:{hall}");
    let listeners = || redis.cli(&["PUBSUB", "NUMSUB", &channel]);
    eventually("one node follows it", Duration::from_secs(5), || async {
        if listeners().ends_with("\n1") { Ok(()) } else { Err(listeners()) }
    })
    .await;
    here.say("hall", "to myself").await;
    elsewhere.join("hall").await;
    eventually("two nodes follow it", Duration::from_secs(5), || async {
        if listeners().ends_with("\n2") { Ok(()) } else { Err(listeners()) }
    })
    .await;
}
