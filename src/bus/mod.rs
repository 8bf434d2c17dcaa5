//! Between nodes: hints about rooms, who is where, questions and answers. One contract, [`Bus`],
//! over two adapters: in this process ([`hub`], or a node alone) and Redis. Whatever goes over it
//! may be lost, doubled or late; it never waits for anything and nobody waits for it.
//!
//! In reading order: [`delivery`] (what it says), [`envelope`] (what goes over the wire),
//! [`presence`] (who is where), [`pulse`] (whether it carries), the subscriber (the actor that
//! holds the connection), `wire` (what an adapter can do), `redis_wire`.

mod asking;
mod channels;
pub mod delivery;
pub mod dice;
pub mod envelope;
mod figures;
mod hearing;
pub mod hub;
mod kept;
pub mod presence;
pub mod pulse;
mod queue;
mod redis_wire;
pub mod share;
mod shared;

mod subscriber;
mod upkeep;
mod wire;

use std::sync::Arc;

use actix::{Actor, Addr, Arbiter};
use tokio::sync::watch;

use crate::config::{BusSettings, Chaos};
use crate::domain::nodes::{Answers, ChatNews, Hint, Moves, Present, Question, RoomTag};
use crate::domain::{NodeId, RoomId, UserId};

pub use asking::{Reply, To};
pub use delivery::{Delivery, Full, Health, Sink, State};
pub use figures::Figures;
pub use hub::Hub;
pub use presence::View;
pub use redis_wire::BadUrl;

use envelope::Said;
use shared::Shared;
use subscriber::{Close, Follow, Start, Subscriber};
use wire::Dialer;

/// A node's way to the others. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
    subscriber: Option<Addr<Subscriber>>,
}

impl Bus {
    /// A node that runs alone: nothing goes out, nothing comes in.
    #[must_use]
    pub fn alone(node: &NodeId) -> Self {
        Self { shared: Arc::new(Shared::new(node, "", Health::Local)), subscriber: None }
    }

    /// A node that meets others in the Redis of the settings. What they say goes into `sink`.
    /// Starts a thread of its own; a Redis that does not answer is tried again and again.
    ///
    /// # Errors
    /// The URL can't be one of a Redis.
    pub fn start(settings: &BusSettings, node: &NodeId, sink: impl Sink) -> Result<Self, BadUrl> {
        let dialer = Dialer::Redis(Box::new(redis_wire::Dialer::new(&settings.redis_url)?));
        Ok(Self::join(dialer, &settings.prefix, node, settings.chaos, Box::new(sink)))
    }

    /// A node that meets others of this process in a hub.
    #[must_use]
    pub fn in_hub(hub: &Hub, node: &NodeId, chaos: Chaos, sink: impl Sink) -> Self {
        Self::join(Dialer::Hub(hub.clone(), node.clone()), "hub", node, chaos, Box::new(sink))
    }

    fn join(
        dialer: Dialer,
        prefix: &str,
        node: &NodeId,
        chaos: Chaos,
        sink: Box<dyn Sink>,
    ) -> Self {
        let shared = Arc::new(Shared::new(node, prefix, Health::Down));
        let start = Start { shared: Arc::clone(&shared), dialer, chaos, sink };
        let arbiter = Arbiter::new();
        let subscriber =
            Subscriber::start_in_arbiter(&arbiter.handle(), move |_| Subscriber::new(start));
        Self { shared, subscriber: Some(subscriber) }
    }

    /// This node's name.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.shared.me.node
    }

    /// Whether there are no other nodes, and never will be.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.subscriber.is_none()
    }

    // ---- rooms

    /// The room lives here: its hints come from now on, [`Delivery::Subscribed`] first.
    pub fn subscribe(&self, room: RoomId) {
        self.follow(Follow { room, on: true });
    }

    /// The room lives here no more: nothing of it comes.
    pub fn unsubscribe(&self, room: RoomId) {
        self.follow(Follow { room, on: false });
    }

    #[expect(clippy::disallowed_methods, reason = "one a room's start or end")]
    fn follow(&self, follow: Follow) {
        if let Some(subscriber) = &self.subscriber {
            subscriber.do_send(follow);
        }
    }

    /// Tells the other nodes where the room lives. Never waits: while the bus is down, or too
    /// much waits to be published, the hint is left out and counted.
    pub fn publish(&self, room: RoomId, hint: Hint) {
        self.shared.send(self.shared.channels.room(room), &Said::Hint(hint));
    }

    /// Tells every node that the hidden room of acts has an event with this `seq`.
    pub fn control(&self, seq: i64) {
        self.shared.send(self.shared.channels.nodes(), &Said::Control(seq));
    }

    /// Tells users' native sockets on other nodes something of a chat of theirs; a node that none
    /// of them is connected to hears nothing of it.
    pub fn tell_callers(&self, news: &ChatNews) {
        if self.is_alone() {
            return;
        }
        let users: Vec<UserId> = news.whose.iter().map(|(user, _)| *user).collect();
        for (node, there) in self.view(|view| view.callers_elsewhere(&users)) {
            let whose = news.whose.iter().filter(|(user, _)| there.contains(user));
            let said = ChatNews { whose: whose.copied().collect(), ..news.clone() };
            self.shared.send(self.shared.channels.node(&node), &Said::Chats(said));
        }
    }

    // ---- who is where

    /// A user has a native socket here now, in whatever room.
    pub fn called_in(&self, user: Present) {
        self.shared.called(Ok(user));
    }

    /// He has none any more.
    pub fn called_off(&self, user: UserId) {
        self.shared.called(Err(user));
    }

    /// Somebody came to a room here, or went.
    pub fn moved(&self, room: RoomId, tag: &RoomTag, moves: Moves) {
        self.shared.moved(room, tag, moves);
    }

    /// All who are in a room here, whatever was said before: of a room that was made anew, or,
    /// with nobody, of one that is no more.
    pub fn replaced(
        &self,
        room: RoomId,
        tag: &RoomTag,
        users: Vec<Present>,
        guests: u64,
        sessions: u64,
    ) {
        self.shared.replaced(room, tag, users, guests, sessions);
    }

    /// Looks at who is where on all nodes, this one among them; holds up others who look.
    pub fn view<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        self.shared.view(|view| look(view))
    }

    // ---- questions

    /// Asks other nodes; takes at most a second. Who did not answer is among the missing.
    pub async fn ask(&self, to: To, question: Question) -> Answers {
        asking::ask(&self.shared, to, question).await
    }

    // ---- how it is

    /// In a word.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.state.borrow().health
    }

    /// How it is, to be awaited on each change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<State> {
        self.shared.state.subscribe()
    }

    /// Counts since the start.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.shared.counts.read()
    }

    /// The node stops: what waits is published, others are told, and its share is gone at once.
    pub async fn close(&self) {
        if let Some(subscriber) = &self.subscriber {
            // Closed before.
            let _ = subscriber.send(Close).await;
        }
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Bus({}, {})", self.node(), self.health().as_str())
    }
}
