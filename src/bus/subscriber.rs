//! The subscriber actor: it holds the connection, follows the channels of rooms that live here,
//! and forwards what other nodes say into the sink. It connects again whenever it must.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use futures_util::stream;
use tokio::sync::watch;

use crate::config::Chaos;
use crate::domain::RoomId;

use super::delivery::{Delivery, Health, Sink};
use super::dice::Dice;
use super::envelope::{Beat, Said, write};
use super::presence::View;
use super::pulse::{self, BEAT_EVERY, Pulse};
use super::shared::Shared;
use super::upkeep::{Upkeep, publish_what_waits};
use super::wire::{Broken, Dialer, Inbox, Incoming, Outgoing, Wire};

/// How often the actor looks at what time has changed.
const TICK: Duration = Duration::from_millis(100);
/// A heartbeat this much younger than the connection proves it: by then every other node has been
/// heard of, too.
const SETTLES_IN: Duration = Duration::from_millis(300);
/// Channels followed in one step.
const FOLLOWED_AT_ONCE: usize = 500;

/// How far a room's subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Following {
    Wanted,
    /// It was in force, and the sink knows: from then on a reconnect speaks for all.
    Told,
}

/// The connection.
pub(super) enum Link {
    None,
    /// Connected; the pulse is there once all channels are followed.
    Up(Wire, Option<Pulse>),
}

/// The actor.
pub(super) struct Subscriber {
    pub(super) shared: Arc<Shared>,
    pub(super) upkeep: Upkeep,
    dialer: Arc<Dialer>,
    inbox: Arc<Inbox>,
    pub(super) sink: Box<dyn Sink>,
    pub(super) dice: Option<Dice>,
    pub(super) link: Link,
    /// Tells it from those before: what was begun on them counts no more.
    generation: u64,
    /// Attempts to connect that failed in a row.
    failed: u32,
    pub(super) rooms: HashMap<RoomId, Following>,
    /// Rooms that are to be followed, or no longer.
    changed: HashSet<RoomId>,
    following: bool,
    started: Instant,
    ticks: u64,
    /// Something was missed since the last tick.
    pub(super) missed: bool,
    pub(super) delayed: usize,
    publishes: watch::Sender<Option<Wire>>,
}

/// What it starts with.
pub(super) struct Start {
    pub shared: Arc<Shared>,
    pub dialer: Dialer,
    pub chaos: Chaos,
    pub sink: Box<dyn Sink>,
}

impl Subscriber {
    pub fn new(start: Start) -> Self {
        Self {
            inbox: Arc::new(Inbox::new(Arc::clone(&start.shared.counts))),
            shared: start.shared,
            upkeep: Upkeep::default(),
            dialer: Arc::new(start.dialer),
            sink: start.sink,
            dice: Dice::new(start.chaos),
            link: Link::None,
            generation: 0,
            failed: 0,
            rooms: HashMap::new(),
            changed: HashSet::new(),
            following: false,
            started: Instant::now(),
            ticks: 0,
            missed: false,
            delayed: 0,
            publishes: watch::Sender::new(None),
        }
    }

    /// Time since the start.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The connection, when it carries.
    pub(super) fn wire(&self) -> Option<Wire> {
        match &self.link {
            Link::Up(wire, Some(pulse)) if pulse.is_up(self.now()) => Some(wire.clone()),
            _ => None,
        }
    }

    // ---- the connection

    fn connect(&mut self, ctx: &mut Context<Self>) {
        let (dialer, inbox) = (Arc::clone(&self.dialer), Arc::clone(&self.inbox));
        let dialing = async move { dialer.dial(inbox).await };
        ctx.spawn(dialing.into_actor(self).map(|dialed, subscriber, ctx| match dialed {
            Ok(wire) => subscriber.follow_all(wire, ctx),
            Err(why) => subscriber.give_up(&why, ctx),
        }));
    }

    /// The rooms' channels first, then those of nodes: a heartbeat that comes back on these
    /// proves that those are in force.
    fn follow_all(&mut self, wire: Wire, ctx: &mut Context<Self>) {
        self.link = Link::Up(wire.clone(), None);
        self.following = true;
        self.changed.clear();
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        let channels: Vec<_> = rooms.iter().map(|room| self.shared.channels.room(*room)).collect();
        let own = [self.shared.channels.node(&self.shared.me.node), self.shared.channels.nodes()];
        let generation = self.generation;
        let doing = async move {
            for some in channels.chunks(FOLLOWED_AT_ONCE) {
                wire.follow(some, &[]).await?;
            }
            wire.follow(&own, &[]).await?;
            Ok::<_, Broken>(wire)
        };
        ctx.spawn(doing.into_actor(self).map(move |done, subscriber, ctx| {
            if subscriber.generation != generation {
                return;
            }
            subscriber.following = false;
            match done {
                Ok(wire) => {
                    let pulse = Pulse::new(subscriber.now() + SETTLES_IN);
                    subscriber.link = Link::Up(wire.clone(), Some(pulse));
                    subscriber.publishes.send_replace(Some(wire));
                    subscriber.tell_followed(&rooms);
                    subscriber.follow_changed(ctx);
                }
                Err(why) => subscriber.give_up(&why, ctx),
            }
        }));
    }

    /// Connects again after a while.
    fn give_up(&mut self, why: &Broken, ctx: &mut Context<Self>) {
        let wait = pulse::wait(self.failed, fastrand::f64());
        if self.failed == 0 {
            log::warn!("the bus: no connection to Redis, trying again: {why}");
        }
        self.failed += 1;
        self.generation += 1;
        self.link = Link::None;
        self.following = false;
        self.publishes.send_replace(None);
        self.down();
        ctx.run_later(wait, Self::connect);
    }

    fn down(&mut self) {
        if self.shared.state.borrow().health == Health::Connected {
            log::warn!("the bus is down: what others say is not heard");
        }
        self.shared.set_health(Health::Down);
        self.shared.view(View::freeze);
        self.shared.counts.lost(self.shared.outbox.drain().len());
    }

    fn up(&mut self) {
        log::info!("the bus is connected");
        self.failed = 0;
        let now = self.now();
        self.shared.view(|view| view.thaw(now));
        self.upkeep.begin();
        self.shared.set_health(Health::Connected);
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        self.ticks += 1;
        let now = self.now();
        if let Link::Up(wire, pulse) = &self.link
            && (wire.is_broken() || pulse.is_some_and(|pulse| pulse.is_lost(now)))
        {
            self.give_up(&Broken::Failed("it carries nothing".into()), ctx);
        }
        let (is_up, was) = (self.wire().is_some(), self.shared.state.borrow().health);
        match (is_up, was) {
            (true, Health::Down) => self.up(),
            (false, Health::Connected) => self.down(),
            _ => {}
        }
        let beat_every = BEAT_EVERY.as_millis() / TICK.as_millis();
        if u128::from(self.ticks) % beat_every == 0 {
            self.beat(ctx);
        }
        if is_up {
            self.keep(ctx);
            self.read_unread(ctx);
            let gone = self.shared.view(|view| view.expire(now));
            self.tell_presence(gone);
        }
        if self.inbox.has_lagged() || std::mem::take(&mut self.missed) {
            self.shared.resync();
        }
        self.follow_changed(ctx);
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        let Link::Up(wire, Some(_)) = &self.link else { return };
        let beat = Beat {
            sent: u64::try_from(self.now().as_micros()).unwrap_or(u64::MAX),
            kept: self.upkeep.kept(),
            lost: self.shared.counts.read().lost,
        };
        let payload = write(&self.shared.me, &Said::Beat(beat));
        let (wire, channel) = (wire.clone(), self.shared.channels.nodes());
        // One that is not published does not come back, which is all that counts.
        let beating = async move { drop(wire.publish(&[Outgoing { channel, payload }]).await) };
        ctx.spawn(beating.into_actor(self));
    }

    // ---- rooms

    /// Follows what changed since, one step at a time.
    fn follow_changed(&mut self, ctx: &mut Context<Self>) {
        let Link::Up(wire, Some(_)) = &self.link else { return };
        if self.following || self.changed.is_empty() {
            return;
        }
        self.following = true;
        let wire = wire.clone();
        let rooms: Vec<RoomId> = self.changed.iter().copied().take(FOLLOWED_AT_ONCE).collect();
        self.changed.retain(|room| !rooms.contains(room));
        let (more, less): (Vec<RoomId>, Vec<RoomId>) =
            rooms.iter().partition(|room| self.rooms.contains_key(room));
        let channels =
            |rooms: &[RoomId]| rooms.iter().map(|r| self.shared.channels.room(*r)).collect();
        let (joins, leaves): (Vec<_>, Vec<_>) = (channels(&more), channels(&less));
        let generation = self.generation;
        let doing = async move { wire.follow(&joins, &leaves).await };
        ctx.spawn(doing.into_actor(self).map(move |done, subscriber, ctx| {
            if subscriber.generation != generation {
                // The next connection followed all there is.
                return;
            }
            subscriber.following = false;
            if done.is_ok() {
                subscriber.tell_followed(&more);
                subscriber.follow_changed(ctx);
            } else {
                // The next tick tries again, if there still is a connection then.
                subscriber.changed.extend(rooms);
            }
        }));
    }

    fn tell_followed(&mut self, rooms: &[RoomId]) {
        for room in rooms {
            if self.rooms.get(room) == Some(&Following::Wanted) {
                self.rooms.insert(*room, Following::Told);
                self.deliver(Delivery::Subscribed(*room));
            }
        }
    }
}

impl Actor for Subscriber {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let inbox = Arc::clone(&self.inbox);
        ctx.add_stream(stream::unfold(inbox, |inbox| async {
            let came = inbox.take().await;
            Some((came, inbox))
        }));
        let publishing = publish_what_waits(Arc::clone(&self.shared), self.publishes.subscribe());
        ctx.spawn(publishing.into_actor(self));
        ctx.run_interval(TICK, Self::tick);
        self.connect(ctx);
    }
}

impl StreamHandler<Vec<Incoming>> for Subscriber {
    fn handle(&mut self, came: Vec<Incoming>, ctx: &mut Self::Context) {
        for incoming in came {
            self.came(&incoming, ctx);
        }
    }
}

/// A room lives here, or no longer.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Follow {
    pub room: RoomId,
    pub on: bool,
}

impl Handler<Follow> for Subscriber {
    type Result = ();

    fn handle(&mut self, Follow { room, on }: Follow, ctx: &mut Self::Context) {
        if on {
            self.rooms.insert(room, Following::Wanted);
        } else {
            self.rooms.remove(&room);
        }
        self.changed.insert(room);
        self.follow_changed(ctx);
    }
}

/// The node stops.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Close;

impl Handler<Close> for Subscriber {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Close, _: &mut Self::Context) -> Self::Result {
        let (wire, shared) = (self.wire(), Arc::clone(&self.shared));
        shared.set_health(Health::Down);
        let closing = async move {
            let Some(wire) = wire else { return };
            let (channel, payload) = (shared.channels.nodes(), write(&shared.me, &Said::Bye));
            let mut last = shared.outbox.drain();
            last.push(Outgoing { channel, payload });
            if let Err(why) = wire.publish(&last).await {
                log::warn!("the bus: the last {} messages did not go out: {why}", last.len());
            }
            // What is not forgotten ends by itself a little later.
            drop(wire.forget(&shared.channels.kept(&shared.me.node)).await);
        };
        Box::pin(closing.into_actor(self).map(|(), _, ctx| {
            ctx.stop();
            Arbiter::current().stop();
        }))
    }
}
