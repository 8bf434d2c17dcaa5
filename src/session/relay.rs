//! A plain socket's session, whichever engine hosts it: it turns frames into posts and holds back
//! the one whose time has not come, or for which the room has no place. The engine reads, writes
//! and calls it; it never waits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::time::{sleep, timeout};

use crate::auth::paces::{Act, SocketPaces, TooFast, Turn};
use crate::config::SessionSettings;
use crate::domain::EventKind;
use crate::protocol::{CloseCode, Frame, Incoming, close};
use crate::rooms::admission::Admission;
use crate::rooms::posting::Post;
use crate::rooms::telling::Typing;
use crate::rooms::ticket::Ticket;
use crate::rooms::{Refused, RoomHandle, Rooms, Seat, ShardHandle};

use super::entry::Porter;
use super::state::{Action, Words, hear};

type Waiting = Pin<Box<dyn Future<Output = Result<(Arc<RoomHandle>, Admission), Refused>>>>;

/// What the engine does next.
#[derive(Debug)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Send this.
    Reply(Frame),
    /// Say goodbye.
    Close(CloseCode),
}

/// The session.
pub struct Relay {
    rooms: Rooms,
    room: Arc<RoomHandle>,
    seat: Arc<Seat>,
    shard: Arc<ShardHandle>,
    in_flight: usize,
    settings: Arc<SessionSettings>,
    /// A plain client can be told nothing, so it is made to wait.
    pace: SocketPaces,
    /// The post that is held back, and the wait for its time and for a place.
    in_hand: Option<Box<(Words, Waiting)>>,
}

impl Relay {
    /// A session in `room`.
    #[must_use]
    pub fn new(
        porter: &Porter,
        room: Arc<RoomHandle>,
        seat: Arc<Seat>,
        shard: Arc<ShardHandle>,
        settings: Arc<SessionSettings>,
    ) -> Self {
        Self {
            pace: porter.paces().of_socket(),
            rooms: porter.rooms().clone(),
            room,
            seat,
            shard,
            in_flight: 0,
            settings,
            in_hand: None,
        }
    }

    /// Whether the engine must not read on: TCP then holds the client back.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.in_hand.is_some() || self.in_flight >= self.settings.max_in_flight
    }

    /// The client said something.
    pub fn hear(&mut self, incoming: Incoming) -> Step {
        match hear(self.seat.dialect, self.seat.card.is_some(), incoming) {
            Action::Nothing => Step::Nothing,
            Action::Reply(frame) => Step::Reply(frame),
            Action::Close(code) => Step::Close(code),
            Action::Typing => {
                self.tell_typing();
                Step::Nothing
            }
            Action::Post(words) => {
                self.post(words);
                Step::Nothing
            }
        }
    }

    /// What is over its rate is left out: the next signal says as much. And a room with a full
    /// mailbox has better things to do than to show who types.
    fn tell_typing(&self) {
        if self.pace.check(Act::Typing).is_ok() {
            drop(self.room.addr.try_send(Typing { seat: Arc::clone(&self.seat), on: true }));
        }
    }

    fn post(&mut self, words: Words) {
        let bytes = words.content.len() + words.raw.as_ref().map_or(0, String::len);
        let mut turn = Turn::default();
        let is_now = turn.come(&self.pace, self.seat.user(), self.seat.ip).is_ok()
            && self.room.addr.connected();
        let admitted = is_now.then(|| self.room.gate.try_admit(bytes)).flatten();
        if let Some(admission) = admitted {
            self.send(words, admission);
        } else {
            let (rooms, room) = (self.rooms.clone(), self.room.clone());
            let limit = Duration::from_secs(self.settings.busy_wait_s);
            let (pace, seat) = (self.pace.clone(), Arc::clone(&self.seat));
            let waiting = Box::pin(async move {
                let admitted = async {
                    while let Err(TooFast(wait)) = turn.come(&pace, seat.user(), seat.ip) {
                        sleep(wait).await;
                    }
                    let room =
                        if room.addr.connected() { room } else { rooms.find(room.id).await? };
                    let admission = room.gate.admit(bytes).await.ok_or(Refused::Busy)?;
                    Ok((room, admission))
                };
                let in_time = timeout(limit, admitted).await;
                in_time.unwrap_or(Err(Refused::Busy))
            });
            self.in_hand = Some(Box::new((words, waiting)));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "posts hold permits")]
    fn send(&mut self, words: Words, admission: Admission) {
        self.in_flight += 1;
        // A guest's nick is his word of the moment; a user is who he is.
        let sender = self.seat.card.clone();
        self.room.addr.do_send(Post {
            author: self.seat.who,
            from: Some(self.seat.ip),
            record: None,
            sender,
            content: words.content,
            nick_name: words.nick_name,
            raw: words.raw,
            client_id: None,
            kind: EventKind::Message,
            target: None,
            admission,
            ticket: Ticket::of_socket(self.shard.clone(), self.seat.slot, 0),
            forwarded: false,
        });
    }

    /// Goes on waiting for the time and the place of the post in hand.
    pub fn poll_waiting(&mut self, task: &mut Context<'_>) -> Step {
        let Some((_, waiting)) = self.in_hand.as_deref_mut() else { return Step::Nothing };
        let Poll::Ready(outcome) = waiting.as_mut().poll(task) else { return Step::Nothing };
        let words = self.in_hand.take().map(|in_hand| in_hand.0);
        match (outcome, words) {
            (Ok((room, admission)), Some(words)) => {
                self.room = room;
                self.send(words, admission);
                Step::Nothing
            }
            (Err(refused), _) => Step::Close(farewell(refused)),
            (Ok(_), None) => Step::Nothing,
        }
    }

    /// One of its posts was answered. Plain sockets are told of success by their own copy; a
    /// post that was not stored ends the connection, so that nothing is dropped in silence.
    pub fn settle(&mut self, outcome: Result<(), Refused>) -> Step {
        self.in_flight = self.in_flight.saturating_sub(1);
        outcome.map_or_else(|refused| Step::Close(farewell(refused)), |()| Step::Nothing)
    }
}

/// The code with which a plain socket ends when it, or its post, was refused.
#[must_use]
pub const fn farewell(refused: Refused) -> CloseCode {
    match refused {
        Refused::Busy | Refused::UnknownOutcome => close::BUSY,
        Refused::Forbidden => close::REMOVED,
        Refused::NotFound => close::ROOM_CLOSED,
        Refused::Internal | Refused::Invalid(_) => close::SERVER_FAULT,
    }
}
