//! A connection of the direct engine from its request to its session: who is let in, on which
//! worker his socket lives, his seat, and the answer. Called by [`super::upgrade`] and, for what
//! that leaves to it, by actix-http. Must not be on the way of a socket that is in.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use actix_http::Request;
use actix_http::h1::Codec;
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::timeout;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;

use crate::config::SessionSettings;
use crate::domain::RoomName;
use crate::protocol::{Decoder, Gate, close};
use crate::rooms::joining::{Join, Wants};
use crate::rooms::{Outlet, Refused, ShardHandle, Shards};

use super::direct::{DirectSession, GOODBYE};
use super::door::{self, Knock, Refusal};
use super::entry::{Arrival, Denied, Guest, Porter, Way};
use super::handshake;
use super::hosted::Session;
use super::native::{Berth, Native};
use super::place::{Departure, Place};
use super::relay::{Relay, farewell};
use super::wire::Wire;

/// A room must have seated its new socket in this time.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What lets sockets in, on one worker. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    /// Decides who comes in.
    pub porter: Porter,
    /// What a request must look like.
    pub gate: Arc<Gate>,
    /// What sessions may do.
    pub settings: Arc<SessionSettings>,
}

/// A connection whose request is read and not answered.
pub struct Line {
    /// The connection.
    pub io: TcpStream,
    /// What was read behind the request.
    pub unread: Vec<u8>,
    /// What goes out before the answer.
    pub unsent: Vec<u8>,
}

impl Host {
    /// Serves an upgrade request that actix-http has read.
    pub async fn serve(self, request: Request, framed: actix_codec::Framed<TcpStream, Codec>) {
        let parts = framed.into_parts();
        let Some(peer) = request.peer_addr() else { return };
        let knock = door::knock(&request, peer.ip(), &self.gate);
        let (unread, unsent) = (parts.read_buf.to_vec(), parts.write_buf.to_vec());
        self.welcome(knock, Line { io: parts.io, unread, unsent }).await;
    }

    /// Answers a request for an upgrade, to its end or to where the session's own task takes over.
    pub async fn welcome(self, knock: Result<Knock, Refusal>, line: Line) {
        let decision = match knock {
            Ok(knock) => match self.porter.greet(&knock).await {
                Ok(arrival) => Ok((arrival, knock)),
                Err(denied) => Err((denied, Some(knock))),
            },
            Err(refusal) => Err((Denied::Refuse(refusal), None)),
        };
        let Line { io, unread, unsent: mut answer } = line;
        match decision {
            Err((Denied::Refuse(refusal), _)) => {
                self.porter.rooms().count_refusal();
                answer.extend(handshake::refusing(&refusal));
                Box::pin(finish(io, &answer)).await;
            }
            Err((Denied::Close(code, _), knock)) => {
                self.porter.rooms().count_refusal();
                let (key, is_native) = knock.map(|k| (k.key, k.is_native)).unwrap_or_default();
                answer.extend(handshake::switching(&key, is_native));
                for frame in Departure::new(self.porter.rooms().clone(), is_native).goodbye(code) {
                    answer.extend_from_slice(frame.wire());
                }
                Box::pin(finish(io, &answer)).await;
            }
            Ok((arrival, knock)) => {
                answer.extend(handshake::switching(&knock.key, knock.is_native));
                let better = self.better_place(&arrival, &knock).await;
                let newcomer = Box::new(Newcomer { host: self, unread, answer, arrival, knock });
                match better {
                    Some(shard) => newcomer.move_to(&shard, io),
                    None => Box::pin(newcomer.settle(io)).await,
                }
            }
        }
    }

    /// The worker of the room that the socket is for, when that is another: see
    /// `RoomHandle::better_place`.
    async fn better_place(&self, arrival: &Arrival, knock: &Knock) -> Option<Arc<ShardHandle>> {
        let rooms = self.porter.rooms();
        let room = match &arrival.to {
            Way::Plain(guest) => guest.room,
            Way::Native(_) => {
                let name = RoomName::parse(knock.target.as_deref()?).ok()?;
                rooms.live_named(&name)?.0
            }
        };
        // An error comes up again, and is answered, where the socket enters the room.
        rooms.find(room).await.ok()?.better_place(&*Shards::here()?)
    }
}

/// Writes a last answer and hangs up in order, so that the client gets to read it.
pub(super) async fn finish(mut io: TcpStream, answer: &[u8]) {
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

/// Somebody who is let in, whose handshake is not answered yet. Handed on in a box, as each future
/// that has it would hold a copy.
struct Newcomer {
    host: Host,
    unread: Vec<u8>,
    answer: Vec<u8>,
    arrival: Arrival,
    knock: Knock,
}

impl Newcomer {
    /// Goes on on another worker.
    fn move_to(self: Box<Self>, shard: &ShardHandle, io: TcpStream) {
        let ip = self.knock.ip;
        match io.into_std() {
            Ok(io) => {
                shard.arbiter.spawn_fn(move || {
                    actix_web::rt::spawn(async move {
                        match TcpStream::from_std(io) {
                            Ok(io) => self.settle(io).await,
                            Err(error) => lost(ip, &error),
                        }
                    });
                });
            }
            Err(error) => lost(ip, &error),
        }
    }

    async fn settle(self: Box<Self>, io: TcpStream) {
        let ip = self.knock.ip;
        if let Err(error) = self.begin(io).await {
            lost(ip, &error);
        }
    }

    async fn begin(self: Box<Self>, io: TcpStream) -> io::Result<()> {
        let Self { host: Host { porter, settings, .. }, unread, answer, arrival, knock } = *self;
        io.set_nodelay(true)?;
        SockRef::from(&io)
            .set_tcp_user_timeout(Some(Duration::from_secs(settings.max_pending_s)))?;
        let Some(shard) = Shards::here() else {
            return Err(io::Error::other("this worker has no Shard"));
        };
        let departure = Departure::new(porter.rooms().clone(), knock.is_native);
        let wire = Wire::new(io, Rc::clone(&departure));
        let place = Place::open(&shard, Rc::clone(&wire) as Rc<dyn Outlet>, Rc::clone(&departure));
        let mut decoder = Decoder::new(settings.max_frame_bytes);
        decoder.take(&unread);
        departure.hold(arrival.pass);
        let session = match arrival.to {
            Way::Native(proof) => {
                let limits = settings;
                let berth =
                    Berth { porter, shard, slot: place.slot(), ip: knock.ip, departure, limits };
                let mut native = Native::new(berth, knock.target, proof);
                native.enter_own_room(knock.after, knock.epoch);
                Some(Session::Native(Box::new(native)))
            }
            Way::Plain(guest) => {
                let session = enter(&porter, settings, &place, &shard, &guest, knock.ip).await;
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
        DirectSession::new(wire, decoder, session, place).start();
        Ok(())
    }
}

fn lost(ip: IpAddr, error: &io::Error) {
    log::debug!("a socket from {ip} was lost in its handshake: {error}");
}

/// Seats a plain socket in its room.
async fn enter(
    porter: &Porter,
    settings: Arc<SessionSettings>,
    place: &Place,
    shard: &Arc<ShardHandle>,
    guest: &Guest,
    ip: IpAddr,
) -> Result<Relay, Refused> {
    let seat = place.seat(guest, ip);
    let wants = Wants::Opening(guest.opening);
    let join = Join::new(guest.room, Arc::clone(&seat), wants, shard.clone());
    let room = porter.rooms().enter(guest.room, join).await?;
    Ok(Relay::new(porter, room, seat, shard.clone(), settings))
}
