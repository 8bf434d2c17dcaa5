//! What a chat tells its members' native sockets whether they follow it or not: that it is theirs
//! now, that it no longer is, and that something new waits unread. At most one word a second a
//! chat. Part of the room's actor.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use actix::prelude::*;
use serde::Deserialize;

use crate::domain::nodes::{ChatAction, ChatNews};
use crate::domain::{Author, Event, EventKind, UserId, Whom};
use crate::protocol::close;

use super::chats;
use super::room::Room;

/// Between two words of the same chat.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// What a room knows of who has not read what.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Messages that a member has not read, of those members who were told before.
    unread: HashMap<UserId, i64>,
    is_new: bool,
    /// Some of it was stored here: then this node tells those on nodes where the chat doesn't live.
    is_own: bool,
    is_waiting: bool,
    told: Option<Instant>,
}

/// What a `member` event says, as `store::writer` wrote it.
#[derive(Deserialize)]
struct MemberWords {
    action: String,
    user_id: i64,
    /// The `member_rev` that it made; an older version did not say.
    rev: Option<i64>,
}

impl MemberWords {
    fn is_gone(&self) -> bool {
        matches!(self.action.as_str(), "removed" | "left" | "banned")
    }
}

impl Activity {
    /// Takes an event that was delivered into account.
    pub(super) fn note(&mut self, event: &Event) {
        match event.kind {
            EventKind::Message => {
                self.is_new = true;
                let author = event.author.user();
                let others = self.unread.iter_mut().filter(|(user, _)| Some(**user) != author);
                others.for_each(|(_, unread)| *unread += 1);
            }
            // Whoever had not read it has one less: counted again when next told.
            EventKind::Delete => self.unread.clear(),
            _ => {}
        }
    }

    /// It was stored through this room.
    pub(super) fn stored(&mut self, kind: EventKind) {
        self.is_own |= kind == EventKind::Message;
    }

    /// How far a member has read: counted again when he is next told.
    pub(super) fn forget(&mut self, user: UserId) {
        self.unread.remove(&user);
    }
}

impl Room {
    /// Tells of what is new, now or when the last word is a second ago.
    pub(super) fn tell_activity_later(&mut self, ctx: &mut Context<Self>) {
        if !self.activity.is_new || self.activity.is_waiting || !self.state.row().kind.has_members()
        {
            return;
        }
        self.activity.is_waiting = true;
        let since = self.activity.told.map_or(AT_MOST_EVERY, |told| told.elapsed());
        ctx.run_later(AT_MOST_EVERY.saturating_sub(since), Self::tell_activity);
    }

    fn tell_activity(&mut self, ctx: &mut Context<Self>) {
        self.activity.is_waiting = false;
        if self.reloading {
            // A member who was just added is known once the rows are read, which comes back here.
            return;
        }
        self.activity.is_new = false;
        self.activity.told = Some(Instant::now());
        let everywhere = std::mem::take(&mut self.activity.is_own);
        let elsewhere = if everywhere { self.members_elsewhere() } else { HashSet::new() };
        let is_there = |user: &UserId| self.online.is_here(*user) || elsewhere.contains(user);
        let here: Vec<_> = self.state.members().filter(is_there).collect();
        let mut further_back = Vec::new();
        for user in &here {
            if self.activity.unread.contains_key(user) {
                continue;
            }
            let mark = self.state.read_seq(*user);
            match self.state.window.unread(Author::User(*user), mark) {
                Some(unread) => {
                    self.activity.unread.insert(*user, unread);
                }
                None => further_back.push((*user, mark)),
            }
        }
        if further_back.is_empty() {
            return self.tell_unread(here, everywhere);
        }
        let (store, room, head) = (self.store.clone(), self.id(), self.state.head());
        let counting = async move { store.unread_after(room, &further_back, head).await };
        ctx.spawn(counting.into_actor(self).map(move |counted, room, ctx| {
            match counted {
                Ok(counted) => room.counted(counted, head),
                Err(error) => {
                    log::warn!("room {}: what is unread could not be counted: {error}", room.id());
                }
            }
            room.tell_unread(here, everywhere);
            room.retire_later(ctx);
        }));
    }

    /// What the database counted up to `head`, and what came meanwhile.
    fn counted(&mut self, counted: HashMap<UserId, u64>, head: i64) {
        for (user, unread) in counted {
            // A mark that was set meanwhile has him counted again when there is news.
            if let Some(since) = self.state.window.unread(Author::User(user), head) {
                let unread = i64::try_from(unread).unwrap_or(i64::MAX);
                self.activity.unread.insert(user, unread.saturating_add(since));
            }
        }
    }

    /// Members with a native socket on another node.
    fn members_elsewhere(&self) -> HashSet<UserId> {
        if self.bus.is_alone() {
            return HashSet::new();
        }
        let members: Vec<_> = self.state.members().collect();
        self.bus.view(|view| view.callers_elsewhere(&members)).into_values().flatten().collect()
    }

    fn tell_unread(&self, here: Vec<UserId>, everywhere: bool) {
        let of = |user| Some((user, *self.activity.unread.get(&user)?));
        let (action, whose) = (ChatAction::Activity, here.into_iter().filter_map(of).collect());
        let news = ChatNews { chat: self.id(), action, seq: self.state.head(), whose };
        chats::tell(&self.shards, &self.bus, news, everywhere);
    }

    /// Tells whom a change of members is about; with `everywhere`, on all nodes.
    pub(super) fn tell_member(&mut self, event: &Event, everywhere: bool) {
        let Ok(words) = serde_json::from_str::<MemberWords>(&event.content) else { return };
        let user = UserId(words.user_id);
        let action = match words.action.as_str() {
            "added" | "joined" => ChatAction::Added,
            _ if words.is_gone() => ChatAction::Removed,
            _ => return,
        };
        self.activity.forget(user);
        let news = ChatNews { chat: self.id(), action, seq: event.seq, whose: vec![(user, 0)] };
        chats::tell(&self.shards, &self.bus, news, everywhere);
    }

    /// A change of members that this room has not made itself, in its turn: whoever is gone by it
    /// gets nothing that comes after, and the rows are read anew.
    pub(super) fn follow(&mut self, event: &Event, ctx: &mut Context<Self>) {
        if event.kind != EventKind::Member {
            return;
        }
        let Ok(words) = serde_json::from_str::<MemberWords>(&event.content) else { return };
        if words.rev.is_none_or(|rev| rev <= self.state.row().member_rev) {
            return;
        }
        if words.is_gone() {
            let user = UserId(words.user_id);
            self.state.forget_member(user);
            for session in self.state.sessions_of(Whom::User(user)) {
                self.remove(session, Some(close::REMOVED), ctx);
            }
        }
        self.tell_member(event, false);
        self.reload(ctx);
    }
}
