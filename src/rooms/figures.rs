//! What a room says of itself when asked, and how it becomes the figures of CONTRACT section 5.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::figures::{Durations, Ledger, Rate, RoomLoad, SessionInRoom, UserInRoom};
use crate::domain::{Author, RoomId, RoomRow, Timestamp, UserId, clock};

use super::seat::Seat;
use super::shards::Looked;
use super::state::RoomState;

/// What a group did so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupFigures {
    /// From the commit to the last write.
    pub fanout: Durations,
    /// Frames handed to sockets.
    pub delivered: Rate,
    /// Bytes that wait for its sockets.
    pub queued_bytes: u64,
    /// Sockets with something waiting for more than a second.
    pub slow_readers: u64,
    /// What became of the frames, when last looked at.
    pub ledger: Ledger,
}

impl GroupFigures {
    /// Adds another worker's.
    pub fn add(&mut self, other: &Self) {
        self.fanout.add(&other.fanout);
        self.delivered.merge(other.delivered);
        self.queued_bytes += other.queued_bytes;
        self.slow_readers += other.slow_readers;
        self.ledger.add(&other.ledger);
    }
}

/// A room's state at one moment.
#[derive(Debug)]
pub struct RoomSnapshot {
    row: RoomRow,
    people: u64,
    sessions: u64,
    guests: u64,
    seq: i64,
    messages: Rate,
    stored: Rate,
    taken: u64,
    seats: Vec<Arc<Seat>>,
    users: Vec<UserInRoom>,
}

impl RoomSnapshot {
    /// As the room is now, with at most `limit` seats and users listed, the oldest first.
    #[must_use]
    pub fn of(state: &RoomState, stored: Rate, taken: u64, limit: usize) -> Self {
        let mut seats: Vec<_> =
            if limit == 0 { Vec::new() } else { state.seats().cloned().collect() };
        seats.sort_by_key(|seat| (seat.since, seat.session));
        let users = if limit == 0 { Vec::new() } else { users(state, &seats, limit) };
        seats.truncate(limit);
        Self {
            row: state.row().clone(),
            people: state.presence().people(),
            sessions: state.presence().sessions(),
            guests: state.presence().guests(),
            seq: state.head(),
            messages: state.messages,
            stored,
            taken,
            seats,
            users,
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn room(&self) -> RoomId {
        self.row.id
    }

    /// Guests in the room.
    #[must_use]
    pub const fn guests(&self) -> u64 {
        self.guests
    }

    /// Sockets listed.
    #[must_use]
    pub fn seats(&self) -> &[Arc<Seat>] {
        &self.seats
    }

    /// Users listed.
    #[must_use]
    pub fn users(&self) -> &[UserInRoom] {
        &self.users
    }

    /// The room's figures, with what its groups did.
    #[must_use]
    pub fn load(&self, groups: &GroupFigures, node: &str, now: Timestamp) -> RoomLoad {
        RoomLoad {
            room_id: self.row.id,
            name: self.row.name.clone(),
            kind: self.row.kind.as_str().into(),
            active_users: self.people,
            sessions: self.sessions,
            seq: self.seq,
            messages_per_s: self.messages.per_second(now),
            deliveries_per_s: groups.delivered.per_second(now),
            fanout_ms: groups.fanout.percentiles(),
            mailbox_depth: self.taken,
            queued_bytes: groups.queued_bytes,
            slow_readers: groups.slow_readers,
            nodes: vec![node.to_owned()],
        }
    }

    /// Messages stored of late by this node: one that another stored is not counted twice.
    #[must_use]
    pub const fn stored(&self) -> Rate {
        self.stored
    }
}

fn users(state: &RoomState, seats: &[Arc<Seat>], limit: usize) -> Vec<UserInRoom> {
    let names: HashMap<UserId, &str> = seats
        .iter()
        .filter_map(|seat| Some((seat.user()?, seat.card.as_deref()?.username.as_str())))
        .collect();
    let mut users: Vec<_> = state
        .presence()
        .users()
        .filter_map(|(user, sockets)| {
            let username = (*names.get(&user)?).to_owned();
            Some(UserInRoom { id: user.0, username, sessions: u64::from(sockets) })
        })
        .collect();
    users.sort_by_key(|user| user.id);
    users.truncate(limit);
    users
}

/// A socket's row for admins.
#[must_use]
pub fn session_row(seat: &Seat, looked: Looked, node: &str) -> SessionInRoom {
    let quiet = i64::try_from(looked.quiet_for.as_micros()).unwrap_or(i64::MAX);
    SessionInRoom {
        session: seat.session,
        user_id: seat.user().map(|user| user.0),
        guest: match seat.who {
            Author::Guest(id) => Some(id),
            Author::User(_) => None,
        },
        nick_name: seat.nick_name.clone(),
        ip: seat.ip.to_string(),
        node: node.to_owned(),
        since: seat.since,
        dialect: seat.dialect.as_str().into(),
        queued_bytes: looked.queued_bytes,
        last_seen: Timestamp::from_micros(clock::now().micros().saturating_sub(quiet)),
        ledger: looked.ledger,
    }
}
