//! A room's newest events, held in memory so that who joins need not ask the database. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::budget::{Share, WindowBudget};
use super::kept::Kept;
use crate::domain::{Author, Event, EventKind, RoomId, Timestamp};

/// Newest events, without a gap up to the room's head. Over its bounds the oldest go first.
#[derive(Debug)]
pub struct Window {
    events: VecDeque<Arc<Kept>>,
    /// Every event from here on is held.
    from: i64,
    max_events: usize,
    /// The room's newest events were read into it, and it had to give none of them back since:
    /// what it lacks now lies further back.
    is_filled: bool,
    /// What it holds of the bytes of all windows.
    share: Share,
}

impl Window {
    /// An empty window of `room`, whose newest event is `head`.
    #[must_use]
    pub fn new(room: RoomId, head: i64, max_events: usize, budget: Arc<WindowBudget>) -> Self {
        let share = Share::new(room, budget);
        Self { events: VecDeque::new(), from: head + 1, max_events, is_filled: false, share }
    }

    /// Takes the next event; they come in order. [`Window::trim`] brings it back within its bounds.
    pub fn push(&mut self, event: Arc<Event>) {
        let kept = Kept::new(event);
        self.share.touch();
        self.share.grow(kept.weight());
        self.events.push_back(kept);
    }

    /// Puts the room's newest events in, every kind, oldest first, as read from the database when
    /// the newest of them was `head_then`; none of what is kept lies between them. False when the
    /// window has since moved on so far that a hole would be left.
    pub fn fill(&mut self, events: Vec<Event>, head_then: i64) -> bool {
        self.is_filled = true;
        if head_then + 1 < self.from {
            return false;
        }
        let missing = events.into_iter().filter(|event| event.seq < self.from).rev();
        for event in missing.collect::<Vec<_>>() {
            let kept = Kept::new(Arc::new(event));
            self.from = kept.seq;
            self.share.grow(kept.weight());
            self.events.push_front(kept);
        }
        // What was read may be older than the acts on it that came meanwhile.
        let meanwhile = self.events.iter().filter(|event| event.seq > head_then);
        let acts = meanwhile.filter(|event| event.kind.acts_on_message());
        for act in acts.map(|kept| Arc::clone(kept.event())).collect::<Vec<_>>() {
            self.amend(&act);
        }
        true
    }

    /// Whether reading the room's newest events again would bring nothing.
    #[must_use]
    pub const fn is_filled(&self) -> bool {
        self.is_filled
    }

    /// The newest `limit` messages, oldest first; none when the window does not reach back so far.
    #[must_use]
    pub fn latest_messages(&self, limit: usize) -> Option<Vec<Arc<Kept>>> {
        self.share.touch();
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

    /// Everything after `after`: the oldest `limit`. None when the window does not reach back so far.
    #[must_use]
    pub fn after(&self, after: i64, limit: usize) -> Option<Vec<Arc<Kept>>> {
        self.share.touch();
        let skipped = usize::try_from(after.checked_add(1)? - self.from).ok()?;
        Some(self.events.iter().skip(skipped).take(limit).cloned().collect())
    }

    /// Messages of others than `reader` after his mark. None when the window does not reach back so
    /// far.
    #[must_use]
    pub fn unread(&self, reader: Author, mark: i64) -> Option<i64> {
        let skipped = usize::try_from(mark.checked_add(1)? - self.from).ok()?;
        let is_unread = |event: &&Arc<Kept>| {
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
                    let mut event = Event::clone(place.event());
                    event.content.clone_from(&act.content);
                    event.edited_at = Some(act.created_at);
                    event
                }
                EventKind::Delete if is_it => {
                    let deleted_at = Some(act.created_at);
                    Event { content: String::new(), deleted_at, ..Event::clone(place.event()) }
                }
                EventKind::Delete if is_his_edit => {
                    Event { content: String::new(), ..Event::clone(place.event()) }
                }
                _ => continue,
            };
            amended.raw = None;
            let amended = Kept::new(Arc::new(amended));
            self.share.grow(amended.weight());
            self.share.shrink(place.weight());
            *place = amended;
        }
    }

    /// Brings it back within its bounds, and gives back what it owes of the bytes of all windows;
    /// but keeps what comes after `keep_after`.
    pub fn trim(&mut self, keep_after: i64) {
        let mut owed = self.share.owed();
        self.is_filled &= owed == 0;
        while self.events.len() > self.max_events || owed > 0 {
            match self.events.front() {
                Some(oldest) if oldest.seq <= keep_after => {
                    owed = owed.saturating_sub(oldest.weight());
                }
                _ => break,
            }
            self.drop_oldest();
        }
        self.share.settle();
    }

    /// What is older is past keeping, here too.
    pub fn forget(&mut self, before: Timestamp) {
        while self.events.front().is_some_and(|oldest| oldest.created_at < before) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.events.pop_front() {
            self.share.shrink(oldest.weight());
            self.from = oldest.seq + 1;
        }
    }

    /// The rooms whose windows owe something since this one grew: they are to be told.
    #[must_use]
    pub fn others_to_tell(&self) -> Vec<RoomId> {
        self.share.others_to_tell()
    }

    /// Bytes that it holds.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.share.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EventId, UserId, ids};

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

    fn empty(head: i64, max_events: usize) -> Window {
        Window::new(RoomId(uuid::Uuid::nil()), head, max_events, WindowBudget::new(1 << 20))
    }

    fn weight(event: &Event) -> usize {
        Kept::new(Arc::new(event.clone())).weight()
    }

    fn seqs(events: Option<Vec<Arc<Kept>>>) -> Option<Vec<i64>> {
        events.map(|events| events.iter().map(|event| event.seq).collect())
    }

    #[test]
    fn a_window_says_when_it_does_not_reach_back_far_enough() {
        let mut window = empty(0, 100);
        assert_eq!(seqs(window.latest_messages(3)), Some(vec![]));
        (1..=5).for_each(|seq| window.push(Arc::new(event(seq))));
        assert_eq!(seqs(window.latest_messages(3)), Some(vec![2, 4, 5]));
        assert_eq!(seqs(window.latest_messages(9)), Some(vec![1, 2, 4, 5]));
        let mut later = empty(5, 100);
        assert_eq!(seqs(later.latest_messages(1)), None);
        later.push(Arc::new(event(7)));
        assert_eq!(seqs(later.latest_messages(1)), Some(vec![7]));
    }

    #[test]
    fn what_was_read_and_what_came_meanwhile_fit_together() {
        let mut window = empty(5, 100);
        window.push(Arc::new(event(6)));
        window.push(Arc::new(event(7)));
        assert!(window.fill((4..=7).map(event).collect(), 7));
        assert_eq!(seqs(window.latest_messages(3)), Some(vec![4, 5, 7]));
        assert_eq!(seqs(window.latest_messages(4)), None);
        assert_eq!(seqs(window.after(2, 9)), None);
        assert!(window.fill((1..=5).map(event).collect(), 5));
        assert_eq!(seqs(window.latest_messages(9)), Some(vec![1, 2, 4, 5, 7]));
        assert_eq!(seqs(window.after(0, 3)), Some(vec![1, 2, 3]));
        assert_eq!(seqs(window.after(7, 9)), Some(vec![]));
    }

    #[test]
    fn an_edit_and_a_deletion_change_what_is_held() {
        let mut window = empty(0, 100);
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
            let events = window.after(0, 9).unwrap_or_default();
            events.iter().map(|event| event.content.clone()).collect::<Vec<_>>()
        };
        assert_eq!(texts(&window), ["y", "y"]);
        window.amend(&act(3, EventKind::Delete, ""));
        assert_eq!(texts(&window), ["", ""]);
        assert_eq!(window.bytes(), 2 * weight(&Event { content: String::new(), ..event(1) }));
    }

    #[test]
    fn what_was_read_before_an_act_came_has_its_present_text() {
        let mut window = empty(3, 100);
        let old = event(2);
        let gone = Event { kind: EventKind::Delete, target: Some(old.id), ..event(4) };
        window.push(Arc::new(gone));
        assert!(window.fill(vec![event(1), old, event(3)], 3));
        let texts: Vec<_> = window.events.iter().map(|kept| kept.content.clone()).collect();
        assert_eq!(texts, ["x", "", "x", "x"]);
    }

    #[test]
    fn what_somebody_still_waits_for_is_kept_and_what_is_past_keeping_is_not() {
        let mut window = empty(0, 2);
        (1..=5).for_each(|seq| window.push(Arc::new(event(seq))));
        window.trim(1);
        assert_eq!(seqs(window.after(1, 9)), Some(vec![2, 3, 4, 5]));
        window.trim(i64::MAX);
        assert_eq!(seqs(window.after(3, 9)), Some(vec![4, 5]));
        window.forget(Timestamp::from_micros(1));
        assert_eq!((seqs(window.after(3, 9)), seqs(window.after(5, 9))), (None, Some(vec![])));
    }

    #[test]
    fn over_its_bounds_the_oldest_go_and_a_hole_is_refused() {
        let mut window = empty(0, 2);
        (1..=5).for_each(|seq| window.push(Arc::new(event(seq))));
        window.trim(i64::MAX);
        assert_eq!(seqs(window.latest_messages(2)), Some(vec![4, 5]));
        assert_eq!(seqs(window.latest_messages(3)), None);
        assert!(!window.fill(vec![event(1)], 1));
    }

    #[test]
    fn an_idle_window_gives_way_to_one_in_use_and_one_alone_to_itself() {
        let budget = WindowBudget::new(10 * weight(&event(1)));
        let of = |room| Window::new(room, 0, 100, Arc::clone(&budget));
        let (quiet, loud) = (RoomId(ids::random()), RoomId(ids::random()));
        let (mut idle, mut busy) = (of(quiet), of(loud));
        (1..=5).for_each(|seq| idle.push(Arc::new(event(seq))));
        (1..=5).for_each(|seq| busy.push(Arc::new(event(seq))));
        assert_eq!(busy.others_to_tell(), []);
        busy.push(Arc::new(event(6)));
        assert_eq!(busy.others_to_tell(), [quiet]);
        busy.trim(i64::MAX);
        idle.trim(i64::MAX);
        assert_eq!(seqs(busy.after(0, 99)), Some((1..=6).collect()));
        assert_eq!((seqs(idle.after(0, 99)), seqs(idle.after(2, 99))), (None, Some(vec![3, 4, 5])));
        drop(idle);
        (7..=30).for_each(|seq| {
            busy.push(Arc::new(event(seq)));
            assert_eq!(busy.others_to_tell(), []);
            busy.trim(i64::MAX);
        });
        assert!(busy.bytes() <= 10 * weight(&event(1)));
        assert_eq!(seqs(busy.after(22, 99)), Some((23..=30).collect()));
    }
}
