//! What only a server can do: users with few rights, recorded envelopes, what a message costs.

use hubbub::bus::{Bus, Delivery, Health};
use hubbub::config::{BusSettings, Chaos};
use hubbub::domain::NodeId;
use tokio::sync::mpsc;

use crate::place::{Mouth, Place, room};
use crate::redis_server::RedisServer;

/// What an operator may grant: docs/decisions/bus.md.
const RIGHTS: &[&str] = &[
    "resetchannels",
    "&hubbub:test:*",
    "~hubbub:test:*",
    "+subscribe",
    "+unsubscribe",
    "+publish",
    "+hset",
    "+hdel",
    "+hgetall",
    "+hmget",
    "+del",
    "+pexpire",
    "+multi",
    "+exec",
    "+hello",
    "+ping",
];

fn settings(redis_url: String) -> BusSettings {
    BusSettings { redis_url, prefix: "test".into(), chaos: Chaos::default(), allow_chaos: false }
}

#[actix::test]
async fn a_user_with_a_password_and_few_rights_is_enough() {
    let server = RedisServer::start();
    let user = [&["acl", "setuser", "chat", "on", ">p@ss word", "nocommands"], RIGHTS].concat();
    assert_eq!(server.cli(&user), "OK");
    assert_eq!(server.cli(&["acl", "setuser", "default", "off"]), "OK");
    let addr = server.addr();
    let (mouth, mut ear) = mpsc::channel(100);
    let url = format!("redis://chat:p%40ss%20word@{addr}");
    let bus = Bus::start(&settings(url), &NodeId::from("a"), Mouth(mouth)).expect("a URL");
    let one = room();
    bus.subscribe(one);
    assert!(matches!(ear.recv().await, Some(Delivery::Subscribed(it)) if it == one));
    let connected = bus.watch().wait_for(|state| state.health == Health::Connected).await.is_ok();
    assert!(connected);
    bus.replaced(one, &crate::place::tag(), Vec::new(), 1, 1);
    bus.close().await;
    drop(server);
}

#[actix::test]
async fn recorded_envelopes_are_taken_as_far_as_they_are_known() {
    let server = RedisServer::start();
    let place = Place::Redis(server);
    let mut b = place.join("b").await;
    let one = room();
    b.subscribe(one).await;
    let Place::Redis(server) = &place else { return };
    let (mut taken, mut skipped) = (0, 0);
    for line in include_str!("envelopes.txt").lines() {
        let Some((how, text)) = line.split_once(" {").map(|(how, rest)| (how, format!("{{{rest}")))
        else {
            continue;
        };
        if how == "+r" && !text.contains("\"presence\"") {
            taken += 1;
        }
        skipped += u64::from(how.starts_with('-'));
        let channel = if how.ends_with('r') {
            format!("hubbub:test:room:{one}")
        } else {
            "hubbub:test:nodes".to_owned()
        };
        assert_eq!(server.cli(&["publish", &channel, &text]), "1");
    }
    for _ in 0..taken {
        assert_eq!(b.hint().await.0, NodeId::from("n1"));
    }
    // One more, so that all before it was read.
    let last = r#"{"v":1,"n":"n1","s":1700000000000000,"k":"reload","b":{}}"#;
    server.cli(&["publish", &format!("hubbub:test:room:{one}"), last]);
    b.hint().await;
    let figures = b.bus.figures();
    assert!(taken >= 5 && figures.unknown == skipped, "{taken} {skipped} {figures:?}");
}

#[actix::test]
async fn a_message_is_one_publish_and_costs_nothing_where_the_room_does_not_live() {
    let server = RedisServer::start();
    let place = Place::Redis(server);
    let (a, mut b, mut c) = (place.join("a").await, place.join("b").await, place.join("c").await);
    let d = place.join("d").await;
    let (one, other) = (room(), room());
    b.subscribe(one).await;
    c.subscribe(one).await;
    let before = d.bus.figures();
    for seq in 1..=1_000 {
        a.publish(one, seq);
    }
    for node in [&mut b, &mut c] {
        while node.event().await != (one, 1_000) {}
    }
    a.published(1_000).await;
    let (figures, far) = (a.bus.figures(), d.bus.figures());
    assert_eq!(figures.published, 1_000);
    let heartbeats = far.received - before.received;
    assert!(heartbeats < 500, "{heartbeats}");
    assert!((far.received_bytes - before.received_bytes) / heartbeats.max(1) < 100, "{far:?}");
    let Place::Redis(server) = &place else { return };
    let channels = [format!("hubbub:test:room:{one}"), format!("hubbub:test:room:{other}")];
    let listening = server.cli(&["pubsub", "numsub", &channels[0], &channels[1]]);
    assert_eq!(listening, format!("{}\n2\n{}\n0", channels[0], channels[1]));
    println!("bytes a message: {}", figures.published_bytes / figures.published);
}

#[actix::test]
async fn what_a_node_keeps_ends_by_itself_and_with_the_node() {
    let server = RedisServer::start();
    let place = Place::Redis(server);
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let one = room();
    b.subscribe(one).await;
    a.comes(one, 1, 2);
    b.people(one, |users, _| users == [1]).await;
    let c = place.join("c").await;
    let Place::Redis(server) = &place else { return };
    let left: u64 = server.cli(&["pttl", "hubbub:test:kept:a"]).parse().expect("a number");
    assert!((1..=15_000).contains(&left), "{left}");
    a.bus.close().await;
    assert_eq!(server.cli(&["exists", "hubbub:test:kept:a"]), "0");
    for key in server.cli(&["keys", "*"]).lines() {
        assert!(key.starts_with("hubbub:test:kept:"), "{key}");
    }
    drop(c);
}
