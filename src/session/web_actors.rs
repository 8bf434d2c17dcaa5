//! The actix-web-actors engine: the session lives in an actix-web response body, as the crate's
//! examples have it. It is here to compare with; the crate is deprecated, and this is the one file
//! that imports it. Frames are read by the same decoder as in the direct engine, since the crate's
//! own checks a length only once the bytes are there.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use actix::fut::ActorFuture;
use actix::prelude::*;
use actix_http::ws::{CloseReason, Message, ProtocolError};
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::timeout;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, dev::Extensions};
use actix_web_actors::ws::WebsocketContext;
use bytestring::ByteString;
use futures_util::Stream;
use futures_util::stream::pending;
use socket2::SockRef;

use crate::config::SessionSettings;
use crate::protocol::{Decoder, Gate, close};
use crate::rooms::joining::{Join, Wants};
use crate::rooms::{Outlet, Shards};

use super::door::{self, Knock, Refusal};
use super::entry::{Arrival, Denied, Porter, Way};
use super::handshake;
use super::hosted::Session;
use super::link::{Line, Link};
use super::native::{Berth, Native};
use super::place::{Departure, Place};
use super::relay::{Relay, Step, farewell};

/// A room must have seated its new socket in this time.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Prepares a connection; called once each, before its first request.
pub fn on_connect(io: &TcpStream, data: &mut Extensions, settings: &SessionSettings) {
    let socket = SockRef::from(io);
    let patience = Duration::from_secs(settings.max_pending_s);
    let set = io.set_nodelay(true).and_then(|()| socket.set_tcp_user_timeout(Some(patience)));
    if let Ok(line) = set.and_then(|()| Line::of(io)) {
        data.insert(line);
    }
}

/// Serves `/ws/…`.
pub async fn serve(
    request: HttpRequest,
    payload: Payload,
    porter: Data<Porter>,
    gate: Data<Gate>,
    settings: Data<Arc<SessionSettings>>,
) -> HttpResponse {
    let Some(peer) = request.peer_addr() else { return HttpResponse::BadRequest().finish() };
    let knock = match door::knock(&request, peer.ip(), &gate) {
        Ok(knock) => knock,
        Err(refusal) => return refuse(&porter, &refusal),
    };
    let (arrival, goodbye) = match porter.greet(&knock).await {
        Ok(arrival) => (Some(arrival), None),
        Err(Denied::Refuse(refusal)) => return refuse(&porter, &refusal),
        Err(Denied::Close(code, _)) => {
            porter.rooms().count_refusal();
            (None, Some(code))
        }
    };
    let departure = Departure::new(porter.rooms().clone(), knock.is_native);
    let link = Link::new(request.conn_data::<Rc<Line>>().cloned(), Rc::clone(&departure));
    let decoder = Decoder::new(settings.max_frame_bytes);
    let mut session =
        WebSession { link: Rc::clone(&link), payload, decoder, session: None, place: None };
    if let Some(arrival) = arrival {
        session.begin(porter.get_ref(), &settings, arrival, departure, &knock).await;
    }
    if let Some(code) = goodbye {
        link.close(code);
    }
    let mut switching = HttpResponse::SwitchingProtocols();
    if knock.is_native {
        switching.insert_header(("Sec-WebSocket-Protocol", "hubbub.v1"));
    }
    switching
        .upgrade("websocket")
        .insert_header(("Sec-WebSocket-Accept", handshake::accept(&knock.key)))
        .streaming(WebsocketContext::create(session, pending()))
}

fn refuse(porter: &Porter, refusal: &Refusal) -> HttpResponse {
    porter.rooms().count_refusal();
    handshake::refusal(refusal)
}

/// The session actor.
struct WebSession {
    link: Rc<Link>,
    payload: Payload,
    decoder: Decoder,
    session: Option<Session>,
    place: Option<Place>,
}

impl WebSession {
    async fn begin(
        &mut self,
        porter: &Porter,
        settings: &Arc<SessionSettings>,
        arrival: Arrival,
        departure: Rc<Departure>,
        knock: &Knock,
    ) {
        let Some(shard) = Shards::here() else { return };
        let outlet = Rc::clone(&self.link) as Rc<dyn Outlet>;
        let place = Place::open(&shard, outlet, Rc::clone(&departure));
        let slot = place.slot();
        departure.hold(arrival.pass);
        let guest = match arrival.to {
            Way::Plain(guest) => guest,
            Way::Native(proof) => {
                self.place = Some(place);
                let (porter, limits) = (porter.clone(), Arc::clone(settings));
                let berth = Berth { porter, shard, slot, ip: knock.ip, departure, limits };
                let mut native = Native::new(berth, knock.target.clone(), proof);
                native.enter_own_room(knock.after, knock.epoch.clone());
                self.session = Some(Session::Native(Box::new(native)));
                return;
            }
        };
        let seat = place.seat(&guest, knock.ip);
        self.place = Some(place);
        let wants = Wants::Opening(guest.opening);
        let join = Join::new(guest.room, Arc::clone(&seat), wants, shard.clone());
        match porter.rooms().enter(guest.room, join).await {
            Ok(room) => {
                departure.joined(room.id);
                let relay = Relay::new(porter, room, seat, shard, Arc::clone(settings));
                self.session = Some(Session::Plain(relay));
            }
            Err(refused) => self.link.close(farewell(refused)),
        }
        // Only then: whose handshake is done is counted.
        let seated = poll_fn(|task| self.link.poll_seated(task));
        if timeout(HANDSHAKE, seated).await.is_err() {
            self.link.close(close::SERVER_FAULT);
        }
    }

    fn take(&self, step: Step) {
        match step {
            Step::Nothing => {}
            Step::Reply(frame) => {
                self.link.deliver(&[frame], None);
            }
            Step::Close(code) => self.link.close(code),
        }
    }

    /// Ready when the client hung up.
    fn go_on(&mut self, ctx: &mut WebsocketContext<Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        for note in self.link.take_notes(task.waker()) {
            if let Some(step) = self.session.as_mut().map(|session| session.note(note)) {
                self.take(step);
            }
        }
        loop {
            self.hear_what_was_read(task);
            self.write_waiting(ctx);
            let is_closing = self.link.is_closing();
            if is_closing {
                self.session = None;
            }
            let is_full = self.session.as_ref().is_some_and(Session::is_full);
            self.link.set_read(!is_full);
            if is_full {
                return Poll::Pending;
            }
            match Pin::new(&mut self.payload).poll_next(task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(bytes))) => {
                    self.link.note_heard();
                    if !is_closing {
                        self.decoder.take(&bytes);
                    }
                }
                Poll::Ready(None | Some(Err(_))) => return Poll::Ready(()),
            }
        }
    }

    fn hear_what_was_read(&mut self, task: &mut TaskContext<'_>) {
        while let Some(session) = &mut self.session
            && !self.link.is_closing()
        {
            self.link.set_due(session.due());
            if let Poll::Ready(step) = session.poll(task) {
                self.take(step);
                continue;
            }
            if session.is_full() {
                return;
            }
            let step = match self.decoder.next_message() {
                Ok(Some(incoming)) => session.hear(incoming),
                Ok(None) => return,
                Err(violation) => Step::Close(violation.close()),
            };
            self.take(step);
        }
    }

    /// Hands what waits to actix-http, which encodes it again, once for each socket.
    fn write_waiting(&self, ctx: &mut WebsocketContext<Self>) {
        self.link.write_waiting(|frame| {
            let payload = frame.payload();
            ctx.write_raw(match frame.wire()[0] & 0x0F {
                0x8 => Message::Close(close_reason(&payload)),
                0x9 => Message::Ping(payload),
                0xA => Message::Pong(payload),
                _ => Message::Text(ByteString::try_from(payload).unwrap_or_default()),
            });
        });
    }
}

fn close_reason(payload: &[u8]) -> Option<CloseReason> {
    let (code, reason) = payload.split_first_chunk::<2>()?;
    let description = String::from_utf8(reason.to_vec()).ok();
    Some(CloseReason { code: u16::from_be_bytes(*code).into(), description })
}

impl Actor for WebSession {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Drive);
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for WebSession {
    /// Never called: the crate is given a stream without messages.
    fn handle(&mut self, _: Result<Message, ProtocolError>, _: &mut Self::Context) {}
}

/// Drives the session until its client hangs up.
struct Drive;

impl ActorFuture<WebSession> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut WebSession,
        ctx: &mut WebsocketContext<WebSession>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let ended = session.go_on(ctx, task);
        if ended.is_ready() {
            ctx.stop();
        }
        ended
    }
}
