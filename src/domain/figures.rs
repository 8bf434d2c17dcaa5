//! Figures: what rooms, shards and nodes say of themselves when asked, in the shapes of CONTRACT
//! section 5. Snapshots only: whoever keeps a figure keeps it in a type of his own.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{RoomId, SessionId, Timestamp};

/// How long something took, in 32 buckets: bucket `n` counts what took less than 2^n µs and at
/// least half of that. Small enough to lie in every room, exact enough (a factor of two) to watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    buckets: [u32; 32],
}

impl Durations {
    /// Counts one.
    pub fn record(&mut self, micros: u64) {
        let bucket = (64 - micros.leading_zeros()).min(31) as usize;
        self.buckets[bucket] = self.buckets[bucket].saturating_add(1);
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|n| u64::from(*n)).sum()
    }

    /// The percentiles that are shown.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        Percentiles { p50: self.percentile(50), p95: self.percentile(95), p99: self.percentile(99) }
    }

    /// Upper edge, in milliseconds, of the bucket where `percent` of all are reached; 0 for none.
    fn percentile(&self, percent: u64) -> f64 {
        let wanted = (self.count() * percent).div_ceil(100);
        let mut seen = 0;
        for (bucket, n) in self.buckets.iter().enumerate() {
            seen += u64::from(*n);
            if wanted > 0 && seen >= wanted {
                return f64::from(1_u32 << bucket) / 1_000.0;
            }
        }
        0.0
    }
}

/// How often something happens: counts of the last eight seconds, one place a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    counts: [u32; 8],
    newest: i64,
}

/// Whole seconds that a [`Rate`] averages over; the running second does not count.
const RATE_SECONDS: i64 = 5;

impl Rate {
    /// Counts `n` at `now`.
    pub fn add(&mut self, now: Timestamp, n: u64) {
        self.forget(now.secs());
        self.counts[Self::place(now.secs())] = self.counts[Self::place(now.secs())]
            .saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
    }

    /// How many a second, over the last five whole seconds.
    #[must_use]
    pub fn per_second(mut self, now: Timestamp) -> f64 {
        self.forget(now.secs());
        let counted: u32 =
            (1..=RATE_SECONDS).map(|ago| self.counts[Self::place(now.secs() - ago)]).sum();
        f64::from(counted) / 5.0
    }

    /// Adds another's counts.
    pub fn merge(&mut self, mut other: Self) {
        let newest = self.newest.max(other.newest);
        self.forget(newest);
        other.forget(newest);
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine = mine.saturating_add(theirs);
        }
    }

    fn place(second: i64) -> usize {
        usize::try_from(second.rem_euclid(8)).unwrap_or(0)
    }

    /// Clears the seconds between the newest count and `second`.
    fn forget(&mut self, second: i64) {
        for empty in (self.newest + 1).max(second - 7)..=second {
            self.counts[Self::place(empty)] = 0;
        }
        self.newest = self.newest.max(second);
    }
}

/// Percentiles of a duration, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Percentiles {
    /// Half took less.
    pub p50: f64,
    /// 95 of 100 took less.
    pub p95: f64,
    /// 99 of 100 took less.
    pub p99: f64,
}

impl Percentiles {
    /// The larger of each: no node is slower than that.
    #[must_use]
    pub const fn slowest(self, other: Self) -> Self {
        Self {
            p50: self.p50.max(other.p50),
            p95: self.p95.max(other.p95),
            p99: self.p99.max(other.p99),
        }
    }
}

/// What became of the frames that rooms had for sockets: `due` = `written` + `coalesced` +
/// `dropped` + `pending`, always (PROTOCOL, promise 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ledger {
    /// As the room counts it, from who is in it.
    pub due: u64,
    /// Taken by the kernel.
    pub written: u64,
    /// The socket had them before, from a room that was then made anew.
    pub coalesced: u64,
    /// Light frames for a busy reader, and all frames for one that lags or is gone.
    pub dropped: u64,
    /// Waiting for the reader.
    pub pending: u64,
    /// Frames that are neither: must be 0.
    pub imbalance: u64,
}

impl Ledger {
    /// Frames whose fate is known.
    #[must_use]
    pub const fn accounted(&self) -> u64 {
        self.written + self.coalesced + self.dropped + self.pending
    }

    /// Adds another's.
    pub const fn add(&mut self, other: &Self) {
        self.due += other.due;
        self.written += other.written;
        self.coalesced += other.coalesced;
        self.dropped += other.dropped;
        self.pending += other.pending;
        self.imbalance += other.imbalance;
    }
}

/// What a node, or all of them, carry.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Load {
    /// Open sockets that are in a room.
    pub sessions: u64,
    /// Different users among them.
    pub users: u64,
    /// Guests among them; each socket is one.
    pub guests: u64,
    /// Rooms with at least one socket.
    pub rooms: u64,
    /// Messages stored a second, over the last seconds, by whom they were posted to.
    pub messages_per_s: f64,
    /// Frames handed to sockets a second, over the last seconds.
    pub deliveries_per_s: f64,
    /// From the commit to the last write of a broadcast; of all nodes, the slowest's.
    pub fanout_ms: Percentiles,
    /// From the room's hand-over to the commit; of all nodes, the slowest's.
    pub store_ms: Percentiles,
    /// Bytes that wait for sockets to take them.
    pub queued_bytes: u64,
    /// Sockets with something waiting for more than a second.
    pub slow_readers: u64,
    /// Handshakes and posts refused since the start.
    pub refused: u64,
    /// CPU seconds used since the start.
    pub cpu_s: f64,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
}

/// What a live room carries.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoomLoad {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub room_id: RoomId,
    /// Its name, null for private chats.
    pub name: Option<String>,
    /// `named`, `room`, `chat` or `pair`.
    pub kind: Cow<'static, str>,
    /// People in it, each once however many sockets he holds.
    pub active_users: u64,
    /// Sockets in it.
    pub sessions: u64,
    /// `seq` of its newest event.
    pub seq: i64,
    /// Messages stored a second, over the last seconds.
    pub messages_per_s: f64,
    /// Frames handed to sockets a second, over the last seconds.
    pub deliveries_per_s: f64,
    /// From the commit to the last write of a broadcast.
    pub fanout_ms: Percentiles,
    /// Posts it has taken and not yet answered.
    pub mailbox_depth: u64,
    /// Bytes that wait for its sockets to take them.
    pub queued_bytes: u64,
    /// Its sockets with something waiting for more than a second.
    pub slow_readers: u64,
    /// Nodes it lives on.
    pub nodes: Vec<String>,
}

/// A user in a room.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserInRoom {
    /// Row id.
    pub id: i64,
    /// Name.
    pub username: String,
    /// How many sockets he holds there.
    pub sessions: u64,
}

/// A socket in a room.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionInRoom {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub session: SessionId,
    /// The user behind it, null for guests.
    pub user_id: Option<i64>,
    /// The guest behind it, null for users.
    pub guest: Option<Uuid>,
    /// What he calls himself there, where he said so when he joined.
    #[serde(default)]
    pub nick_name: Option<String>,
    /// Where it comes from.
    pub ip: String,
    /// The node that holds it.
    pub node: String,
    /// When it joined.
    pub since: Timestamp,
    /// What it speaks.
    pub dialect: Cow<'static, str>,
    /// Bytes that wait for it.
    pub queued_bytes: u64,
    /// When something was last received from it.
    pub last_seen: Timestamp,
    /// What became of the frames that the room had for it.
    pub ledger: Ledger,
}

/// One room, its people and its sockets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoomDetail {
    /// The figures.
    #[serde(flatten)]
    pub load: RoomLoad,
    /// Its users.
    pub users: Vec<UserInRoom>,
    /// Its sockets.
    pub session_list: Vec<SessionInRoom>,
    /// What became of its frames.
    pub ledger: Ledger,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_mean_of_the_last_five_seconds() {
        let at = Timestamp::from_secs;
        let mut rate = Rate::default();
        for second in 100..110 {
            rate.add(at(second), 10);
        }
        assert!((rate.per_second(at(110)) - 10.0).abs() < 1e-9);
        assert!((rate.per_second(at(112)) - 6.0).abs() < 1e-9);
        assert!(rate.per_second(at(130)).abs() < 1e-9);
        let mut both = Rate::default();
        both.merge(rate);
        both.merge(rate);
        assert!((both.per_second(at(110)) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_are_right_within_a_factor_of_two() {
        let mut durations = Durations::default();
        assert_eq!(durations.percentiles(), Percentiles::default());
        for micros in 1..=1_000 {
            durations.record(micros);
        }
        let shown = durations.percentiles();
        assert!(shown.p50 >= 0.5 && shown.p50 <= 1.024, "{shown:?}");
        assert!(shown.p99 >= 0.99 && shown.p99 <= 2.0, "{shown:?}");
        let mut twice = durations;
        twice.add(&durations);
        assert_eq!(twice.count(), 2_000);
        durations.record(u64::MAX);
        assert_eq!(durations.count(), 1_001);
    }
}
