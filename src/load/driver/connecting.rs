//! Sockets come, are refused, are lost, and come back: the loop's part from the first byte of a
//! connection to the room, and after its end.

use std::io;
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Token};
use rustix::io::Errno;
use socket2::{SockRef, Socket, Type};

use crate::protocol::{Band, CloseCode};

use super::{Driver, Job, Phase};
use crate::load::handshake::{self, Answer, Wanted};
use crate::load::peer::{Native, Stage};
use crate::load::scenario::Dialect;
use crate::load::speech;
use crate::load::tally::record;
use crate::load::wire;

/// Sockets that a loop connects at a time: fewer than listeners let wait.
const CONNECTING_MAX: usize = 512;
/// Attempts before a socket is given up that never was in its room, and one that was.
const TRIES_MAX: (u32, u32) = (4, 10);
/// Shortest and longest back-off, in microseconds (PROTOCOL, *Closing*).
const BACK_OFF_US: (u64, u64) = (500_000, 20_000_000);

/// What follows the end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Again,
    Renew,
    Stop,
}

impl Driver {
    /// The sockets come evenly over the ramp, or all at once.
    pub(super) fn plan_the_ramp(&mut self) {
        let now = self.now_us();
        let (ramp, all) = (self.plan.scenario.ramp_up.micros(), self.peers.len() as u64);
        self.mark_slow_joiners();
        for peer in 0..self.peers.len() {
            let at = now + ramp * peer as u64 / all.max(1);
            self.at(at, Job::Connect(u32::try_from(peer).unwrap_or(u32::MAX)));
        }
    }

    pub(super) fn connect(&mut self, number: usize) {
        if self.peers[number].stage != Stage::Away || self.phase == Phase::Settled {
            return;
        }
        if self.connecting >= CONNECTING_MAX {
            self.queue.push_back(u32::try_from(number).unwrap_or(u32::MAX));
            return;
        }
        self.peers[number].began_us = self.now_us();
        let stream = self.open(number).and_then(|mut stream| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(number), interest)?;
            Ok(stream)
        });
        match stream {
            Ok(stream) => {
                self.connecting += 1;
                let peer = &mut self.peers[number];
                (peer.stream, peer.stage) = (Some(stream), Stage::Connecting);
            }
            Err(_) => self.failed(number, None),
        }
    }

    fn open(&self, number: usize) -> io::Result<TcpStream> {
        let target = &self.plan.targets[self.peers[number].target];
        let mut sources = self.plan.scenario.sources.iter().filter(|from| target.suits(**from));
        let count = sources.clone().count();
        if count == 0 {
            return TcpStream::connect(target.addr);
        }
        let socket = Socket::new(
            socket2::Domain::for_address(target.addr),
            Type::STREAM.nonblocking(),
            None,
        )?;
        if let Some(source) = sources.nth(number % count) {
            socket.bind(&std::net::SocketAddr::new(*source, 0).into())?;
        }
        match socket.connect(&target.addr.into()) {
            Err(why) if why.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => Err(why),
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }

    /// The system says that something can be done with a socket.
    pub(super) fn ready(&mut self, number: usize, event: &Event) {
        if self.peers[number].stage == Stage::Connecting && !self.is_connected(number) {
            return;
        }
        if event.is_writable() && !self.peers[number].unsent.is_empty() {
            self.flush(number);
        }
        if event.is_readable() && !self.peers[number].stalled {
            self.read(number, event.is_read_closed());
        }
    }

    fn is_connected(&mut self, number: usize) -> bool {
        let Some(stream) = &self.peers[number].stream else { return false };
        if let Ok(Some(_)) | Err(_) = stream.take_error() {
            self.failed(number, None);
            return false;
        }
        match stream.peer_addr() {
            Err(why) if why.kind() == io::ErrorKind::NotConnected => return false,
            Err(_) => {
                self.failed(number, None);
                return false;
            }
            Ok(_) => {}
        }
        // Without it a server that takes its time costs the next small frame 40 ms.
        let _ = stream.set_nodelay(true);
        self.ask(number);
        true
    }

    fn ask(&mut self, number: usize) {
        let peer = &self.peers[number];
        let room = &self.rooms[peer.room as usize];
        let mut request = Vec::with_capacity(512);
        let wanted = Wanted {
            target: &self.plan.targets[peer.target],
            path: &self.plan.scenario.path,
            room: &room.name,
            dialect: self.plan.scenario.dialect,
            account: peer.account.as_deref(),
            resume: peer.resume(),
            key: &self.plan.key.0,
        };
        handshake::request(&wanted, &mut request);
        let pause = std::mem::take(&mut self.peers[number].pause_us);
        self.peers[number].stage = Stage::Greeting;
        if pause == 0 {
            self.write(number, &request);
            return;
        }
        let rest = request.split_off(request.len() / 2);
        self.write(number, &request);
        self.peers[number].parts = rest;
        // One who takes his time holds up nobody's start.
        self.free_place();
        self.no_longer_awaited(number);
        let at = self.now_us() + pause;
        self.at(at, Job::Rest(u32::try_from(number).unwrap_or(u32::MAX)));
    }

    pub(super) fn send_the_rest(&mut self, number: usize) {
        if self.peers[number].stage == Stage::Greeting {
            self.connecting += 1;
            let rest = std::mem::take(&mut self.peers[number].parts);
            self.write(number, &rest);
        }
    }

    fn free_place(&mut self) {
        self.connecting = self.connecting.saturating_sub(1);
        if let Some(next) = self.queue.pop_front() {
            let now = self.now_us();
            self.at(now, Job::Connect(next));
        }
    }

    fn no_longer_awaited(&mut self, number: usize) {
        if std::mem::take(&mut self.peers[number].awaited) {
            self.awaited -= 1;
        }
    }

    /// Reads the answer to the upgrade; gives how many bytes were its.
    pub(super) fn greeted(&mut self, number: usize, bytes: &[u8]) -> Option<usize> {
        match handshake::answer(bytes, &self.plan.key.1) {
            Answer::Unfinished if bytes.len() < 16 * 1024 => None,
            Answer::Unfinished => {
                self.failed(number, Some(0));
                None
            }
            Answer::Refused(status) => {
                self.failed(number, Some(status));
                None
            }
            Answer::Open(end) => {
                let now = self.now_us();
                self.free_place();
                self.counts.opened += 1;
                let peer = &self.peers[number];
                if !peer.faulted || peer.was_in {
                    record(&mut self.spans.connect, now.saturating_sub(peer.began_us));
                }
                if self.plan.scenario.dialect == Dialect::Native {
                    self.enter(number);
                } else {
                    self.joined(number, now, false);
                }
                Some(end)
            }
        }
    }

    /// `hubbub.v1`: with a proof on the upgrade the room's door joins by itself.
    fn enter(&mut self, number: usize) {
        let peer = &mut self.peers[number];
        peer.stage = Stage::Entering;
        peer.native.get_or_insert_with(|| Box::new(Native::default()));
        if peer.account.is_some() {
            return;
        }
        let token = peer.native.as_ref().and_then(|native| native.guest_token.as_deref());
        let auth = token.map(speech::auth_guest);
        let room = &self.rooms[peer.room as usize].name;
        let join = speech::join(room, peer.resume());
        if let Some(auth) = auth {
            self.say(number, wire::TEXT, auth.as_bytes());
        }
        self.say(number, wire::TEXT, join.as_bytes());
    }

    /// It is in its room.
    pub(super) fn joined(&mut self, number: usize, now: u64, resumes: bool) {
        let peer = &mut self.peers[number];
        peer.stage = Stage::In;
        peer.tries = 0;
        let (room, member) = (peer.room as usize, peer.member);
        if peer.was_in {
            self.counts.reconnects += 1;
        } else {
            self.joined += 1;
        }
        // Who took his time on purpose says nothing of the server's.
        if !peer.faulted || peer.was_in {
            record(&mut self.spans.join, now.saturating_sub(peer.began_us));
        }
        self.no_longer_awaited(number);
        self.peers[number].was_in = true;
        self.sessions += 1;
        self.plan.joined.fetch_add(1, Ordering::Relaxed);
        self.rooms[room].book.joined(member, now, resumes);
        if self.phase == Phase::Run {
            self.begin_again(number);
        }
    }

    /// A connection came to nothing; with a status when the server answered.
    fn failed(&mut self, number: usize, status: Option<u16>) {
        self.counts.failed += 1;
        if let Some(status) = status {
            *self.counts.refusals.entry(status).or_default() += 1;
        }
        if self.peers[number].stage != Stage::Away {
            self.free_place();
        }
        let peer = &mut self.peers[number];
        peer.disconnect();
        peer.tries += 1;
        let for_good = matches!(status, Some(400..=499)) && status != Some(429);
        let most = if peer.was_in { TRIES_MAX.1 } else { TRIES_MAX.0 };
        let stop = for_good || peer.tries >= most;
        self.come_back(number, if stop { Next::Stop } else { Next::Again });
    }

    /// A connection has ended, with the server's code or without a word.
    pub(super) fn lost(&mut self, number: usize, code: u16) {
        match self.peers[number].stage {
            Stage::Away | Stage::Gone => return,
            Stage::Connecting | Stage::Greeting => return self.failed(number, None),
            Stage::Entering | Stage::In => {}
        }
        *self.counts.closes.entry(code).or_default() += 1;
        self.leave(number);
        let native = CloseCode { plain: code, native: code, reason: "" };
        let peer = &self.peers[number];
        let hopeless = !peer.was_in && peer.tries >= TRIES_MAX.0;
        let next = match native.band() {
            _ if !self.plan.scenario.reconnect || hopeless => Next::Stop,
            Band::Mend => Next::Renew,
            Band::Again if code == 4001 => Next::Renew,
            Band::Again => Next::Again,
            Band::Stop => Next::Stop,
        };
        self.come_back(number, next);
    }

    /// What its room's book and its own messages learn of its end.
    fn leave(&mut self, number: usize) {
        let peer = &mut self.peers[number];
        let book = &mut self.rooms[peer.room as usize].book;
        if peer.stage == Stage::In {
            book.left(peer.member);
            self.sessions -= 1;
            self.plan.joined.fetch_sub(1, Ordering::Relaxed);
        }
        for number in peer.pending.drain(..) {
            book.excuse(peer.member, number);
        }
        peer.disconnect();
        peer.tries += 1;
    }

    fn come_back(&mut self, number: usize, next: Next) {
        let peer = &mut self.peers[number];
        let refresh = peer.account.as_ref().and_then(|account| account.refresh.clone());
        peer.stage = Stage::Away;
        match (next, refresh) {
            (Next::Again, _) => {
                let tries = peer.tries.saturating_sub(1).min(6);
                let asked = peer.native.as_ref().map_or(0, |native| native.after_ms * 1_000);
                let most = (BACK_OFF_US.0 << tries).min(BACK_OFF_US.1);
                let at = self.now_us() + asked + fastrand::u64(0..=most);
                self.at(at, Job::Connect(u32::try_from(number).unwrap_or(u32::MAX)));
            }
            (Next::Renew, Some(refresh)) => self.renew(number, &refresh),
            (Next::Stop, _) | (Next::Renew, None) => {
                peer.stage = Stage::Gone;
                self.no_longer_awaited(number);
            }
        }
    }

    pub(super) fn renew(&mut self, number: usize, refresh: &str) {
        let asked = self.renewer.as_ref();
        if !asked.is_some_and(|renewer| renewer.ask(number, refresh, &self.inbox, &self.waker)) {
            self.no_token(number);
        }
    }

    /// It was told `expiring` soon after the last renewal.
    pub(super) fn renew_later(&mut self, number: usize) {
        let peer = &mut self.peers[number];
        let refresh = peer.account.as_ref().and_then(|account| account.refresh.clone());
        if let (Stage::In, Some(refresh)) = (peer.stage, refresh) {
            peer.renewed_us = self.plan.epoch.elapsed().as_micros().try_into().unwrap_or(0);
            self.renew(number, &refresh);
        }
    }

    /// A socket that is open stays until the server closes it.
    fn no_token(&mut self, number: usize) {
        if self.peers[number].stage == Stage::Away {
            self.come_back(number, Next::Stop);
        }
    }

    /// Newer tokens have come: told on the live socket, or used to come back.
    pub(super) fn take_renewals(&mut self) {
        for (number, token) in self.inbox.take() {
            let Some(token) = token else {
                self.no_token(number);
                continue;
            };
            self.counts.renewed += 1;
            let peer = &mut self.peers[number];
            if let Some(account) = &mut peer.account {
                account.access.clone_from(&token);
            }
            match peer.stage {
                Stage::In => self.say(number, wire::TEXT, speech::auth(&token).as_bytes()),
                Stage::Away => self.connect(number),
                _ => {}
            }
        }
    }

    /// Ends a connection without a word, as a dead network does, and comes back after a while.
    pub(super) fn reset(&mut self, number: usize, back_us: u64) {
        if self.peers[number].stage != Stage::In {
            return;
        }
        if let Some(stream) = &self.peers[number].stream {
            // What fails here is gone already.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
        self.leave(number);
        self.peers[number].stage = Stage::Away;
        let at = self.now_us() + back_us;
        self.at(at, Job::Connect(u32::try_from(number).unwrap_or(u32::MAX)));
    }

    pub(super) fn say_goodbye(&mut self, number: usize) {
        self.say(number, wire::CLOSE, &1_000_u16.to_be_bytes());
        if let Some(stream) = &self.peers[number].stream {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}
