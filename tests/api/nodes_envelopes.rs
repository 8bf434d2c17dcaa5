//! Nodes of several versions: what was recorded of older and newer ones is said to a real node by
//! hand. It takes what it knows and skips the rest; what it skipped it reads, once a later `seq`
//! shows the gap. The recorded envelopes are those of `tests/bus`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::native::seq;
use crate::support::nodes::nodes_on;
use crate::support::postgres::fresh_database;
use crate::support::redis_server::RedisServer;
use crate::support::{Native, Server, eventually};

/// The event that recorded envelopes speak of.
const RECORDED_ID: &str = "0192f7a0-0000-7000-8000-000000000002";

/// A line of what is recorded.
struct Recorded {
    is_known: bool,
    is_of_room: bool,
    text: &'static str,
}

impl Recorded {
    fn all() -> Vec<Self> {
        let lines = include_str!("../bus/envelopes.txt").lines();
        let read = |line: &'static str| {
            let (how, text) = line.split_once(' ')?;
            let is_known = match how {
                "+r" | "+n" => true,
                "-r" | "-n" => false,
                _ => return None,
            };
            Some(Self { is_known, is_of_room: how.ends_with('r'), text })
        };
        lines.filter_map(read).collect()
    }

    fn is_known_event(&self) -> bool {
        self.is_known && self.text.contains("\"k\":\"event\"")
    }

    /// The same of an event that is in the database.
    fn of(&self, stored: &Value) -> String {
        let id = stored["id"].as_str().expect("an id");
        let place = format!("\"q\":{}", seq(stored));
        self.text.replace(RECORDED_ID, id).replace("\"q\":7", &place)
    }
}

/// A node with somebody in a room, and another one on the same database that tells it nothing.
struct Place {
    redis: RedisServer,
    node: Server,
    hers: Native,
    his: Native,
    channel: String,
    _other: Server,
}

impl Place {
    async fn new() -> Self {
        let (redis, url) = (RedisServer::start(), fresh_database());
        let [node] = nodes_on(&url, &redis, |setup| setup).await;
        let elsewhere = "HUBBUB__BUS__PREFIX";
        let [other] = nodes_on(&url, &redis, |setup| setup.env(elsewhere, "elsewhere")).await;
        let (mut hers, mut his) = (node.native_guest().await, other.native_guest().await);
        let chat = hers.join("hall").await.chat();
        his.join("hall").await;
        let channel = format!("hubbub:main:room:{chat}");
        Self { redis, node, hers, his, channel, _other: other }
    }

    fn tell(&self, is_of_room: bool, envelope: &str) {
        let channel = if is_of_room { &self.channel } else { "hubbub:main:nodes" };
        assert_eq!(self.redis.cli(&["PUBLISH", channel, envelope]), "1", "the node listens");
    }

    async fn has_skipped(&self, number: u64) {
        eventually("it skips them", Duration::from_secs(10), || async {
            let skipped = self.node.bus_messages("unknown").await;
            if skipped == number { Ok(()) } else { Err(skipped.to_string()) }
        })
        .await;
    }

    /// Until it has compared its rooms with the database: it won't again for 5 s.
    async fn has_compared(&self) {
        let before = self.node.queries("rooms").await;
        eventually("it compares", Duration::from_secs(10), || async {
            let now = self.node.queries("rooms").await;
            if now > before { Ok(()) } else { Err(now.to_string()) }
        })
        .await;
    }
}

#[tokio::test]
async fn of_older_and_newer_versions_it_takes_what_it_knows_and_reads_what_it_skipped() {
    let mut place = Place::new().await;
    let recorded = Recorded::all();
    let unknown: Vec<&Recorded> = recorded.iter().filter(|line| !line.is_known).collect();
    place.has_compared().await;
    let skipped = place.his.say("hall", "skipped").await;
    for line in &unknown {
        place.tell(line.is_of_room, line.text);
    }
    place.has_skipped(unknown.len() as u64).await;
    let events: Vec<&Recorded> = recorded.iter().filter(|line| line.is_known_event()).collect();
    // The newest version's shows that something lies before it: both are read.
    let newest = events.last().expect("one");
    let shown = place.his.say("hall", "shown").await;
    place.tell(true, &newest.of(&shown));
    let mut seq = seq(&shown);
    for (stored, text) in [(skipped, "skipped"), (shown, "shown")] {
        let frame = place.hers.next_of("chat_message").await;
        assert_eq!((&frame["id"], &frame["seq"]), (&stored["id"], &stored["seq"]));
        assert_eq!(frame["message"], text);
    }
    let mut senders = Vec::new();
    for line in &events {
        seq += 1;
        // Told before it is stored: so it can't be read.
        let ahead = json!({"id": format!("0192f7a0-0000-7000-8000-{seq:012}"), "seq": seq});
        place.tell(true, &line.of(&ahead));
        let frame = place.hers.next_of("chat_message").await;
        assert_eq!((&frame["id"], &frame["seq"]), (&ahead["id"], &ahead["seq"]));
        senders.push((frame["message"].clone(), frame["sender"].clone()));
        let stored = place.his.say("hall", "stored").await;
        assert_eq!(stored["seq"], seq);
    }
    let told = ["alice", "nick", "alice"].map(|name| (json!("hi"), json!(name)));
    assert_eq!(senders, told, "taken as they were told, none was read");
    for line in recorded.iter().filter(|line| line.is_known && !line.is_known_event()) {
        place.tell(line.is_of_room, line.text);
    }
    let typing = place.hers.next_of("typing").await;
    assert_eq!(typing["user_id"], 3, "{typing}");
    place.his.say("hall", "and what nobody told of").await;
    place.hers.until("and what nobody told of").await;
    place.has_skipped(unknown.len() as u64).await;
}

#[tokio::test]
async fn a_hint_of_what_is_not_in_the_database_is_forgotten() {
    let mut place = Place::new().await;
    let recorded = Recorded::all();
    let event = recorded.iter().find(|line| line.is_known_event()).expect("one");
    place.tell(true, &event.text.replace("\"q\":7", "\"q\":700"));
    let stored = place.his.say("hall", "hi").await;
    place.tell(true, &event.of(&stored));
    let frame = place.hers.next_of("chat_message").await;
    assert_eq!((&frame["id"], &frame["seq"]), (&stored["id"], &json!(1)));
    let before = place.node.queries("history").await;
    place.has_compared().await;
    place.has_compared().await;
    let read = place.node.queries("history").await - before;
    assert!(read < 20, "it reads and reads what is not there: {read} times in 5 to 10 s");
    place.his.say("hall", "two").await;
    place.hers.until("two").await;
}
