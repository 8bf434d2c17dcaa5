//! The direct engine: the session actor owns its socket. One task a connection reads, relays and
//! writes on what waits; an idle one holds no buffer. Reads go through one buffer a worker.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use actix::fut::ActorFuture;
use actix::prelude::*;
use actix_http::Request;
use actix_http::h1::Codec;
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::{Sleep, sleep, timeout};
use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;

use crate::config::SessionSettings;
use crate::protocol::{Decoder, Gate, close};
use crate::rooms::joining::{Join, Wants};
use crate::rooms::{Outlet, Refused, ShardHandle, Shards};

use super::door::{self, Knock};
use super::entry::{Arrival, Denied, Guest, Porter, Way};
use super::handshake;
use super::hosted::Session;
use super::native::{Berth, Native};
use super::place::{Departure, Place};
use super::relay::{Relay, Step, farewell};
use super::wire::Wire;

/// Bytes read at a time, into one buffer a worker.
const READ_BYTES: usize = 16 * 1_024;
/// Reads in a row before other sockets of the worker get their turn.
const READS_IN_A_ROW: usize = 8;
/// A client that does not read its answers gets no more of them: over this, it isn't read.
const BACKLOG_TO_PAUSE_AT: usize = 64 * 1_024;
/// A client that was told goodbye has this long to read it and hang up.
const GOODBYE: Duration = Duration::from_secs(5);
/// A room must have seated its new socket in this time.
const HANDSHAKE: Duration = Duration::from_secs(10);

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Serves one upgrade request to its end, or to where the session's own task takes over.
pub async fn serve(
    porter: Porter,
    gate: Arc<Gate>,
    settings: Arc<SessionSettings>,
    request: Request,
    framed: actix_codec::Framed<TcpStream, Codec>,
) {
    let mut parts = framed.into_parts();
    let Some(peer) = request.peer_addr() else { return };
    let decision = match door::knock(&request, peer.ip(), &gate) {
        Ok(knock) => match porter.greet(&knock).await {
            Ok(arrival) => Ok((arrival, knock)),
            Err(denied) => Err((denied, Some(knock))),
        },
        Err(refusal) => Err((Denied::Refuse(refusal), None)),
    };
    // What was answered on this connection before goes out first.
    let mut answer = parts.write_buf.split().to_vec();
    match decision {
        Err((Denied::Refuse(refusal), _)) => {
            porter.rooms().count_refusal();
            answer.extend(handshake::refusing(&refusal));
            finish(parts.io, &answer).await;
        }
        Err((Denied::Close(code, _), knock)) => {
            porter.rooms().count_refusal();
            let (key, is_native) = knock.map(|k| (k.key, k.is_native)).unwrap_or_default();
            answer.extend(handshake::switching(&key, is_native));
            for frame in Departure::new(porter.rooms().clone(), is_native).goodbye(code) {
                answer.extend_from_slice(frame.wire());
            }
            finish(parts.io, &answer).await;
        }
        Ok((arrival, knock)) => {
            answer.extend(handshake::switching(&knock.key, knock.is_native));
            let line = Line { io: parts.io, unread: parts.read_buf, answer };
            if let Err(error) = begin(porter, &settings, line, arrival, &knock).await {
                log::debug!("a socket from {} was lost in its handshake: {error}", knock.ip);
            }
        }
    }
}

/// Writes a last answer and hangs up in order, so that the client gets to read it.
async fn finish(mut io: TcpStream, answer: &[u8]) {
    let goodbye = async {
        io.write_all(answer).await?;
        io.shutdown().await?;
        let mut rest = [0; 512];
        while tokio::io::AsyncReadExt::read(&mut io, &mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // A client that is gone, or does not hang up, misses nothing.
    drop(timeout(GOODBYE, goodbye).await);
}

/// A connection whose handshake is decided and not answered yet.
struct Line {
    io: TcpStream,
    unread: BytesMut,
    answer: Vec<u8>,
}

async fn begin(
    porter: Porter,
    settings: &Arc<SessionSettings>,
    Line { io, unread, answer }: Line,
    arrival: Arrival,
    knock: &Knock,
) -> io::Result<()> {
    io.set_nodelay(true)?;
    SockRef::from(&io).set_tcp_user_timeout(Some(Duration::from_secs(settings.max_pending_s)))?;
    let Some(shard) = Shards::here() else {
        return Err(io::Error::other("this worker has no Shard"));
    };
    let departure = Departure::new(porter.rooms().clone(), knock.is_native);
    let (reading, writing) = io.into_split();
    let wire = Wire::new(writing, Rc::clone(&departure));
    let place = Place::open(&shard, Rc::clone(&wire) as Rc<dyn Outlet>, Rc::clone(&departure));
    let mut decoder = Decoder::new(settings.max_frame_bytes);
    decoder.take(&unread);
    departure.hold(arrival.pass);
    let session = match arrival.to {
        Way::Native(proof) => {
            let limits = Arc::clone(settings);
            let berth =
                Berth { porter, shard, slot: place.slot(), ip: knock.ip, departure, limits };
            let mut native = Native::new(berth, knock.target.clone(), proof);
            native.enter_own_room(knock.after, knock.epoch.clone());
            Some(Session::Native(Box::new(native)))
        }
        Way::Plain(guest) => {
            let session = enter(&porter, settings, &place, &shard, &guest, knock).await;
            let session = session.map_err(|refused| wire.close(farewell(refused))).ok();
            if let Some(room) = session.as_ref().map(|_| guest.room) {
                departure.joined(room);
            }
            // Only then: whose handshake is done is counted.
            if timeout(HANDSHAKE, poll_fn(|task| wire.poll_seated(task))).await.is_err() {
                wire.close(close::SERVER_FAULT);
            }
            session.map(|relay| Session::Plain(Box::new(relay)))
        }
    };
    wire.answer(answer);
    DirectSession { wire, reading, decoder, session, ended: false, _place: place }.start();
    Ok(())
}

/// Seats a plain socket in its room.
async fn enter(
    porter: &Porter,
    settings: &SessionSettings,
    place: &Place,
    shard: &Arc<ShardHandle>,
    guest: &Guest,
    knock: &Knock,
) -> Result<Relay, Refused> {
    let seat = place.seat(guest, knock.ip);
    let wants = Wants::Opening(guest.opening);
    let join = Join::new(guest.room, Arc::clone(&seat), wants, shard.clone());
    let room = porter.rooms().enter(guest.room, join).await?;
    Ok(Relay::new(porter, room, seat, shard.clone(), settings))
}

/// The session actor.
pub struct DirectSession {
    wire: Rc<Wire>,
    reading: OwnedReadHalf,
    decoder: Decoder,
    /// None: only the goodbye remains.
    session: Option<Session>,
    /// Our side of the connection has ended.
    ended: bool,
    _place: Place,
}

impl Actor for DirectSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Drive { goodbye: None });
    }
}

/// Drives the socket until it ends.
struct Drive {
    goodbye: Option<Pin<Box<Sleep>>>,
}

impl ActorFuture<DirectSession> for Drive {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        session: &mut DirectSession,
        ctx: &mut Context<DirectSession>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        session.wire.set_waker(task.waker());
        let ended = session.go_on(task);
        if ended.is_ready() {
            ctx.stop();
            return Poll::Ready(());
        }
        if session.wire.is_closing() {
            let goodbye = self.goodbye.get_or_insert_with(|| Box::pin(sleep(GOODBYE)));
            if goodbye.as_mut().poll(task).is_ready() {
                ctx.stop();
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

impl DirectSession {
    /// Ready when the connection has ended, in order or not.
    fn go_on(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        if let Some(session) = &mut self.session {
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
                // With it goes a post in hand, and its place in the queue for one.
                self.session = None;
                if flushed.is_ready() && !std::mem::replace(&mut self.ended, true) {
                    self.wire.end();
                }
            }
            let is_full = self.session.as_ref().is_some_and(Session::is_full)
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

    /// `keep`: what a client sends after it was told goodbye is read and dropped.
    fn read(&mut self, task: &mut TaskContext<'_>, keep: bool) -> Poll<io::Result<usize>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.reading).poll_read(task, &mut buffer))?;
            if keep {
                self.decoder.take(buffer.filled());
            }
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    /// Hands on what was read, as far as the room has places. A post without one waits: then this
    /// task is woken when there is one.
    fn hear_what_was_read(&mut self, task: &mut TaskContext<'_>) {
        let Some(session) = &mut self.session else { return };
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
