//! A room's sockets on one worker, and what is on its way to them, in order. The Shard holds one
//! group a room; pure but for the outlets that it writes through.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::domain::figures::{Durations, Ledger, Rate};
use crate::domain::{RoomId, SessionId, UserId, clock};
use crate::protocol::{CloseCode, Dialect, Frame, close, native};

use super::figures::GroupFigures;
use super::ledger::Left;
use super::outlet::{self, Batch};
use super::seat::Seat;
use super::sitting::Sitting;
use super::stays::{Since, Visit, Why};
use super::step::{Broadcast, Said, Step, Whisper};

/// Broadcasts that go out to each socket in one write, at most.
const MOST_IN_ONE_WRITE: usize = 32;

/// What is no event and yet for everybody, a seat at a time.
#[derive(Debug)]
enum Aside {
    Whisper(Whisper),
    Announce(Frame),
    CloseAll(CloseCode),
}

/// A room's sockets on one worker.
#[derive(Debug)]
pub struct Group {
    room: RoomId,
    seats: Vec<Sitting>,
    places: HashMap<SessionId, usize>,
    waiting: VecDeque<Step>,
    /// What goes out now, broadcasts or something else, and the seat that is next.
    current: Vec<Broadcast>,
    aside: Option<Aside>,
    batches: [Batch; Dialect::ALL.len()],
    cursor: usize,
    last_seq: i64,
    /// The newest whisper that holds, and whether somebody missed it.
    holds: Option<Said>,
    is_missed: bool,
    fanout: Durations,
    delivered: Rate,
    /// The accounts of those who have left, until the group is forgotten.
    pub(super) left: Left,
    /// Who has left, until the Shard takes it.
    pub(super) gone: Vec<Visit>,
}

impl Group {
    /// Without a socket.
    #[must_use]
    pub fn new(room: RoomId) -> Self {
        Self {
            room,
            seats: Vec::new(),
            places: HashMap::new(),
            waiting: VecDeque::new(),
            current: Vec::new(),
            aside: None,
            batches: std::array::from_fn(|_| Batch::default()),
            cursor: 0,
            last_seq: 0,
            holds: None,
            is_missed: false,
            fanout: Durations::default(),
            delivered: Rate::default(),
            left: Left::default(),
            gone: Vec::new(),
        }
    }

    /// Puts a step behind the others.
    pub fn push(&mut self, step: Step) {
        self.waiting.push_back(step);
    }

    /// Whether there is something to do.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.is_writing() || !self.waiting.is_empty()
    }

    const fn is_writing(&self) -> bool {
        !self.current.is_empty() || self.aside.is_some()
    }

    /// Whether the group can be forgotten.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty() && !self.has_work()
    }

    /// Its sockets.
    pub fn seats(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.seats.iter().map(|sitting| &sitting.seat)
    }

    /// Its sockets, those on their way included, and the `seq` they have got to.
    #[must_use]
    pub fn roster(&self) -> (Vec<Arc<Seat>>, i64) {
        let mut seats = Vec::new();
        if !matches!(self.aside, Some(Aside::CloseAll(_))) {
            seats.extend(self.seats().cloned());
        }
        let mut reached = self.last_seq;
        for step in &self.waiting {
            match step {
                Step::Attach(seat, _, since) => {
                    // The first one's head is where this group begins.
                    reached = if reached == 0 { since.head } else { reached };
                    seats.push(Arc::clone(seat));
                }
                Step::Detach(session, ..) => seats.retain(|seat| seat.session != *session),
                Step::CloseAll(_) => seats.clear(),
                _ => {}
            }
        }
        seats.retain(|seat| outlet::find(seat.slot).is_some());
        (seats, reached)
    }

    /// Its figures now.
    #[must_use]
    pub fn figures(&self) -> GroupFigures {
        let mut figures = GroupFigures {
            fanout: self.fanout,
            delivered: self.delivered,
            ledger: self.left.total(),
            ..GroupFigures::default()
        };
        for sitting in &self.seats {
            figures.ledger.add(&sitting.audited());
        }
        for backlog in self.seats().filter_map(|seat| Some(outlet::find(seat.slot)?.backlog())) {
            figures.queued_bytes += backlog.bytes as u64;
            figures.slow_readers +=
                u64::from(backlog.since.is_some_and(|since| since.elapsed().as_secs() >= 1));
        }
        figures
    }

    /// Works through the steps until `budget` sockets were written to; answers what is left of it.
    pub fn work(&mut self, mut budget: usize, max_pending: usize) -> usize {
        while budget > 0 && self.has_work() {
            if self.is_writing() {
                budget = self.write_on(budget, max_pending);
                continue;
            }
            match self.waiting.pop_front() {
                // A room that was made anew repeats what it can't know was delivered.
                Some(Step::Deliver(old)) if old.seq <= self.last_seq => self.skip(&old.said),
                Some(Step::Deliver(first)) => self.begin(first),
                Some(Step::Whisper(whisper)) => {
                    if whisper.lasts {
                        self.holds = Some(whisper.said.clone());
                    }
                    self.aside = Some(Aside::Whisper(whisper));
                }
                Some(Step::Announce(frame)) => self.aside = Some(Aside::Announce(frame)),
                Some(Step::CloseAll(code)) => self.aside = Some(Aside::CloseAll(code)),
                Some(step) => {
                    budget -= 1;
                    self.take(step);
                }
                None => break,
            }
        }
        budget
    }

    /// Gathers the broadcasts that wait one behind the other: each socket gets them in one write.
    fn begin(&mut self, first: Broadcast) {
        self.current.push(first);
        while self.current.len() < MOST_IN_ONE_WRITE
            && let Some(Step::Deliver(_)) = self.waiting.front()
            && let Some(Step::Deliver(next)) = self.waiting.pop_front()
        {
            if self.current.last().is_some_and(|last| next.seq > last.seq) {
                self.current.push(next);
            } else {
                self.skip(&next.said);
            }
        }
        for dialect in Dialect::ALL {
            let said = self.current.iter().filter_map(|next| next.said.of(dialect));
            self.batches[dialect as usize].fill(said);
        }
    }

    fn write_on(&mut self, budget: usize, max_pending: usize) -> usize {
        let left = match self.aside {
            None => self.write_events(budget, max_pending),
            Some(Aside::CloseAll(code)) => self.close_on(code, budget),
            Some(_) => self.say_on(budget),
        };
        if self.cursor >= self.seats.len() {
            self.cursor = 0;
            self.aside = None;
            let now = clock::now();
            for done in self.current.drain(..) {
                self.last_seq = done.seq;
                self.fanout.record(now.micros_since(done.committed_at));
            }
            self.batches.iter_mut().for_each(Batch::clear);
        }
        left
    }

    fn close_on(&mut self, code: CloseCode, mut budget: usize) -> usize {
        while budget > 0
            && let Some(sitting) = self.seats.pop()
        {
            budget -= 1;
            self.places.remove(&sitting.seat.session);
            let due = sitting.tally.against(0).accounted();
            self.part(sitting, Some(code), due);
        }
        budget
    }

    fn say_on(&mut self, mut budget: usize) -> usize {
        let is_busy = self.waiting.len() >= MOST_IN_ONE_WRITE;
        while budget > 0 && self.cursor < self.seats.len() {
            let sitting = &mut self.seats[self.cursor];
            self.cursor += 1;
            budget -= 1;
            match &self.aside {
                Some(Aside::Whisper(whisper)) => self.is_missed |= sitting.hear(whisper, is_busy),
                Some(Aside::Announce(frame)) => sitting.is_announced(frame),
                Some(Aside::CloseAll(_)) | None => {}
            }
        }
        budget
    }

    fn write_events(&mut self, mut budget: usize, max_pending: usize) -> usize {
        let mut written = 0;
        let from = self.current.first().map_or(self.last_seq, |first| first.seq);
        while budget > 0 && self.cursor < self.seats.len() {
            let sitting = &mut self.seats[self.cursor];
            self.cursor += 1;
            budget -= 1;
            let batch = &self.batches[sitting.dialect as usize];
            let count = batch.frames().len();
            if count == 0 {
                continue;
            }
            let outlet = if sitting.lags { None } else { outlet::find(sitting.slot) };
            let Some(outlet) = outlet else {
                sitting.misses(from, Why::Ended, count);
                continue;
            };
            let is_native = sitting.dialect == Dialect::Native;
            if is_native && outlet.backlog().live_bytes() > max_pending {
                sitting.lags = true;
                sitting.misses(from, Why::Lags, count);
                let head = self.current.last().map_or(self.last_seq, |last| last.seq);
                outlet.deliver(&[native::lag(self.room, head, head - self.last_seq)], None);
                continue;
            }
            written += count;
            let waiting = outlet.deliver_batch(batch, &mut sitting.tally);
            if waiting > max_pending && !is_native {
                outlet.close(close::TOO_SLOW);
                sitting.lags = true;
                let next = self.current.last().map_or(from, |last| last.seq) + 1;
                sitting.misses(next, Why::Slow, 0);
            }
        }
        self.delivered.add(clock::now(), written as u64);
        budget
    }

    /// Tells what holds at present to those who missed it and can hear again, and gives back the
    /// memory of a crowd that came all at once.
    pub fn make_good(&mut self) {
        self.waiting.shrink_to(MOST_IN_ONE_WRITE / 4);
        self.seats.shrink_to(self.seats.len() + MOST_IN_ONE_WRITE / 4);
        let Some(said) = self.holds.as_ref().filter(|_| self.is_missed) else { return };
        self.is_missed = false;
        for sitting in self.seats.iter_mut().filter(|sitting| sitting.missed && !sitting.lags) {
            let Some(frame) = said.of(sitting.seat.dialect) else { continue };
            let Some(outlet) = outlet::find(sitting.seat.slot) else { continue };
            sitting.missed = outlet.backlog().is_too_much_for_light();
            self.is_missed |= sitting.missed;
            if !sitting.missed {
                outlet.deliver(std::slice::from_ref(frame), None);
            }
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Attach(seat, opening, since) => self.attach(seat, &opening, since),
            Step::Detach(session, code, due) => self.detach(session, code, due),
            // Those are gone through seat by seat.
            Step::Deliver(_) | Step::Whisper(_) | Step::Announce(_) | Step::CloseAll(_) => {}
            Step::Audit(dues) => self.audit(&dues),
            Step::Recount => self.recount(),
        }
    }

    /// A room that was made anew knows of those whose sockets are there.
    fn recount(&mut self) {
        let is_gone = |sitting: &&Sitting| outlet::find(sitting.seat.slot).is_none();
        let gone: Vec<_> = self.seats.iter().filter(is_gone).map(|s| s.seat.session).collect();
        for session in gone {
            let due = self.of(session).map_or(0, Sitting::counted);
            self.detach(session, None, due);
        }
        for sitting in &mut self.seats {
            sitting.begins_anew();
        }
    }

    fn of(&self, session: SessionId) -> Option<&Sitting> {
        self.places.get(&session).map(|place| &self.seats[*place])
    }

    /// Everybody had this before.
    fn skip(&mut self, said: &Said) {
        for sitting in self.seats.iter_mut().filter(|sitting| said.has(sitting.seat.dialect)) {
            sitting.tally.coalesced(1);
        }
    }

    fn attach(&mut self, seat: Arc<Seat>, opening: &[Frame], since: Since) {
        let place = self.places.get(&seat.session).copied();
        let Some(outlet) = outlet::find(seat.slot) else {
            if let Some(place) = place {
                self.seats[place].tally.dropped(opening.len() as u64);
            }
            return;
        };
        let place = if let Some(place) = place {
            self.gone.extend(self.seats[place].visit(self.last_seq, true));
            self.seats[place].sits_anew(seat, since);
            place
        } else {
            self.places.insert(seat.session, self.seats.len());
            self.seats.push(Sitting::new(seat, since));
            self.seats.len() - 1
        };
        self.last_seq = self.last_seq.max(since.head);
        let sitting = &mut self.seats[place];
        outlet.seated(self.room, opening, &mut sitting.tally);
    }

    fn detach(&mut self, session: SessionId, code: Option<CloseCode>, due: u64) {
        let Some(place) = self.places.remove(&session) else { return };
        let sitting = self.seats.swap_remove(place);
        if let Some(moved) = self.seats.get(place) {
            self.places.insert(moved.seat.session, place);
        }
        let due = due + sitting.before();
        self.part(sitting, code, due);
    }

    fn part(&mut self, sitting: Sitting, code: Option<CloseCode>, due: u64) {
        if let (Some(code), Some(outlet)) = (code, outlet::find(sitting.seat.slot)) {
            // What a lagging socket should have been told did not reach it.
            outlet.part(self.room, code, !sitting.lags);
        }
        self.gone.extend(sitting.visit(self.last_seq, true));
        self.left.add(sitting.tally, due);
    }

    /// How long a user's sockets have been here.
    pub fn visits(&self, user: UserId) -> impl Iterator<Item = Visit> {
        let his = self.seats.iter().filter(move |sitting| sitting.seat.user() == Some(user));
        his.filter_map(|sitting| sitting.visit(self.last_seq, false))
    }

    fn audit(&mut self, dues: &HashMap<SessionId, u64>) {
        self.left.settle();
        for sitting in &mut self.seats {
            let Some(due) = dues.get(&sitting.seat.session) else { continue };
            let (before, ledger) = (sitting.audited().imbalance, sitting.audit(*due));
            if ledger.imbalance > before {
                let session = sitting.seat.session;
                log::error!("room {}, session {session}: frames got lost: {ledger:?}", self.room);
            }
        }
    }

    /// One socket's account, when last looked at.
    #[must_use]
    pub fn account(&self, session: SessionId) -> Ledger {
        self.of(session).map_or_else(Ledger::default, Sitting::audited)
    }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
