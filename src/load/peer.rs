//! One socket of a run, as its loop keeps it: small, since there are thousands of them. Plain values.

use std::collections::VecDeque;

use mio::net::TcpStream;

use super::accounts::Account;
use super::tag::Tag;

/// How far a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not connected; it will be.
    Away,
    /// The kernel connects.
    Connecting,
    /// The request goes out, or its answer is awaited.
    Greeting,
    /// It is open and has asked to join (`hubbub.v1`).
    Entering,
    /// In its room.
    In,
    /// It will not come back.
    Gone,
}

/// What a socket of `hubbub.v1` holds.
#[derive(Debug, Default)]
pub struct Native {
    /// The newest event that it has.
    pub seq: i64,
    /// The room's life.
    pub epoch: String,
    /// A guest's proof.
    pub guest_token: Option<String>,
    /// The head when it joined; what is older comes as history.
    pub head: i64,
    /// It fetches history; live messages wait.
    pub catching_up: bool,
    /// Those that wait.
    pub held: Vec<(Tag, i64)>,
    /// When the server asked it to come back, in milliseconds.
    pub after_ms: u64,
}

/// A socket.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on one another")]
pub struct Peer {
    /// The connection, while there is one.
    pub stream: Option<TcpStream>,
    /// How far it is.
    pub stage: Stage,
    /// Its room among the loop's.
    pub room: u32,
    /// Its place in the room; the first ones send.
    pub member: u32,
    /// Who it is.
    pub account: Option<Box<Account>>,
    /// Which server it goes to.
    pub target: usize,
    /// Bytes that came of a frame, or of an answer, whose end did not.
    pub unread: Vec<u8>,
    /// The parts of a message that came in several frames.
    pub parts: Vec<u8>,
    /// Bytes that the kernel did not take.
    pub unsent: Vec<u8>,
    /// Numbers of its messages that have not come back.
    pub pending: VecDeque<u32>,
    /// When this connection was begun, in microseconds.
    pub began_us: u64,
    /// What only `hubbub.v1` needs.
    pub native: Option<Box<Native>>,
    /// Attempts since it last held.
    pub tries: u32,
    /// The ramp waits for it.
    pub awaited: bool,
    /// It was in its room before.
    pub was_in: bool,
    /// It is not read.
    pub stalled: bool,
    /// Something was done to it: its times count apart.
    pub faulted: bool,
    /// When a newer token was last asked for, in microseconds.
    pub renewed_us: u64,
    /// It pauses half-way in its first request for so long, in microseconds.
    pub pause_us: u64,
    /// It leaves `expiring` unanswered.
    pub lets_expire: bool,
}

impl Peer {
    /// One that is not connected yet.
    #[must_use]
    pub fn new(room: u32, member: u32, target: usize, account: Option<Account>) -> Self {
        Self {
            stream: None,
            stage: Stage::Away,
            room,
            member,
            account: account.map(Box::new),
            target,
            unread: Vec::new(),
            parts: Vec::new(),
            unsent: Vec::new(),
            pending: VecDeque::new(),
            began_us: 0,
            native: None,
            tries: 0,
            awaited: true,
            was_in: false,
            stalled: false,
            faulted: false,
            renewed_us: 0,
            pause_us: 0,
            lets_expire: false,
        }
    }

    /// What it holds of its room, to resume by.
    #[must_use]
    pub fn resume(&self) -> Option<(i64, &str)> {
        let native = self.native.as_ref().filter(|native| !native.epoch.is_empty())?;
        Some((native.seq, &native.epoch))
    }

    /// Drops the connection and what belonged to it.
    pub fn disconnect(&mut self) {
        self.stream = None;
        self.unread = Vec::new();
        self.parts = Vec::new();
        self.unsent = Vec::new();
        self.stalled = false;
        if let Some(native) = &mut self.native {
            native.catching_up = false;
            native.held = Vec::new();
        }
    }
}
