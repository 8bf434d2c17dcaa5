//! What a native client that joins is told of the past: the verdict on what it holds, and the page
//! that it missed (PROTOCOL, promises 4 and 5). Pure; `joining` reads what the window lacks.

use std::sync::Arc;

use super::kept::{self, Kept};
use crate::protocol::native::Verdict;

/// Events of one page, and bytes of their frames.
pub const PAGE_EVENTS: usize = 500;
/// See [`PAGE_EVENTS`].
pub const PAGE_BYTES: usize = 256 * 1_024;

/// How a client joins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// The client's `ref`.
    pub reference: Option<String>,
    /// It holds everything up to here.
    pub after: Option<i64>,
    /// The epoch that it holds that of.
    pub epoch: Option<String>,
    /// A new guest is told this once.
    pub guest_token: Option<String>,
}

/// What follows from how a client joins, before any row is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing is replayed.
    Nothing(Verdict),
    /// What lies after this.
    After(i64),
    /// He holds more than is known here: the database knows whether there is that much.
    Ahead,
}

/// What a client that joins gets to see of the past.
#[derive(Clone, Debug)]
pub struct Page {
    /// On what it holds.
    pub verdict: Verdict,
    /// First event of the page; one more than `to` when it is empty.
    pub from: i64,
    /// Last one.
    pub to: i64,
    /// Whether `(to, head]` is left to be fetched.
    pub more: bool,
    /// The page.
    pub events: Vec<Arc<Kept>>,
}

/// Decides what has to be read for a room of this epoch and head.
#[must_use]
pub fn wanted(resume: &Resume, epoch: &str, head: i64) -> Wanted {
    let Some(after) = resume.after else { return Wanted::Nothing(Verdict::Fresh) };
    let is_other = resume.epoch.as_deref().is_some_and(|held| held != epoch);
    if is_other {
        Wanted::Nothing(Verdict::Reset)
    } else if after > head {
        Wanted::Ahead
    } else if after == head {
        Wanted::Nothing(Verdict::Full)
    } else {
        Wanted::After(after)
    }
}

/// A page without events.
#[must_use]
pub const fn nothing(verdict: Verdict, head: i64) -> Page {
    Page { verdict, from: head + 1, to: head, more: false, events: Vec::new() }
}

/// The page of a client that holds everything up to `after`, from the rows that were read: the
/// oldest there are after it, as many as fit into `max_bytes`. Those above `head` come live.
#[must_use]
pub fn page(after: i64, rows: &[Arc<Kept>], head: i64, max_bytes: usize) -> Page {
    let past = rows.iter().filter(|event| event.seq <= head).cloned();
    let rows = kept::within(past, max_bytes);
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return nothing(Verdict::Partial, head);
    };
    let (from, to) = (first.seq, last.seq);
    let verdict = if from == after + 1 { Verdict::Full } else { Verdict::Partial };
    Page { verdict, from, to, more: to < head, events: rows }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Author, Event, EventId, EventKind, RoomId, Timestamp, UserId, ids};
    use proptest::prelude::*;

    fn event(seq: i64) -> Arc<Kept> {
        Kept::new(Arc::new(Event {
            id: EventId(ids::random()),
            room: RoomId(uuid::Uuid::nil()),
            seq,
            kind: EventKind::Message,
            author: Author::User(UserId(1)),
            sender: None,
            nick_name: None,
            content: String::new(),
            raw: None,
            target: None,
            client_id: None,
            created_at: Timestamp::default(),
            edited_at: None,
            deleted_at: None,
        }))
    }

    #[test]
    fn what_a_client_says_it_holds_decides_what_is_read() {
        let ask = |after, epoch: Option<&str>| {
            wanted(&Resume { after, epoch: epoch.map(Into::into), ..Resume::default() }, "e", 10)
        };
        assert_eq!(ask(None, Some("old")), Wanted::Nothing(Verdict::Fresh));
        assert_eq!(ask(Some(10), Some("e")), Wanted::Nothing(Verdict::Full));
        assert_eq!(ask(Some(11), Some("e")), Wanted::Ahead);
        assert_eq!(ask(Some(11), Some("old")), Wanted::Nothing(Verdict::Reset));
        assert_eq!(ask(Some(3), Some("old")), Wanted::Nothing(Verdict::Reset));
        assert_eq!(ask(Some(3), None), Wanted::After(3));
        assert_eq!(ask(Some(0), Some("e")), Wanted::After(0));
    }

    proptest! {
        /// Whatever is kept and whatever a client holds: page, then `(to, head]`, then live is
        /// everything that is kept after it, once, in order.
        #[test]
        fn nothing_falls_between_the_page_and_live(
            head in 1i64..60, kept_from in 1i64..60, after in 0i64..60, size in 1usize..20,
            ahead in 0i64..5, max_bytes in 0usize..4_000,
        ) {
            prop_assume!(after < head && kept_from <= head);
            let first = (after + 1).max(kept_from);
            let rows = (first..=head + ahead).take(size).map(event).collect();
            let rows: Vec<_> = rows;
            let page = page(after, &rows, head, max_bytes);
            prop_assert_eq!(page.verdict == Verdict::Full, kept_from <= after + 1);
            prop_assert_eq!(page.from, first);
            let mut seen: Vec<_> = page.events.iter().map(|event| event.seq).collect();
            prop_assert_eq!(seen.last().copied(), Some(page.to));
            prop_assert_eq!(page.more, page.to < head);
            seen.extend(page.to + 1..=head);
            prop_assert_eq!(seen, (first..=head).collect::<Vec<_>>());
        }
    }
}
