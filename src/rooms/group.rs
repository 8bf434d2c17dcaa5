//! A room's sockets on one worker, and what is on its way to them, in order. The Shard holds one
//! group a room; pure but for the outlets that it writes through.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::domain::figures::{Durations, Rate};
use crate::domain::{RoomId, SessionId, Timestamp, clock};
use crate::protocol::{CloseCode, Dialect, Frame, close, native};

use super::admission::Held;
use super::outlet;
use super::seat::Seat;

/// Broadcasts that go out to each socket in one write, at most.
const MOST_IN_ONE_WRITE: usize = 32;

/// A frame for each dialect that is present in the room.
#[derive(Clone, Debug, Default)]
pub struct Said([Option<Frame>; Dialect::ALL.len()]);

impl Said {
    /// Encodes once for each dialect that `is_present`.
    pub fn encode(
        is_present: impl Fn(Dialect) -> bool,
        say: impl Fn(Dialect) -> Option<Frame>,
    ) -> Self {
        Self(Dialect::ALL.map(|dialect| if is_present(dialect) { say(dialect) } else { None }))
    }

    fn of(&self, dialect: Dialect) -> Option<&Frame> {
        self.0[dialect as usize].as_ref()
    }
}

/// What a room wants of its sockets on one worker.
#[derive(Debug)]
pub enum Step {
    /// A socket joins at this `seq`; it gets these frames first, then everything that follows.
    Attach(Arc<Seat>, Vec<Frame>, i64),
    /// A socket goes; with a code it is told, without one it went by itself.
    Detach(SessionId, Option<CloseCode>),
    /// A stored event, for everybody.
    Deliver(Broadcast),
    /// Something that is not stored, for everybody but that one.
    Whisper(Said, Option<SessionId>),
    /// Everybody out.
    CloseAll(CloseCode),
}

/// A stored event on its way.
#[derive(Debug)]
pub struct Broadcast {
    /// Its place in the room's order.
    pub seq: i64,
    /// As each dialect says it.
    pub said: Said,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// The post's share of the bounds, given back once everybody has it.
    pub held: Option<Arc<Held>>,
}

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
}

impl GroupFigures {
    /// Adds another worker's.
    pub fn add(&mut self, other: &Self) {
        self.fanout.add(&other.fanout);
        self.delivered.merge(other.delivered);
        self.queued_bytes += other.queued_bytes;
        self.slow_readers += other.slow_readers;
    }
}

/// A seat, as this worker serves it.
#[derive(Debug)]
struct Sitting {
    seat: Arc<Seat>,
    /// Too slow for live delivery: it was told so and gets nothing until it joins again.
    lags: bool,
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
        }
    }

    /// Puts a step behind the others.
    pub fn push(&mut self, step: Step) {
        // Light frames are the first to go: a group that has much to do does without.
        if matches!(step, Step::Whisper(..)) && self.waiting.len() >= MOST_IN_ONE_WRITE {
            return;
        }
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
                Step::Detach(session, _) => seats.retain(|seat| seat.session != *session),
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
            ..GroupFigures::default()
        };
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
                    Some(Step::Deliver(old)) if old.seq <= self.last_seq => {}
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
            let Sitting { seat, lags } = &mut self.seats[self.cursor];
            self.cursor += 1;
            budget -= 1;
            let frames = &self.frames[seat.dialect as usize];
            if *lags || frames.is_empty() {
                continue;
            }
            let Some(outlet) = outlet::find(seat.slot) else { continue };
            if seat.dialect == Dialect::Native && outlet.backlog().bytes > max_pending {
                *lags = true;
                let lag = native::lag(
                    self.room,
                    self.last_seq,
                    i64::try_from(self.current.len()).unwrap_or(i64::MAX),
                );
                outlet.deliver(&[lag]);
                continue;
            }
            written += frames.len();
            if outlet.deliver(frames) > max_pending && seat.dialect != Dialect::Native {
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
            Step::Detach(session, code) => self.detach(session, code),
            Step::Deliver(broadcast) => self.begin(broadcast),
            Step::Whisper(said, except) => {
                for Sitting { seat, lags } in &self.seats {
                    if !lags
                        && Some(seat.session) != except
                        && let Some(frame) = said.of(seat.dialect)
                        && let Some(outlet) = outlet::find(seat.slot)
                    {
                        // Light frames are the first to go: who has something waiting does without.
                        if outlet.backlog().bytes == 0 {
                            outlet.deliver(std::slice::from_ref(frame));
                        }
                    }
                }
            }
            Step::CloseAll(code) => {
                for outlet in self.seats().filter_map(|seat| outlet::find(seat.slot)) {
                    outlet.part(self.room, code);
                }
            }
        }
    }

    fn attach(&mut self, seat: Arc<Seat>, opening: &[Frame], head: i64) {
        let Some(outlet) = outlet::find(seat.slot) else { return };
        self.last_seq = self.last_seq.max(head);
        outlet.seated(self.room, opening);
        let sitting = Sitting { seat, lags: false };
        if let Some(place) = self.places.get(&sitting.seat.session) {
            // Joined again: this is its seat now.
            self.seats[*place] = sitting;
        } else {
            self.places.insert(sitting.seat.session, self.seats.len());
            self.seats.push(sitting);
        }
    }

    fn detach(&mut self, session: SessionId, code: Option<CloseCode>) {
        let Some(place) = self.places.remove(&session) else { return };
        let Sitting { seat, .. } = self.seats.swap_remove(place);
        if let Some(moved) = self.seats.get(place) {
            self.places.insert(moved.seat.session, place);
        }
        if let (Some(code), Some(outlet)) = (code, outlet::find(seat.slot)) {
            outlet.part(self.room, code);
        }
    }
}
