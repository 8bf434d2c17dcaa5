//! An event as a room keeps it for those who come later, with the frame that replays it: made once,
//! for the first who wants it, however many do. Pure.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::domain::Event;
use crate::protocol::{Frame, native};

/// What a frame has beside the text: names of fields, ids, times.
const FRAME_BYTES: usize = 320;

/// An event that is kept.
#[derive(Debug)]
pub struct Kept {
    event: Arc<Event>,
    replay: OnceLock<Option<Frame>>,
}

impl Kept {
    /// Of an event that may be replayed.
    #[must_use]
    pub fn new(event: Arc<Event>) -> Arc<Self> {
        Arc::new(Self { event, replay: OnceLock::new() })
    }

    /// The event itself.
    #[must_use]
    pub const fn event(&self) -> &Arc<Event> {
        &self.event
    }

    /// The frame that replays it; none for kinds that no client sees.
    #[must_use]
    pub fn replay(&self) -> Option<Frame> {
        self.replay.get_or_init(|| native::event(&self.event, true)).clone()
    }

    /// Bytes that it holds at most, its frame included.
    #[must_use]
    pub fn weight(&self) -> usize {
        size_of::<Self>() + size_of::<Event>() + FRAME_BYTES + 2 * self.event.text_bytes()
    }
}

impl Deref for Kept {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}
