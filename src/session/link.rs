//! The socket of the actix-web-actors engine, as the worker's Shard sees it: what is delivered waits
//! here until the session hands it to actix-http.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, TcpStream as StdStream};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;

use crate::domain::{Posted, RoomId};
use crate::protocol::{CloseCode, Frame};
use crate::rooms::Refused;
use crate::rooms::ledger::{Tally, Waiting};
use crate::rooms::outlet::{Backlog, Outlet};

use super::note::Note;
use super::place::Departure;

/// A client that was told goodbye has this long to read it before the line is cut.
const GOODBYE: Duration = Duration::from_secs(5);

/// A second handle on the connection: a body that its client does not read is never polled, so
/// only the socket itself can end it.
pub struct Line(StdStream);

impl Line {
    /// On this connection.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn of(io: &impl AsFd) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self(OwnedFd::into(io.as_fd().try_clone_to_owned()?))))
    }
}

#[derive(Default)]
struct Outbox {
    waiting: VecDeque<(Frame, Option<Waiting>)>,
    bytes: usize,
    opening: usize,
    since: Option<Instant>,
    closing: bool,
    seated: bool,
    notes: Vec<Note>,
    waker: Option<Waker>,
}

/// The session, as the worker's Shard sees it.
pub struct Link {
    me: Weak<Self>,
    outbox: RefCell<Outbox>,
    heard: Cell<Instant>,
    is_read: Cell<bool>,
    due: Cell<Option<Instant>>,
    departure: Rc<Departure>,
    line: Option<Rc<Line>>,
}

impl Link {
    /// Of a session that has not begun; without a `line` nothing can cut it off.
    #[must_use]
    pub fn new(line: Option<Rc<Line>>, departure: Rc<Departure>) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            outbox: RefCell::default(),
            heard: Cell::new(Instant::now()),
            is_read: Cell::new(true),
            due: Cell::new(None),
            departure,
            line,
        })
    }

    /// Ready once the room has seated the socket, or turned it away.
    pub fn poll_seated(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let mut outbox = self.outbox.borrow_mut();
        outbox.waker = Some(task.waker().clone());
        if outbox.seated || outbox.closing { Poll::Ready(()) } else { Poll::Pending }
    }

    /// What rooms had for the session since the last time; it is woken when there is more.
    pub fn take_notes(&self, waker: &Waker) -> Vec<Note> {
        let mut outbox = self.outbox.borrow_mut();
        outbox.waker = Some(waker.clone());
        std::mem::take(&mut outbox.notes)
    }

    /// Whether goodbye was said.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.outbox.borrow().closing
    }

    /// Bytes came from the client.
    pub fn note_heard(&self) {
        self.heard.set(Instant::now());
    }

    /// Whether the session reads at present: who isn't read can't be heard.
    pub fn set_read(&self, is_read: bool) {
        if !self.is_read.replace(is_read) && is_read {
            self.note_heard();
        }
    }

    /// When the session is to be woken.
    pub fn set_due(&self, due: Option<Instant>) {
        self.due.set(due);
    }

    /// Hands over what waits: whoever takes a frame has it written.
    pub fn write_waiting(&self, mut write: impl FnMut(&Frame)) {
        let mut outbox = self.outbox.borrow_mut();
        outbox.bytes = 0;
        outbox.opening = 0;
        outbox.since = None;
        for (frame, waits) in std::mem::take(&mut outbox.waiting) {
            write(&frame);
            waits.into_iter().for_each(Waiting::written);
        }
    }

    fn hang_up(&self) {
        if let Some(line) = &self.line {
            // An error means that it is down already.
            drop(line.0.shutdown(Shutdown::Both));
        }
    }
}

impl Outlet for Link {
    fn deliver(&self, frames: &[Frame], mut tally: Option<&mut Tally>) -> usize {
        let mut outbox = self.outbox.borrow_mut();
        if outbox.closing {
            if let Some(tally) = tally {
                tally.dropped(frames.len() as u64);
            }
        } else {
            outbox.since.get_or_insert_with(Instant::now);
            for frame in frames {
                outbox.bytes += frame.wire().len();
                let waits = tally.as_deref_mut().map(|tally| tally.waits(1));
                outbox.waiting.push_back((frame.clone(), waits));
            }
        }
        let bytes = outbox.bytes - outbox.opening;
        drop(outbox);
        self.wake();
        bytes
    }

    fn seated(&self, room: RoomId, opening: &[Frame], tally: &mut Tally) {
        self.deliver(opening, Some(tally));
        let mut outbox = self.outbox.borrow_mut();
        outbox.opening = outbox.bytes;
        outbox.seated = true;
        outbox.notes.push(Note::Seated(room));
        drop(outbox);
        self.wake();
    }

    fn settle(&self, tag: u64, outcome: Result<Posted, Refused>) {
        self.outbox.borrow_mut().notes.push(Note::Settled(tag, outcome));
        self.wake();
    }

    fn part(&self, room: RoomId, code: CloseCode, is_told: bool) {
        if !self.departure.is_native() {
            return self.close(code);
        }
        self.outbox.borrow_mut().notes.push(Note::Parted(room, code, is_told));
        self.wake();
    }

    fn due(&self) -> Option<Instant> {
        self.due.get()
    }

    fn wake(&self) {
        if let Some(waker) = &self.outbox.borrow().waker {
            waker.wake_by_ref();
        }
    }

    fn close(&self, code: CloseCode) {
        if self.outbox.borrow().closing {
            return;
        }
        self.departure.leave();
        let mut outbox = self.outbox.borrow_mut();
        outbox.waiting =
            self.departure.goodbye(code).into_iter().map(|frame| (frame, None)).collect();
        outbox.bytes = 0;
        outbox.opening = 0;
        outbox.since = None;
        outbox.closing = true;
        drop(outbox);
        self.wake();
        let me = self.me.clone();
        actix_web::rt::spawn(async move {
            sleep(GOODBYE).await;
            if let Some(link) = me.upgrade() {
                link.hang_up();
            }
        });
    }

    fn backlog(&self) -> Backlog {
        let outbox = self.outbox.borrow();
        Backlog { bytes: outbox.bytes, opening: outbox.opening, since: outbox.since }
    }

    fn last_heard(&self) -> Instant {
        // A body that waits for its client is not polled, and so not read.
        let is_read = self.is_read.get() && self.outbox.borrow().bytes == 0;
        if is_read { self.heard.get() } else { Instant::now() }
    }
}
