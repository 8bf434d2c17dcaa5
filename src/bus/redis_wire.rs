//! The bus between nodes: Redis. One connection subscribes, one publishes, keeps and reads. The
//! one file that knows the crate.
//!
//! Nothing here needs two keys or channels at once, so that they may lie on different nodes of a
//! Redis Cluster. The subscribing connection speaks RESP3: there messages go straight into our
//! bounded inbox, where the crate's own pub/sub type would hold any number of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind,
    RedisError, Value, cmd, pipe,
};

use crate::domain::RoomId;

use super::kept::{HEAD, Kept, field};
use super::wire::{Broken, Inbox, Incoming, KEPT_FOR, Outgoing};

/// Commands on their way at a time when many channels are followed at once.
const FOLLOWED_AT_ONCE: usize = 500;
/// Fields in one command.
const FIELDS_AT_ONCE: usize = 500;
/// Limit of the crate; ours are shorter.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What is wrong with `bus.redis_url`; without the password.
#[derive(Debug, thiserror::Error)]
#[error("REDIS_URL (bus.redis_url) is no URL of a Redis: {0}")]
pub struct BadUrl(String);

/// How to reach Redis.
pub(super) struct Dialer {
    publishes: Client,
    subscribes: Client,
}

impl Dialer {
    /// Reads `redis://` and `rediss://` URLs, with a user's name and password or without.
    pub fn new(url: &str) -> Result<Self, BadUrl> {
        let bad = |why: RedisError| BadUrl(said(&why));
        let info = url.into_connection_info().map_err(bad)?;
        // The library's name is told with a command that few rights need not cover.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let client =
            |settings| Client::open(info.clone().set_redis_settings(settings)).map_err(bad);
        let subscribes = client(settings.clone().set_protocol(ProtocolVersion::RESP3))?;
        let publishes = client(settings)?;
        Ok(Self { publishes, subscribes })
    }

    pub async fn dial(&self, inbox: Arc<Inbox>) -> Result<RedisWire, Broken> {
        let broken = Arc::<AtomicBool>::default();
        let is_broken = Arc::clone(&broken);
        let push = move |info: PushInfo| {
            match info.kind {
                PushKind::Message => {
                    if let Some(incoming) = incoming(info.data) {
                        inbox.put(incoming);
                    }
                }
                PushKind::Disconnection => is_broken.store(true, Ordering::Relaxed),
                _ => {}
            }
            Ok::<(), ()>(())
        };
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_WITHIN));
        let subscribes = config.clone().set_push_sender(push);
        let (subscribes, publishes) = futures_util::future::try_join(
            self.subscribes.get_multiplexed_async_connection_with_config(&subscribes),
            self.publishes.get_multiplexed_async_connection_with_config(&config),
        )
        .await
        .map_err(|why| Broken::Failed(said(&why)))?;
        Ok(RedisWire { publishes, subscribes, broken })
    }
}

/// A message's channel and payload.
fn incoming(data: Vec<Value>) -> Option<Incoming> {
    let mut data = data.into_iter();
    match (data.next()?, data.next()?) {
        (Value::BulkString(channel), Value::BulkString(payload)) => {
            Some(Incoming { channel: String::from_utf8(channel).ok()?, payload })
        }
        _ => None,
    }
}

/// An error's own words: they name neither URL nor password.
fn said(why: &RedisError) -> String {
    why.to_string()
}

/// A connection to Redis: two of them.
#[derive(Clone)]
pub(super) struct RedisWire {
    publishes: MultiplexedConnection,
    subscribes: MultiplexedConnection,
    broken: Arc<AtomicBool>,
}

impl RedisWire {
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn failed(&self, why: &RedisError) -> Broken {
        if why.is_unrecoverable_error() {
            self.broken.store(true, Ordering::Relaxed);
        }
        Broken::Failed(said(why))
    }

    pub async fn publish(&self, batch: &[Outgoing]) -> Result<(), Broken> {
        let mut all = pipe();
        for Outgoing { channel, payload } in batch {
            all.cmd("PUBLISH").arg(&**channel).arg(payload.as_slice()).ignore();
        }
        all.exec_async(&mut self.publishes.clone()).await.map_err(|why| self.failed(&why))
    }

    pub async fn follow(&self, more: &[Arc<str>], less: &[Arc<str>]) -> Result<(), Broken> {
        for some in more.chunks(FOLLOWED_AT_ONCE) {
            let each = some.iter().map(|channel| {
                let mut connection = self.subscribes.clone();
                async move { connection.subscribe(&**channel).await }
            });
            try_join_all(each).await.map_err(|why| self.failed(&why))?;
        }
        for some in less.chunks(FOLLOWED_AT_ONCE) {
            let each = some.iter().map(|channel| {
                let mut connection = self.subscribes.clone();
                async move { connection.unsubscribe(&**channel).await }
            });
            try_join_all(each).await.map_err(|why| self.failed(&why))?;
        }
        Ok(())
    }

    pub async fn keep(&self, key: &str, kept: &Kept) -> Result<(), Broken> {
        let mut all = pipe();
        all.atomic();
        if kept.whole {
            all.cmd("DEL").arg(key).ignore();
        }
        for some in kept.set.chunks(FIELDS_AT_ONCE) {
            let mut set = Cmd::new();
            set.arg("HSET").arg(key);
            for (field, text) in some {
                set.arg(field).arg(text);
            }
            all.add_command(set).ignore();
        }
        for some in kept.gone.chunks(FIELDS_AT_ONCE) {
            all.cmd("HDEL").arg(key).arg(some).ignore();
        }
        all.cmd("PEXPIRE").arg(key).arg(KEPT_FOR.as_millis().to_string()).ignore();
        all.exec_async(&mut self.publishes.clone()).await.map_err(|why| self.failed(&why))
    }

    pub async fn read(
        &self,
        key: &str,
        room: Option<RoomId>,
    ) -> Result<HashMap<String, String>, Broken> {
        let mut connection = self.publishes.clone();
        let Some(room) = room.map(field) else {
            let all = cmd("HGETALL").arg(key).query_async(&mut connection).await;
            return all.map_err(|why| self.failed(&why));
        };
        let two: Result<(Option<String>, Option<String>), RedisError> =
            cmd("HMGET").arg(key).arg(HEAD).arg(&room).query_async(&mut connection).await;
        let (head, share) = two.map_err(|why| self.failed(&why))?;
        let fields = [(HEAD.to_owned(), head), (room, share)];
        Ok(fields.into_iter().filter_map(|(name, text)| Some((name, text?))).collect())
    }

    pub async fn forget(&self, key: &str) -> Result<(), Broken> {
        let mut connection = self.publishes.clone();
        cmd("DEL").arg(key).exec_async(&mut connection).await.map_err(|why| self.failed(&why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_may_name_a_user_and_ask_for_tls_and_errors_never_tell_the_password() {
        for url in ["redis://h:1", "rediss://h", "redis://u:hush@h/0", "rediss://:hush@h:1"] {
            let dialer = Dialer::new(url).expect("a URL");
            let info = dialer.subscribes.get_connection_info();
            assert!(!format!("{info:?}").contains("hush"), "{info:?}");
        }
        for url in ["", "hush", "http://u:hush@h", "redis://u:hush@h:port"] {
            let why = Dialer::new(url).err().map(|why| why.to_string()).unwrap_or_default();
            assert!(why.starts_with("REDIS_URL") && !why.contains("hush"), "{why}");
        }
    }
}
