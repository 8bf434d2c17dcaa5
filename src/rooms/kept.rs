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

    /// Bytes of the frame that replays it, as they go over the wire.
    fn wire_bytes(&self) -> usize {
        self.replay().map_or(0, |frame| frame.wire().len())
    }

    /// Bytes that it holds at most, its frame included.
    #[must_use]
    pub fn weight(&self) -> usize {
        size_of::<Self>() + size_of::<Event>() + FRAME_BYTES + 2 * self.event.text_bytes()
    }
}

/// The first of these whose frames make up `max_bytes` at most, but at least one where there is one.
#[must_use]
pub fn within(events: impl IntoIterator<Item = Arc<Kept>>, max_bytes: usize) -> Vec<Arc<Kept>> {
    let mut bytes = 0;
    let mut fit = Vec::new();
    for event in events {
        bytes += event.wire_bytes();
        if bytes > max_bytes && !fit.is_empty() {
            break;
        }
        fit.push(event);
    }
    fit
}

impl Deref for Kept {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Author, EventId, EventKind, RoomId, Timestamp, UserId, ids};

    fn message(content: &str) -> Arc<Kept> {
        Kept::new(Arc::new(Event {
            id: EventId(ids::random()),
            room: RoomId(uuid::Uuid::nil()),
            seq: 1,
            kind: EventKind::Message,
            author: Author::User(UserId(1)),
            sender: None,
            nick_name: None,
            content: content.into(),
            raw: None,
            target: None,
            client_id: None,
            created_at: Timestamp::default(),
            edited_at: None,
            deleted_at: None,
        }))
    }

    #[test]
    fn whole_frames_count_as_they_are_escaped_and_one_always_fits() {
        let short = message("x");
        let one = short.wire_bytes();
        // Once escaped, six bytes each.
        assert_eq!(message(&"\u{1}".repeat(100)).wire_bytes(), one + 599);
        let all: Vec<_> = (0..5).map(|_| Arc::clone(&short)).collect();
        let fit = |max_bytes| within(all.iter().cloned(), max_bytes).len();
        assert_eq!((fit(0), fit(2 * one - 1), fit(2 * one), fit(10 * one)), (1, 1, 2, 5));
        assert_eq!(within([], 99).len(), 0);
    }
}
