//! The direct engine: the session actor owns its socket. One task a connection reads, relays and
//! writes on what waits; an idle one holds no buffer. Reads go through one buffer a worker. Started
//! by [`super::newcomer`].

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use actix::fut::ActorFuture;
use actix::prelude::*;
use actix_web::rt::time::{Sleep, sleep};
use tokio::io::ReadBuf;

use crate::protocol::Decoder;
use crate::rooms::Outlet;

use super::hosted::Session;
use super::place::Place;
use super::relay::Step;
use super::wire::Wire;

/// Bytes read at a time, into one buffer a worker.
const READ_BYTES: usize = 16 * 1_024;
/// Reads in a row before other sockets of the worker get their turn.
const READS_IN_A_ROW: usize = 8;
/// A client that does not read its answers gets no more of them: over this, it isn't read.
const BACKLOG_TO_PAUSE_AT: usize = 64 * 1_024;
/// A client that was told goodbye has this long to read it and hang up.
pub(super) const GOODBYE: Duration = Duration::from_secs(5);

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// The session actor.
pub struct DirectSession {
    wire: Rc<Wire>,
    decoder: Decoder,
    stage: Stage,
    _place: Place,
}

/// What a socket is at.
enum Stage {
    Open(Session),
    /// Only the goodbye remains; once it waits, how long the client has to hang up.
    Goodbye(Option<Pin<Box<Sleep>>>),
}

impl DirectSession {
    /// Whose handshake is answered; with no session, only the goodbye remains.
    pub fn new(wire: Rc<Wire>, decoder: Decoder, session: Option<Session>, place: Place) -> Self {
        let stage = session.map_or(Stage::Goodbye(None), Stage::Open);
        Self { wire, decoder, stage, _place: place }
    }
}

impl Actor for DirectSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Drive);
    }
}

impl Stage {
    /// With its session goes a post in hand, and its place in the queue for one.
    fn say_goodbye(&mut self) {
        if matches!(self, Self::Open(_)) {
            *self = Self::Goodbye(None);
        }
    }
}

/// Drives the socket until it ends. Without a state of its own, it needs no memory.
struct Drive;

impl ActorFuture<DirectSession> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut DirectSession,
        ctx: &mut Context<DirectSession>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        session.wire.set_waker(task.waker());
        let ended = session.go_on(task);
        if ended.is_ready() || session.poll_goodbye(task).is_ready() {
            ctx.stop();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl DirectSession {
    /// Ready when the connection has ended, in order or not.
    fn go_on(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        if let Stage::Open(session) = &mut self.stage {
            for note in self.wire.take_notes() {
                let step = session.note(note);
                Self::take(&self.wire, step);
            }
        }
        for _ in 0..READS_IN_A_ROW {
            self.hear_what_was_read(task);
            let flushed = self.wire.poll_flush(task);
            if matches!(flushed, Poll::Ready(Err(_))) {
                return Poll::Ready(());
            }
            let is_closing = self.wire.is_closing();
            if is_closing {
                self.stage.say_goodbye();
                if flushed.is_ready() {
                    self.wire.end();
                }
            }
            let is_full = matches!(&self.stage, Stage::Open(session) if session.is_full())
                || self.wire.backlog().bytes > BACKLOG_TO_PAUSE_AT;
            self.wire.set_read(!is_full || is_closing);
            if is_full && !is_closing {
                return Poll::Pending;
            }
            match ready!(self.read(task, !is_closing)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => self.wire.note_heard(),
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }

    /// Ready when the client had its time to hang up.
    fn poll_goodbye(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        match &mut self.stage {
            Stage::Open(_) => Poll::Pending,
            Stage::Goodbye(wait) => {
                wait.get_or_insert_with(|| Box::pin(sleep(GOODBYE))).as_mut().poll(task)
            }
        }
    }

    /// `keep`: what a client sends after it was told goodbye is read and dropped.
    fn read(&mut self, task: &mut TaskContext<'_>, keep: bool) -> Poll<io::Result<usize>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(self.wire.poll_read(task, &mut buffer))?;
            if keep {
                self.decoder.take(buffer.filled());
            }
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    /// Hands on what was read, as far as the room has places. A post without one waits: then this
    /// task is woken when there is one.
    fn hear_what_was_read(&mut self, task: &mut TaskContext<'_>) {
        let Stage::Open(session) = &mut self.stage else { return };
        while !self.wire.is_closing() {
            if let Poll::Ready(step) = session.poll(task) {
                Self::take(&self.wire, step);
                // A session that said goodbye is not asked again: it would say so for ever.
                continue;
            }
            let is_behind = self.wire.backlog().bytes > BACKLOG_TO_PAUSE_AT;
            if self.wire.is_closing() || is_behind || session.is_full() {
                break;
            }
            match self.decoder.next_message() {
                Ok(Some(incoming)) => {
                    let step = session.hear(incoming);
                    Self::take(&self.wire, step);
                }
                Ok(None) => break,
                Err(violation) => self.wire.close(violation.close()),
            }
        }
        self.wire.set_due(session.due());
    }

    fn take(wire: &Rc<Wire>, step: Step) {
        match step {
            Step::Nothing => {}
            Step::Reply(frame) => {
                wire.deliver(&[frame], None);
            }
            Step::Close(code) => wire.close(code),
        }
    }
}
