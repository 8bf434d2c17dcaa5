//! How fast somebody may act, and how many sockets he may hold (SECURITY, *Abuse* and
//! *Handshake*). Asked by sessions, and by REST for the same acts. Nothing here knows rooms; what
//! is over a rate is told when to come again.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::rates::network;
use crate::config::PaceSettings;
use crate::domain::{Author, UserId};

/// Places of a table: whoever takes names can't make more of them.
const PLACES: u64 = 1 << 16;

/// Over a rate: may be tried again after this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast(pub Duration);

/// The paces of a node.
#[derive(Debug)]
pub struct Paces {
    settings: PaceSettings,
    on: bool,
    places: RandomState,
    messages: DefaultKeyedRateLimiter<u64>,
    messages_of_ip: DefaultKeyedRateLimiter<u64>,
    creations: DefaultKeyedRateLimiter<u64>,
    census: Arc<Mutex<Census>>,
}

/// One socket's own paces: a socket that does nothing holds none. Copies made once it has done
/// something share them.
#[derive(Clone, Debug)]
pub struct SocketPaces {
    node: Arc<Paces>,
    own: OnceCell<Rc<Buckets>>,
}

#[derive(Debug)]
struct Buckets {
    messages: DefaultDirectRateLimiter,
    typing: DefaultDirectRateLimiter,
    joins: DefaultDirectRateLimiter,
}

/// What a socket does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Anything that is stored.
    Message,
    /// A light signal.
    Typing,
    /// Entering a room, or asking it something.
    Join,
}

impl Paces {
    /// By the settings; `on`: the switch that lifts every rate and count, but not `max_of_node`,
    /// which is what the node can hold.
    #[must_use]
    pub fn new(settings: &PaceSettings, on: bool, max_of_node: u32) -> Self {
        let twice = |rate: u32| at_least_one(rate.saturating_mul(2));
        let messages = Quota::per_second(twice(settings.messages_per_s))
            .allow_burst(twice(settings.messages_burst));
        let messages_of_ip = Quota::per_second(at_least_one(settings.messages_per_s_ip))
            .allow_burst(at_least_one(settings.messages_burst_ip));
        let creations = Quota::per_hour(at_least_one(settings.rooms_per_hour));
        let max = if on { settings.maxima() } else { [u32::MAX; 3] };
        Self {
            settings: settings.clone(),
            on,
            places: RandomState::new(),
            messages: RateLimiter::keyed(messages),
            messages_of_ip: RateLimiter::keyed(messages_of_ip),
            creations: RateLimiter::keyed(creations),
            census: Arc::new(Mutex::new(Census { held: HashMap::new(), max_of_node, max })),
        }
    }

    /// A new socket's.
    #[must_use]
    pub fn of_socket(self: &Arc<Self>) -> SocketPaces {
        SocketPaces { node: Arc::clone(self), own: OnceCell::new() }
    }

    fn buckets(&self) -> Buckets {
        let of = |per_s: u32, burst: u32| {
            let quota = Quota::per_second(at_least_one(per_s)).allow_burst(at_least_one(burst));
            RateLimiter::direct(quota)
        };
        let settings = &self.settings;
        Buckets {
            messages: of(settings.messages_per_s, settings.messages_burst),
            typing: of(settings.typing_per_s, settings.typing_per_s),
            joins: of(settings.joins_per_s, settings.joins_per_s),
        }
    }

    /// Somebody posts, on whichever of his sockets or over REST: a user, or a guest who is the
    /// same one after a reconnect.
    ///
    /// # Errors
    /// Over his rate, or over that of all who come from his address.
    pub fn message(&self, author: Author, ip: IpAddr) -> Result<(), TooFast> {
        self.message_of(author)?;
        self.message_from(ip)
    }

    fn message_of(&self, author: Author) -> Result<(), TooFast> {
        self.check(&self.messages, &author)
    }

    /// Whoever makes himself a new guest, or account, for each message, still has one address.
    fn message_from(&self, ip: IpAddr) -> Result<(), TooFast> {
        self.check(&self.messages_of_ip, &network(ip))
    }

    /// A user makes a room.
    ///
    /// # Errors
    /// Over his rate.
    pub fn creation(&self, user: UserId) -> Result<(), TooFast> {
        self.check(&self.creations, &user)
    }

    /// Somebody makes a room, perhaps a guest: those of one address share a rate.
    ///
    /// # Errors
    /// Over the rate.
    pub fn creation_from(&self, ip: IpAddr, user: Option<UserId>) -> Result<(), TooFast> {
        match user {
            Some(user) => self.creation(user),
            None => self.check(&self.creations, &network(ip)),
        }
    }

    fn check<K: Hash>(
        &self,
        limiter: &DefaultKeyedRateLimiter<u64>,
        key: &K,
    ) -> Result<(), TooFast> {
        if !self.on {
            return Ok(());
        }
        let place = self.places.hash_one(key) % PLACES;
        let clock = DefaultClock::default();
        limiter.check_key(&place).map_err(|until| TooFast(until.wait_time_from(clock.now())))
    }

    /// Counts a socket in, whosever it is; it is counted out when the pass is dropped. None: the
    /// node can hold no more.
    #[must_use]
    pub fn admit(&self) -> Option<Pass> {
        let is_free = self.census.lock().unwrap_or_else(PoisonError::into_inner).take(Who::Anybody);
        // One that is not given must not be made: dropped, it counts somebody out.
        is_free.then(|| Pass {
            census: Arc::clone(&self.census),
            user: None,
            address: None,
            owes: false,
        })
    }
}

/// The turn of a message whose sender waits for it instead of being refused: its socket's rate
/// lets it pass, then its user's, then its address's, each once however often it is tried.
#[derive(Debug, Default)]
pub struct Turn {
    past_socket: bool,
    past_user: bool,
    past_ip: bool,
}

impl Turn {
    /// Tries to pass what it has not passed yet.
    ///
    /// # Errors
    /// Too early.
    pub fn come(
        &mut self,
        socket: &SocketPaces,
        user: Option<UserId>,
        ip: IpAddr,
    ) -> Result<(), TooFast> {
        if !self.past_socket {
            socket.check(Act::Message)?;
            self.past_socket = true;
        }
        if let (Some(user), false) = (user, self.past_user) {
            socket.node.message_of(Author::User(user))?;
            self.past_user = true;
        }
        if !self.past_ip {
            socket.node.message_from(ip)?;
            self.past_ip = true;
        }
        Ok(())
    }
}

impl SocketPaces {
    /// The socket does something.
    ///
    /// # Errors
    /// Over its rate.
    pub fn check(&self, act: Act) -> Result<(), TooFast> {
        if !self.node.on {
            return Ok(());
        }
        let own = self.own.get_or_init(|| Rc::new(self.node.buckets()));
        let limiter = match act {
            Act::Message => &own.messages,
            Act::Typing => &own.typing,
            Act::Join => &own.joins,
        };
        let clock = DefaultClock::default();
        limiter.check().map_err(|until| TooFast(until.wait_time_from(clock.now())))
    }
}

/// Whose sockets are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Anybody,
    User(UserId),
    Address(IpAddr),
    /// Of an address, those that have yet to say who they are.
    Owing(IpAddr),
}

/// How many sockets each holds, and may; bounded by the sockets there are.
#[derive(Debug)]
struct Census {
    held: HashMap<Who, u32>,
    max_of_node: u32,
    /// Of a user, of an address, of those of an address that owe their first word.
    max: [u32; 3],
}

impl Census {
    /// Counts one in; false: there are too many.
    fn take(&mut self, who: Who) -> bool {
        let max = match who {
            Who::Anybody => self.max_of_node,
            Who::User(_) => self.max[0],
            Who::Address(_) => self.max[1],
            Who::Owing(_) => self.max[2],
        };
        let count = self.held.entry(who).or_default();
        let is_free = *count < max;
        *count += u32::from(is_free);
        is_free
    }

    fn give_back(&mut self, who: Who) {
        if let Entry::Occupied(mut count) = self.held.entry(who) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// A socket that is counted: as one of the node's, and of whomever it names.
#[derive(Debug)]
pub struct Pass {
    census: Arc<Mutex<Census>>,
    user: Option<UserId>,
    address: Option<IpAddr>,
    /// It has yet to say who it is.
    owes: bool,
}

impl Pass {
    /// Counts the socket as one of this address, and of this user when it is known; `owes`: it has
    /// yet to say who it is. False: there are too many.
    #[must_use]
    pub fn is_of(&mut self, user: Option<UserId>, ip: IpAddr, owes: bool) -> bool {
        let ip = network(ip);
        let mut census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        if !census.take(Who::Address(ip)) {
            return false;
        }
        self.address = Some(ip);
        self.owes = owes && census.take(Who::Owing(ip));
        drop(census);
        self.owes == owes && user.is_none_or(|user| self.is_now(user))
    }

    /// The socket has said who it is; false: that user has too many.
    #[must_use]
    pub fn is_proven(&mut self, user: Option<UserId>) -> bool {
        if let Some(ip) = self.address.filter(|_| std::mem::take(&mut self.owes)) {
            self.census.lock().unwrap_or_else(PoisonError::into_inner).give_back(Who::Owing(ip));
        }
        user.is_none_or(|user| self.is_now(user))
    }

    fn is_now(&mut self, user: UserId) -> bool {
        if self.user == Some(user) {
            return true;
        }
        let mut census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = census.take(Who::User(user));
        if let Some(before) = self.user.filter(|_| is_free) {
            census.give_back(Who::User(before));
        }
        if is_free {
            self.user = Some(user);
        }
        is_free
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        census.give_back(Who::Anybody);
        let owing = self.address.filter(|_| self.owes).map(Who::Owing);
        let own = [self.user.map(Who::User), self.address.map(Who::Address), owing];
        own.into_iter().flatten().for_each(|who| census.give_back(who));
    }
}

fn at_least_one(rate: u32) -> NonZeroU32 {
    NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
#[path = "paces_tests.rs"]
mod tests;
