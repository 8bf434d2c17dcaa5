//! A room's members and row: changes of them through the Writer, and reading them anew when the
//! store's fence says that they changed elsewhere. Part of the room's actor; who may change what,
//! `state.rs` decides.

use actix::prelude::*;

use crate::domain::{Author, EventId, RoomRow, Timestamp, UserId, clock, ids};
use crate::protocol::close;
use crate::store::writer::WriterPermit;
use crate::store::{ChangeMembers, MemberChange, MemberRow, MembersChanged, StoreError};

use super::Refused;
use super::admission::Admission;
use super::posting::Post;
use super::room::{Changing, InFlight, Room, marks, roles};

/// A room's rows, and places with the Writer for what came back.
type Rows = (Option<RoomRow>, Vec<MemberRow>, Vec<WriterPermit>);

impl Room {
    /// Reads the room's row and members anew, then goes on with what came back and what waits. Each
    /// post that came back gets a new place with the Writer; its turn for one comes.
    pub(super) fn reload(&mut self, ctx: &mut Context<Self>) {
        if self.reloading {
            self.reload_again = true;
            return;
        }
        self.reloading = true;
        let (store, room, places) = (self.store.clone(), self.id(), self.fenced.len());
        let reading = async move {
            let row = store.room(room).await?;
            let members = store.members(room).await?;
            let mut permits = Vec::with_capacity(places);
            for _ in 0..places {
                permits.push(store.writer().permit().await);
            }
            Ok((row, members, permits))
        };
        ctx.spawn(reading.into_actor(self).map(|read, room, ctx| room.reloaded(read, ctx)));
    }

    fn reloaded(&mut self, read: Result<Rows, StoreError>, ctx: &mut Context<Self>) {
        self.reloading = false;
        match read {
            Ok((Some(row), members, mut permits)) => {
                self.state.reload(row, roles(&members));
                self.state.set_read(marks(&members));
                let with_place = self.fenced.len().min(permits.len());
                for (back, writer) in
                    self.fenced.drain(..with_place).zip(permits.drain(..)).collect::<Vec<_>>()
                {
                    self.take_again(back, writer, ctx);
                }
            }
            Ok((None, ..)) => {
                self.close_for_good(close::ROOM_CLOSED);
                self.fenced.drain(..).for_each(|back| back.ticket.answer(Err(Refused::NotFound)));
            }
            Err(error) => {
                log::error!("room {}: its row could not be read: {error}", self.id());
                self.fenced.drain(..).for_each(|back| back.ticket.answer(Err(Refused::Busy)));
            }
        }
        if std::mem::take(&mut self.reload_again) || !self.fenced.is_empty() {
            self.reload(ctx);
        }
        self.release(ctx);
        self.settled(ctx);
    }

    /// A post that the fence sent back, against the members as they are now.
    fn take_again(&mut self, back: InFlight, writer: WriterPermit, ctx: &mut Context<Self>) {
        let InFlight { event, ticket, held } = back;
        self.take(
            Post {
                author: event.author,
                sender: event.sender,
                content: event.content,
                nick_name: event.nick_name,
                raw: event.raw,
                client_id: event.client_id,
                kind: event.kind,
                target: event.target,
                admission: Admission { held, writer },
                ticket,
                forwarded: false,
            },
            ctx,
        );
    }
}

/// The room's row changed: read it anew.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reload;

impl Handler<Reload> for Room {
    type Result = ();

    fn handle(&mut self, _: Reload, ctx: &mut Self::Context) {
        self.note_forwarded();
        self.reload(ctx);
        self.settled(ctx);
    }
}

/// Somebody adds, removes, joins or leaves.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ChangeMember {
    /// Who wants it.
    pub by: UserId,
    /// What.
    pub change: MemberChange,
    /// Its places in the room and with the Writer.
    pub admission: Admission,
    /// Where the answer goes.
    pub answer: tokio::sync::oneshot::Sender<Result<(), Refused>>,
}

impl Handler<ChangeMember> for Room {
    type Result = ();

    fn handle(&mut self, asked: ChangeMember, ctx: &mut Self::Context) {
        self.note_forwarded();
        let (subject, adds) = match asked.change {
            MemberChange::Add(user) => (user, true),
            MemberChange::Remove(user) => (user, false),
        };
        let allowed = self.state.may_change(asked.by, subject, adds).and_then(|()| {
            let is_full = adds
                && self.state.role(subject).is_none()
                && self.state.member_count() >= self.settings.max_members;
            if is_full {
                Err(Refused::Invalid("This group has as many members as it may."))
            } else {
                Ok(())
            }
        });
        if let Err(refused) = allowed {
            // Who asked may be gone; then nobody wants the answer.
            let _ = asked.answer.send(Err(refused));
            return self.settled(ctx);
        }
        let at: Timestamp = clock::now();
        let id = EventId(ids::at(at));
        let Admission { held, writer } = asked.admission;
        let removes = (!adds).then_some(subject);
        self.changing.insert(id, Changing { answer: asked.answer, removes, _held: held });
        self.store.writer().change_members(ChangeMembers {
            room: self.id(),
            change: asked.change,
            id,
            at,
            by: Author::User(asked.by),
            permit: writer,
            reply: ctx.address().recipient(),
        });
    }
}

impl Handler<MembersChanged> for Room {
    type Result = ();

    fn handle(&mut self, done: MembersChanged, ctx: &mut Self::Context) {
        let Some(asked) = self.changing.remove(&done.id) else { return };
        let answer = match done.result {
            Ok(changed) => {
                self.members_changed(changed);
                if let Some(removed) = asked.removes {
                    for session in self.state.sessions_of(removed) {
                        self.remove(session, Some(close::REMOVED), ctx);
                    }
                }
                Ok(())
            }
            Err(StoreError::Missing(_)) => Err(Refused::NotFound),
            Err(StoreError::Busy) => Err(Refused::Busy),
            Err(error) => {
                log::error!("room {}: its members could not be changed: {error}", self.id());
                Err(Refused::Internal)
            }
        };
        let _ = asked.answer.send(answer);
        self.release(ctx);
        self.fill_gap(ctx);
        self.settled(ctx);
    }
}
