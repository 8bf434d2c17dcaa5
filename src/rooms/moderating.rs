//! What admins do in rooms: the handle's side, which stores or records it, and the room's, which
//! carries it out on the sockets it has. Who may, `http/` has decided. Another node carries the
//! same out when it learns of it: a kick from `control`, a ban from the room's `member_rev`.

use std::sync::Arc;

use actix::prelude::*;
use serde_json::json;

use crate::bus::To;
use crate::domain::nodes::{Question, SubjectSaid};
use crate::domain::{
    Action, Author, Deed, Event, EventKind, Posted, Record, RoomId, Subject, Target, Timestamp,
    UserCard, UserId, Whom,
};
use crate::protocol::{Dialect, Frame, close, native};
use crate::store::MemberChange;

use super::control::Act;
use super::directory::Directory;
use super::handle::Rooms;
use super::posting::Post;
use super::room::Room;
use super::shards::Shards;
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

    /// How a ban of somebody is kept: as what he is in the room now, on whichever node. None when he
    /// can't be told by a socket that is not there.
    pub async fn subject_of(&self, room: RoomId, whom: Whom) -> Option<Subject> {
        match whom {
            Whom::User(user) => return Some(Subject::User(user)),
            Whom::Address(ip) => return Some(Subject::Address(ip)),
            Whom::Guest(_) | Whom::Session(_) => {}
        }
        if let Some(here) = self.subject_here(room, whom).await {
            return Some(here);
        }
        let asked = self.bus.ask(To::Others, Question::Subject { room, whom });
        let (said, _) = asked.await.read::<SubjectSaid>();
        let there = said.iter().find_map(|(_, said)| said.subject());
        // One who is not there now may come again with his token.
        there.or(match whom {
            Whom::Guest(guest) => Some(Subject::Guest(guest)),
            _ => None,
        })
    }

    /// The same, of sockets of this node.
    pub async fn subject_here(&self, room: RoomId, whom: Whom) -> Option<Subject> {
        let handle = self.directory.send(room, |_| false)?;
        handle.addr.send(AskSubject(whom)).await.ok().flatten()
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

    /// Says something to every native socket on all nodes, or to those in a room: recorded, then
    /// said.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn announce(
        &self,
        message: String,
        room: Option<RoomId>,
        deed: Deed,
    ) -> Result<(), Refused> {
        let Some(by) = deed.by else { return Err(Refused::Internal) };
        let target = room.map_or(Target::Everybody, Target::Room);
        let after = Some(json!({ "bytes": message.len() }));
        let record = deed.was(Action::Announce, target, None, after);
        self.perform(by, Act::Announced { message, room, at: deed.at }, Some(record)).await
    }
}

/// An admin's word to the native sockets of this node.
#[expect(clippy::disallowed_methods, reason = "one an act")]
pub(super) fn announce(
    shards: &Shards,
    directory: &Directory,
    message: &str,
    room: Option<RoomId>,
    at: Timestamp,
) {
    let frame = native::announcement(message, room, at);
    let Some(room) = room else {
        return shards.all().iter().for_each(|shard| shard.announce(frame.clone()));
    };
    directory.send(room, |handle: &RoomHandle| {
        handle.addr.do_send(Announce(frame));
        true
    });
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
