//! PROTOCOL.md, promises 1 to 4, while everything fails that several nodes stand on: Redis freezes
//! and dies, a node is killed, `PostgreSQL` is restarted, and the bus is unreliable on purpose. In
//! the end everybody holds the same, and every `ok` is stored once.

use std::time::Duration;

use serde_json::Value;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep_until};

use crate::support::nodes::{connected, nodes_on};
use crate::support::own_postgres::OwnPostgres;
use crate::support::party::{Party, Size};
use crate::support::psql::psql;
use crate::support::redis_server::RedisServer;
use crate::support::roamer::Doors;
use crate::support::{Server, eventually, nightly, raise_the_limit_of_open_files};

/// What the issue gives presence.
const COUNTED_WITHIN: Duration = Duration::from_secs(15);

/// What there is to fail.
struct House {
    nodes: Vec<Option<Server>>,
    redis: RedisServer,
    postgres: OwnPostgres,
    doors: Doors,
}

impl House {
    /// Everything fails, some of it at the same time, in sixty units.
    async fn fails(&mut self, unit: Duration) {
        let began = Instant::now();
        let at = |units: u32| sleep_until(began + unit * units);
        at(4).await;
        self.redis.stop();
        at(12).await;
        self.doors.shut(0);
        let mut killed = self.nodes[0].take().expect("it runs");
        block_in_place(|| killed.kill9());
        at(14).await;
        self.redis.go_on();
        at(20).await;
        let back = killed.restart().await;
        self.doors.open(0, &back);
        self.nodes[0] = Some(back);
        at(26).await;
        block_in_place(|| self.redis.kill());
        at(32).await;
        block_in_place(|| self.redis.start_again());
        at(40).await;
        block_in_place(|| self.postgres.stop());
        at(43).await;
        block_in_place(|| self.postgres.start_again());
        at(60).await;
    }

    fn nodes(&self) -> Vec<&Server> {
        self.nodes.iter().flatten().collect()
    }

    /// That every node counts so many people in each of these rooms.
    async fn counts(&self, rooms: &[String], people: usize) {
        for node in self.nodes() {
            eventually("everybody is counted once", COUNTED_WITHIN, || async {
                let list = node.api().get("/list_rooms/").await.body();
                let counted = |room: &&String| {
                    let is_it = |row: &&Value| row["name"] == room.as_str();
                    let row = list.as_array().and_then(|list| list.iter().find(is_it));
                    row.is_some_and(|row| row["active_members"] == people)
                };
                let wrong = rooms.iter().find(|room| !counted(room));
                wrong.map_or(Ok(()), |room| Err(format!("{room}: {list}")))
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_everything_fails_nothing_is_lost_or_doubled_and_all_end_with_the_same() {
    let (clients, rooms, unit, pace) = if nightly() {
        (300, 30, Duration::from_secs(1), Duration::from_millis(1_500))
    } else {
        (60, 6, Duration::from_millis(200), Duration::from_millis(500))
    };
    raise_the_limit_of_open_files(16_384);
    let (redis, postgres) = (RedisServer::start(), OwnPostgres::start());
    let url = postgres.fresh_database();
    let nodes: [Server; 3] = nodes_on(&url, &redis, |setup| {
        setup
            .for_a_crowd()
            .env("HUBBUB__BUS__CHAOS", "drop=5%,delay=50ms,double=2%,seed=7")
            .env("HUBBUB__BUS__ALLOW_CHAOS", "on")
    })
    .await;
    let doors = Doors::of(&nodes);
    let mut house = House { nodes: nodes.map(Some).into(), redis, postgres, doors };

    let began = Instant::now();
    let size = Size { clients, rooms, pace, unit: Some(unit) };
    let mut party = Party::comes(&house.doors, size).await;
    party.goes_on_while(house.fails(unit)).await;
    party.falls_silent().await;
    let (names, people) = (party.rooms().to_vec(), party.people());
    let all_are_counted = async {
        connected(&house.nodes()).await;
        house.counts(&names, people).await;
    };
    party.goes_on_while(all_are_counted).await;
    let tally = party.goes(house.nodes()[0], &url).await;
    let took = began.elapsed();

    assert!(tally.resumed > 0 && tally.ended.contains_key(&None), "what failed was noticed");
    let stored =
        psql(&url, "SELECT count(*), count(DISTINCT id) FROM event WHERE kind = 'message'");
    let sent = tally.sent;
    assert_eq!(stored, format!("{sent}|{sent}"), "every ok is stored, and nothing else");
    for node in house.nodes() {
        assert_eq!(node.metric("hubbub_ledger_imbalance").await, 0);
    }
    println!("{clients} clients, {rooms} rooms, {took:.1?}: {tally}");
}
