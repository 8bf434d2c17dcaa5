//! What a chat tells its members' native sockets whether they follow it or not: that it is theirs
//! now, that it no longer is, and that something new waits unread. At most one word a second a
//! chat. Part of the room's actor.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix::prelude::*;
use serde::Deserialize;

use crate::domain::{Event, EventKind, UserId};
use crate::protocol::native::ChatAction;
use crate::store::StoreError;

use super::callers::ChatNews;
use super::room::Room;

/// Between two words of the same chat.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Members whose unread messages are counted in the database at a time; the others wait for the
/// next word.
const COUNTED: usize = 50;

/// What a room knows of who has not read what.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Messages that a member has not read, of those members who were told before.
    unread: HashMap<UserId, i64>,
    is_new: bool,
    is_waiting: bool,
    told: Option<Instant>,
}

/// What a `member` event says, as `store::writer` wrote it.
#[derive(Deserialize)]
struct MemberWords {
    action: String,
    user_id: i64,
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
        self.activity.is_new = false;
        self.activity.told = Some(Instant::now());
        let here: Vec<_> = self.state.members().filter(|user| self.online.is_here(*user)).collect();
        let (store, room, head) = (self.store.clone(), self.id(), self.state.head());
        let is_unknown = |user: &UserId| !self.activity.unread.contains_key(user);
        let unknown: Vec<_> = here.iter().copied().filter(is_unknown).take(COUNTED).collect();
        let counting = async move {
            let mut counted = HashMap::new();
            for user in unknown {
                let unread = store.unread_up_to(user, &[room], head).await?;
                counted.extend(unread.get(&room).map(|unread| (user, *unread)));
            }
            Ok(counted)
        };
        ctx.spawn(
            counting
                .into_actor(self)
                .map(move |counted, room, ctx| room.counted(counted, &here, head, ctx)),
        );
    }

    fn counted(
        &mut self,
        counted: Result<HashMap<UserId, u64>, StoreError>,
        here: &[UserId],
        head: i64,
        ctx: &mut Context<Self>,
    ) {
        let counted = counted.unwrap_or_else(|error| {
            log::warn!("room {}: what is unread could not be counted: {error}", self.id());
            HashMap::new()
        });
        let counted: HashMap<_, _> = counted
            .into_iter()
            .map(|(user, unread)| (user, i64::try_from(unread).unwrap_or(i64::MAX)))
            .collect();
        let of = |user: &UserId| counted.get(user).or_else(|| self.activity.unread.get(user));
        let whose: Vec<_> = here.iter().filter_map(|user| Some((*user, *of(user)?))).collect();
        // What came while it was counted is not in it: then it is counted again.
        if self.state.head() == head {
            self.activity.unread.extend(counted);
        }
        self.tell_chat(ChatAction::Activity, whose);
        self.retire_later(ctx);
    }

    /// Tells whom a change of members is about.
    pub(super) fn tell_member(&mut self, event: &Event) {
        let Ok(words) = serde_json::from_str::<MemberWords>(&event.content) else { return };
        let user = UserId(words.user_id);
        let action = match words.action.as_str() {
            "added" | "joined" => ChatAction::Added,
            "removed" | "left" | "banned" => ChatAction::Removed,
            _ => return,
        };
        self.activity.forget(user);
        self.tell_chat(action, vec![(user, 0)]);
    }

    fn tell_chat(&self, action: ChatAction, whose: Vec<(UserId, i64)>) {
        let news =
            ChatNews { chat: self.id(), action, seq: self.state.head(), whose: whose.into() };
        self.shards.all().iter().for_each(|shard| shard.tell_chat(news.clone()));
    }
}
