//! What a text frame means for the run: a delivery for the room's book, an answer for the sender, or a
//! step on the way into a room.

use super::{Driver, Job, Phase};
use crate::load::order::Seen;
use crate::load::peer::{Native, Stage};
use crate::load::scenario::{Dialect, Rate};
use crate::load::speech::{self, Control, Heard};
use crate::load::tag::Tag;
use crate::load::tally::record;
use crate::load::wire::TEXT;

/// Between two renewals of one socket's token, in microseconds.
const RENEWALS_US: u64 = 1_000_000;

impl Driver {
    pub(super) fn text(&mut self, number: usize, text: &[u8], now: u64) {
        match speech::hear(self.plan.scenario.dialect, &self.plan.tags, text) {
            Heard::Delivery { tag, seq, replay } => {
                if let Some(native) = &mut self.peers[number].native {
                    if native.catching_up && !replay {
                        native.held.push((tag, seq));
                        return;
                    }
                    if seq != native.seq + 1 && self.peers[number].stage == Stage::In {
                        self.counts.seq_jumps += 1;
                    }
                    if let Some(native) = &mut self.peers[number].native {
                        native.seq = native.seq.max(seq);
                    }
                }
                self.delivered(number, tag, replay, now);
            }
            Heard::Stored { number: message, due_us } => self.stored(number, message, due_us, now),
            Heard::Page(control, text) => self.page(number, &control, text, now),
            Heard::Control(control) => self.control(number, control, now),
            Heard::Other => self.counts.foreign += u64::from(self.is_plain()),
        }
    }

    fn is_plain(&self) -> bool {
        self.plan.scenario.dialect != Dialect::Native
    }

    fn delivered(&mut self, number: usize, tag: Tag, replay: bool, now: u64) {
        self.counts.deliveries += 1;
        self.slice.deliveries += 1;
        let peer = &mut self.peers[number];
        let room = &mut self.rooms[peer.room as usize];
        let senders = u32::try_from(self.plan.scenario.senders).unwrap_or(u32::MAX).max(1);
        let sender = tag.sender % senders;
        if tag.sender / senders != room.number {
            self.counts.strange += 1;
            return;
        }
        match room.book.seen(peer.member, sender, tag.number) {
            Seen::First => {}
            Seen::Again => return,
            Seen::Strange => {
                self.counts.strange += 1;
                return;
            }
        }
        let took = now.saturating_sub(tag.due_us);
        if !replay {
            let times =
                if peer.faulted { &mut self.spans.under_fault } else { &mut self.slice.delivery };
            record(times, took);
        }
        if sender == peer.member {
            peer.pending.retain(|pending| *pending != tag.number);
            if self.plan.scenario.dialect != Dialect::Native {
                record(&mut self.spans.ok, took);
            }
            if self.plan.scenario.rate == Rate::Max && self.phase == Phase::Run {
                self.again.push(u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
    }

    fn stored(&mut self, number: usize, message: u32, due_us: u64, now: u64) {
        self.peers[number].pending.retain(|pending| *pending != message);
        record(&mut self.spans.ok, now.saturating_sub(due_us));
    }

    /// A page of history; what came live meanwhile follows when nothing is missing any more.
    fn page(&mut self, number: usize, control: &Control, text: &[u8], now: u64) {
        let mut rest = text;
        let plan = std::sync::Arc::clone(&self.plan);
        while let Some((tag, end)) = plan.tags.find(rest) {
            self.delivered(number, tag, true, now);
            rest = &rest[end..];
        }
        let last = last_seq(text);
        let room = self.peers[number].room as usize;
        let Some(native) = &mut self.peers[number].native else { return };
        native.seq = native.seq.max(last);
        if control.more && native.seq < native.head {
            let ask = speech::history(&self.rooms[room].name, native.seq);
            return self.say(number, TEXT, ask.as_bytes());
        }
        self.caught_up(number, now);
    }

    fn caught_up(&mut self, number: usize, now: u64) {
        let Some(native) = &mut self.peers[number].native else { return };
        native.catching_up = false;
        for (tag, seq) in std::mem::take(&mut native.held) {
            if let Some(native) = &mut self.peers[number].native {
                self.counts.seq_jumps += u64::from(seq != native.seq + 1);
                native.seq = native.seq.max(seq);
            }
            self.delivered(number, tag, true, now);
        }
    }

    fn control(&mut self, number: usize, control: Control, now: u64) {
        let room = self.peers[number].room as usize;
        match control.kind.as_str() {
            "joined" => self.has_joined(number, control, now),
            "lag" => {
                self.counts.lags += 1;
                let join = speech::join(&self.rooms[room].name, self.peers[number].resume());
                self.say(number, TEXT, join.as_bytes());
            }
            "bye" => {
                if let Some(native) = &mut self.peers[number].native {
                    native.after_ms = control.after_ms;
                }
            }
            "expiring" if !self.peers[number].lets_expire => {
                let account = self.peers[number].account.as_ref();
                let refresh = account.and_then(|account| account.refresh.clone());
                // A server whose tokens are short-lived says so again with each new one.
                let soon = now.saturating_sub(self.peers[number].renewed_us) < RENEWALS_US;
                if let Some(refresh) = refresh.filter(|_| !soon) {
                    self.peers[number].renewed_us = now;
                    self.renew(number, &refresh);
                } else if soon {
                    let later = self.peers[number].renewed_us + RENEWALS_US;
                    self.at(later, Job::Renew(u32::try_from(number).unwrap_or(u32::MAX)));
                }
            }
            "error" => self.refused(number, &control),
            _ => {}
        }
    }

    fn has_joined(&mut self, number: usize, control: Control, now: u64) {
        let peer = &mut self.peers[number];
        let native = peer.native.get_or_insert_with(|| Box::new(Native::default()));
        let resumes = control.verdict == "full";
        if !resumes {
            // Fresh, or what it held is worth nothing: it begins at the head.
            native.seq = control.seq;
        }
        native.head = control.seq;
        native.epoch = control.epoch.unwrap_or_default();
        native.after_ms = 0;
        if control.guest_token.is_some() {
            native.guest_token = control.guest_token;
        }
        native.catching_up = control.more;
        // After `lag` it joins where it is already.
        if peer.stage != Stage::In {
            self.joined(number, now, resumes);
        }
        if control.more {
            let room = self.peers[number].room as usize;
            let ask = speech::history(&self.rooms[room].name, control.to);
            self.say(number, TEXT, ask.as_bytes());
        }
    }

    fn refused(&mut self, number: usize, control: &Control) {
        let word = control.code.as_str().unwrap_or("error").to_owned();
        *self.counts.errors.entry(word).or_default() += 1;
        let reference = control.reference.as_deref().unwrap_or_default().as_bytes();
        if let Some((message, _)) = speech::reference(reference) {
            let peer = &mut self.peers[number];
            peer.pending.retain(|pending| *pending != message);
            self.rooms[peer.room as usize].book.excuse(peer.member, message);
        }
    }
}

/// The last `seq` of a page.
fn last_seq(text: &[u8]) -> i64 {
    let name = b"\"seq\":";
    let Some(at) = memchr::memmem::rfind(text, name) else { return 0 };
    let digits = text[at + name.len()..].iter().take_while(|byte| byte.is_ascii_digit()).take(18);
    digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}
