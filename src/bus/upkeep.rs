//! What the subscriber does besides: it publishes what waits, keeps this node's share of who is
//! where, and reads the others'.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::watch;

use crate::domain::{NodeId, RoomId};

use super::envelope::Origin;
use super::kept;
use super::shared::Shared;
use super::subscriber::Subscriber;
use super::wire::Wire;

/// Messages in one write, and their bytes.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 256 * 1_024;
/// The whole share is written this often, whatever is thought to be kept.
const WHOLE_EVERY: Duration = Duration::from_secs(5);
/// Others' shares are read this often at most, if they changed.
const READ_EVERY: Duration = Duration::from_millis(500);
/// And reading them takes no more than this part of the time.
const READ_PART: u32 = 10;
/// But no more rarely than this.
const READ_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// What could not be written is tried again after this time: a Redis that is slow must not be
/// given the whole of it over and over.
const KEEP_AGAIN: Duration = Duration::from_secs(1);
/// Shares in one room that are read at a time; over that, the next reading of all repairs it.
const ROOMS_READ: usize = 64;

/// What is under way.
#[derive(Default)]
pub(super) struct Upkeep {
    keeping: bool,
    keep_after: Duration,
    /// When the whole share was last written; none: it must be.
    whole: Option<Duration>,
    /// Number of the last change that was written.
    kept: u64,
    reading: bool,
    read_after: Duration,
    rooms: HashSet<(NodeId, RoomId)>,
    /// What each run of a node said it could not publish.
    lost: HashMap<NodeId, (i64, u64)>,
}

impl Upkeep {
    /// There is a connection anew: the whole share is written, and the others' read, at once.
    pub fn begin(&mut self) {
        self.whole = None;
        self.keep_after = Duration::ZERO;
        self.read_after = Duration::ZERO;
    }

    /// Number of the last change that others can read.
    pub const fn kept(&self) -> u64 {
        self.kept
    }

    /// Whether that run of a node has lost more than it had.
    pub fn has_lost_more(&mut self, of: &Origin, lost: u64) -> bool {
        let before = self.lost.insert(of.node.clone(), (of.started, lost));
        before.is_some_and(|(started, before)| started == of.started && lost > before)
    }
}

/// Publishes what waits, as long as the actor lives. While one write is under way the next ones
/// gather.
pub(super) async fn publish_what_waits(shared: Arc<Shared>, wire: watch::Receiver<Option<Wire>>) {
    loop {
        let batch = shared.outbox.take(BATCH, BATCH_BYTES).await;
        let wire = wire.borrow().clone();
        let done = match wire {
            Some(wire) => wire.publish(&batch).await.is_ok(),
            None => false,
        };
        if done {
            let bytes = batch.iter().map(|one| one.payload.len()).sum();
            shared.counts.published(batch.len(), bytes);
        } else {
            shared.counts.lost(batch.len());
        }
    }
}

impl Subscriber {
    /// Writes this node's share where others can read it: what changed, now and then all of it.
    pub(super) fn keep(&mut self, ctx: &mut Context<Self>) {
        let Some(wire) = self.wire().filter(|_| !self.upkeep.keeping) else { return };
        let (now, started) = (self.now(), self.shared.me.started);
        if now < self.upkeep.keep_after {
            return;
        }
        let whole = self.upkeep.whole.is_none_or(|at| now.saturating_sub(at) >= WHOLE_EVERY);
        let kept = self.shared.view(|view| {
            let changed = self.shared.take_changed();
            if whole {
                Some(kept::whole(view, started))
            } else if changed.is_empty() {
                None
            } else {
                Some(kept::changes(view, started, &changed))
            }
        });
        let Some(kept) = kept else { return };
        if whole {
            let others = self.shared.view(|view| view.others());
            self.upkeep.lost.retain(|node, _| others.contains(node));
        }
        self.upkeep.keeping = true;
        let key = self.shared.channels.kept(&self.shared.me.node);
        let doing = async move { wire.keep(&key, &kept).await.map(|()| kept.rev) };
        ctx.spawn(doing.into_actor(self).map(move |done, subscriber, _| {
            let upkeep = &mut subscriber.upkeep;
            upkeep.keeping = false;
            if let Ok(rev) = done {
                upkeep.kept = rev;
                if whole {
                    upkeep.whole = Some(now);
                }
            } else {
                // Nobody knows what of it is written.
                (upkeep.whole, upkeep.keep_after) = (None, now + KEEP_AGAIN);
            }
        }));
    }

    /// Reads the shares of nodes that changed them.
    pub(super) fn read_unread(&mut self, ctx: &mut Context<Self>) {
        if self.upkeep.reading || self.now() < self.upkeep.read_after {
            return;
        }
        let unread = self.shared.view(|view| view.unread());
        let Some(wire) = self.wire().filter(|_| !unread.is_empty()) else { return };
        self.upkeep.reading = true;
        let shared = Arc::clone(&self.shared);
        let reading = async move {
            let (mut changed, began) = (Vec::new(), Instant::now());
            for node in unread {
                let Ok(fields) = wire.read(&shared.channels.kept(&node), None).await else { break };
                if let Some(read) = kept::snapshot(fields) {
                    changed.extend(shared.view(|view| view.read(&node, read)));
                }
            }
            (changed, began.elapsed())
        };
        ctx.spawn(reading.into_actor(self).map(|(changed, took), subscriber, _| {
            subscriber.upkeep.reading = false;
            subscriber.upkeep.read_after =
                subscriber.now() + (took * READ_PART).clamp(READ_EVERY, READ_AT_LEAST_EVERY);
            subscriber.tell_presence(changed);
        }));
    }

    /// Reads a node's share in one room, of which a change was missed.
    pub(super) fn read_room(&mut self, node: NodeId, room: RoomId, ctx: &mut Context<Self>) {
        let is_room = self.upkeep.rooms.len() < ROOMS_READ;
        let Some(wire) = self.wire().filter(|_| is_room) else { return };
        if !self.upkeep.rooms.insert((node.clone(), room)) {
            return;
        }
        let key = self.shared.channels.kept(&node);
        let reading = async move { wire.read(&key, Some(room)).await };
        ctx.spawn(reading.into_actor(self).map(move |fields, subscriber, _| {
            subscriber.upkeep.rooms.remove(&(node.clone(), room));
            let Some(read) = fields.ok().and_then(kept::snapshot) else { return };
            if subscriber.shared.view(|view| view.read_room(&node, room, read)) {
                subscriber.tell_presence(vec![room]);
            }
        }));
    }
}
