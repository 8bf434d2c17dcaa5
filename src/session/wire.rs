//! The direct engine's socket, as the worker's Shard sees it: frames go straight from shared
//! memory to the kernel, several in one write; what the kernel does not take waits here, counted.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use crate::domain::{Posted, RoomId};
use crate::protocol::{CloseCode, Frame};
use crate::rooms::Refused;
use crate::rooms::ledger::Tally;
use crate::rooms::outlet::{Backlog, Batch, Outlet};

use super::behind::Behind;
use super::note::Note;
use super::place::Departure;

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

struct Outbox {
    io: TcpStream,
    /// None: the kernel took all of it.
    behind: Option<Box<Behind>>,
    end: End,
    /// Our side of the connection has ended.
    ended: bool,
    /// The handshake is not answered yet: nothing goes out before its answer.
    corked: bool,
    seated: bool,
    notes: Vec<Note>,
    waker: Option<Waker>,
}

/// The connection, and what its session must be told.
pub struct Wire {
    outbox: RefCell<Outbox>,
    heard: Cell<Instant>,
    is_read: Cell<bool>,
    due: Cell<Option<Instant>>,
    departure: Rc<Departure>,
}

impl Wire {
    /// Around a socket whose handshake is not answered yet: see [`Wire::answer`].
    #[must_use]
    pub fn new(io: TcpStream, departure: Rc<Departure>) -> Rc<Self> {
        let outbox = Outbox {
            io,
            behind: None,
            end: End::None,
            ended: false,
            corked: true,
            seated: false,
            notes: Vec::new(),
            waker: None,
        };
        Rc::new(Self {
            outbox: RefCell::new(outbox),
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
        let taken = SockRef::from(&outbox.io).send(&answer).unwrap_or(0);
        if taken < answer.len() {
            // Even if it is closed meanwhile, the goodbye follows the answer.
            outbox.behind().push_rest(Bytes::from(answer).slice(taken..), None);
        }
        outbox.write_on();
    }

    /// Reads what the client sent into `buffer`; nothing into it when the connection has ended.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn poll_read(
        &self,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.outbox.borrow_mut().io).poll_read(task, buffer)
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
        let mut outbox = self.outbox.borrow_mut();
        if !std::mem::replace(&mut outbox.ended, true) {
            // An error means that the connection is gone.
            drop(SockRef::from(&outbox.io).shutdown(Shutdown::Write));
        }
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
        let mut outbox = self.outbox.borrow_mut();
        if outbox.end == End::Broken {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        loop {
            outbox.write_behind()?;
            if outbox.behind.is_none() {
                return Poll::Ready(Ok(()));
            }
            ready!(outbox.io.poll_write_ready(task))?;
        }
    }
}

impl Outbox {
    fn behind(&mut self) -> &mut Behind {
        self.behind.get_or_insert_with(|| Box::new(Behind::new()))
    }

    fn backlog(&self) -> Backlog {
        self.behind.as_ref().map_or_else(Backlog::default, |behind| behind.backlog())
    }

    /// Writes until nothing waits or the kernel takes no more.
    fn write_behind(&mut self) -> io::Result<()> {
        while let Some(behind) = &mut self.behind {
            let outcome = self.io.try_write_vectored(&behind.slices());
            match outcome {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                // An idle socket holds no memory for what it once had to wait for.
                Ok(written) => {
                    if behind.taken(written) {
                        self.behind = None;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_on(&mut self) {
        if self.write_behind().is_err() {
            self.fail();
        }
    }

    fn fail(&mut self) {
        self.end = End::Broken;
        self.behind = None;
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// Sends frames behind what waits. Several go out in one write, and what must wait of them
    /// stays shared with whoever else gets them.
    fn send(&mut self, frames: &[Frame], mut tally: Option<&mut Tally>) {
        match frames {
            [] => {}
            [frame] => self.send_piece(frame.wire(), 1, tally),
            several => {
                for frame in several {
                    let waits = tally.as_deref_mut().map(|tally| tally.waits(1));
                    self.behind().push(frame.wire().clone(), waits);
                }
                if !self.corked {
                    self.write_on();
                }
                if self.behind.is_some() {
                    self.wake();
                }
            }
        }
    }

    /// Sends one piece of so many frames: nearly always the kernel takes it whole.
    fn send_piece(&mut self, piece: &Bytes, frames: u64, tally: Option<&mut Tally>) {
        let must_wait = self.corked || self.behind.is_some();
        match if must_wait { Ok(0) } else { self.io.try_write(piece) } {
            Ok(taken) if taken == piece.len() => {
                if let Some(tally) = tally {
                    tally.wrote(frames);
                }
            }
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                if let Some(tally) = tally {
                    tally.dropped(frames);
                }
                self.fail();
            }
            not_whole => {
                let waits = tally.map(|tally| tally.waits(frames));
                match not_whole.unwrap_or(0) {
                    0 => self.behind().push(piece.clone(), waits),
                    taken => self.behind().push_rest(piece.slice(taken..), waits),
                }
                self.wake();
            }
        }
    }
}

impl Outlet for Wire {
    fn deliver(&self, frames: &[Frame], tally: Option<&mut Tally>) -> usize {
        let mut outbox = self.outbox.borrow_mut();
        if outbox.end == End::None {
            outbox.send(frames, tally);
        } else if let Some(tally) = tally {
            tally.dropped(frames.len() as u64);
        }
        outbox.backlog().live_bytes()
    }

    fn deliver_batch(&self, batch: &Batch, tally: &mut Tally) -> usize {
        let mut outbox = self.outbox.borrow_mut();
        let frames = batch.frames().len() as u64;
        if outbox.end == End::None {
            outbox.send_piece(batch.wire(), frames, Some(tally));
        } else {
            tally.dropped(frames);
        }
        outbox.backlog().live_bytes()
    }

    fn seated(&self, room: RoomId, opening: &[Frame], tally: &mut Tally) {
        self.deliver(opening, Some(tally));
        let mut outbox = self.outbox.borrow_mut();
        outbox.behind.iter_mut().for_each(|behind| behind.is_opening());
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
        outbox.behind.take_if(|behind| !behind.keep_begun());
        outbox.send(&self.departure.goodbye(code), None);
        outbox.end = End::Goodbye;
        outbox.wake();
    }

    fn backlog(&self) -> Backlog {
        let outbox = self.outbox.borrow();
        // Whoever is being closed is no longer judged by what waits for him.
        let backlog = outbox.backlog();
        Backlog { since: backlog.since.filter(|_| outbox.end == End::None), ..backlog }
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
