//! A client of the model: what it holds of the room, kept as a real one keeps it.

use std::collections::BTreeMap;

use crate::domain::{Event, EventId, EventKind};

/// What one who follows holds: every event from `base` on.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// It was in the room before.
    pub knows: bool,
    /// Up to here it holds everything.
    pub have: i64,
    /// Messages by their present texts.
    pub texts: BTreeMap<EventId, String>,
    /// It is in the room.
    pub follows: bool,
}

impl Client {
    /// Forgets what it holds: what comes after this is all that it will have.
    pub fn begin_at(&mut self, base: i64) {
        *self = Self { knows: true, have: base, ..Self::default() };
    }

    /// Applies an event, which must be the next one.
    pub fn apply(&mut self, event: &Event) {
        assert_eq!(event.seq, self.have + 1, "a gap or a double");
        self.have += 1;
        match (event.kind, event.target) {
            (EventKind::Message, _) => {
                let twice = self.texts.insert(event.id, event.content.clone());
                assert!(twice.is_none(), "{event:?}");
            }
            (EventKind::Edit | EventKind::Delete, Some(target)) => {
                if let Some(text) = self.texts.get_mut(&target) {
                    text.clone_from(&event.content);
                }
            }
            _ => {}
        }
    }
}
