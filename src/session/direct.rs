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
use crate::protocol::{Decoder, Frame, Gate, close};
use crate::rooms::joining::Join;
use crate::rooms::{Outlet, Shards};

use super::door::{self, Knock};
use super::entry::{Denied, Guest, Porter};
use super::handshake;
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
        Ok(knock) => porter
            .admit(&knock)
            .await
            .map(|guest| (guest, knock.clone()))
            .map_err(|denied| (denied, Some(knock))),
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
        Err((Denied::Close(code), knock)) => {
            porter.rooms().count_refusal();
            answer.extend(handshake::switching(&knock.map(|knock| knock.key).unwrap_or_default()));
            answer.extend_from_slice(Frame::close(code).wire());
            finish(parts.io, &answer).await;
        }
        Ok((guest, knock)) => {
            answer.extend(handshake::switching(&knock.key));
            if let Err(error) =
                begin(porter, &settings, parts.io, parts.read_buf, guest, &knock, answer).await
            {
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

async fn begin(
    porter: Porter,
    settings: &SessionSettings,
    io: TcpStream,
    unread: BytesMut,
    guest: Guest,
    knock: &Knock,
    answer: Vec<u8>,
) -> io::Result<()> {
    io.set_nodelay(true)?;
    SockRef::from(&io).set_tcp_user_timeout(Some(Duration::from_secs(settings.max_pending_s)))?;
    let Some(shard) = Shards::here() else {
        return Err(io::Error::other("this worker has no Shard"));
    };
    let departure = Departure::new(porter.rooms().clone());
    let (reading, writing) = io.into_split();
    let wire = Wire::new(writing, Rc::clone(&departure));
    let place = Place::open(&shard, Rc::clone(&wire) as Rc<dyn Outlet>, Rc::clone(&departure));
    let seat = place.seat(&guest, knock.ip);
    let join = Join::new(Arc::clone(&seat), guest.opening, shard.clone());
    let mut decoder = Decoder::new(settings.max_frame_bytes);
    decoder.take(&unread);
    let relay = match porter.rooms().enter(guest.room, join).await {
        Ok(room) => {
            departure.joined(room.id);
            Some(Relay::new(porter.rooms().clone(), room, seat, shard, settings))
        }
        Err(refused) => {
            wire.close(farewell(refused));
            None
        }
    };
    // Only then: whose handshake is done is counted.
    if timeout(HANDSHAKE, poll_fn(|task| wire.poll_seated(task))).await.is_err() {
        wire.close(close::SERVER_FAULT);
    }
    wire.answer(answer);
    DirectSession { wire, reading, decoder, relay, ended: false, _place: place }.start();
    Ok(())
}

/// The session actor.
pub struct DirectSession {
    wire: Rc<Wire>,
    reading: OwnedReadHalf,
    decoder: Decoder,
    /// None: the room could not be entered, only the goodbye remains.
    relay: Option<Relay>,
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
        if let Some(relay) = &mut self.relay {
            for outcome in self.wire.take_outcomes() {
                let step = relay.settle(outcome);
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
                self.relay = None;
                if flushed.is_ready() && !std::mem::replace(&mut self.ended, true) {
                    self.wire.end();
                }
            }
            let is_full = self.relay.as_ref().is_some_and(Relay::is_full)
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
        let Some(relay) = &mut self.relay else { return };
        while !self.wire.is_closing() {
            let step = relay.poll_waiting(task);
            Self::take(&self.wire, step);
            if relay.is_full() {
                return;
            }
            match self.decoder.next_message() {
                Ok(Some(incoming)) => {
                    let step = relay.hear(incoming);
                    Self::take(&self.wire, step);
                }
                Ok(None) => return,
                Err(violation) => self.wire.close(violation.close()),
            }
        }
    }

    fn take(wire: &Rc<Wire>, step: Step) {
        match step {
            Step::Nothing => {}
            Step::Reply(frame) => {
                wire.deliver(&[frame]);
            }
            Step::Close(code) => wire.close(code),
        }
    }
}
