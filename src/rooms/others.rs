//! Who is in the room on other nodes: told there who is here, and here who is there. One user with
//! sockets on two nodes is one person. Part of the room's actor; what others said, `bus/` keeps.

use std::collections::BTreeMap;

use actix::prelude::*;

use crate::domain::UserId;
use crate::domain::nodes::{Moves, Present, RoomTag};

use super::room::Room;
use super::seat::Seat;

/// Who was there when last looked, and has no socket here.
#[derive(Debug, Default)]
pub(super) struct Others {
    users: BTreeMap<UserId, String>,
    guests: u64,
}

/// How many are in the room on all nodes together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Everywhere {
    pub people: u64,
    pub sessions: u64,
}

impl Room {
    pub(super) fn count_everywhere(&self) -> Everywhere {
        let here = self.state.presence();
        if self.bus.is_alone() {
            return Everywhere { people: here.people(), sessions: here.sessions() };
        }
        let all = self.bus.view(|view| view.people(self.id()));
        Everywhere { people: all.users.len() as u64 + all.guests, sessions: all.sessions }
    }

    /// Every user in the room, with his sockets on all nodes; none where there are no other nodes.
    pub(super) fn users_everywhere(&self) -> Vec<Present> {
        if self.bus.is_alone() {
            return Vec::new();
        }
        self.bus.view(|view| view.people(self.id())).users
    }

    /// A socket came; whether its owner was nowhere before.
    pub(super) fn came_from_nowhere(&mut self, seat: &Seat, is_new: bool) -> bool {
        self.moved(self.present(seat), None);
        let was_elsewhere = seat.user().and_then(|user| self.others.users.remove(&user));
        is_new && was_elsewhere.is_none()
    }

    /// A socket went; whether its owner is nowhere now.
    pub(super) fn went_everywhere(&mut self, seat: &Seat, is_gone: bool) -> bool {
        let stays = if is_gone { None } else { self.present(seat) };
        self.moved(stays, seat.user().filter(|_| is_gone));
        if is_gone && !self.bus.is_alone() {
            self.note_elsewhere();
        }
        is_gone && !seat.user().is_some_and(|user| self.others.users.contains_key(&user))
    }

    fn moved(&self, came: Option<Present>, went: Option<UserId>) {
        if self.bus.is_alone() {
            return;
        }
        let here = self.state.presence();
        let moves = Moves {
            came: came.into_iter().collect(),
            went: went.into_iter().collect(),
            guests: here.guests(),
            sessions: here.sessions(),
        };
        self.bus.moved(self.id(), &self.tag(), moves);
    }

    /// All of it, whatever was said before.
    pub(super) fn tell_nodes_who_is_here(&self) {
        if self.bus.is_alone() {
            return;
        }
        let here = self.state.presence();
        let mut users: BTreeMap<UserId, Present> = BTreeMap::new();
        for user in self.state.seats().filter_map(|seat| self.present(seat)) {
            users.entry(user.id).or_insert(user);
        }
        let users = users.into_values().collect();
        self.bus.replaced(self.id(), &self.tag(), users, here.guests(), here.sessions());
    }

    /// Who is there may be another: tells the sockets here of it.
    pub(super) fn look_around(&mut self, ctx: &mut Context<Self>) {
        let before = self.note_elsewhere();
        for (user, name) in &self.others.users {
            if !before.users.contains_key(user) {
                self.light.moved_elsewhere(*user, name, true);
            }
        }
        for (user, name) in &before.users {
            let is_here = self.state.presence().has(*user);
            if !is_here && !self.others.users.contains_key(user) {
                self.light.moved_elsewhere(*user, name, false);
            }
        }
        if before.guests != self.others.guests {
            self.light.guests_moved_elsewhere();
        }
        self.tell_later(ctx);
    }

    /// What was known before.
    fn note_elsewhere(&mut self) -> Others {
        let all = self.bus.view(|view| view.people(self.id()));
        let here = self.state.presence();
        let elsewhere = all.users.into_iter().filter(|user| !here.has(user.id));
        let now = Others {
            users: elsewhere.map(|user| (user.id, user.name)).collect(),
            guests: all.guests.saturating_sub(here.guests()),
        };
        std::mem::replace(&mut self.others, now)
    }

    /// The user on this seat, if it is one's, as other nodes are told of him.
    fn present(&self, seat: &Seat) -> Option<Present> {
        let card = seat.card.as_deref()?;
        let id = UserId(card.id);
        let sessions = self.state.presence().sockets_of(id);
        Some(Present { id, name: card.username.clone(), since: seat.since, sessions })
    }

    fn tag(&self) -> RoomTag {
        let row = self.state.row();
        RoomTag { kind: row.kind, name: row.name.clone(), by_guest: row.by_guest }
    }
}
