//! What a room wants of its sockets on one worker, step by step, and how an event is said to each
//! dialect. Made by the room, carried out by the worker's [`super::group`].

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::{SessionId, Timestamp};
use crate::protocol::{CloseCode, Dialect, Frame};

use super::admission::Held;
use super::seat::Seat;
use super::stays::Since;

/// A frame for each dialect that is present in the room; shared by the workers.
#[derive(Clone, Debug)]
pub struct Said(Arc<[Option<Frame>; Dialect::ALL.len()]>);

impl Said {
    /// Encodes once for each dialect that `is_present`.
    pub fn encode(
        is_present: impl Fn(Dialect) -> bool,
        say: impl Fn(Dialect) -> Option<Frame>,
    ) -> Self {
        let in_each = |dialect| if is_present(dialect) { say(dialect) } else { None };
        Self(Arc::new(Dialect::ALL.map(in_each)))
    }

    /// As this dialect says it.
    #[must_use]
    pub fn of(&self, dialect: Dialect) -> Option<&Frame> {
        self.0[dialect as usize].as_ref()
    }

    /// Whether it says something in this dialect.
    #[must_use]
    pub fn has(&self, dialect: Dialect) -> bool {
        self.0[dialect as usize].is_some()
    }

    /// Those in which it says something.
    pub fn dialects(&self) -> impl Iterator<Item = Dialect> {
        Dialect::ALL.into_iter().filter(|dialect| self.has(*dialect))
    }
}

/// What a room wants of its sockets on one worker.
#[derive(Debug)]
pub enum Step {
    /// A socket joins here; it gets these frames first, then everything that follows.
    Attach(Arc<Seat>, Vec<Frame>, Since),
    /// A socket goes, having been due so many frames; with a code it is told, without one it went
    /// by itself.
    Detach(SessionId, Option<CloseCode>, u64),
    /// A stored event, for everybody.
    Deliver(Broadcast),
    /// Something that is not stored.
    Whisper(Whisper),
    /// An admin's word to the native sockets, also where much waits; on no account.
    Announce(Frame),
    /// What was due to each of the room's sockets when everything before this was.
    Audit(Arc<HashMap<SessionId, u64>>),
    /// The room was made anew: what is due is counted from here.
    Recount,
    /// Everybody out.
    CloseAll(CloseCode),
}

/// Something that is not stored, for everybody but one.
#[derive(Clone, Debug)]
pub struct Whisper {
    /// As each dialect says it.
    pub said: Said,
    /// Whoever needs no telling.
    pub except: Option<SessionId>,
    /// It holds until the next one that does: whoever missed it is told when he can hear again.
    pub lasts: bool,
}

/// A stored event on its way.
#[derive(Debug)]
pub struct Broadcast {
    /// Its place in the room's order.
    pub seq: i64,
    /// As each dialect says it.
    pub said: Said,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// The post's share of the bounds, given back once everybody has it.
    pub held: Option<Arc<Held>>,
}
