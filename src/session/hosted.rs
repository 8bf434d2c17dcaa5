//! The session that an engine hosts: a plain one or a native one, behind one face. Both engines
//! call it the same way and do what its steps say.

use std::task::{Context, Poll};
use std::time::Instant;

use crate::protocol::Incoming;

use super::native::Native;
use super::note::Note;
use super::relay::{Relay, Step};

/// The session.
pub enum Session {
    /// A plain dialect, one room.
    Plain(Relay),
    /// `hubbub.v1`.
    Native(Box<Native>),
}

impl Session {
    /// Whether the engine must not read on: TCP then holds the client back.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Plain(relay) => relay.is_full(),
            Self::Native(native) => native.is_full(),
        }
    }

    /// The client said something.
    pub fn hear(&mut self, incoming: Incoming) -> Step {
        match self {
            Self::Plain(relay) => relay.hear(incoming),
            Self::Native(native) => native.hear(incoming),
        }
    }

    /// A room has something for it.
    pub fn note(&mut self, note: Note) -> Step {
        match self {
            Self::Plain(relay) => match note {
                Note::Settled(_, outcome) => relay.settle(outcome.map(drop)),
                Note::Seated(_) | Note::Parted(..) => Step::Nothing,
            },
            Self::Native(native) => native.note(note),
        }
    }

    /// Goes on with what is under way. The engine calls it until it is pending.
    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Step> {
        let step = match self {
            Self::Plain(relay) => relay.poll_waiting(task),
            Self::Native(native) => native.poll(task),
        };
        if matches!(step, Step::Nothing) { Poll::Pending } else { Poll::Ready(step) }
    }

    /// When it is to be woken even if nothing comes.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        match self {
            Self::Plain(_) => None,
            Self::Native(native) => native.due(),
        }
    }
}
