//! CONTRACT section 6 with several nodes: they are restarted one after the other under load, as an
//! upgrade does it. Clients are told when to come back, do so on the others, and nothing is lost.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::support::native::V1;
use crate::support::nginx::{Nginx, free_addresses};
use crate::support::nodes::{connected, nodes_on};
use crate::support::party::{Party, Size, Tally};
use crate::support::postgres::fresh_database;
use crate::support::redis_server::RedisServer;
use crate::support::roamer::Doors;
use crate::support::socket::Door;
use crate::support::{Api, Server, Setup, nightly, raise_the_limit_of_open_files};

/// What the contract gives a drain.
const DRAINED_WITHIN: Duration = Duration::from_secs(30);
/// Over how long clients are spread, in milliseconds.
const SPREAD_MS: u64 = 5_000;

fn size() -> Size {
    raise_the_limit_of_open_files(16_384);
    let clients = if nightly() { 300 } else { 60 };
    Size { clients, rooms: 6, pace: Duration::from_millis(500), unit: None }
}

/// One after the other; `doors`: where clients choose a node themselves. How long each drained.
async fn restarted(mut all: Vec<Server>, doors: Option<&Doors>) -> (Vec<Server>, Vec<Duration>) {
    let mut drains = Vec::new();
    for place in 0..all.len() {
        let mut node = all.remove(place);
        if let Some(doors) = doors {
            doors.shut(place);
        }
        let began = Instant::now();
        assert_eq!(node.stop().await.code(), Some(0));
        drains.push(began.elapsed());
        assert!(!node.log().contains("took longer"), "nobody is waited for in vain");
        let node = node.restart().await;
        if let Some(doors) = doors {
            doors.open(place, &node);
        }
        all.insert(place, node);
        // The next one goes when this one is there.
        connected(&all.iter().collect::<Vec<_>>()).await;
    }
    (all, drains)
}

/// Everybody was told, each at another time, and nothing ended otherwise.
fn all_were_told(tally: &Tally, size: Size, drains: &[Duration]) {
    assert!(drains.iter().all(|took| *took <= DRAINED_WITHIN), "{drains:?}");
    let told = tally.ended.get(&Some(4003)).copied().unwrap_or_default();
    assert!(told >= size.clients && tally.ended.len() == 1, "{:?}", tally.ended);
    assert!(tally.waits.len() > told / 10, "not all come back at once: {:?}", tally.waits);
    assert!(tally.waits.iter().all(|after_ms| *after_ms <= SPREAD_MS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_restarted_one_after_the_other_lose_nothing_and_everybody_goes_to_the_others() {
    let (redis, url, size) = (RedisServer::start(), fresh_database(), size());
    let all: [Server; 3] = nodes_on(&url, &redis, |setup| setup).await;
    let doors = Doors::of(&all);
    let mut party = Party::comes(&doors, size).await;
    let (all, drains) = party.goes_on_while(restarted(all.into(), Some(&doors))).await;
    party.falls_silent().await;
    let tally = party.goes(&all[2], &url).await;
    all_were_told(&tally, size, &drains);
    println!("three nodes restarted, drained in {drains:.1?}: {tally}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_a_restart_of_all_nodes_refuses_nobody() {
    let (redis, url, size) = (RedisServer::start(), fresh_database(), size());
    let redis_url = format!("redis://{}", redis.addr());
    let addresses = free_addresses::<3>();
    let mut all = Vec::new();
    for address in addresses {
        // nginx knows a node by its address: it is the same after the restart.
        let setup = Setup::direct()
            .env("BIND", &address.to_string())
            .env("DATABASE_URL", &url)
            .env("REDIS_URL", &redis_url)
            .env("HUBBUB__SERVER__TRUSTED_PROXIES", "127.0.0.1");
        all.push(setup.start().await);
    }
    connected(&all.iter().collect::<Vec<_>>()).await;
    let nginx = Nginx::of(addresses).await;
    let doors = Doors::default();
    doors.leads_to(0, Door::new(nginx.addr(), "/ws/").subprotocols(V1));
    let mut party = Party::comes(&doors, size).await;
    let api = Api::new(&format!("http://{}", nginx.addr()));
    let asking = async {
        loop {
            api.get("/list_rooms/").await.is(200);
            // A load of its own, all the time.
            sleep(Duration::from_millis(50)).await;
        }
    };
    let restarts = async {
        tokio::select! {
            done = restarted(all, None) => done,
            () = asking => unreachable!("it asks on and on"),
        }
    };
    let (all, drains) = party.goes_on_while(restarts).await;
    party.falls_silent().await;
    let tally = party.goes(&all[2], &url).await;
    all_were_told(&tally, size, &drains);
    assert_eq!(tally.refused, 0, "nginx asks the next node");
    println!("behind nginx three nodes restarted, drained in {drains:.1?}: {tally}");
}
