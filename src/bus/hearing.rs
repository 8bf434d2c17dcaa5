//! What the subscriber does with what comes: its own words it knows again, the others' it brings
//! where they belong.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use crate::domain::{RoomId, clock};

use super::asking::Reply;
use super::channels::Whose;
use super::delivery::Delivery;
use super::envelope::{Beat, Origin, Read, Said, read};
use super::share::Took;
use super::subscriber::{Link, Subscriber};
use super::wire::Incoming;

/// Messages that chaos may hold back at a time; what is over it is lost, which is chaos too.
const DELAYED: usize = 10_000;

impl Subscriber {
    /// One message, from whomever.
    pub(super) fn came(&mut self, incoming: &Incoming, ctx: &mut Context<Self>) {
        let room = match self.shared.channels.whose(&incoming.channel) {
            Some(Whose::Room(room)) if self.rooms.contains_key(&room) => Some(room),
            Some(Whose::Nodes) => None,
            // A room that left meanwhile.
            _ => return,
        };
        let me = &self.shared.me;
        let is_own = |node: &str, started: i64, kind: &str| {
            node == me.node.as_str() && started == me.started && kind != "beat"
        };
        let (origin, said) = match read(&incoming.payload, room, is_own) {
            Some(Read::From(origin, said)) => (origin, said),
            Some(Read::Unknown) => return self.shared.counts.unknown(),
            None => return,
        };
        if let Said::Beat(beat) = said
            && origin == *me
        {
            if let Link::Up(_, Some(pulse)) = &mut self.link {
                pulse.came_back(Duration::from_micros(beat.sent));
            }
            return;
        }
        let Some(dice) = &mut self.dice else { return self.take(room, &origin, said, ctx) };
        for delay in dice.throw() {
            if delay.is_zero() {
                self.take(room, &origin, said.clone(), ctx);
            } else if self.delayed < DELAYED {
                self.delayed += 1;
                let (origin, said) = (origin.clone(), said.clone());
                ctx.run_later(delay, move |subscriber, ctx| {
                    subscriber.delayed -= 1;
                    subscriber.take(room, &origin, said, ctx);
                });
            }
        }
    }

    fn take(&mut self, room: Option<RoomId>, origin: &Origin, said: Said, ctx: &mut Context<Self>) {
        let Origin { node, started } = origin;
        match (said, room) {
            (Said::Hint(hint), Some(room)) => {
                self.deliver(Delivery::Hint { node: node.clone(), room, hint });
            }
            (Said::Presence(delta), Some(room)) => {
                let took = self.shared.view(|view| view.delta(node, *started, room, delta));
                match took {
                    Took::Changed => self.tell_presence(vec![room]),
                    Took::Gap => self.read_room(node.clone(), room, ctx),
                    Took::Old => {}
                }
            }
            (Said::Beat(beat), _) => self.heard(origin, beat),
            (Said::Bye, _) => {
                let left = self.shared.view(|view| view.left(node, *started));
                self.tell_presence(left);
            }
            (Said::Control(seq), _) => self.deliver(Delivery::Control(seq)),
            (Said::Chats(news), _) => self.deliver(Delivery::Chats(news)),
            (Said::Ask { id, question }, _) => {
                let reply = Reply::new(Arc::clone(&self.shared), node.clone(), id);
                match question {
                    Some(question) => self.deliver(Delivery::Asked { question, reply }),
                    None => reply.answer(&()),
                }
            }
            (Said::Answer { id, body }, _) => self.shared.asking.answered(id, node.clone(), body),
            _ => {}
        }
    }

    fn heard(&mut self, origin: &Origin, beat: Beat) {
        let (now, at) = (self.now(), clock::now());
        let Origin { node, started } = origin;
        let left = self.shared.view(|view| view.heard(node, *started, beat.kept, now, at));
        self.tell_presence(left);
        self.missed |= self.upkeep.has_lost_more(origin, beat.lost);
    }

    pub(super) fn tell_presence(&mut self, rooms: Vec<RoomId>) {
        for room in rooms {
            if self.rooms.contains_key(&room) {
                self.deliver(Delivery::Presence(room));
            }
        }
    }

    pub(super) fn deliver(&mut self, delivery: Delivery) {
        if self.sink.take(delivery).is_err() {
            self.shared.counts.lagged();
            self.missed = true;
        }
    }
}
