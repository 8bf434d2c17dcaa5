//! What goes wrong on purpose, carried out at its time.

use super::{Driver, Job};
use crate::load::fault::Kind;

impl Driver {
    pub(super) fn plan_the_faults(&mut self, start_us: u64) {
        for fault in 0..self.plan.scenario.faults.len() {
            let at = start_us + self.plan.scenario.faults[fault].at.micros();
            self.at(at, Job::Fault(fault));
        }
    }

    /// This loop's share of so many.
    fn share(&self, all: usize) -> usize {
        let threads = self.plan.scenario.threads;
        all * (self.number + 1) / threads - all * self.number / threads
    }

    /// As many sockets of this loop, those first that only read, and others for each fault.
    fn pick(&self, fault: usize) -> Vec<usize> {
        let scenario = &self.plan.scenario;
        let before = scenario.faults[..fault].iter().map(|fault| self.share(fault.sessions));
        let skip: usize = before.sum();
        let reads = |number: &usize| self.peers[*number].member as usize >= scenario.senders;
        let all = (0..self.peers.len()).rev();
        let (read, send): (Vec<usize>, Vec<usize>) = all.partition(reads);
        let count = self.share(scenario.faults[fault].sessions).min(self.peers.len());
        let order: Vec<usize> = read.into_iter().chain(send).collect();
        order.iter().cycle().skip(skip % order.len().max(1)).take(count).copied().collect()
    }

    /// Slow joiners are slow from the first byte on, so they are told apart before the ramp; and so
    /// are those who will not answer `expiring`.
    pub(super) fn mark_slow_joiners(&mut self) {
        for number in 0..self.plan.scenario.faults.len() {
            let fault = self.plan.scenario.faults[number];
            for peer in self.pick(number) {
                match fault.kind {
                    Kind::SlowJoiners => {
                        self.peers[peer].pause_us = fault.lasts.micros();
                        self.peers[peer].faulted = true;
                    }
                    Kind::Expiring => self.peers[peer].lets_expire = true,
                    _ => {}
                }
            }
        }
    }

    pub(super) fn fault(&mut self, number: usize, due_us: u64) {
        let fault = self.plan.scenario.faults[number];
        match fault.kind {
            Kind::Stalled => {
                for peer in self.pick(number) {
                    self.peers[peer].stalled = true;
                    self.peers[peer].faulted = true;
                    self.unstalling += 1;
                    let until = due_us + fault.lasts.micros();
                    self.at(until, Job::Unstall(u32::try_from(peer).unwrap_or(u32::MAX)));
                }
            }
            Kind::Killed => {
                for peer in self.pick(number) {
                    self.peers[peer].faulted = true;
                    self.reset(peer, fault.lasts.micros());
                }
            }
            Kind::Storm => {
                for peer in 0..self.peers.len() {
                    self.reset(peer, fault.lasts.micros());
                }
            }
            Kind::Burst => {
                for _ in 0..self.share(fault.messages as usize) {
                    self.send_in_turn(due_us);
                }
            }
            Kind::SlowJoiners | Kind::Expiring => {}
        }
    }

    /// It reads again, all that has gathered.
    pub(super) fn unstall(&mut self, peer: usize) {
        self.unstalling -= 1;
        self.peers[peer].stalled = false;
        // Whatever the system said of it meanwhile was not listened to.
        self.read(peer, true);
    }
}
