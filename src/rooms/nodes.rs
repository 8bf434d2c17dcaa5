//! What other nodes say of rooms that live here too: the bus's sink, and what a room makes of a
//! hint. Hints may be lost, doubled or late; what holds is read from the database, by `seq`.

use std::sync::{Arc, OnceLock};

use actix::prelude::*;
use tokio::sync::mpsc;

use crate::bus::{Delivery, Full, Reply, Sink};
use crate::domain::nodes::{ChatAction, ChatNews, Hint, Question};
use crate::domain::{RoomId, UserId};

use super::control::{Control, LookNow};
use super::directory::Directory;
use super::room::{Room, RoomHandle};
use super::shards::Shards;

/// Questions of other nodes that wait to be answered; beyond it they are left unanswered, and the
/// one who asked says so.
const QUESTIONS: usize = 64;

/// A question of another node, and the way back.
pub type Asked = (Question, Reply);

/// Takes what the bus brings, on the bus's own thread, and hands it on at once.
pub struct Ears {
    directory: Arc<Directory>,
    shards: Shards,
    control: OnceLock<Addr<Control>>,
    questions: mpsc::Sender<Asked>,
}

impl Ears {
    /// For the rooms of this directory and the sockets of these Shards; questions come out of the
    /// other end.
    #[must_use]
    pub fn new(directory: Arc<Directory>, shards: Shards) -> (Arc<Self>, mpsc::Receiver<Asked>) {
        let (questions, asked) = mpsc::channel(QUESTIONS);
        (Arc::new(Self { directory, shards, control: OnceLock::new(), questions }), asked)
    }

    /// Acts on users and logins are heard by this one from now on.
    pub fn heard_by(&self, control: Addr<Control>) {
        // Only the first one counts: there is one.
        let _ = self.control.set(control);
    }

    /// A room that does not live here has nothing to be told; one that is behind by more than its
    /// mailbox catches up by its position.
    fn tell(&self, room: RoomId, heard: Heard) -> Result<(), Full> {
        let mut is_full = false;
        let mut heard = Some(heard);
        self.directory.send(room, |handle: &RoomHandle| {
            is_full = heard.take().is_some_and(|heard| handle.addr.try_send(heard).is_err());
            false
        });
        if is_full { Err(Full) } else { Ok(()) }
    }

    /// A chat that lives here speaks for itself.
    fn hear_of_chat(&self, news: ChatNews) {
        let is_here = self.directory.send(news.chat, |_| false).is_some();
        if !is_here || news.action != ChatAction::Activity {
            let news = Arc::new(news);
            self.shards.all().iter().for_each(|shard| shard.hear_of_chat(&news));
        }
    }
}

impl Sink for Ears {
    fn take(&self, delivery: Delivery) -> Result<(), Full> {
        match delivery {
            Delivery::Hint { room, hint, .. } => self.tell(room, Heard::Hint(hint)),
            Delivery::Subscribed(room) => self.tell(room, Heard::MaybeBehind),
            Delivery::Presence(room) => self.tell(room, Heard::Presence),
            Delivery::Control(_) => match self.control.get() {
                Some(control) => control.try_send(LookNow).map_err(|_| Full),
                None => Ok(()),
            },
            Delivery::Chats(news) => {
                self.hear_of_chat(news);
                Ok(())
            }
            // Whoever asked is told that this node said nothing.
            Delivery::Asked { question, reply } => {
                drop(self.questions.try_send((question, reply)));
                Ok(())
            }
        }
    }
}

/// Something of other nodes, for a room that lives here too.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum Heard {
    /// They say that something happened.
    Hint(Hint),
    /// The database may have more than the room knows.
    MaybeBehind,
    /// Who is there may be another.
    Presence,
}

impl Handler<Heard> for Room {
    type Result = ();

    fn handle(&mut self, heard: Heard, ctx: &mut Self::Context) {
        match heard {
            Heard::Hint(Hint::Event(event)) => {
                self.arrived(event, None, ctx);
                self.fill_gap(ctx);
                self.settled(ctx);
            }
            Heard::Hint(Hint::Typing { user, name, on }) => {
                self.light.typing_elsewhere(user, name, on);
                self.tell_later(ctx);
            }
            Heard::Hint(Hint::Read { user, seq }) => {
                self.has_read(user, seq, ctx);
            }
            Heard::Hint(Hint::Reload) => self.reload(ctx),
            Heard::MaybeBehind => self.check_position(ctx),
            Heard::Presence => self.look_around(ctx),
        }
    }
}

impl Room {
    /// Tells the nodes where the room lives as well.
    pub(super) fn tell_nodes(&self, hint: Hint) {
        self.bus.publish(self.id(), hint);
    }

    /// A member has read up to there; whether that is news.
    pub(super) fn has_read(&mut self, user: UserId, seq: i64, ctx: &mut Context<Self>) -> bool {
        let is_news = self.state.read_to(user, seq);
        if is_news {
            self.light.read(user, self.state.read_seq(user));
            self.activity.forget(user);
            self.tell_later(ctx);
        }
        is_news
    }
}
