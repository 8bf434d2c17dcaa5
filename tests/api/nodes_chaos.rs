//! A bus that is unreliable on purpose: the order is the database's, so nothing is lost.

use futures_util::future::join_all;
use serde_json::Value;

use crate::support::native::seq;
use crate::support::nodes::nodes_with;
use crate::support::redis_server::RedisServer;
use crate::support::{Native, Setup};

/// Sockets on each node, and what each says.
const SOCKETS: usize = 4;
const SAYS: usize = 25;

/// What a socket sees of a room: all of it, whatever order it came in.
async fn sees(socket: &mut Native, messages: usize) -> Vec<(i64, Value)> {
    let mut seen = Vec::new();
    while seen.len() < messages {
        let frame = socket.next_of("chat_message").await;
        seen.push((seq(&frame), frame["message"].clone()));
    }
    seen
}

#[tokio::test]
async fn with_chaos_on_everybody_ends_with_the_same_history() {
    let redis = RedisServer::start();
    let [a, b] = nodes_with(&redis, |setup| {
        setup
            .env("HUBBUB__BUS__CHAOS", "drop=20%,delay=50ms,double=10%,seed=7")
            .env("HUBBUB__BUS__ALLOW_CHAOS", "on")
    })
    .await;
    let mut sockets = Vec::new();
    for node in [&a, &b] {
        for _ in 0..SOCKETS {
            let mut socket = node.native_guest().await;
            socket.join("hall").await;
            sockets.push(socket);
        }
    }
    let all = sockets.len() * SAYS;
    let talks = sockets.iter_mut().enumerate().map(|(who, socket)| async move {
        for n in 0..SAYS {
            socket.say("hall", &format!("{who}.{n}")).await;
        }
        sees(socket, all).await
    });
    let seen = join_all(talks).await;
    let places: Vec<i64> = seen[0].iter().map(|(seq, _)| *seq).collect();
    assert_eq!(places, (1..=i64::try_from(all).expect("few")).collect::<Vec<_>>());
    assert!(seen.iter().all(|one| *one == seen[0]), "no two saw another order");
    let log = a.log();
    assert!(log.contains("on purpose"), "the log says that chaos is on: {log}");
    assert!(a.bus_messages("published").await > 0);
    assert!(a.metric("hubbub_bus_bytes_total{fate=\"received\"}").await > 0);
}

#[tokio::test]
async fn chaos_is_refused_where_it_could_hurt_somebody() {
    let setup = Setup::direct().env("HUBBUB_ENV", "production");
    let chaos = ["serve", "--chaos", "drop=5%,delay=50ms,double=2%,seed=7"];
    let done = crate::support::server::run(&setup, &chaos, "").await;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains("bus.allow_chaos"), "{said}");
    let done =
        crate::support::server::run(&Setup::direct(), &["serve", "--chaos", "much"], "").await;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains("drop=5%"), "it says what it may be: {said}");
}
