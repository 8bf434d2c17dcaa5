//! A room's sockets on one worker, and what is on its way to them, in order. The Shard holds one
//! group a room; pure but for the outlets that it writes through.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::domain::figures::{Durations, Ledger, Rate};
use crate::domain::{RoomId, SessionId, clock};
use crate::protocol::{CloseCode, Dialect, Frame, close, native};

use super::ledger::{Left, Tally};
use super::outlet;
use super::seat::Seat;
use super::step::{Broadcast, Said, Step};

/// Broadcasts that go out to each socket in one write, at most.
const MOST_IN_ONE_WRITE: usize = 32;

/// What a group did so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupFigures {
    /// From the commit to the last write.
    pub fanout: Durations,
    /// Frames handed to sockets.
    pub delivered: Rate,
    /// Bytes that wait for its sockets.
    pub queued_bytes: u64,
    /// Sockets with something waiting for more than a second.
    pub slow_readers: u64,
    /// What became of the frames, when last looked at.
    pub ledger: Ledger,
}

impl GroupFigures {
    /// Adds another worker's.
    pub fn add(&mut self, other: &Self) {
        self.fanout.add(&other.fanout);
        self.delivered.merge(other.delivered);
        self.queued_bytes += other.queued_bytes;
        self.slow_readers += other.slow_readers;
        self.ledger.add(&other.ledger);
    }
}

/// A seat, as this worker serves it.
#[derive(Debug)]
struct Sitting {
    seat: Arc<Seat>,
    /// Too slow for live delivery: it was told so and gets nothing until it joins again.
    lags: bool,
    tally: Tally,
    /// Counted before the room was made anew, which does not know of it.
    before: u64,
    audited: Ledger,
}

impl Sitting {
    fn new(seat: Arc<Seat>) -> Self {
        Self { seat, lags: false, tally: Tally::default(), before: 0, audited: Ledger::default() }
    }
}

/// A room's sockets on one worker.
#[derive(Debug)]
pub struct Group {
    room: RoomId,
    seats: Vec<Sitting>,
    places: HashMap<SessionId, usize>,
    waiting: VecDeque<Step>,
    /// Broadcasts that go out now, and the seat that is next.
    current: Vec<Broadcast>,
    frames: [Vec<Frame>; Dialect::ALL.len()],
    cursor: usize,
    last_seq: i64,
    fanout: Durations,
    delivered: Rate,
    left: Left,
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
            frames: std::array::from_fn(|_| Vec::new()),
            cursor: 0,
            last_seq: 0,
            fanout: Durations::default(),
            delivered: Rate::default(),
            left: Left::default(),
        }
    }

    /// Puts a step behind the others.
    pub fn push(&mut self, step: Step) {
        self.waiting.push_back(step);
    }

    /// Whether there is something to do.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.current.is_empty() || !self.waiting.is_empty()
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
        let (mut seats, mut reached) = (self.seats().cloned().collect::<Vec<_>>(), self.last_seq);
        for step in &self.waiting {
            match step {
                Step::Attach(seat, _, head) => {
                    // The first one's head is where this group begins.
                    reached = if reached == 0 { *head } else { reached };
                    seats.push(Arc::clone(seat));
                }
                Step::Detach(session, ..) => seats.retain(|seat| seat.session != *session),
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
            figures.ledger.add(&sitting.audited);
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
            if self.current.is_empty() {
                match self.waiting.pop_front() {
                    // A room that was made anew repeats what it can't know was delivered.
                    Some(Step::Deliver(old)) if old.seq <= self.last_seq => {
                        self.skip(&old.said);
                    }
                    Some(Step::Deliver(first)) => self.begin(first),
                    Some(step) => {
                        let writes = match step {
                            Step::Whisper(..) | Step::CloseAll(_) => self.seats.len(),
                            _ => 0,
                        };
                        budget = budget.saturating_sub(1 + writes);
                        self.take(step);
                    }
                    None => break,
                }
            } else {
                budget = self.write_on(budget, max_pending);
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
            let frames = &mut self.frames[dialect as usize];
            frames.clear();
            frames.extend(self.current.iter().filter_map(|next| next.said.of(dialect)).cloned());
        }
    }

    fn write_on(&mut self, mut budget: usize, max_pending: usize) -> usize {
        let mut written = 0;
        while budget > 0 && self.cursor < self.seats.len() {
            let Sitting { seat, lags, tally, .. } = &mut self.seats[self.cursor];
            self.cursor += 1;
            budget -= 1;
            let frames = &self.frames[seat.dialect as usize];
            if frames.is_empty() {
                continue;
            }
            let outlet = if *lags { None } else { outlet::find(seat.slot) };
            let Some(outlet) = outlet else {
                tally.dropped(frames.len() as u64);
                continue;
            };
            if seat.dialect == Dialect::Native && outlet.backlog().bytes > max_pending {
                *lags = true;
                tally.dropped(frames.len() as u64);
                let missed = i64::try_from(self.current.len()).unwrap_or(i64::MAX);
                outlet.deliver(&[native::lag(self.room, self.last_seq, missed)], None);
                continue;
            }
            written += frames.len();
            if outlet.deliver(frames, Some(tally)) > max_pending && seat.dialect != Dialect::Native
            {
                outlet.close(close::TOO_SLOW);
            }
        }
        let now = clock::now();
        self.delivered.add(now, written as u64);
        if self.cursor >= self.seats.len() {
            self.cursor = 0;
            for done in self.current.drain(..) {
                self.last_seq = done.seq;
                self.fanout.record(now.micros_since(done.committed_at));
            }
            self.frames.iter_mut().for_each(Vec::clear);
        }
        budget
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Attach(seat, opening, head) => self.attach(seat, &opening, head),
            Step::Detach(session, code, due) => self.detach(session, code, due),
            Step::Deliver(broadcast) => self.begin(broadcast),
            Step::Whisper(said, except) => self.whisper(&said, except),
            Step::CloseAll(code) => {
                for outlet in self.seats().filter_map(|seat| outlet::find(seat.slot)) {
                    outlet.part(self.room, code);
                }
            }
            Step::Audit(dues) => self.audit(&dues),
            Step::Recount => {
                for sitting in &mut self.seats {
                    sitting.before = sitting.tally.against(0).accounted();
                }
            }
        }
    }

    /// Light frames are the first to go: a group that has much to do does without, and so does a
    /// socket that has something waiting.
    fn whisper(&mut self, said: &Said, except: Option<SessionId>) {
        let is_busy = self.waiting.len() >= MOST_IN_ONE_WRITE;
        for Sitting { seat, lags, tally, .. } in &mut self.seats {
            let Some(frame) = said.of(seat.dialect) else { continue };
            if Some(seat.session) == except {
                continue;
            }
            let outlet = if is_busy || *lags { None } else { outlet::find(seat.slot) };
            if let Some(outlet) = outlet.filter(|outlet| !outlet.backlog().is_too_much_for_light())
            {
                outlet.deliver(std::slice::from_ref(frame), Some(tally));
            } else {
                tally.dropped(1);
            }
        }
    }

    /// Everybody had this before.
    fn skip(&mut self, said: &Said) {
        for sitting in self.seats.iter_mut().filter(|sitting| said.has(sitting.seat.dialect)) {
            sitting.tally.coalesced(1);
        }
    }

    fn attach(&mut self, seat: Arc<Seat>, opening: &[Frame], head: i64) {
        let outlet = outlet::find(seat.slot);
        let place = self.places.get(&seat.session).copied();
        let Some(outlet) = outlet else {
            if let Some(place) = place {
                self.seats[place].tally.dropped(opening.len() as u64);
            }
            return;
        };
        self.last_seq = self.last_seq.max(head);
        let place = place.unwrap_or_else(|| {
            self.places.insert(seat.session, self.seats.len());
            self.seats.push(Sitting::new(Arc::clone(&seat)));
            self.seats.len() - 1
        });
        // Whoever joins again has a new seat, and the same account.
        let sitting = &mut self.seats[place];
        sitting.seat = seat;
        sitting.lags = false;
        outlet.seated(self.room, opening, &mut sitting.tally);
    }

    fn detach(&mut self, session: SessionId, code: Option<CloseCode>, due: u64) {
        let Some(place) = self.places.remove(&session) else { return };
        let sitting = self.seats.swap_remove(place);
        if let Some(moved) = self.seats.get(place) {
            self.places.insert(moved.seat.session, place);
        }
        self.left.add(sitting.tally, due + sitting.before);
        if let (Some(code), Some(outlet)) = (code, outlet::find(sitting.seat.slot)) {
            outlet.part(self.room, code);
        }
    }

    fn audit(&mut self, dues: &HashMap<SessionId, u64>) {
        self.left.settle();
        for sitting in &mut self.seats {
            let Some(due) = dues.get(&sitting.seat.session) else { continue };
            let ledger = sitting.tally.against(due + sitting.before);
            if ledger.imbalance > sitting.audited.imbalance {
                let session = sitting.seat.session;
                log::error!("room {}, session {session}: frames got lost: {ledger:?}", self.room);
            }
            sitting.audited = ledger;
        }
    }

    /// One socket's account, when last looked at.
    #[must_use]
    pub fn account(&self, session: SessionId) -> Ledger {
        self.places.get(&session).map_or_else(Ledger::default, |place| self.seats[*place].audited)
    }

    /// The accounts of those who have left; the group is about to be forgotten.
    pub fn close_accounts(&mut self) -> Left {
        std::mem::take(&mut self.left)
    }
}
