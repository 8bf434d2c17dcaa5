//! The direct engine's socket, as the worker's Shard sees it: frames go straight from shared
//! memory to the kernel, several in one write; what the kernel does not take waits here, counted.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Buf, Bytes};
use smallvec::SmallVec;
use socket2::SockRef;
use tokio::net::tcp::OwnedWriteHalf;

use crate::domain::{Posted, RoomId};
use crate::protocol::{CloseCode, Frame};
use crate::rooms::Refused;
use crate::rooms::ledger::{Tally, Waiting};
use crate::rooms::outlet::{Backlog, Batch, Outlet};

use super::note::Note;
use super::place::Departure;

/// Pieces in one write.
const SLICES: usize = 32;

/// How far the connection is on its way to its end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    None,
    /// Goodbye was said, or waits to be.
    Goodbye,
    /// The connection is gone.
    Broken,
}

/// What is left of a frame to be sent, and the room that has it on its account.
struct Piece {
    bytes: Bytes,
    waits: Option<Waiting>,
}

#[derive(Default)]
struct Outbox {
    waiting: VecDeque<Piece>,
    bytes: usize,
    /// How much of that is still the opening.
    opening: usize,
    since: Option<Instant>,
    /// The first piece has begun to go out: it must end before anything else may follow.
    begun: bool,
    end: End,
    /// The handshake is not answered yet: nothing goes out before its answer.
    corked: bool,
    seated: bool,
    notes: Vec<Note>,
    waker: Option<Waker>,
}

/// The socket's sending side, and what its session must be told.
pub struct Wire {
    io: OwnedWriteHalf,
    outbox: RefCell<Outbox>,
    heard: Cell<Instant>,
    is_read: Cell<bool>,
    due: Cell<Option<Instant>>,
    departure: Rc<Departure>,
}

impl Wire {
    /// Around a socket whose handshake is not answered yet: see [`Wire::answer`].
    #[must_use]
    pub fn new(io: OwnedWriteHalf, departure: Rc<Departure>) -> Rc<Self> {
        Rc::new(Self {
            io,
            outbox: RefCell::new(Outbox { corked: true, ..Outbox::default() }),
            heard: Cell::new(Instant::now()),
            is_read: Cell::new(true),
            due: Cell::new(None),
            departure,
        })
    }

    /// Ready once the room has seated the socket, or turned it away.
    pub fn poll_seated(&self, task: &mut Context<'_>) -> Poll<()> {
        self.set_waker(task.waker());
        let outbox = self.outbox.borrow();
        if outbox.seated || outbox.end != End::None { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Answers the handshake; what was delivered meanwhile follows. A socket that has just come to
    /// this worker is written to at once, though tokio has yet to hear that it can be.
    pub fn answer(&self, answer: Vec<u8>) {
        let mut outbox = self.outbox.borrow_mut();
        outbox.corked = false;
        let taken = SockRef::from(self.io.as_ref()).send(&answer).unwrap_or(0);
        if taken < answer.len() {
            let rest = Bytes::from(answer).slice(taken..);
            outbox.bytes += rest.len();
            outbox.since.get_or_insert_with(Instant::now);
            outbox.waiting.push_front(Piece { bytes: rest, waits: None });
            // Even if it is closed meanwhile, the goodbye follows the answer.
            outbox.begun = true;
        }
        if outbox.write_waiting(&self.io).is_err() {
            outbox.fail();
        }
    }

    /// Bytes came from the client.
    pub fn note_heard(&self) {
        self.heard.set(Instant::now());
    }

    /// Whether the session reads at present: who isn't read can't be heard.
    pub fn set_read(&self, is_read: bool) {
        if is_read && !self.is_read.get() {
            self.note_heard();
        }
        self.is_read.set(is_read);
    }

    /// Nothing more is sent; the client reads the end after what was.
    pub fn end(&self) {
        // An error means that the connection is gone.
        drop(SockRef::from(self.io.as_ref()).shutdown(Shutdown::Write));
    }

    /// The session's task, to be woken when there is something for it.
    pub fn set_waker(&self, waker: &Waker) {
        let mut outbox = self.outbox.borrow_mut();
        if !outbox.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            outbox.waker = Some(waker.clone());
        }
    }

    /// What rooms had for the session since the last time.
    pub fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut self.outbox.borrow_mut().notes)
    }

    /// When the session is to be woken.
    pub fn set_due(&self, due: Option<Instant>) {
        self.due.set(due);
    }

    /// Whether goodbye was said.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.outbox.borrow().end == End::Goodbye
    }

    /// Writes what waits as far as the kernel takes it. Ready: nothing waits any more.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn poll_flush(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            {
                let mut outbox = self.outbox.borrow_mut();
                if outbox.end == End::Broken {
                    return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
                }
                outbox.write_waiting(&self.io)?;
                if outbox.waiting.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
            match self.io.as_ref().poll_write_ready(task) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Outbox {
    fn push(&mut self, bytes: Bytes, frames: u64, tally: Option<&mut Tally>) {
        self.bytes += bytes.len();
        self.since.get_or_insert_with(Instant::now);
        let waits = tally.map(|tally| tally.waits(frames));
        self.waiting.push_back(Piece { bytes, waits });
    }

    /// Writes until nothing waits or the kernel takes no more.
    fn write_waiting(&mut self, io: &OwnedWriteHalf) -> io::Result<()> {
        while !self.waiting.is_empty() {
            let slices: SmallVec<[IoSlice<'_>; SLICES]> =
                self.waiting.iter().take(SLICES).map(|piece| IoSlice::new(&piece.bytes)).collect();
            let outcome = io.as_ref().try_write_vectored(&slices);
            drop(slices);
            match outcome {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.taken(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        // An idle socket holds no memory for what it once had to wait for.
        self.waiting = VecDeque::new();
        Ok(())
    }

    fn taken(&mut self, mut written: usize) {
        self.bytes -= written;
        self.opening = self.opening.min(self.bytes);
        self.since = (self.bytes > 0).then(Instant::now);
        while let Some(first) = self.waiting.front_mut() {
            if written < first.bytes.len() {
                first.bytes.advance(written);
                self.begun = written > 0 || self.begun;
                return;
            }
            written -= first.bytes.len();
            if let Some(Piece { waits: Some(waits), .. }) = self.waiting.pop_front() {
                waits.written();
            }
            self.begun = false;
        }
    }

    fn fail(&mut self) {
        self.end = End::Broken;
        self.waiting = VecDeque::new();
        self.bytes = 0;
        self.opening = 0;
        self.since = None;
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// Sends pieces behind what waits; writes straight from them when nothing does.
    fn send(&mut self, io: &OwnedWriteHalf, frames: &[Frame], mut tally: Option<&mut Tally>) {
        let mut frames = frames.iter().map(Frame::wire);
        if self.waiting.is_empty() && !self.corked {
            loop {
                let pieces: SmallVec<[&Bytes; SLICES]> = frames.by_ref().take(SLICES).collect();
                if pieces.is_empty() {
                    return;
                }
                let slices: SmallVec<[IoSlice<'_>; SLICES]> =
                    pieces.iter().map(|piece| IoSlice::new(piece)).collect();
                let mut written = match io.as_ref().try_write_vectored(&slices) {
                    Ok(written) => written,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                    Err(_) => {
                        let lost = pieces.len() + frames.len();
                        if let Some(tally) = tally {
                            tally.dropped(lost as u64);
                        }
                        return self.fail();
                    }
                };
                let mut whole = 0;
                for piece in pieces {
                    let taken = written.min(piece.len());
                    written -= taken;
                    if taken < piece.len() {
                        self.begun = self.begun || taken > 0;
                        self.push(piece.slice(taken..), 1, tally.as_deref_mut());
                    } else {
                        whole += 1;
                    }
                }
                if let Some(tally) = &mut tally {
                    tally.wrote(whole);
                }
                if !self.waiting.is_empty() {
                    break;
                }
            }
        }
        frames.for_each(|piece| self.push(piece.clone(), 1, tally.as_deref_mut()));
        self.wake();
    }

    /// Sends one piece of so many frames: nearly always the kernel takes it whole.
    fn send_piece(&mut self, io: &OwnedWriteHalf, piece: &Bytes, frames: u64, tally: &mut Tally) {
        let mut taken = 0;
        if self.waiting.is_empty() && !self.corked {
            taken = match io.as_ref().try_write(piece) {
                Ok(taken) if taken == piece.len() => return tally.wrote(frames),
                Ok(taken) => taken,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(_) => {
                    tally.dropped(frames);
                    return self.fail();
                }
            };
            self.begun = taken > 0;
        }
        self.push(piece.slice(taken..), frames, Some(tally));
        self.wake();
    }
}

impl Outlet for Wire {
    fn deliver(&self, frames: &[Frame], tally: Option<&mut Tally>) -> usize {
        let mut outbox = self.outbox.borrow_mut();
        if outbox.end == End::None {
            outbox.send(&self.io, frames, tally);
        } else if let Some(tally) = tally {
            tally.dropped(frames.len() as u64);
        }
        outbox.bytes - outbox.opening
    }

    fn deliver_batch(&self, batch: &Batch, tally: &mut Tally) -> usize {
        let mut outbox = self.outbox.borrow_mut();
        let frames = batch.frames().len() as u64;
        if outbox.end == End::None {
            outbox.send_piece(&self.io, batch.wire(), frames, tally);
        } else {
            tally.dropped(frames);
        }
        outbox.bytes - outbox.opening
    }

    fn seated(&self, room: RoomId, opening: &[Frame], tally: &mut Tally) {
        self.deliver(opening, Some(tally));
        let mut outbox = self.outbox.borrow_mut();
        outbox.opening = outbox.bytes;
        outbox.seated = true;
        outbox.notes.push(Note::Seated(room));
        outbox.wake();
    }

    fn settle(&self, tag: u64, outcome: Result<Posted, Refused>) {
        let mut outbox = self.outbox.borrow_mut();
        outbox.notes.push(Note::Settled(tag, outcome));
        outbox.wake();
    }

    fn part(&self, room: RoomId, code: CloseCode, is_told: bool) {
        if !self.departure.is_native() {
            return self.close(code);
        }
        let mut outbox = self.outbox.borrow_mut();
        outbox.notes.push(Note::Parted(room, code, is_told));
        outbox.wake();
    }

    fn close(&self, code: CloseCode) {
        if self.outbox.borrow().end != End::None {
            return;
        }
        self.departure.leave();
        let mut outbox = self.outbox.borrow_mut();
        let keep = usize::from(outbox.begun && !outbox.waiting.is_empty());
        outbox.waiting.truncate(keep);
        outbox.bytes = outbox.waiting.iter().map(|piece| piece.bytes.len()).sum();
        outbox.opening = 0;
        outbox.send(&self.io, &self.departure.goodbye(code), None);
        outbox.end = End::Goodbye;
        outbox.wake();
    }

    fn backlog(&self) -> Backlog {
        let outbox = self.outbox.borrow();
        // Whoever is being closed is no longer judged by what waits for him.
        let since = outbox.since.filter(|_| outbox.end == End::None);
        Backlog { bytes: outbox.bytes, opening: outbox.opening, since }
    }

    fn last_heard(&self) -> Instant {
        if self.is_read.get() { self.heard.get() } else { Instant::now() }
    }

    fn due(&self) -> Option<Instant> {
        self.due.get()
    }

    fn wake(&self) {
        self.outbox.borrow().wake();
    }
}
