//! PROTOCOL.md, promise 4 after a restart: everybody comes back at once, to rooms that hold nothing
//! in memory, and the database is asked once for all of them.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::dice::Dice;
use crate::support::{Follower, Server, Setup, nightly, raise_the_limit_of_open_files};

const ROOMS: usize = 20;
/// Events of each room.
const EVENTS: usize = 300;
/// History queries that the storm may cost.
const QUERIES: u64 = 50;

/// What a room holds, said and read to its end.
async fn room_with_a_past(server: &Server, room: &str) -> Follower {
    let mut talker = server.native_guest().await;
    let mut follower = Follower::of(room);
    follower.join(&mut talker).await.expect("it stays");
    for n in 0..EVENTS {
        talker.say(room, &format!("{n} in {room}")).await;
    }
    let head = i64::try_from(EVENTS).expect("few enough");
    follower.until(&mut talker, head).await.expect("it stays");
    follower
}

#[tokio::test]
async fn after_a_restart_a_storm_of_resumes_costs_few_queries_and_loses_nothing() {
    let clients = if nightly() { 5_000 } else { 1_000 };
    raise_the_limit_of_open_files(16_384);
    let server = Setup::direct().for_a_crowd().start().await;
    let names: Vec<String> = (0..ROOMS).map(|number| format!("room {number}")).collect();
    let pasts = names.iter().map(|name| room_with_a_past(&server, name));
    let pasts = futures_util::future::join_all(pasts).await;
    let server = server.restart().await;
    let before = server.queries("history").await;

    let mut dice = Dice::new(7);
    let mut storm = JoinSet::new();
    let began = Instant::now();
    for number in 0..clients {
        let room = number % ROOMS;
        // Who was away for long lacks much, who was there lacks nothing.
        let have = usize::try_from(dice.below(EVENTS as u64 + 1)).expect("a place");
        let mut follower = pasts[room].up_to(have);
        let (door, wait) = (server.native("/ws/"), Duration::from_millis(dice.below(1_000)));
        storm.spawn(async move {
            // All within a second, as a restart has it.
            sleep(wait).await;
            let mut socket = door.hello().await;
            follower.join(&mut socket).await.expect("it stays");
            (room, follower, socket)
        });
    }
    let back = storm.join_all().await;
    let took = began.elapsed();
    let queries = server.queries("history").await - before;
    let turned_away: usize = back.iter().map(|(_, follower, _)| follower.turned_away).sum();
    println!(
        "{clients} clients of {ROOMS} rooms back in {took:.1?}, {queries} history queries; \
         {turned_away} times one was told to come again in a moment"
    );

    // And on: what is said now comes to each of them, behind what was replayed.
    for name in &names {
        let mut talker = server.native_guest().await;
        talker.join(name).await;
        talker.say(name, "and on").await;
    }
    let head = i64::try_from(EVENTS + 1).expect("few enough");
    let mut ends = JoinSet::new();
    for (room, mut follower, mut socket) in back {
        assert_eq!(follower.resumed, 1);
        ends.spawn(async move {
            follower.until(&mut socket, head).await.expect("it stays");
            (room, follower)
        });
    }
    let ends = ends.join_all().await;
    let mut last = vec![None; ROOMS];
    for (room, follower) in &ends {
        let seen = follower.seen();
        assert_eq!(seen[..EVENTS], *pasts[*room].seen(), "room {room}");
        assert_eq!(*last[*room].get_or_insert(seen[EVENTS]), seen[EVENTS], "room {room}");
    }
    assert_eq!(ends.len(), clients);
    assert!(queries < QUERIES, "{queries} history queries for {clients} clients");
}
