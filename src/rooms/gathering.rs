//! The figures of all rooms, asked of the rooms and Shards and added up. Part of the handle on all
//! rooms; called by `stats/`. Keeps the last answer for a second, whoever asks.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;

use crate::domain::fates::{Stay, Stays};
use crate::domain::figures::{Durations, Ledger, Load, Rate, RoomDetail, RoomLoad};
use crate::domain::{EventKind, RoomId, Timestamp, UserId, clock};
use crate::store::StoreError;

use super::figures::{GroupFigures, RoomSnapshot, session_row};
use super::room::Snapshot;
use super::{Rooms, Seat};

/// Figures are gathered at most once in this time, whoever asks.
const FIGURES_LAST_MICROS: u64 = 1_000_000;
/// Rooms asked at the same time.
const ASKED_AT_ONCE: usize = 64;
/// Stays of one user in one answer; those that an event fell into come first.
const STAYS: usize = 100;

/// All rooms' figures at one moment.
#[derive(Clone)]
pub(super) struct Gathered {
    at: Timestamp,
    /// When all had answered: who waited meanwhile is not to ask all of them again.
    done: Timestamp,
    rooms: Arc<Vec<RoomLoad>>,
    total: Load,
    ledger: Ledger,
}

/// How often rooms were asked for their figures.
#[derive(Default)]
pub(super) struct Readings {
    all: AtomicU64,
    one: AtomicU64,
}

impl Rooms {
    /// How often all rooms were asked for their figures, and how often one with its people.
    #[must_use]
    pub fn readings(&self) -> [(&'static str, u64); 2] {
        let Readings { all, one } = &self.readings;
        [("all", all.load(Ordering::Relaxed)), ("one", one.load(Ordering::Relaxed))]
    }

    /// Every live room's own figures, asked of the rooms and Shards; at most one round a second,
    /// whoever asks. The time is when they were asked.
    pub async fn loads(&self) -> (Timestamp, Arc<Vec<RoomLoad>>) {
        let gathered = self.gathered().await;
        (gathered.at, gathered.rooms)
    }

    /// All rooms added up. `cpu_s` and `rss_bytes` are the process's and stay 0 here.
    pub async fn load(&self) -> (Timestamp, Load) {
        let gathered = self.gathered().await;
        (gathered.at, gathered.total)
    }

    /// What became of the frames of all rooms.
    pub async fn ledger(&self) -> Ledger {
        self.gathered().await.ledger
    }

    /// One live room with its people and sockets, at most `limit` of each. None: it isn't live.
    pub async fn detail(&self, room: RoomId, limit: usize) -> Option<RoomDetail> {
        let handle = self.directory.send(room, |_| false)?;
        self.readings.one.fetch_add(1, Ordering::Relaxed);
        let snapshot = handle.addr.send(Snapshot { seats: limit }).await.ok()?;
        let (mut figures, mut looked) = (GroupFigures::default(), HashMap::new());
        for shard in self.shards.all() {
            let is_here = |seat: &&Arc<Seat>| seat.slot.worker == shard.worker;
            let here: Vec<_> = snapshot.seats().iter().filter(is_here).cloned().collect();
            let (group, seen) = shard.look(room, here.clone()).await;
            figures.add(&group);
            looked.extend(here.into_iter().map(|seat| seat.session).zip(seen));
        }
        let row = |seat: &Arc<Seat>| {
            session_row(seat, looked.get(&seat.session).copied().unwrap_or_default(), &self.node)
        };
        Some(RoomDetail {
            load: snapshot.load(&figures, &self.node, clock::now()),
            users: snapshot.users().to_vec(),
            session_list: snapshot.seats().iter().map(row).collect(),
            ledger: figures.ledger,
        })
    }

    /// How long a user's sockets were in a room on this node, and what became of an event for each.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stays(
        &self,
        room: RoomId,
        user: UserId,
        seq: i64,
        kind: EventKind,
    ) -> Result<Stays, StoreError> {
        let (mut known_since, mut visits) = (Timestamp::default(), Vec::new());
        for shard in self.shards.all() {
            // A worker that is gone knows of nobody.
            let (since, here) =
                shard.visits(room, user).await.unwrap_or((clock::now(), Vec::new()));
            known_since = known_since.max(since);
            visits.extend(here);
        }
        visits.sort_by_key(|visit| (Reverse(visit.covers(seq)), Reverse(visit.came)));
        visits.truncate(STAYS);
        let mut stays = Vec::new();
        for visit in visits {
            let messages = match visit.unclear(seq) {
                Some((from, to)) => Some(self.store.count_messages(room, from, to).await?),
                None => None,
            };
            let (fate, why) = visit.fate(seq, kind, messages);
            stays.push(Stay {
                session: visit.session,
                node: self.node.to_string(),
                dialect: visit.dialect.as_str().into(),
                since: visit.came,
                joined_seq: visit.since.head,
                replayed: visit.since.replayed,
                left_seq: visit.left_at.map(|_| visit.reached),
                left_at: visit.left_at,
                fate,
                why: why.into(),
            });
        }
        Ok(Stays { known_since, stays })
    }

    async fn gathered(&self) -> Gathered {
        let mut gathered = self.gathered.lock().await;
        let now = clock::now();
        match &*gathered {
            Some(fresh) if now.micros_since(fresh.done) < FIGURES_LAST_MICROS => fresh.clone(),
            _ => gathered.insert(self.gather(now).await).clone(),
        }
    }

    async fn gather(&self, now: Timestamp) -> Gathered {
        self.readings.all.fetch_add(1, Ordering::Relaxed);
        // The rooms first: each has the Shards balance its accounts.
        let mut snapshots = Vec::new();
        for some in self.directory.handles().chunks(ASKED_AT_ONCE) {
            let asked = some.iter().map(|handle| handle.addr.send(Snapshot { seats: 0 }));
            snapshots.extend(join_all(asked).await.into_iter().flatten());
        }
        let mut groups: HashMap<RoomId, GroupFigures> = HashMap::new();
        let mut ledger = Ledger::default();
        for shard in self.shards.all() {
            let (here, left) = shard.survey().await;
            ledger.add(&left);
            for (room, group) in here {
                ledger.add(&group.ledger);
                groups.entry(room).or_default().add(&group);
            }
        }
        let (mut rooms, mut total) = (Vec::new(), Load::default());
        let (mut messages, mut delivered, mut fanout) =
            (Rate::default(), Rate::default(), Durations::default());
        for snapshot in snapshots {
            let figures = groups.remove(&snapshot.room()).unwrap_or_default();
            messages.merge(snapshot.stored());
            delivered.merge(figures.delivered);
            fanout.add(&figures.fanout);
            if let Some(load) = Self::live_load(&snapshot, &figures, &self.node, now) {
                total.rooms += 1;
                total.sessions += load.sessions;
                total.guests += snapshot.guests();
                total.queued_bytes += load.queued_bytes;
                total.slow_readers += load.slow_readers;
                rooms.push(load);
            }
        }
        total.users = self.online.count() as u64;
        total.messages_per_s = messages.per_second(now);
        total.deliveries_per_s = delivered.per_second(now);
        total.fanout_ms = fanout.percentiles();
        total.store_ms = self.store.writer().figures().store_time.percentiles();
        total.refused = self.refusals.load(Ordering::Relaxed);
        Gathered { at: now, done: clock::now(), rooms: Arc::new(rooms), total, ledger }
    }

    fn live_load(
        snapshot: &RoomSnapshot,
        figures: &GroupFigures,
        node: &str,
        now: Timestamp,
    ) -> Option<RoomLoad> {
        Some(snapshot.load(figures, node, now)).filter(|load| load.sessions > 0)
    }
}
