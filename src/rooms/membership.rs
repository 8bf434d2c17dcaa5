//! A room's members and row: changes of them through the Writer, and reading them anew when the
//! store's fence says that they changed elsewhere. Part of the room's actor; who may change what,
//! `state.rs` decides.

use std::sync::Arc;

use actix::prelude::*;

use crate::domain::nodes::Hint;
use crate::domain::{Author, Ban, Deed, EventId, Subject, Timestamp, UserId, clock, ids};
use crate::protocol::{Dialect, close};
use crate::store::writer::WriterPermit;
use crate::store::{
    ChangeMembers, Changed, CheckedRoles, MemberChange, MembersChanged, RoomRows, StoreError,
};

use super::Refused;
use super::admission::Admission;
use super::posting::Post;
use super::room::{Changing, InFlight, Room, marks, roles};

/// A room's rows, and places with the Writer for what came back.
type Rows = (Option<RoomRows>, Vec<WriterPermit>);

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
            let rows = store.room_rows(room, clock::now()).await?;
            let mut permits = Vec::with_capacity(places);
            for _ in 0..places {
                permits.push(store.writer().permit().await);
            }
            Ok((rows, permits))
        };
        ctx.spawn(reading.into_actor(self).map(|read, room, ctx| room.reloaded(read, ctx)));
    }

    fn reloaded(&mut self, read: Result<Rows, StoreError>, ctx: &mut Context<Self>) {
        self.reloading = false;
        match read {
            Ok((Some(RoomRows { row, members, bans }), mut permits)) => {
                let epoch = self.state.row().epoch.clone();
                self.state.reload(row, roles(&members), bans.into_iter().collect());
                if self.state.row().epoch != epoch {
                    self.reset(ctx);
                }
                self.state.set_read(marks(&members));
                if self.state.is_open().is_err() {
                    self.is_closed();
                }
                // The change may be another node's: here nobody has left by it yet.
                self.evict(None, ctx);
                let with_place = self.fenced.len().min(permits.len());
                for (back, writer) in
                    self.fenced.drain(..with_place).zip(permits.drain(..)).collect::<Vec<_>>()
                {
                    self.take_again(back, writer, ctx);
                }
            }
            Ok((None, _)) => {
                self.is_closed();
                self.fenced.drain(..).for_each(|back| back.ticket.answer(Err(Refused::NotFound)));
            }
            Err(error) => {
                log::error!("room {}: its row could not be read: {error}", self.id());
                self.fenced.drain(..).for_each(|back| back.ticket.answer(Err(Refused::Busy)));
            }
        }
        if std::mem::take(&mut self.reload_again) || !self.fenced.is_empty() {
            self.reload(ctx);
        } else {
            self.answer_fenced();
        }
        self.release(ctx);
        self.settled(ctx);
    }

    /// A post that the fence sent back, against the members as they are now.
    fn take_again(&mut self, back: InFlight, writer: WriterPermit, ctx: &mut Context<Self>) {
        let InFlight { event, from, record, ticket, held } = back;
        self.take(
            Post {
                author: event.author,
                from,
                record,
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

impl Room {
    /// The members or the bans changed in the database, by an act through this room: whoever may
    /// no longer be here goes.
    fn members_changed(
        &mut self,
        changed: Changed,
        about: Option<UserId>,
        ctx: &mut Context<Self>,
    ) {
        let Changed { event, promoted, member_rev, members, bans } = changed;
        let (members, bans) = (members.into_iter().collect(), bans.into_iter().collect());
        self.state.set_members(members, bans, member_rev);
        let mut told = None;
        if let Some(event) = event.map(Arc::new) {
            self.stored.add(clock::now(), 1);
            self.tell_nodes(Hint::Event(Arc::clone(&event)));
            self.arrived(Arc::clone(&event), None, ctx);
            self.tell_member(&event, true);
            told = about.filter(|_| event.seq <= self.state.head());
        }
        if let Some(promoted) = promoted.map(Arc::new) {
            self.stored.add(clock::now(), 1);
            self.tell_nodes(Hint::Event(Arc::clone(&promoted)));
            self.arrived(promoted, None, ctx);
        }
        // A ban may have no event; whoever has the event asks for nothing more.
        self.tell_nodes(Hint::Reload);
        self.evict(told, ctx);
    }

    /// What native sockets hold is of another life of the room; plain ones hold nothing.
    fn reset(&mut self, ctx: &mut Context<Self>) {
        let native = self.state.seats().filter(|seat| seat.dialect == Dialect::Native);
        for session in native.map(|seat| seat.session).collect::<Vec<_>>() {
            self.remove(session, Some(close::RESET), ctx);
        }
    }

    /// Puts those out who may no longer be here. `told`: who was told by a `member` frame.
    pub(super) fn evict(&mut self, told: Option<UserId>, ctx: &mut Context<Self>) {
        for (session, user, code) in self.state.intruders(clock::now()) {
            let code = match code {
                _ if told.is_some() && user == told => close::REMOVED,
                close::REMOVED => close::FORBIDDEN,
                code => code,
            };
            self.remove(session, Some(code), ctx);
        }
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
    /// Of an admin's act.
    pub deed: Option<Deed>,
    /// Its places in the room and with the Writer.
    pub admission: Admission,
    /// Where the answer goes.
    pub answer: tokio::sync::oneshot::Sender<Result<(), Refused>>,
}

impl Room {
    fn may_make(
        &self,
        by: UserId,
        change: MemberChange,
        is_admins: bool,
        now: Timestamp,
    ) -> Result<(), Refused> {
        match change {
            MemberChange::Add(user) => {
                self.state.may_change(by, user, true, now)?;
                let is_full = self.state.role(user).is_none()
                    && self.state.member_count() >= self.settings.max_members;
                if is_full {
                    return Err(Refused::Invalid("This group has as many members as it may."));
                }
                Ok(())
            }
            MemberChange::Remove(user) => self.state.may_change(by, user, false, now),
            MemberChange::Ban(_) | MemberChange::Unban(_) if !is_admins => Err(Refused::Forbidden),
            MemberChange::Ban(_) | MemberChange::Unban(_) => self.state.is_open(),
        }
    }

    /// Changes that went by older rows than the store's: whoever still may asks again.
    fn answer_fenced(&mut self) {
        let now = clock::now();
        let fenced = self.changing.extract_if(|_, asked| asked.is_fenced).collect::<Vec<_>>();
        for (_, asked) in fenced {
            let may = self.may_make(asked.by, asked.change, asked.is_admins, now);
            // Who asked may be gone; then nobody wants the answer.
            let _ = asked.answer.send(may.and(Err(Refused::Busy)));
        }
    }
}

/// The user whose membership it is about.
const fn subject_of(change: MemberChange) -> Option<UserId> {
    match change {
        MemberChange::Add(user)
        | MemberChange::Remove(user)
        | MemberChange::Ban(Ban { subject: Subject::User(user), .. }) => Some(user),
        MemberChange::Ban(_) | MemberChange::Unban(_) => None,
    }
}

impl Handler<ChangeMember> for Room {
    type Result = ();

    fn handle(&mut self, asked: ChangeMember, ctx: &mut Self::Context) {
        self.note_forwarded();
        let at: Timestamp = clock::now();
        let ChangeMember { by, change, deed, admission, answer } = asked;
        let is_admins = deed.is_some();
        if let Err(refused) = self.may_make(by, change, is_admins, at) {
            // Who asked may be gone; then nobody wants the answer.
            let _ = answer.send(Err(refused));
            return self.settled(ctx);
        }
        let id = EventId(ids::at(at));
        let Admission { held, writer } = admission;
        let subject = subject_of(change).and_then(|user| self.state.role(user));
        let roles = CheckedRoles { by: self.state.role(by), subject };
        let changing = Changing { answer, by, change, is_admins, is_fenced: false, _held: held };
        self.changing.insert(id, changing);
        self.store.writer().change_members(ChangeMembers {
            room: self.id(),
            change,
            id,
            at,
            by: Author::User(by),
            roles,
            deed,
            permit: writer,
            reply: ctx.address().recipient(),
        });
    }
}

impl Handler<MembersChanged> for Room {
    type Result = ();

    fn handle(&mut self, done: MembersChanged, ctx: &mut Self::Context) {
        let Some(mut asked) = self.changing.remove(&done.id) else { return };
        if matches!(done.result, Err(StoreError::Fenced)) {
            asked.is_fenced = true;
            self.changing.insert(done.id, asked);
            return self.reload(ctx);
        }
        let answer = match done.result {
            Ok(changed) => {
                self.members_changed(changed, subject_of(asked.change), ctx);
                Ok(())
            }
            Err(StoreError::Missing(_)) => Err(Refused::NotFound),
            Err(StoreError::Banned) => Err(Refused::Forbidden),
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
