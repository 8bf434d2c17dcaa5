//! What an adapter can do: carry messages over named channels, and keep each node's share for
//! others to read. Two of them: [`super::hub`] in this process, [`super::redis_wire`] between nodes.
//! All above knows only this.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::domain::{NodeId, RoomId};

use super::figures::Counts;
use super::hub::{Hub, HubWire};
use super::kept::Kept;
use super::queue::Queue;
use super::redis_wire::{Dialer as RedisDialer, RedisWire};

/// Messages that may wait to be read, and their bytes: for a burst, not for a node that is behind;
/// what is over it is found by `seq`.
const INBOX: usize = 16_384;
const INBOX_BYTES: usize = 16 << 20;
/// What got no answer in this time did not happen, as far as we know.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// What a node keeps is gone after this time without a word of it.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(15);

/// A message to be published.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub channel: Arc<str>,
    pub payload: Vec<u8>,
}

/// A message that came.
#[derive(Debug)]
pub(super) struct Incoming {
    pub channel: String,
    pub payload: Vec<u8>,
}

/// Where an adapter puts what comes. At its bound messages are left out, and it says so.
pub(super) struct Inbox {
    queue: Queue<Incoming>,
    lagged: AtomicBool,
    counts: Arc<Counts>,
}

impl Inbox {
    pub fn new(counts: Arc<Counts>) -> Self {
        let queue = Queue::new(INBOX, INBOX_BYTES);
        Self { queue, lagged: AtomicBool::new(false), counts }
    }

    pub fn put(&self, incoming: Incoming) {
        let bytes = incoming.payload.len();
        self.counts.received(bytes);
        if !self.queue.put(incoming, bytes) {
            self.counts.lagged();
            self.lagged.store(true, Ordering::Relaxed);
        }
    }

    /// What came, at least one.
    pub async fn take(&self) -> Vec<Incoming> {
        self.queue.take(64, usize::MAX).await
    }

    /// Whether messages were left out since this was last asked.
    pub fn has_lagged(&self) -> bool {
        self.lagged.swap(false, Ordering::Relaxed)
    }
}

/// Why something was not done; without a password.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("no answer")]
    Late,
    #[error("{0}")]
    Failed(String),
}

/// How to get connected.
pub(super) enum Dialer {
    Hub(Hub, NodeId),
    Redis(Box<RedisDialer>),
}

impl Dialer {
    /// Connects; what comes from then on goes into `inbox`.
    pub async fn dial(&self, inbox: Arc<Inbox>) -> Result<Wire, Broken> {
        match self {
            Self::Hub(hub, node) => in_time(hub.dial(node, inbox)).await.map(Wire::Hub),
            Self::Redis(dialer) => in_time(dialer.dial(inbox)).await.map(Wire::Redis),
        }
    }
}

/// A connection.
#[derive(Clone)]
pub(super) enum Wire {
    Hub(HubWire),
    Redis(RedisWire),
}

async fn in_time<T>(doing: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
    tokio::time::timeout(ANSWER_WITHIN, doing).await.unwrap_or(Err(Broken::Late))
}

impl Wire {
    /// Whether it is known to carry no more.
    pub fn is_broken(&self) -> bool {
        match self {
            Self::Hub(wire) => wire.is_broken(),
            Self::Redis(wire) => wire.is_broken(),
        }
    }

    /// Publishes in order, in one write.
    pub async fn publish(&self, batch: &[Outgoing]) -> Result<(), Broken> {
        match self {
            Self::Hub(wire) => in_time(wire.publish(batch)).await,
            Self::Redis(wire) => in_time(wire.publish(batch)).await,
        }
    }

    /// Subscribes to these channels and unsubscribes from those; done when it is in force.
    pub async fn follow(&self, more: &[Arc<str>], less: &[Arc<str>]) -> Result<(), Broken> {
        match self {
            Self::Hub(wire) => in_time(wire.follow(more, less)).await,
            Self::Redis(wire) => in_time(wire.follow(more, less)).await,
        }
    }

    /// Keeps a node's share for [`KEPT_FOR`].
    pub async fn keep(&self, key: &str, kept: &Kept) -> Result<(), Broken> {
        match self {
            Self::Hub(wire) => in_time(wire.keep(key, kept)).await,
            Self::Redis(wire) => in_time(wire.keep(key, kept)).await,
        }
    }

    /// What a node keeps, by field; of one room and the head when one is given.
    pub async fn read(
        &self,
        key: &str,
        room: Option<RoomId>,
    ) -> Result<HashMap<String, String>, Broken> {
        match self {
            Self::Hub(wire) => in_time(wire.read(key, room)).await,
            Self::Redis(wire) => in_time(wire.read(key, room)).await,
        }
    }

    /// Keeps nothing of a node any more.
    pub async fn forget(&self, key: &str) -> Result<(), Broken> {
        match self {
            Self::Hub(wire) => in_time(wire.forget(key)).await,
            Self::Redis(wire) => in_time(wire.forget(key)).await,
        }
    }
}
