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
use crate::protocol::{CloseCode, Decoder, Gate, close};
use crate::rooms::joining::{Join, Wants};
use crate::rooms::{Outlet, Refused, ShardHandle, Shards, Slot};

use super::direct::{DirectSession, GOODBYE};
use super::door::{self, Knock, Refusal};
use super::entry::{Arrival, Denied, Guest, Porter, Way};
use super::handshake;
use super::hosted::Session;
use super::native::{Berth, Native};
use super::place::{Departure, Place};
use super::proof::Proof;
use super::relay::{Relay, farewell};
use super::wire::Wire;

/// A room must have seated its new socket in this time.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What lets sockets in.
pub struct Host {
    /// Decides who comes in.
    pub porter: Porter,
    /// What a request must look like.
    pub gate: Gate,
    /// What sessions may do.
    pub settings: Arc<SessionSettings>,
}

impl Host {
    /// Serves an upgrade request that actix-http has read.
    pub async fn serve(
        self: Arc<Self>,
        request: Request,
        framed: actix_codec::Framed<TcpStream, Codec>,
    ) {
        let parts = framed.into_parts();
        let Some(peer) = request.peer_addr() else { return };
        let (unread, answer) = (parts.read_buf.to_vec(), parts.write_buf.to_vec());
        match door::knock(&request, peer.ip(), &self.gate) {
            Ok(knock) => {
                let newcomer = Box::new(Newcomer { host: self, knock, unread, answer });
                newcomer.welcome(parts.io).await;
            }
            Err(refusal) => self.refuse(parts.io, answer, &refusal).await,
        }
    }

    /// Ends a connection whose request won't do; `answer`: what goes out first.
    pub async fn refuse(&self, io: TcpStream, mut answer: Vec<u8>, refusal: &Refusal) {
        self.porter.rooms().count_refusal();
        answer.extend(handshake::refusing(refusal));
        finish(io, &answer).await;
    }
}

/// Who sent a request that is not answered yet. In a box, as each future that has it would hold a
/// copy, and a crowd may wait here for its rooms.
pub struct Newcomer {
    /// Lets him in.
    pub host: Arc<Host>,
    /// What he asks for.
    pub knock: Knock,
    /// What was read behind the request.
    pub unread: Vec<u8>,
    /// What goes out; first of all what another request before his got.
    pub answer: Vec<u8>,
}

impl Newcomer {
    /// Answers the request, to its end or to where the session's own task takes over.
    pub async fn welcome(self: Box<Self>, io: TcpStream) {
        match self.host.porter.greet(&self.knock).await {
            Ok(arrival) => match self.better_place(&arrival).await {
                Some(shard) => self.move_to(&shard, io, arrival),
                None => Box::pin(self.settle(io, arrival)).await,
            },
            Err(Denied::Refuse(refusal)) => {
                Box::pin(self.host.refuse(io, self.answer, &refusal)).await;
            }
            Err(Denied::Close(code, _)) => Box::pin(self.turn_away(io, code)).await,
        }
    }

    /// Lets him in for as long as it takes to say why he can't stay: browsers show no more of a
    /// handshake than that it failed.
    async fn turn_away(self: Box<Self>, io: TcpStream, code: CloseCode) {
        let Self { host, knock, mut answer, .. } = *self;
        host.porter.rooms().count_refusal();
        answer.extend(handshake::switching(&knock.key, knock.is_native));
        let departure = Departure::new(host.porter.rooms().clone(), knock.is_native);
        for frame in departure.goodbye(code) {
            answer.extend_from_slice(frame.wire());
        }
        finish(io, &answer).await;
    }

    /// The worker of the room that the socket is for, when that is another: see
    /// `RoomHandle::better_place`.
    async fn better_place(&self, arrival: &Arrival) -> Option<Arc<ShardHandle>> {
        let rooms = self.host.porter.rooms();
        let room = match &arrival.to {
            Way::Plain(guest) => guest.room,
            Way::Native(_) => {
                let name = RoomName::parse(self.knock.target.as_deref()?).ok()?;
                rooms.live_named(&name)?.0
            }
        };
        // An error comes up again, and is answered, where the socket enters the room.
        rooms.find(room).await.ok()?.better_place(&*Shards::here()?)
    }

    /// Goes on on another worker.
    fn move_to(self: Box<Self>, shard: &ShardHandle, io: TcpStream, arrival: Arrival) {
        let ip = self.knock.ip;
        match io.into_std() {
            Ok(io) => {
                shard.arbiter.spawn_fn(move || {
                    actix_web::rt::spawn(async move {
                        match TcpStream::from_std(io) {
                            Ok(io) => self.settle(io, arrival).await,
                            Err(error) => lost(ip, &error),
                        }
                    });
                });
            }
            Err(error) => lost(ip, &error),
        }
    }

    async fn settle(self: Box<Self>, io: TcpStream, arrival: Arrival) {
        let ip = self.knock.ip;
        if let Err(error) = self.begin(io, arrival).await {
            lost(ip, &error);
        }
    }

    async fn begin(mut self: Box<Self>, io: TcpStream, arrival: Arrival) -> io::Result<()> {
        let (porter, settings) = (&self.host.porter, &self.host.settings);
        io.set_nodelay(true)?;
        SockRef::from(&io)
            .set_tcp_user_timeout(Some(Duration::from_secs(settings.max_pending_s)))?;
        let Some(shard) = Shards::here() else {
            return Err(io::Error::other("this worker has no Shard"));
        };
        let departure = Departure::new(porter.rooms().clone(), self.knock.is_native);
        let wire = Wire::new(io, Rc::clone(&departure));
        let place = Place::open(&shard, Rc::clone(&wire) as Rc<dyn Outlet>, Rc::clone(&departure));
        let mut decoder = Decoder::new(settings.max_frame_bytes);
        decoder.take(&self.unread);
        departure.hold(arrival.pass);
        self.answer.extend(handshake::switching(&self.knock.key, self.knock.is_native));
        let session = match arrival.to {
            Way::Native(proof) => Some(self.native(proof, shard, place.slot(), departure)),
            Way::Plain(guest) => {
                let session = self.seat(&place, &shard, &guest).await;
                let session = session.map_err(|refused| wire.close(farewell(refused))).ok();
                if session.is_some() {
                    departure.joined(guest.room);
                }
                // Only then: whose handshake is done is counted.
                if timeout(HANDSHAKE, poll_fn(|task| wire.poll_seated(task))).await.is_err() {
                    wire.close(close::SERVER_FAULT);
                }
                session
            }
        };
        wire.answer(self.answer);
        DirectSession::new(wire, decoder, session, place).start();
        Ok(())
    }

    fn native(
        &mut self,
        proof: Proof,
        shard: Arc<ShardHandle>,
        slot: Slot,
        departure: Rc<Departure>,
    ) -> Session {
        let (porter, limits) = (self.host.porter.clone(), Arc::clone(&self.host.settings));
        let berth = Berth { porter, shard, slot, ip: self.knock.ip, departure, limits };
        let mut native = Native::new(berth, self.knock.target.take(), proof);
        native.enter_own_room(self.knock.after, self.knock.epoch.take());
        Session::Native(Box::new(native))
    }

    /// Seats a plain socket in its room.
    async fn seat(
        &self,
        place: &Place,
        shard: &Arc<ShardHandle>,
        guest: &Guest,
    ) -> Result<Session, Refused> {
        let Host { porter, settings, .. } = &*self.host;
        let seat = place.seat(guest, self.knock.ip);
        let wants = Wants::Opening(guest.opening);
        let join = Join::new(guest.room, Arc::clone(&seat), wants, Arc::clone(shard));
        let room = porter.rooms().enter(guest.room, join).await?;
        let relay = Relay::new(porter, room, seat, Arc::clone(shard), Arc::clone(settings));
        Ok(Session::Plain(relay))
    }
}

fn lost(ip: IpAddr, error: &io::Error) {
    log::debug!("a socket from {ip} was lost in its handshake: {error}");
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
