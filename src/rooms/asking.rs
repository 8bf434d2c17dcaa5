//! What a native socket asks a room: who is here, and what was said. Part of the room's actor;
//! answers are frames, made where the state is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use actix::prelude::*;

use crate::domain::nodes::Present;
use crate::domain::{Author, clock};
use crate::protocol::Frame;
use crate::protocol::native::{self, Who, WhoRow};

use super::Refused;
use super::kept;
use super::resume::{PAGE_BYTES, PAGE_EVENTS};
use super::room::Room;

/// People in one answer.
const PEOPLE: usize = 500;
/// Names of guests in one answer.
const GUEST_NAMES: usize = 100;

/// Who is here?
#[derive(Message)]
#[rtype(result = "Result<Frame, Refused>")]
pub struct AskWho {
    /// Who asks.
    pub by: Author,
    /// From where.
    pub from: Option<IpAddr>,
    /// His `ref`.
    pub reference: Option<String>,
    /// Users with a greater id alone.
    pub after: Option<i64>,
}

impl Handler<AskWho> for Room {
    type Result = Result<Frame, Refused>;

    fn handle(&mut self, asked: AskWho, _: &mut Self::Context) -> Self::Result {
        self.state.may_post(asked.by, asked.from, clock::now())?;
        let mut users: BTreeMap<i64, WhoRow> = BTreeMap::new();
        let mut guest_names = BTreeSet::new();
        for seat in self.state.seats() {
            let Some(card) = &seat.card else {
                guest_names.extend(seat.nick_name.clone());
                continue;
            };
            let row = users.entry(card.id).or_insert_with(|| WhoRow {
                user_id: card.id,
                username: card.username.clone(),
                nick_name: None,
                sessions: 0,
            });
            row.sessions += 1;
            row.nick_name = row.nick_name.take().or_else(|| seat.nick_name.clone());
        }
        for Present { id, name, sessions, .. } in self.users_everywhere() {
            let new = || WhoRow { user_id: id.0, username: name, nick_name: None, sessions: 0 };
            users.entry(id.0).or_insert_with(new).sessions = sessions;
        }
        let people = self.count_everywhere().people;
        let guests = people.saturating_sub(users.len() as u64);
        let mut members: Vec<_> = users
            .into_values()
            .filter(|row| asked.after.is_none_or(|after| row.user_id > after))
            .take(PEOPLE + 1)
            .collect();
        let more = members.len() > PEOPLE;
        members.truncate(PEOPLE);
        let guest_names: Vec<_> = guest_names.into_iter().take(GUEST_NAMES).collect();
        let who = Who {
            chat_id: self.id(),
            active_users: people,
            guests,
            guest_names: &guest_names,
            members: &members,
            as_of: clock::now(),
            more,
        };
        Ok(native::who(asked.reference.as_deref(), &who))
    }
}

/// What was said after this `seq`? None: further back than the window reaches.
#[derive(Message)]
#[rtype(result = "Result<Option<Frame>, Refused>")]
pub struct Recall {
    /// Who asks.
    pub by: Author,
    /// From where.
    pub from: Option<IpAddr>,
    /// His `ref`.
    pub reference: Option<String>,
    /// After this; none: whatever the answer is, the window can't give it.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

impl Handler<Recall> for Room {
    type Result = Result<Option<Frame>, Refused>;

    fn handle(&mut self, asked: Recall, _: &mut Self::Context) -> Self::Result {
        self.state.may_post(asked.by, asked.from, clock::now())?;
        let limit = asked.limit.min(PAGE_EVENTS);
        let rows = asked.after.and_then(|after| self.state.window.after(after, limit));
        Ok(rows.map(|rows| {
            let rows = kept::within(rows, PAGE_BYTES);
            let more = rows.last().is_some_and(|last| last.seq < self.state.head());
            let events = rows.iter().map(|kept| &***kept);
            native::history(asked.reference.as_deref(), self.id(), events, more)
        }))
    }
}
