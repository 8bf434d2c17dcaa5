//! One node's way to Redis is cut, and nobody else's: it is behind, it forgets nobody, and the
//! others hear of it by the database alone.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::nodes::connected;
use crate::support::postgres::fresh_database;
use crate::support::redis_server::RedisServer;
use crate::support::{Native, Proxy, Server, Setup, eventually};

/// Rooms are compared with the database every 5 s; then what is missing is read.
const FOUND_WITHIN: Duration = Duration::from_secs(6);
/// Those of a node that is not heard are gone after 10 s; what the issue gives presence.
const COUNTED_WITHIN: Duration = Duration::from_secs(15);

async fn counts(node: &Server, people: u64) {
    eventually("people in the hall", COUNTED_WITHIN, || async {
        let rooms = node.api().get("/list_rooms/").await.body();
        if rooms[0]["active_members"] == people { Ok(()) } else { Err(rooms.to_string()) }
    })
    .await;
}

async fn bus_of(node: &Server, is: &str) {
    eventually("the bus", Duration::from_secs(5), || async {
        let ready = node.api().get("/readyz").await.body();
        if ready["bus"] == is { Ok(()) } else { Err(ready.to_string()) }
    })
    .await;
}

/// How long until what one says is seen by the other.
async fn from_to(one: &mut Native, other: &mut Native, text: &str) -> Duration {
    one.say("hall", text).await;
    let said = Instant::now();
    other.next_where(|frame: &Value| frame["message"] == text).await;
    said.elapsed()
}

#[tokio::test]
async fn a_node_cut_off_from_redis_alone_is_behind_and_loses_nothing() {
    let (redis, url) = (RedisServer::start(), fresh_database());
    let way = Proxy::to(redis.addr()).await;
    let start = |addr| {
        let redis = format!("redis://{addr}");
        Setup::direct().env("DATABASE_URL", &url).env("REDIS_URL", &redis).start()
    };
    let (a, b) = (start(way.addr()).await, start(redis.addr()).await);
    connected(&[&a, &b]).await;
    let (mut here, mut there) = (a.native_guest().await, b.native_guest().await);
    here.join("hall").await;
    there.join("hall").await;
    for node in [&a, &b] {
        counts(node, 2).await;
    }
    way.silence();
    bus_of(&a, "down").await;
    bus_of(&b, "connected").await;
    let to_it = from_to(&mut there, &mut here, "to the one cut off").await;
    let from_it = from_to(&mut here, &mut there, "from the one cut off").await;
    println!("cut off from Redis: seen there after {to_it:.1?}, what it said after {from_it:.1?}");
    assert!(to_it <= Duration::from_secs(2) && from_it <= FOUND_WITHIN);
    // A later message of the room brings the earlier one with it.
    here.say("hall", "first").await;
    there.say("hall", "second").await;
    there.until("first").await;
    there.until("second").await;
    here.until("second").await;
    counts(&b, 1).await;
    counts(&a, 2).await;
    way.heal();
    bus_of(&a, "connected").await;
    for node in [&a, &b] {
        counts(node, 2).await;
    }
    for n in 0..5 {
        let text = n.to_string();
        here.say("hall", &text).await;
        there.until(&text).await;
    }
}
