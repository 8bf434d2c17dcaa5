//! Messages go out when they are due, whatever became of the ones before; what the kernel does not
//! take waits with its socket.

use std::io::{ErrorKind, Write};
use std::sync::atomic::Ordering;

use super::{Driver, Phase};
use crate::load::pace::Pace;
use crate::load::peer::Stage;
use crate::load::scenario::Rate;
use crate::load::speech;
use crate::load::tag::Tag;
use crate::load::tally::record;
use crate::load::wire::{self, TEXT};

/// Bytes that may wait for a socket before a message is left out.
const UNSENT_MAX: usize = 256 * 1024;

impl Driver {
    pub(super) fn send_what_is_due(&mut self) {
        if self.phase != Phase::Run {
            return;
        }
        let now = self.now_us();
        while let Some(due) = self.pace.as_mut().and_then(|pace| pace.take(now)) {
            self.send_in_turn(due);
        }
    }

    /// The next in turn sends a message that was due then.
    pub(super) fn send_in_turn(&mut self, due_us: u64) {
        let Some((room, sender)) = self.pace.as_mut().map(Pace::turn) else { return };
        let members = self.plan.scenario.members;
        self.send(room as usize * members + sender as usize, due_us);
    }

    fn send(&mut self, number: usize, due_us: u64) {
        let peer = &self.peers[number];
        if peer.stage != Stage::In || peer.unsent.len() > UNSENT_MAX {
            self.counts.skipped += 1;
            return;
        }
        let now = self.now_us();
        let scenario = &self.plan.scenario;
        let room = &mut self.rooms[peer.room as usize];
        let (member, senders) = (peer.member, u32::try_from(scenario.senders).unwrap_or(1));
        let message = room.book.next_number(member);
        let tag = Tag { sender: room.number * senders + member, number: message, due_us };
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let (dialect, len) = (scenario.dialect, scenario.payload);
        speech::send(dialect, &self.plan.tags, &room.name, tag, len, &mut text);
        room.book.sent(member, now);
        let lag = now.saturating_sub(due_us);
        self.counts.sent += 1;
        self.counts.late += u64::from(lag > scenario.late.micros());
        self.slice.sent += 1;
        record(&mut self.spans.lag, lag);
        self.peers[number].pending.push_back(message);
        self.say(number, TEXT, &text);
        self.text = text;
    }

    /// Without a schedule: every sender has its messages under way from the start.
    pub(super) fn begin_flat_out(&mut self) {
        if self.plan.scenario.rate == Rate::Max {
            for number in 0..self.peers.len() {
                self.begin_again(number);
            }
        }
    }

    /// One sender's messages, after the start or after it came back.
    pub(super) fn begin_again(&mut self, number: usize) {
        let scenario = &self.plan.scenario;
        let sends = (self.peers[number].member as usize) < scenario.senders;
        if scenario.rate == Rate::Max && sends && self.peers[number].stage == Stage::In {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            self.again.extend(std::iter::repeat_n(number, scenario.in_flight));
        }
    }

    /// Those whose messages came back send the next.
    pub(super) fn say_again(&mut self) {
        let mut again = std::mem::take(&mut self.again);
        let now = self.now_us();
        let cut_us = self.plan.cut_us.load(Ordering::Acquire);
        let over = self.pace.as_ref().is_none_or(|pace| now >= pace.end_us().min(cut_us));
        if !over && super::super::tally::float(self.counts.sent) < super::Scenario::messages_max() {
            for number in &again {
                self.send(*number as usize, now);
            }
        }
        again.clear();
        self.again = again;
    }

    /// Sends a frame, masked.
    pub(super) fn say(&mut self, number: usize, opcode: u8, payload: &[u8]) {
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        wire::masked(opcode, payload, fastrand::u32(..).to_ne_bytes(), &mut frame);
        self.write(number, &frame);
        self.frame = frame;
    }

    pub(super) fn write(&mut self, number: usize, bytes: &[u8]) {
        let peer = &mut self.peers[number];
        let Some(stream) = &mut peer.stream else { return };
        let mut rest = bytes;
        while peer.unsent.is_empty() && !rest.is_empty() {
            match stream.write(rest) {
                Ok(count) => {
                    self.counts.bytes_out += count as u64;
                    rest = &rest[count..];
                }
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                // A connection that is gone is found out by the next read.
                Err(why) if why.kind() != ErrorKind::WouldBlock => return,
                Err(_) => break,
            }
        }
        peer.unsent.extend_from_slice(rest);
    }

    /// The kernel takes more.
    pub(super) fn flush(&mut self, number: usize) {
        let unsent = std::mem::take(&mut self.peers[number].unsent);
        self.write(number, &unsent);
    }
}
