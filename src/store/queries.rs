//! How often the database is asked, and for what: so that it shows what the windows of recent
//! events save. Counted where the store reads; writes are the Writer's figures. Shown by `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Store;

/// What a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// Events of rooms: what a socket gets first, pages, gaps that are filled.
    History,
    /// Acts of other processes on users and logins, looked for at intervals.
    Control,
    /// What lists of chats show of each: its last message, what is unread.
    Lists,
    /// Rooms and who is in them.
    Rooms,
    /// Users, logins and tickets.
    Accounts,
}

impl For {
    const ALL: [Self; 5] = [Self::History, Self::Control, Self::Lists, Self::Rooms, Self::Accounts];

    const fn as_str(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Control => "control",
            Self::Lists => "lists",
            Self::Rooms => "rooms",
            Self::Accounts => "accounts",
        }
    }
}

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Queries {
    counts: [AtomicU64; For::ALL.len()],
}

impl Queries {
    pub(super) fn count(&self, what: For) {
        self.counts[what as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Store {
    /// How many queries have read something since the start, by what for.
    #[must_use]
    pub fn queries(&self) -> Vec<(&'static str, u64)> {
        let counts = &self.inner.queries.counts;
        For::ALL
            .iter()
            .map(|what| (what.as_str(), counts[*what as usize].load(Ordering::Relaxed)))
            .collect()
    }
}
