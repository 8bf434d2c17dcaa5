//! Light frames: what a room tells without storing it, gathered for a moment so that a crowd that
//! comes at once costs everybody one frame. Part of the room's actor; `light.rs` gathers.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use crate::domain::nodes::Hint;
use crate::domain::{UserId, clock};
use crate::protocol::{Dialect, Frame, dialect, native};

use super::light::{News, SHOWN, shown_name};
use super::room::Room;
use super::seat::Seat;
use super::step::{Said, Step, Whisper};

/// How long news are gathered in a room where everybody may know everybody.
const SOON: Duration = Duration::from_millis(200);
/// In a crowd: less than one frame a second for each.
const IN_A_CROWD: Duration = Duration::from_millis(1_500);
/// Marks that could not be stored are tried again after this.
const AGAIN: Duration = Duration::from_secs(2);
/// Sockets that make a crowd.
const CROWD: u64 = 100;
/// Members up to which everybody is told how far the others have read (PROTOCOL, *Frames*).
const MARKS_SHOWN: usize = 100;

/// Somebody types, or no longer.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Typing {
    /// Who.
    pub seat: Arc<Seat>,
    /// Still.
    pub on: bool,
}

impl Handler<Typing> for Room {
    type Result = ();

    fn handle(&mut self, Typing { seat, on }: Typing, ctx: &mut Self::Context) {
        if self.state.may_post(seat.who, Some(seat.ip), clock::now()).is_err() {
            return;
        }
        if self.state.speaks(Dialect::Native) {
            self.light.typing(&seat, on);
            self.tell_later(ctx);
        }
        self.tell_nodes(Hint::Typing { user: seat.user(), name: shown_name(&seat), on });
        if let Some(card) = seat.card.as_deref().filter(|_| on) {
            let frame = dialect::typing(card);
            let said = Said::encode(Dialect::is_shh, |_| Some(frame.clone()));
            self.whisper(&Whisper { said, except: Some(seat.session), lasts: false });
        }
    }
}

/// Somebody has read up to here.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Read {
    /// Who.
    pub user: UserId,
    /// How far.
    pub seq: i64,
}

impl Handler<Read> for Room {
    type Result = ();

    fn handle(&mut self, Read { user, seq }: Read, ctx: &mut Self::Context) {
        if self.has_read(user, seq, ctx) {
            self.tell_nodes(Hint::Read { user, seq });
        }
    }
}

impl Room {
    /// Tells what there is to tell in a moment, with what comes until then.
    pub(super) fn tell_later(&mut self, ctx: &mut Context<Self>) {
        if self.light.is_waiting || self.light.is_empty() {
            return;
        }
        self.light.is_waiting = true;
        let is_crowd = self.state.presence().sessions() > CROWD;
        ctx.run_later(if is_crowd { IN_A_CROWD } else { SOON }, |room, ctx| {
            room.light.is_waiting = false;
            let news = room.light.take();
            room.tell(&news);
            room.keep_marks(news.read, ctx);
            room.retire_later(ctx);
        });
    }

    fn tell(&mut self, news: &News) {
        if !self.state.speaks(Dialect::Native) {
            return;
        }
        let chat = self.id();
        if let Some((came, went)) = &news.presence {
            let people = self.count_everywhere().people;
            let frame = native::presence(chat, people, came, went, clock::now());
            self.tell_natives(&frame, true);
        }
        for typist in &news.typing {
            let user = typist.user.map(|user| user.0);
            self.tell_natives(&native::typing(chat, user, &typist.name, typist.on), false);
        }
        if self.state.member_count() <= MARKS_SHOWN {
            for (user, seq) in news.read.iter().take(SHOWN) {
                self.tell_natives(&native::read_mark(chat, user.0, *seq), false);
            }
        }
    }

    fn tell_natives(&mut self, frame: &Frame, lasts: bool) {
        let said = Said::encode(|d| d == Dialect::Native, |_| Some(frame.clone()));
        self.whisper(&Whisper { said, except: None, lasts });
    }

    fn whisper(&mut self, whisper: &Whisper) {
        self.state.owe(&whisper.said, whisper.except);
        self.to_shards(|| Step::Whisper(whisper.clone()));
    }

    /// Marks are kept in the database, those that could not be with the next ones. One that is
    /// lost with the process costs a number.
    fn keep_marks(&self, marks: Vec<(UserId, i64)>, ctx: &mut Context<Self>) {
        if marks.is_empty() {
            return;
        }
        let (store, room) = (self.store.clone(), self.id());
        let rows: Vec<_> = marks.iter().map(|(user, seq)| (room, *user, *seq)).collect();
        let keeping = async move { store.mark_read(&rows).await };
        ctx.spawn(keeping.into_actor(self).map(move |kept, room, ctx| {
            if let Err(error) = kept {
                log::warn!("room {}: how far it was read is not stored: {error}", room.id());
                for (user, seq) in marks {
                    room.light.read(user, seq);
                }
                ctx.run_later(AGAIN, Self::tell_later);
            }
        }));
    }
}
