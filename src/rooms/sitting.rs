//! A socket in a room, as its worker serves it: whether it keeps up, and its account. Part of the
//! room's group there.

use std::sync::Arc;

use crate::domain::clock;
use crate::domain::figures::Ledger;
use crate::protocol::{Dialect, Frame};

use super::ledger::Tally;
use super::outlet::{self, Slot};
use super::seat::Seat;
use super::stays::{Since, Visit, Why, untaken};
use super::step::Whisper;

/// A seat, as this worker serves it.
#[derive(Debug)]
pub(super) struct Sitting {
    pub seat: Arc<Seat>,
    /// The seat's, at hand where each socket of a room is written to.
    pub slot: Slot,
    pub dialect: Dialect,
    /// Too slow for live delivery: it was told so and gets nothing until it joins again.
    pub lags: bool,
    pub tally: Tally,
    /// It has yet to be told what holds at present.
    pub missed: bool,
    /// The room's newest event when it came.
    head: i64,
    /// Its account when last looked at.
    audited: Option<Box<Ledger>>,
    noted: Option<Box<Noted>>,
}

/// What there is to be said of few: most keep up, and came with nothing to make up for.
#[derive(Debug, Default)]
struct Noted {
    /// See [`Since`].
    replayed: Option<(i64, i64)>,
    missing: Option<(i64, Why)>,
    /// Frames that were left out for it.
    spared: u64,
    /// Counted before the room was made anew, which does not know of it.
    before: u64,
}

impl Sitting {
    pub(super) fn new(seat: Arc<Seat>, since: Since) -> Self {
        let mut sitting = Self {
            slot: seat.slot,
            dialect: seat.dialect,
            seat,
            head: since.head,
            lags: false,
            tally: Tally::default(),
            missed: false,
            audited: None,
            noted: None,
        };
        sitting.came(since);
        sitting
    }

    fn came(&mut self, since: Since) {
        self.head = since.head;
        if since.replayed.is_some() || self.noted.is_some() {
            let noted = self.noted();
            (noted.replayed, noted.missing) = (since.replayed, None);
        }
    }

    fn noted(&mut self) -> &mut Noted {
        self.noted.get_or_insert_default()
    }

    /// Its account when last looked at.
    pub(super) fn audited(&self) -> Ledger {
        self.audited.as_deref().copied().unwrap_or_default()
    }

    /// Counted before the room was made anew.
    pub(super) fn before(&self) -> u64 {
        self.noted.as_deref().map_or(0, |noted| noted.before)
    }

    /// Counted since then: the rest is put on its account as it goes.
    pub(super) fn counted(&self) -> u64 {
        self.tally.against(0).accounted() - self.before()
    }

    /// Its room was made anew: what was counted until now is not of its accounts.
    pub(super) fn begins_anew(&mut self) {
        self.noted().before = self.tally.against(0).accounted();
    }

    /// Looks at its account, by what the room says was due.
    pub(super) fn audit(&mut self, due: u64) -> Ledger {
        let ledger = self.tally.against(due + self.before());
        **self.audited.get_or_insert_default() = ledger;
        ledger
    }

    /// It joined again, with a new seat and the same account.
    pub(super) fn sits_anew(&mut self, seat: Arc<Seat>, since: Since) {
        (self.slot, self.dialect) = (seat.slot, seat.dialect);
        self.seat = seat;
        (self.lags, self.missed) = (false, false);
        self.came(since);
    }

    /// Does without so many frames.
    fn spare(&mut self, frames: usize) {
        self.tally.dropped(frames as u64);
        self.noted().spared += frames as u64;
    }

    /// It is handed no event from this one on, which would have been so many frames.
    pub(super) fn misses(&mut self, from: i64, why: Why, frames: usize) {
        self.spare(frames);
        self.noted().missing.get_or_insert((from, why));
    }

    /// The user's stay until now, or until its end; none of a guest.
    pub(super) fn visit(&self, reached: i64, is_over: bool) -> Option<Visit> {
        let left_at = is_over.then(clock::now);
        let lives_on = is_over && outlet::find(self.seat.slot).is_some();
        let noted = self.noted.as_deref();
        let spared = noted.map_or(0, |noted| noted.spared);
        Some(Visit {
            user: self.seat.user()?,
            session: self.seat.session,
            slot: self.seat.slot,
            dialect: self.seat.dialect,
            came: self.seat.since,
            since: Since { head: self.head, replayed: noted.and_then(|noted| noted.replayed) },
            missed: noted.and_then(|noted| noted.missing),
            reached,
            untaken: untaken(self.tally.against(0), spared, lives_on),
            left_at,
        })
    }

    /// An admin's word, on native sockets alone.
    pub(super) fn is_announced(&self, frame: &Frame) {
        if self.seat.dialect == Dialect::Native
            && !self.lags
            && let Some(outlet) = outlet::find(self.seat.slot)
        {
            outlet.deliver(std::slice::from_ref(frame), None);
        }
    }

    /// Light frames are the first to go: a group that has much to do does without, and so does a
    /// socket that has much waiting. Whether it has to be told later.
    pub(super) fn hear(&mut self, whisper: &Whisper, is_busy: bool) -> bool {
        let Some(frame) = whisper.said.of(self.seat.dialect) else { return false };
        if Some(self.seat.session) == whisper.except {
            return false;
        }
        let outlet = if is_busy || self.lags { None } else { outlet::find(self.seat.slot) };
        let outlet = outlet.filter(|outlet| !outlet.backlog().is_too_much_for_light());
        if let Some(outlet) = &outlet {
            outlet.deliver(std::slice::from_ref(frame), Some(&mut self.tally));
        } else {
            self.spare(1);
        }
        if whisper.lasts {
            self.missed = outlet.is_none();
        }
        whisper.lasts && self.missed
    }
}
