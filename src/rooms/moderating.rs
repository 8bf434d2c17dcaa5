//! What admins do in rooms: the handle's side, which stores or records it, and the room's, which
//! carries it out on the sockets it has. Who may, `http/` has decided. Another node carries the
//! same out when it learns of it: a kick from `control`, a ban from the room's `member_rev`.

use std::sync::Arc;

use actix::prelude::*;
use serde_json::json;

use crate::domain::{
    Action, Author, Deed, Event, EventKind, Posted, Record, RoomId, Subject, Target, Timestamp,
    UserCard, UserId, Whom,
};
use crate::protocol::{Dialect, Frame, close, native};
use crate::store::MemberChange;

use super::control::Act;
use super::handle::Rooms;
use super::posting::Post;
use super::room::Room;
use super::step::Step;
use super::{Refused, RoomHandle};

impl Rooms {
    /// Closes the sockets that are meant, on whichever node: those of the room's, no others.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn kick(&self, room: RoomId, whom: Whom, deed: Deed) -> Result<(), Refused> {
        let Some(by) = deed.by else { return Err(Refused::Internal) };
        let after = Some(json!({ "whom": whom }));
        let record = deed.was(Action::Kick, Target::Room(room), None, after);
        self.perform(by, Act::Kicked { room, whom }, Some(record)).await
    }

    /// How a ban of somebody is kept: as what he is in the room now. None when he can't be told by
    /// a socket that is not there.
    ///
    /// # Errors
    /// When the room does not answer.
    pub async fn subject_of(&self, room: RoomId, whom: Whom) -> Result<Option<Subject>, Refused> {
        match (self.directory.send(room, |_| false), whom) {
            (Some(handle), _) => {
                handle.addr.send(AskSubject(whom)).await.map_err(|_| Refused::Busy)
            }
            (None, Whom::User(user)) => Ok(Some(Subject::User(user))),
            (None, Whom::Guest(guest)) => Ok(Some(Subject::Guest(guest))),
            (None, Whom::Address(ip)) => Ok(Some(Subject::Address(ip))),
            (None, Whom::Session(_)) => Ok(None),
        }
    }

    /// Bans somebody from a room or ends a ban: stored with its record, then carried out.
    ///
    /// # Errors
    /// `NotFound` when the room is closed or gone; else when it could not be stored.
    pub async fn change_bans(
        &self,
        room: RoomId,
        change: MemberChange,
        deed: Deed,
    ) -> Result<(), Refused> {
        let Some(by) = deed.by else { return Err(Refused::Internal) };
        self.change_members_by(room, by, change, Some(deed)).await
    }

    /// Takes a message away, whoever wrote it and wherever: its place stays.
    ///
    /// # Errors
    /// `NotFound` when it is not there, or its room is closed.
    pub async fn take_away(
        &self,
        message: &Event,
        by: &Arc<UserCard>,
        deed: Deed,
    ) -> Result<Posted, Refused> {
        let target = Target::Message(message.id);
        let told = |deleted_at: Option<Timestamp>| {
            Some(json!({ "room_id": message.room, "author": message.author.to_string(),
                "deleted_at": deleted_at }))
        };
        let (before, after) = (told(message.deleted_at), told(Some(deed.at)));
        let record: Record = deed.was(Action::DeleteMessage, target, before, after);
        let kept = Box::new(record.clone());
        let post = |admission, ticket| Post {
            author: Author::User(UserId(by.id)),
            from: None,
            record: Some(kept),
            sender: Some(Arc::clone(by)),
            content: String::new(),
            nick_name: None,
            raw: None,
            client_id: None,
            kind: EventKind::Delete,
            target: Some(message.id),
            admission,
            ticket,
            forwarded: true,
        };
        let posted = self.hand_in(message.room, 0, post).await?;
        if posted.duplicate {
            // It was away before: nothing was stored that the record could go with.
            self.store.note(&record).await.map_err(|error| {
                log::error!("what admin {} did is not recorded: {error}", by.id);
                Refused::Busy
            })?;
        }
        Ok(posted)
    }

    /// Says something to every native socket of this node, or to those in a room.
    #[expect(clippy::disallowed_methods, reason = "one an act")]
    pub fn announce(&self, message: &str, room: Option<RoomId>, at: Timestamp) {
        let frame = native::announcement(message, room, at);
        let Some(room) = room else {
            return self.shards.all().iter().for_each(|shard| shard.announce(frame.clone()));
        };
        self.directory.send(room, |handle: &RoomHandle| {
            handle.addr.do_send(Announce(frame));
            true
        });
    }
}

/// Sockets lose the room: those that an admin means.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Kick(pub Whom);

impl Handler<Kick> for Room {
    type Result = ();

    fn handle(&mut self, Kick(whom): Kick, ctx: &mut Self::Context) {
        self.note_forwarded();
        self.turn_away(whom, close::KICKED);
        for session in self.state.sessions_of(whom) {
            self.remove(session, Some(close::KICKED), ctx);
        }
        self.retire_later(ctx);
    }
}

/// As what is he here who is meant?
#[derive(Message)]
#[rtype(result = "Option<Subject>")]
struct AskSubject(Whom);

impl Handler<AskSubject> for Room {
    type Result = MessageResult<AskSubject>;

    fn handle(&mut self, AskSubject(whom): AskSubject, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.state.subject_of(whom))
    }
}

/// An admin's word to the room.
#[derive(Message)]
#[rtype(result = "()")]
struct Announce(Frame);

impl Handler<Announce> for Room {
    type Result = ();

    fn handle(&mut self, Announce(frame): Announce, ctx: &mut Self::Context) {
        self.note_forwarded();
        if self.state.speaks(Dialect::Native) {
            self.to_shards(|| Step::Announce(frame.clone()));
        }
        self.retire_later(ctx);
    }
}
