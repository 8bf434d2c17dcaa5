//! The bus in one process: nodes of one process joined as Redis would join them, for tests and for
//! whoever wants to see several nodes without any server. Can be frozen, ended and cut like one.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::domain::{NodeId, RoomId};

use super::kept::{HEAD, Kept, field};
use super::wire::{Broken, Inbox, Incoming, KEPT_FOR, Outgoing};

/// Joins nodes. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    held: Mutex<Held>,
    frozen: watch::Sender<bool>,
    cut: watch::Sender<HashSet<NodeId>>,
    ended: AtomicBool,
}

#[derive(Default)]
struct Held {
    next: u64,
    ends: HashMap<u64, End>,
    channels: HashMap<Arc<str>, HashSet<u64>>,
    kept: HashMap<String, (Instant, HashMap<String, String>)>,
}

struct End {
    inbox: Arc<Inbox>,
    broken: Arc<AtomicBool>,
    node: NodeId,
}

/// A node's connection to the hub.
#[derive(Clone)]
pub(super) struct HubWire {
    hub: Hub,
    id: u64,
    node: NodeId,
    broken: Arc<AtomicBool>,
}

impl Default for Hub {
    fn default() -> Self {
        let inner = Inner {
            held: Mutex::default(),
            frozen: watch::Sender::new(false),
            cut: watch::Sender::default(),
            ended: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl Hub {
    fn held<T>(&self, with: impl FnOnce(&mut Held) -> T) -> T {
        with(&mut self.inner.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers nobody from now on, as a server that is stopped.
    pub fn freeze(&self) {
        self.inner.frozen.send_replace(true);
    }

    /// Answers again.
    pub fn thaw(&self) {
        self.inner.frozen.send_replace(false);
    }

    /// Ends all connections and forgets everything; nobody can connect.
    pub fn end(&self) {
        self.inner.ended.store(true, Ordering::Relaxed);
        self.held(|held| {
            for end in held.ends.values() {
                end.broken.store(true, Ordering::Relaxed);
            }
            *held = Held { next: held.next, ..Held::default() };
        });
    }

    /// After [`Hub::end`]: takes connections again.
    pub fn start_again(&self) {
        self.inner.ended.store(false, Ordering::Relaxed);
    }

    /// Carries nothing from and to that node.
    pub fn cut(&self, node: &NodeId) {
        self.inner.cut.send_if_modified(|cut| cut.insert(node.clone()));
    }

    /// Carries again.
    pub fn heal(&self, node: &NodeId) {
        self.inner.cut.send_if_modified(|cut| cut.remove(node));
    }

    /// Until the hub answers this node.
    async fn answers(&self, node: &NodeId) {
        let (mut frozen, mut cut) = (self.inner.frozen.subscribe(), self.inner.cut.subscribe());
        // The senders live as long as `self`.
        let _ = frozen.wait_for(|frozen| !frozen).await;
        let _ = cut.wait_for(|cut| !cut.contains(node)).await;
    }

    pub(super) async fn dial(&self, node: &NodeId, inbox: Arc<Inbox>) -> Result<HubWire, Broken> {
        self.answers(node).await;
        if self.inner.ended.load(Ordering::Relaxed) {
            return Err(Broken::Failed("the hub has ended".into()));
        }
        let broken = Arc::<AtomicBool>::default();
        let end = End { inbox, broken: Arc::clone(&broken), node: node.clone() };
        let id = self.held(|held| {
            held.next += 1;
            held.ends.insert(held.next, end);
            held.next
        });
        Ok(HubWire { hub: self.clone(), id, node: node.clone(), broken })
    }
}

impl HubWire {
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Does it once the hub answers.
    async fn ask<T>(&self, act: impl FnOnce(&mut Held) -> T) -> Result<T, Broken> {
        self.hub.answers(&self.node).await;
        if self.is_broken() {
            return Err(Broken::Failed("the hub has ended".into()));
        }
        Ok(self.hub.held(act))
    }

    pub async fn publish(&self, batch: &[Outgoing]) -> Result<(), Broken> {
        let cut = self.hub.inner.cut.subscribe();
        self.ask(|held| {
            for Outgoing { channel, payload } in batch {
                let ends = held.channels.get(channel).into_iter().flatten();
                for end in ends.filter_map(|id| held.ends.get(id)) {
                    if !cut.borrow().contains(&end.node) {
                        let (channel, payload) = (channel.to_string(), payload.clone());
                        end.inbox.put(Incoming { channel, payload });
                    }
                }
            }
        })
        .await
    }

    pub async fn follow(&self, more: &[Arc<str>], less: &[Arc<str>]) -> Result<(), Broken> {
        self.ask(|held| {
            for channel in more {
                held.channels.entry(Arc::clone(channel)).or_default().insert(self.id);
            }
            for channel in less {
                if let Some(ends) = held.channels.get_mut(channel) {
                    ends.remove(&self.id);
                }
            }
        })
        .await
    }

    pub async fn keep(&self, key: &str, kept: &Kept) -> Result<(), Broken> {
        self.ask(|held| {
            let (until, fields) =
                held.kept.entry(key.to_owned()).or_insert_with(|| (Instant::now(), HashMap::new()));
            if kept.whole {
                fields.clear();
            }
            fields.extend(kept.set.iter().cloned());
            fields.retain(|field, _| !kept.gone.contains(field));
            *until = Instant::now() + KEPT_FOR;
        })
        .await
    }

    pub async fn read(
        &self,
        key: &str,
        room: Option<RoomId>,
    ) -> Result<HashMap<String, String>, Broken> {
        self.ask(|held| {
            let (_, fields) = held.kept.get(key).filter(|(until, _)| *until > Instant::now())?;
            let mut fields = fields.clone();
            if let Some(room) = room.map(field) {
                fields.retain(|name, _| *name == room || name == HEAD);
            }
            Some(fields)
        })
        .await
        .map(Option::unwrap_or_default)
    }

    pub async fn forget(&self, key: &str) -> Result<(), Broken> {
        self.ask(|held| drop(held.kept.remove(key))).await
    }
}
