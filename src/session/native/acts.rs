//! What a client does in a room that its socket follows: posts and acts, which the room answers
//! once they are stored; light signals, which nobody answers; and questions.

use std::sync::Arc;

use serde_json::json;

use crate::domain::{EventId, EventKind, Posted, RoomId};
use crate::protocol::inbound::RAW_MAX_BYTES;
use crate::protocol::native::{self, ErrorCode, Request};
use crate::rooms::Refused;
use crate::rooms::asking::{AskWho, Recall};
use crate::rooms::kept::{self, Kept};
use crate::rooms::posting::Post;
use crate::rooms::resume::{PAGE_BYTES, PAGE_EVENTS};
use crate::rooms::telling::{Read, Typing};
use crate::rooms::ticket::Ticket;

use super::{Joined, Native, Then};

/// A post on its way: how it is answered.
pub(super) struct Flying {
    reference: Option<String>,
    kind: EventKind,
}

/// A post as the client means it.
struct Words {
    room: RoomId,
    kind: EventKind,
    content: String,
    raw: Option<String>,
    client_id: Option<String>,
    target: Option<EventId>,
}

/// What a plain guest of a page would have sent to say the same under his name: other pages know
/// a name by it (CONTRACT section 3).
fn said_with_nick(joined: &Joined, message: &str) -> Option<String> {
    let nick_name = joined.seat.nick_name.as_ref().filter(|_| joined.seat.user().is_none())?;
    let said = json!({"message": message, "nick_name": nick_name}).to_string();
    (said.len() <= RAW_MAX_BYTES).then_some(said)
}

impl Native {
    /// Something in a room that the socket follows.
    pub(super) fn act(&mut self, reference: Option<String>, room: RoomId, request: Request) {
        let words = |kind, content, target| Words {
            room,
            kind,
            content,
            raw: None,
            client_id: None,
            target,
        };
        match request {
            Request::Send { message, client_id, reply_to, .. } => {
                let raw = self.rooms.get(&room).and_then(|joined| said_with_nick(joined, &message));
                let words = words(EventKind::Message, message, reply_to);
                self.post(reference, Words { raw, client_id, ..words });
            }
            Request::Edit { id, message, .. } => {
                self.post(reference, words(EventKind::Edit, message, Some(id)));
            }
            Request::Delete { id, .. } => {
                self.post(reference, words(EventKind::Delete, String::new(), Some(id)));
            }
            Request::React { id, emoji, on, .. } => {
                let words = words(EventKind::Reaction, emoji, Some(id));
                self.post(reference, Words { raw: Some(on.to_string()), ..words });
            }
            Request::Typing { on, .. } => self.typing(room, on),
            Request::Read { seq, .. } => self.read(room, seq),
            Request::History { before, after, limit, .. } => {
                self.history(reference, room, before, after, limit);
            }
            Request::Who { after, .. } => self.who(reference, room, after),
            _ => {}
        }
    }

    /// Does something in a room that the socket follows. One whose actor died is made anew with
    /// this socket, and found again first.
    pub(super) fn in_room(
        &mut self,
        reference: Option<String>,
        room: RoomId,
        act: impl FnOnce(&mut Self, Option<String>) + 'static,
    ) {
        if self.rooms.get(&room).is_some_and(|joined| joined.handle.addr.connected()) {
            return act(self, reference);
        }
        let rooms = self.berth.porter.rooms().clone();
        self.work(async move {
            let found = rooms.find(room).await;
            Box::new(move |session: &mut Self| match (found, session.rooms.get_mut(&room)) {
                (Ok(handle), Some(joined)) => {
                    joined.handle = handle;
                    act(session, reference);
                }
                (Err(refused), _) => session.refused(reference.as_deref(), refused),
                (Ok(_), None) => session.refused(reference.as_deref(), Refused::NotFound),
            }) as Then
        });
    }

    #[expect(clippy::disallowed_methods, reason = "posts hold permits")]
    fn post(&mut self, reference: Option<String>, words: Words) {
        let Some(joined) = self.rooms.get(&words.room) else { return };
        let bytes = words.content.len() + words.raw.as_ref().map_or(0, String::len);
        let Some(admission) = joined.handle.gate.try_admit(bytes) else {
            let detail = "The room takes no more at the moment, send it again.";
            return self.refuse(reference.as_deref(), ErrorCode::Busy, detail);
        };
        let tag = self.next_tag;
        self.next_tag += 1;
        joined.handle.addr.do_send(Post {
            author: joined.seat.who,
            from: Some(joined.seat.ip),
            record: None,
            sender: joined.seat.card.clone(),
            content: words.content,
            nick_name: joined.seat.nick_name.clone(),
            raw: words.raw,
            client_id: words.client_id,
            kind: words.kind,
            target: words.target,
            admission,
            ticket: Ticket::of_socket(self.berth.shard.clone(), self.berth.slot, tag),
            forwarded: false,
        });
        self.flying.insert(tag, Flying { reference, kind: words.kind });
    }

    /// A post was answered.
    pub(super) fn settled(&mut self, tag: u64, outcome: Result<Posted, Refused>) {
        let Some(Flying { reference, kind }) = self.flying.remove(&tag) else { return };
        let reference = reference.as_deref();
        match outcome {
            Ok(Posted { event, duplicate }) if kind == EventKind::Message => {
                let answer =
                    native::ok_send(reference, event.id, event.seq, event.created_at, duplicate);
                self.say(answer);
            }
            Ok(Posted { event, .. }) => self.say(native::ok_seq(reference, event.seq)),
            Err(refused) => self.refused(reference, refused),
        }
    }

    /// A room with a full mailbox has better things to do than to show who types.
    fn typing(&self, room: RoomId, on: bool) {
        if let Some(joined) = self.rooms.get(&room) {
            drop(joined.handle.addr.try_send(Typing { seat: joined.seat.clone(), on }));
        }
    }

    fn read(&self, room: RoomId, seq: i64) {
        if let Some(joined) = self.rooms.get(&room)
            && let Some(user) = joined.seat.user()
        {
            drop(joined.handle.addr.try_send(Read { user, seq }));
        }
    }

    fn who(&mut self, reference: Option<String>, room: RoomId, after: Option<i64>) {
        let (Some(joined), Some(by)) = (self.rooms.get(&room), self.author()) else { return };
        let asked = joined.handle.addr.send(AskWho {
            by,
            from: Some(joined.seat.ip),
            reference: reference.clone(),
            after,
        });
        self.work(async move {
            let answer = asked.await.unwrap_or(Err(Refused::Busy));
            Box::new(move |session: &mut Self| match answer {
                Ok(frame) => session.say(frame),
                Err(refused) => session.refused(reference.as_deref(), refused),
            }) as Then
        });
    }

    fn history(
        &mut self,
        reference: Option<String>,
        room: RoomId,
        before: Option<i64>,
        after: Option<i64>,
        limit: Option<u64>,
    ) {
        let (Some(joined), Some(by)) = (self.rooms.get(&room), self.author()) else { return };
        let limit = limit.unwrap_or(PAGE_EVENTS as u64).clamp(1, PAGE_EVENTS as u64);
        let in_window = joined.handle.addr.send(Recall {
            by,
            from: Some(joined.seat.ip),
            reference: reference.clone(),
            after: after.filter(|_| before.is_none()),
            limit: usize::try_from(limit).unwrap_or(PAGE_EVENTS),
        });
        let store = self.berth.porter.store().clone();
        self.work(async move {
            let answer = async {
                let reference = reference.as_deref();
                if let Some(frame) = in_window.await.map_err(|_| Refused::Busy)?? {
                    return Ok(frame);
                }
                let read = match (before, after) {
                    (None, Some(after)) => store.events_after(room, after, limit, PAGE_BYTES).await,
                    (before, _) => {
                        let before = before.unwrap_or(i64::MAX);
                        store.events_before(room, before, limit, PAGE_BYTES).await
                    }
                };
                let rows = read.map_err(|_| Refused::Busy)?.into_iter();
                let rows = rows.map(|event| Kept::new(Arc::new(event)));
                let events = match (before, after) {
                    (None, Some(_)) => kept::within(rows, PAGE_BYTES),
                    (_, after) => {
                        let newest = rows.rev().take_while(|row| after.is_none_or(|a| row.seq > a));
                        let mut events = kept::within(newest, PAGE_BYTES);
                        events.reverse();
                        events
                    }
                };
                let edge = match (before, after) {
                    (None, Some(_)) => store.room(room).await.map(|row| {
                        let head = row.map_or(0, |row| row.last_seq);
                        events.last().is_some_and(|last| last.seq < head)
                    }),
                    _ => store.first_seq(room).await.map(|first| {
                        let first = first
                            .unwrap_or(1)
                            .max(after.map_or(1, |after| after.saturating_add(1)));
                        events.first().is_some_and(|oldest| oldest.seq > first)
                    }),
                };
                let more = edge.map_err(|_| Refused::Busy)?;
                let events = events.iter().map(|kept| &***kept);
                Ok(native::history(reference, room, events, more))
            };
            let answer: Result<_, Refused> = answer.await;
            Box::new(move |session: &mut Self| match answer {
                Ok(frame) => session.say(frame),
                Err(refused) => session.refused(reference.as_deref(), refused),
            }) as Then
        });
    }
}
