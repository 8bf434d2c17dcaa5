//! A room's newest events, held in memory so that who joins need not ask the database. Pure.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::domain::{Author, Event, EventKind};

/// Newest events, without a gap up to the room's head. Over its bounds the oldest go first.
#[derive(Debug)]
pub struct Window {
    events: VecDeque<Arc<Event>>,
    /// Every event from here on is held.
    from: i64,
    bytes: usize,
    max_events: usize,
    budget: Arc<WindowBudget>,
}

/// Bytes that the windows of all rooms of a node hold together.
#[derive(Debug)]
pub struct WindowBudget {
    used: AtomicUsize,
    max: usize,
}

impl WindowBudget {
    /// At most `max` bytes.
    #[must_use]
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), max })
    }

    fn is_exceeded(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.max
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Window {
    /// An empty window of a room whose newest event is `head`.
    #[must_use]
    pub fn new(head: i64, max_events: usize, budget: Arc<WindowBudget>) -> Self {
        Self { events: VecDeque::new(), from: head + 1, bytes: 0, max_events, budget }
    }

    fn weigh(&mut self, event: &Event) {
        self.bytes += weight(event);
        self.budget.used.fetch_add(weight(event), Ordering::Relaxed);
    }

    /// Takes the next event; they come in order. [`Window::trim`] brings it back within its bounds.
    pub fn push(&mut self, event: Arc<Event>) {
        self.weigh(&event);
        self.events.push_back(event);
    }

    /// Puts the room's newest events in, every kind, oldest first, as read from the database when
    /// the newest of them was `head_then`; none of what is kept lies between them. False when the
    /// window has since moved on so far that a hole would be left.
    pub fn fill(&mut self, events: Vec<Event>, head_then: i64) -> bool {
        if head_then + 1 < self.from {
            return false;
        }
        let missing = events.into_iter().filter(|event| event.seq < self.from).rev();
        for event in missing.collect::<Vec<_>>() {
            self.from = event.seq;
            self.weigh(&event);
            self.events.push_front(Arc::new(event));
        }
        true
    }

    /// The newest `limit` messages, oldest first; none when the window does not reach back so far.
    #[must_use]
    pub fn latest_messages(&self, limit: usize) -> Option<Vec<Arc<Event>>> {
        let mut found: Vec<_> = self
            .events
            .iter()
            .rev()
            .filter(|event| event.kind == EventKind::Message)
            .take(limit)
            .cloned()
            .collect();
        if found.len() < limit && self.from > 1 {
            return None;
        }
        found.reverse();
        Some(found)
    }

    /// Everything after `after`: the oldest `limit` within `max_bytes` of text, but at least one
    /// where there is one. None when the window does not reach back so far.
    #[must_use]
    pub fn after(&self, after: i64, limit: usize, max_bytes: usize) -> Option<Vec<Arc<Event>>> {
        let skipped = usize::try_from(after.checked_add(1)? - self.from).ok()?;
        let mut bytes = 0;
        let mut found = Vec::new();
        for event in self.events.iter().skip(skipped).take(limit) {
            bytes += event.text_bytes();
            if bytes > max_bytes && !found.is_empty() {
                break;
            }
            found.push(Arc::clone(event));
        }
        Some(found)
    }

    /// Messages of others than `reader` after his mark. None when the window does not reach back so
    /// far.
    #[must_use]
    pub fn unread(&self, reader: Author, mark: i64) -> Option<i64> {
        let skipped = usize::try_from(mark.checked_add(1)? - self.from).ok()?;
        let is_unread = |event: &&Arc<Event>| {
            event.kind == EventKind::Message && event.author != reader && event.deleted_at.is_none()
        };
        let unread = self.events.iter().skip(skipped).filter(is_unread).count();
        Some(i64::try_from(unread).unwrap_or(i64::MAX))
    }

    /// An edit or a deletion changes what it is about, also here: whoever resumes later gets the
    /// present text.
    pub fn amend(&mut self, act: &Event) {
        let Some(target) = act.target else { return };
        for place in &mut self.events {
            let is_it = place.kind == EventKind::Message && place.id == target;
            let is_his_edit = place.kind == EventKind::Edit && place.target == Some(target);
            let mut amended = match act.kind {
                EventKind::Edit if is_it => {
                    let mut event = Event::clone(place);
                    event.content.clone_from(&act.content);
                    event.edited_at = Some(act.created_at);
                    event
                }
                EventKind::Delete if is_it => {
                    let deleted_at = Some(act.created_at);
                    Event { content: String::new(), deleted_at, ..Event::clone(place) }
                }
                EventKind::Delete if is_his_edit => {
                    Event { content: String::new(), ..Event::clone(place) }
                }
                _ => continue,
            };
            amended.raw = None;
            let (before, after) = (weight(place), weight(&amended));
            self.bytes = self.bytes + after - before;
            self.budget.used.fetch_add(after, Ordering::Relaxed);
            self.budget.used.fetch_sub(before, Ordering::Relaxed);
            *place = Arc::new(amended);
        }
    }

    /// Brings it back within its bounds.
    pub fn trim(&mut self) {
        while self.events.len() > self.max_events || self.budget.is_exceeded() {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= weight(&oldest);
            self.budget.used.fetch_sub(weight(&oldest), Ordering::Relaxed);
            self.from = oldest.seq + 1;
        }
    }

    /// Bytes that it holds.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

fn weight(event: &Event) -> usize {
    size_of::<Event>() + event.text_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EventId, RoomId, Timestamp, UserId, ids};

    fn event(seq: i64) -> Event {
        Event {
            id: EventId(ids::random()),
            room: RoomId(uuid::Uuid::nil()),
            seq,
            kind: if seq % 3 == 0 { EventKind::Member } else { EventKind::Message },
            author: Author::User(UserId(1)),
            sender: None,
            nick_name: None,
            content: "x".into(),
            raw: None,
            target: None,
            client_id: None,
            created_at: Timestamp::default(),
            edited_at: None,
            deleted_at: None,
        }
    }

    fn seqs(events: Option<Vec<Arc<Event>>>) -> Option<Vec<i64>> {
        events.map(|events| events.iter().map(|event| event.seq).collect())
    }

    #[test]
    fn a_window_says_when_it_does_not_reach_back_far_enough() {
        let mut window = Window::new(0, 100, WindowBudget::new(1 << 20));
        assert_eq!(seqs(window.latest_messages(3)), Some(vec![]));
        (1..=5).for_each(|seq| window.push(Arc::new(event(seq))));
        assert_eq!(seqs(window.latest_messages(3)), Some(vec![2, 4, 5]));
        assert_eq!(seqs(window.latest_messages(9)), Some(vec![1, 2, 4, 5]));
        let mut later = Window::new(5, 100, WindowBudget::new(1 << 20));
        assert_eq!(seqs(later.latest_messages(1)), None);
        later.push(Arc::new(event(7)));
        assert_eq!(seqs(later.latest_messages(1)), Some(vec![7]));
    }

    #[test]
    fn what_was_read_and_what_came_meanwhile_fit_together() {
        let mut window = Window::new(5, 100, WindowBudget::new(1 << 20));
        window.push(Arc::new(event(6)));
        window.push(Arc::new(event(7)));
        assert!(window.fill((4..=7).map(event).collect(), 7));
        assert_eq!(seqs(window.latest_messages(3)), Some(vec![4, 5, 7]));
        assert_eq!(seqs(window.latest_messages(4)), None);
        assert_eq!(seqs(window.after(2, 9, 99)), None);
        assert!(window.fill((1..=5).map(event).collect(), 5));
        assert_eq!(seqs(window.latest_messages(9)), Some(vec![1, 2, 4, 5, 7]));
        assert_eq!(seqs(window.after(0, 3, 99)), Some(vec![1, 2, 3]));
        assert_eq!(seqs(window.after(4, 9, 2)), Some(vec![5, 6]));
        assert_eq!(seqs(window.after(4, 9, 0)), Some(vec![5]));
        assert_eq!(seqs(window.after(7, 9, 99)), Some(vec![]));
    }

    #[test]
    fn an_edit_and_a_deletion_change_what_is_held() {
        let mut window = Window::new(0, 100, WindowBudget::new(1 << 20));
        let message = event(1);
        let act = |seq, kind, content: &str| Event {
            kind,
            target: Some(message.id),
            content: content.into(),
            ..event(seq)
        };
        window.push(Arc::new(message.clone()));
        let edit = act(2, EventKind::Edit, "y");
        window.push(Arc::new(edit.clone()));
        window.amend(&edit);
        let texts = |window: &Window| {
            let events = window.after(0, 9, 99).unwrap_or_default();
            events.iter().map(|event| event.content.clone()).collect::<Vec<_>>()
        };
        assert_eq!(texts(&window), ["y", "y"]);
        window.amend(&act(3, EventKind::Delete, ""));
        assert_eq!(texts(&window), ["", ""]);
        assert_eq!(window.bytes(), 2 * size_of::<Event>());
    }

    #[test]
    fn over_its_bounds_the_oldest_go_and_a_hole_is_refused() {
        let mut window = Window::new(0, 2, WindowBudget::new(1 << 20));
        (1..=5).for_each(|seq| window.push(Arc::new(event(seq))));
        window.trim();
        assert_eq!(seqs(window.latest_messages(2)), Some(vec![4, 5]));
        assert_eq!(seqs(window.latest_messages(3)), None);
        assert!(!window.fill(vec![event(1)], 1));
        let mut tiny = Window::new(0, 10, WindowBudget::new(1));
        tiny.push(Arc::new(event(1)));
        tiny.trim();
        assert_eq!((tiny.bytes(), seqs(tiny.latest_messages(1))), (0, None));
    }
}
