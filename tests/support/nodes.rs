//! Several servers that are one chat: on one database, with one Redis between them.

use std::time::Duration;

use super::postgres::fresh_database;
use super::redis_server::RedisServer;
use super::{Server, Setup, eventually};

/// So many nodes on a database of their own, with this Redis.
pub async fn nodes<const N: usize>(redis: &RedisServer) -> [Server; N] {
    nodes_with(redis, |setup| setup).await
}

/// The same with more settings.
pub async fn nodes_with<const N: usize>(
    redis: &RedisServer,
    more: impl Fn(Setup) -> Setup,
) -> [Server; N] {
    nodes_on(&fresh_database(), redis, more).await
}

/// The same on this database.
pub async fn nodes_on<const N: usize>(
    url: &str,
    redis: &RedisServer,
    more: impl Fn(Setup) -> Setup,
) -> [Server; N] {
    let redis = format!("redis://{}", redis.addr());
    let mut nodes = Vec::new();
    for _ in 0..N {
        let setup = Setup::direct().env("DATABASE_URL", url).env("REDIS_URL", &redis);
        nodes.push(more(setup).start().await);
    }
    connected(&nodes.iter().collect::<Vec<_>>()).await;
    nodes.try_into().unwrap_or_else(|_| unreachable!())
}

/// Until each of them hears what it says.
pub async fn connected(nodes: &[&Server]) {
    for node in nodes {
        eventually("the bus is there", Duration::from_secs(20), || async {
            let ready = node.api().get("/readyz").await.body();
            if ready["bus"] == "connected" { Ok(()) } else { Err(ready.to_string()) }
        })
        .await;
    }
}
