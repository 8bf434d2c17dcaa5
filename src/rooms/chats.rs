//! What native sockets hear of their users' chats whether they follow them or not: told by the
//! chat's room on this node, or by another node where the chat lives. Part of the worker's Shard.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use crate::bus::Bus;
use crate::domain::nodes::{ChatAction, ChatNews};
use crate::domain::{RoomId, UserId};
use crate::protocol::native;

use super::callers::tell_if_it_reads;
use super::fanout::Shard;
use super::outlet;
use super::shards::{ShardHandle, Shards};

/// Between two words of activity in one chat, whichever nodes speak of it.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// How long a change of members may come a second time, over another way.
const ONCE_IN: Duration = Duration::from_secs(10);

/// What was told of late.
#[derive(Default)]
pub struct Chats {
    /// Chats of other nodes: the newest `seq` that was told, and what waits for its second.
    paced: HashMap<RoomId, (i64, Option<Arc<ChatNews>>)>,
    /// Changes of members, by the event that says so.
    changes: HashSet<(RoomId, UserId, i64)>,
}

/// Tells the native sockets of this node; with `everywhere`, those of others too.
pub(super) fn tell(shards: &Shards, bus: &Bus, news: ChatNews, everywhere: bool) {
    if everywhere {
        bus.tell_callers(&news);
    }
    let news = Arc::new(news);
    shards.all().iter().for_each(|shard| shard.tell_chat(&news));
}

impl ShardHandle {
    /// Tells users' native sockets something of one of their chats.
    #[expect(
        clippy::disallowed_methods,
        reason = "one a second a chat, and one a change of members"
    )]
    fn tell_chat(&self, news: &Arc<ChatNews>) {
        self.addr.do_send(TellChat(Arc::clone(news)));
    }

    /// The same, of a chat that lives on another node. What finds no place is light, or known
    /// from the list of chats.
    pub(super) fn hear_of_chat(&self, news: &Arc<ChatNews>) {
        drop(self.addr.try_send(HearOfChat(Arc::clone(news))));
    }
}

/// A room of this node says so.
#[derive(Message)]
#[rtype(result = "()")]
struct TellChat(Arc<ChatNews>);

/// Another node says so.
#[derive(Message)]
#[rtype(result = "()")]
struct HearOfChat(Arc<ChatNews>);

impl Handler<TellChat> for Shard {
    type Result = ();

    fn handle(&mut self, TellChat(news): TellChat, ctx: &mut Self::Context) {
        self.tell_chat(&news, ctx);
    }
}

impl Handler<HearOfChat> for Shard {
    type Result = ();

    fn handle(&mut self, HearOfChat(news): HearOfChat, ctx: &mut Self::Context) {
        if news.action != ChatAction::Activity {
            return self.tell_chat(&news, ctx);
        }
        match self.chats.paced.get_mut(&news.chat) {
            Some((told, waiting)) => {
                let newest = waiting.as_ref().map_or(*told, |waiting| waiting.seq);
                if news.seq > newest {
                    *waiting = Some(news);
                }
            }
            None => self.tell_activity(&news, ctx),
        }
    }
}

impl Shard {
    fn tell_activity(&mut self, news: &Arc<ChatNews>, ctx: &mut Context<Self>) {
        self.tell_chat(news, ctx);
        let chat = news.chat;
        self.chats.paced.insert(chat, (news.seq, None));
        ctx.run_later(AT_MOST_EVERY, move |shard, ctx| {
            if let Some((_, Some(waiting))) = shard.chats.paced.remove(&chat) {
                shard.tell_activity(&waiting, ctx);
            }
        });
    }

    fn tell_chat(&mut self, news: &ChatNews, ctx: &mut Context<Self>) {
        for (user, unread) in &news.whose {
            let slots = self.callers.slots(*user);
            if slots.is_empty() {
                continue;
            }
            let frame = native::chats(news.chat, news.action, news.seq, *unread);
            if news.action == ChatAction::Activity {
                // The next one says as much.
                for slot in slots {
                    tell_if_it_reads(*slot, &frame);
                }
                continue;
            }
            let change = (news.chat, *user, news.seq);
            if news.seq > 0 && !self.chats.changes.insert(change) {
                continue;
            }
            for outlet in slots.iter().filter_map(|slot| outlet::find(*slot)) {
                outlet.deliver(std::slice::from_ref(&frame), None);
            }
            if news.seq > 0 {
                ctx.run_later(ONCE_IN, move |shard, _| {
                    shard.chats.changes.remove(&change);
                });
            }
        }
    }
}
