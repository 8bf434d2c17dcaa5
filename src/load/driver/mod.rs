//! One thread of a run: it waits for its sockets and for what is due, and does both as they come. One
//! loop over nonblocking sockets, one buffer for all that is read, no task and no allocation for a
//! delivery. `run` starts it and hears from it.
//!
//! A room with all its sockets belongs to one loop, so that its book needs no lock.

mod connecting;
mod faults;
mod hearing;
mod reading;
mod sending;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};

use super::accounts::{Inbox, Renewer};
use super::cpu::{self, Used};
use super::order::{Book, Verdict};
use super::pace::Pace;
use super::peer::{Peer, Stage};
use super::plan::{Part, Plan, Told};
use super::scenario::Scenario;
use super::tally::{Counts, Slice, Spans, merge};
use super::timer::Timer;

const TIMER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
/// Events taken at a time.
const EVENTS: usize = 1_024;
/// Between two looks at whether all has come.
const LOOK_US: u64 = 50_000;

/// What is to be done at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Job {
    Connect(u32),
    /// The first messages of those who send as fast as they can.
    Begin,
    /// The second half of a slow joiner's request.
    Rest(u32),
    Unstall(u32),
    Renew(u32),
    Fault(usize),
    Slice,
    Look,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ramp,
    Ready,
    Run,
    Settle,
    Settled,
}

#[derive(Debug)]
struct Room {
    name: String,
    number: u32,
    book: Book,
}

/// A loop.
#[derive(Debug)]
pub struct Driver {
    plan: Arc<Plan>,
    tell: SyncSender<Told>,
    renewer: Option<Renewer>,
    inbox: Inbox,
    waker: Arc<Waker>,
    poll: Poll,
    timer: Timer,
    number: usize,
    phase: Phase,
    rooms: Vec<Room>,
    peers: Vec<Peer>,
    pace: Option<Pace>,
    jobs: BinaryHeap<Reverse<(u64, Job)>>,
    /// Sockets being connected, and those that wait until fewer are.
    connecting: usize,
    queue: VecDeque<u32>,
    /// Sockets whose first join, or end, the ramp waits for.
    awaited: usize,
    sessions: u64,
    joined: u64,
    ramped_us: u64,
    /// Senders that send again now that their message is back.
    again: Vec<u32>,
    /// Stalled readers that are to be read again.
    unstalling: usize,
    counts: Counts,
    spans: Spans,
    slice: Slice,
    slices: u64,
    buffer: Vec<u8>,
    text: Vec<u8>,
    frame: Vec<u8>,
    used: Used,
    began: (u64, Used),
}

impl Driver {
    /// The loop `number` with every so-many-th room of the scenario.
    ///
    /// # Errors
    /// The system refuses what a loop stands on.
    pub fn new(
        plan: Arc<Plan>,
        number: usize,
        tell: SyncSender<Told>,
        renewer: Option<Renewer>,
        mut account: impl FnMut(usize) -> Option<super::accounts::Account>,
    ) -> io::Result<Self> {
        let scenario = &plan.scenario;
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let timer = Timer::new(poll.registry(), TIMER)?;
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (mut rooms, mut peers) = (Vec::new(), Vec::new());
        for room in (number..scenario.rooms).step_by(scenario.threads) {
            for member in 0..scenario.members {
                let session = room * scenario.members + member;
                let target = session % plan.targets.len();
                let place = small(rooms.len());
                peers.push(Peer::new(place, small(member), target, account(session)));
            }
            rooms.push(Room {
                name: format!("{}-{room}", plan.prefix),
                number: small(room),
                book: Book::new(scenario.members, scenario.senders),
            });
        }
        Ok(Self {
            tell,
            renewer,
            inbox: Inbox::default(),
            waker,
            poll,
            timer,
            number,
            phase: Phase::Ramp,
            awaited: peers.len(),
            rooms,
            peers,
            pace: None,
            jobs: BinaryHeap::new(),
            connecting: 0,
            queue: VecDeque::new(),
            sessions: 0,
            joined: 0,
            ramped_us: 0,
            again: Vec::new(),
            unstalling: 0,
            counts: Counts::default(),
            spans: Spans::new(),
            slice: Slice::new(),
            slices: 0,
            buffer: vec![0; super::wire::FRAME_MAX + 128 * 1024],
            text: Vec::new(),
            frame: Vec::new(),
            used: Used::default(),
            began: (0, Used::default()),
            plan,
        })
    }

    /// For whoever has something for this loop to look at.
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// The system fails to wait.
    pub fn run(mut self) -> io::Result<Part> {
        self.plan_the_ramp();
        let mut events = Events::with_capacity(EVENTS);
        while !self.plan.stop.load(Ordering::Acquire) {
            self.do_what_is_due();
            self.go_on();
            let pause = self.pause()?;
            match self.poll.poll(&mut events, pause) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                done => done?,
            }
            for event in &events {
                match event.token() {
                    TIMER => {}
                    WAKER => self.take_renewals(),
                    Token(peer) => self.ready(peer, event),
                }
            }
            self.say_again();
        }
        Ok(self.end())
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.plan.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn at(&mut self, at_us: u64, job: Job) {
        self.jobs.push(Reverse((at_us, job)));
    }

    /// From one phase to the next.
    fn go_on(&mut self) {
        let now = self.now_us();
        if self.phase == Phase::Ramp && self.awaited == 0 {
            self.ramped_us = now;
            self.phase = Phase::Ready;
            self.tell(Told::Ready);
        }
        match self.phase {
            // From the ramp too: whoever is not in by then is not waited for.
            Phase::Ramp | Phase::Ready => {
                let start = self.plan.start_us.load(Ordering::Acquire);
                if start > 0 {
                    self.start(start);
                }
            }
            Phase::Run => {
                let over = |pace: &mut Pace| {
                    pace.cut(self.plan.cut_us.load(Ordering::Acquire));
                    now >= pace.end_us() && pace.next_due().is_none()
                };
                if self.pace.as_mut().is_none_or(over) {
                    self.phase = Phase::Settle;
                    self.at(now, Job::Look);
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, start_us: u64) {
        let scenario = &self.plan.scenario;
        let phase =
            super::tally::float(self.number as u64) / super::tally::float(scenario.threads as u64);
        let rooms = u32::try_from(self.rooms.len()).unwrap_or(u32::MAX);
        let pace = Pace::new(scenario, rooms, phase, start_us);
        let end = pace.end_us();
        self.pace = Some(pace);
        self.phase = Phase::Run;
        self.began = (start_us, cpu::of_this_thread());
        self.at(end, Job::Look);
        self.at(start_us + self.plan.slice_us, Job::Slice);
        self.at(start_us, Job::Begin);
        self.plan_the_faults(start_us);
    }

    fn do_what_is_due(&mut self) {
        let now = self.now_us();
        while let Some(Reverse((due, _))) = self.jobs.peek()
            && *due <= now
        {
            let Some(Reverse((due, job))) = self.jobs.pop() else { return };
            match job {
                Job::Connect(peer) => self.connect(peer as usize),
                Job::Begin => self.begin_flat_out(),
                Job::Rest(peer) => self.send_the_rest(peer as usize),
                Job::Unstall(peer) => self.unstall(peer as usize),
                Job::Renew(peer) => self.renew_later(peer as usize),
                // Not after a run that was cut short.
                Job::Fault(_) if self.phase != Phase::Run => {}
                Job::Fault(fault) => self.fault(fault, due),
                Job::Slice => self.end_slice(due),
                Job::Look => self.look(now),
            }
        }
        self.send_what_is_due();
    }

    /// Sets the timer to what is due next; no pause at all when that is now.
    fn pause(&mut self) -> io::Result<Option<Duration>> {
        let job = self.jobs.peek().map(|Reverse((due, _))| *due);
        let send = self.pace.as_ref().and_then(Pace::next_due);
        if !self.again.is_empty() {
            return Ok(Some(Duration::ZERO));
        }
        let Some(next) = job.into_iter().chain(send).min() else { return Ok(None) };
        let now = self.now_us();
        if next <= now {
            return Ok(Some(Duration::ZERO));
        }
        self.timer.set(next, now)?;
        Ok(None)
    }

    fn end_slice(&mut self, due: u64) {
        self.slice.sessions = self.sessions;
        let slice = std::mem::take(&mut self.slice);
        merge(&mut self.spans.delivery, &slice.delivery);
        self.tell(Told::Slice(self.slices, slice));
        self.slices += 1;
        if self.phase != Phase::Settled {
            self.at(due + self.plan.slice_us, Job::Slice);
        }
    }

    /// Whether all has come that was due.
    fn look(&mut self, now: u64) {
        if self.phase != Phase::Settle {
            return;
        }
        let end = self.pace.as_ref().map_or(0, Pace::end_us);
        let late = now >= end + self.plan.scenario.settle.micros();
        let complete = || self.rooms.iter().all(|room| room.book.is_complete());
        if late || (self.unstalling == 0 && complete()) {
            let (began_us, began) = self.began;
            self.used = cpu::of_this_thread().since(began);
            self.began.0 = now.saturating_sub(began_us);
            self.phase = Phase::Settled;
            self.end_slice(now);
            self.tell(Told::Settled);
        } else {
            self.at(now + LOOK_US, Job::Look);
        }
    }

    fn tell(&self, told: Told) {
        // Whoever listened is gone: the run is being given up.
        let _ = self.tell.send(told);
    }

    fn end(mut self) -> Part {
        let mut verdict = Verdict::default();
        for room in &self.rooms {
            verdict.add(&room.book.verdict());
        }
        let sessions = self.sessions;
        for peer in 0..self.peers.len() {
            if self.peers[peer].stage == Stage::In {
                self.say_goodbye(peer);
            }
        }
        Part {
            counts: self.counts,
            spans: self.spans,
            verdict,
            sessions,
            joined: self.joined,
            ramped_us: self.ramped_us,
            used: self.used,
            ran_us: self.began.0,
        }
    }
}
