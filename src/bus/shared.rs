//! What the handles of a bus and its subscriber share: the way out, the state, what is known of
//! other nodes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::domain::nodes::Present;
use crate::domain::nodes::{Moves, RoomTag};
use crate::domain::{NodeId, RoomId, UserId, clock};

use super::asking::Asking;
use super::channels::Channels;
use super::delivery::{Health, State};
use super::envelope::{Origin, Said, write};
use super::figures::Counts;
use super::presence::View;
use super::queue::Queue;
use super::share::Delta;
use super::wire::Outgoing;

/// Messages that may wait to be published, and their bytes: for a burst. They are hints: what is
/// over it is left out, counted, and found by `seq`.
const OUTBOX: usize = 8_192;
const OUTBOX_BYTES: usize = 8 << 20;

/// See the file.
pub(super) struct Shared {
    pub me: Origin,
    pub channels: Channels,
    pub outbox: Queue<Outgoing>,
    pub asking: Asking,
    pub state: watch::Sender<State>,
    pub counts: Arc<Counts>,
    view: Mutex<View>,
    /// Rooms whose share is another than what is kept; at most all that ever lived here.
    changed: Mutex<HashSet<RoomId>>,
}

impl Shared {
    pub fn new(node: &NodeId, prefix: &str, health: Health) -> Self {
        let now = clock::now();
        Self {
            me: Origin { node: node.clone(), started: now.micros() },
            channels: Channels::new(prefix),
            outbox: Queue::new(OUTBOX, OUTBOX_BYTES),
            asking: Asking::default(),
            state: watch::Sender::new(State { health, since: now, resync: 0 }),
            counts: Arc::default(),
            view: Mutex::new(View::new(node.clone())),
            changed: Mutex::default(),
        }
    }

    pub fn view<T>(&self, with: impl FnOnce(&mut View) -> T) -> T {
        with(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hands a message to the publisher; false when it was left out.
    pub fn send(&self, channel: Arc<str>, said: &Said) -> bool {
        let health = self.state.borrow().health;
        if health == Health::Local {
            return false;
        }
        let is_sent = health == Health::Connected && {
            let payload = write(&self.me, said);
            let bytes = payload.len();
            self.outbox.put(Outgoing { channel, payload }, bytes)
        };
        if !is_sent {
            self.counts.lost(1);
        }
        is_sent
    }

    /// What is the matter with the bus is another; `resync` says whether to check all at once.
    pub fn set_health(&self, health: Health) {
        self.state.send_if_modified(|state| {
            let changes = state.health != health;
            if changes {
                let resync = state.resync + u64::from(health == Health::Connected);
                *state = State { health, since: clock::now(), resync };
            }
            changes
        });
    }

    /// Something was missed: positions and presence are to be checked at once.
    pub fn resync(&self) {
        self.state.send_modify(|state| state.resync += 1);
    }

    pub fn moved(&self, room: RoomId, tag: &RoomTag, moves: Moves) {
        let delta = self.view(|view| {
            let delta = view.moved(room, tag, moves);
            self.note(room);
            delta
        });
        self.tell(room, delta);
    }

    /// Nobody follows this as it happens: whoever asks reads what is kept.
    pub fn called(&self, user: Result<Present, UserId>) {
        self.view(|view| {
            let lobby = view.called(user);
            self.note(lobby);
        });
    }

    pub fn replaced(
        &self,
        room: RoomId,
        tag: &RoomTag,
        users: Vec<Present>,
        guests: u64,
        sessions: u64,
    ) {
        let delta = self.view(|view| {
            let delta = view.replaced(room, tag, users, guests, sessions);
            self.note(room);
            delta
        });
        if let Some(delta) = delta {
            self.tell(room, delta);
        }
    }

    fn tell(&self, room: RoomId, delta: Delta) {
        if self.state.borrow().health == Health::Connected {
            self.send(self.channels.room(room), &Said::Presence(delta));
        }
    }

    fn note(&self, room: RoomId) {
        if self.state.borrow().health != Health::Local {
            self.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(room);
        }
    }

    /// Takes the rooms whose share is to be kept anew.
    pub fn take_changed(&self) -> Vec<RoomId> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }
}
