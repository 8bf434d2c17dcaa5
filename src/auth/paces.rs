//! How fast somebody may act, and how many sockets he may hold (SECURITY, *Abuse* and
//! *Handshake*). Asked by sessions, and by REST for the same acts. Nothing here knows rooms; what
//! is over a rate is told when to come again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::rates::network;
use crate::config::PaceSettings;
use crate::domain::UserId;

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
    creations: DefaultKeyedRateLimiter<u64>,
    census: Arc<Mutex<Census>>,
}

/// One socket's own paces.
#[derive(Debug)]
pub struct SocketPaces {
    messages: DefaultDirectRateLimiter,
    typing: DefaultDirectRateLimiter,
    joins: DefaultDirectRateLimiter,
    on: bool,
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
    /// By the settings; `on`: the switch that lifts every rate and count.
    #[must_use]
    pub fn new(settings: &PaceSettings, on: bool) -> Self {
        let twice = |rate: u32| at_least_one(rate.saturating_mul(2));
        let messages = Quota::per_second(twice(settings.messages_per_s))
            .allow_burst(twice(settings.messages_burst));
        let creations = Quota::per_hour(at_least_one(settings.rooms_per_hour));
        Self {
            settings: settings.clone(),
            on,
            places: RandomState::new(),
            messages: RateLimiter::keyed(messages),
            creations: RateLimiter::keyed(creations),
            census: Arc::default(),
        }
    }

    /// A new socket's.
    #[must_use]
    pub fn of_socket(&self) -> SocketPaces {
        let of = |per_s: u32, burst: u32| {
            let quota = Quota::per_second(at_least_one(per_s)).allow_burst(at_least_one(burst));
            RateLimiter::direct(quota)
        };
        let settings = &self.settings;
        SocketPaces {
            messages: of(settings.messages_per_s, settings.messages_burst),
            typing: of(settings.typing_per_s, settings.typing_per_s),
            joins: of(settings.joins_per_s, settings.joins_per_s),
            on: self.on,
        }
    }

    /// A user posts, on whichever of his sockets or over REST.
    ///
    /// # Errors
    /// Over his rate.
    pub fn message(&self, user: UserId) -> Result<(), TooFast> {
        self.check(&self.messages, &user)
    }

    /// Somebody makes a room: a user, or guests of one address.
    ///
    /// # Errors
    /// Over the rate.
    pub fn creation(&self, user: Option<UserId>, ip: IpAddr) -> Result<(), TooFast> {
        match user {
            Some(user) => self.check(&self.creations, &user),
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

    /// Counts a socket in; it is counted out when the pass is dropped. `owes`: it has yet to say
    /// who it is. None: there are too many.
    #[must_use]
    pub fn count_in(&self, user: Option<UserId>, ip: IpAddr, owes: bool) -> Option<Pass> {
        let mut pass = Pass {
            census: Arc::clone(&self.census),
            max: if self.on { self.settings.maxima() } else { [u32::MAX; 3] },
            held: Vec::with_capacity(3),
        };
        let ip = network(ip);
        let is_in = pass.take(Who::Address(ip))
            && user.is_none_or(|user| pass.take(Who::User(user)))
            && (!owes || pass.take(Who::Owing(ip)));
        is_in.then_some(pass)
    }
}

impl SocketPaces {
    /// The socket does something.
    ///
    /// # Errors
    /// Over its rate.
    pub fn check(&self, act: Act) -> Result<(), TooFast> {
        if !self.on {
            return Ok(());
        }
        let limiter = match act {
            Act::Message => &self.messages,
            Act::Typing => &self.typing,
            Act::Join => &self.joins,
        };
        let clock = DefaultClock::default();
        limiter.check().map_err(|until| TooFast(until.wait_time_from(clock.now())))
    }
}

/// Whose sockets are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    User(UserId),
    Address(IpAddr),
    Owing(IpAddr),
}

/// How many sockets each holds; bounded by the sockets there are.
type Census = HashMap<Who, u32>;

/// A socket that is counted.
#[derive(Debug)]
pub struct Pass {
    census: Arc<Mutex<Census>>,
    /// Of a user, of an address, of those of an address that owe their first word.
    max: [u32; 3],
    held: Vec<Who>,
}

impl Pass {
    /// The socket has said who it is; false: that user has too many.
    #[must_use]
    pub fn is_proven(&mut self, user: Option<UserId>) -> bool {
        self.give_back(|who| matches!(who, Who::Owing(_)));
        let Some(user) = user else { return true };
        self.held.contains(&Who::User(user)) || self.take(Who::User(user))
    }

    fn take(&mut self, who: Who) -> bool {
        let max = match who {
            Who::User(_) => self.max[0],
            Who::Address(_) => self.max[1],
            Who::Owing(_) => self.max[2],
        };
        let mut census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        let count = census.entry(who).or_default();
        let is_free = *count < max;
        if is_free {
            *count += 1;
            self.held.push(who);
        }
        is_free
    }

    fn give_back(&mut self, which: impl Fn(&Who) -> bool) {
        let mut census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        self.held.retain(|who| {
            if !which(who) {
                return true;
            }
            if let Entry::Occupied(mut count) = census.entry(*who) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
            false
        });
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.give_back(|_| true);
    }
}

fn at_least_one(rate: u32) -> NonZeroU32 {
    NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paces(on: bool) -> Paces {
        let settings = PaceSettings {
            messages_per_s: 1,
            messages_burst: 3,
            typing_per_s: 1,
            joins_per_s: 2,
            rooms_per_hour: 2,
            max_per_user: 2,
            max_per_ip: 3,
            max_unproven_per_ip: 1,
        };
        Paces::new(&settings, on)
    }

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_socket_has_its_burst_and_a_user_twice_that() {
        let (paces, lifted) = (paces(true), paces(false));
        let socket = paces.of_socket();
        assert_eq!((0..9).filter(|_| socket.check(Act::Message).is_ok()).count(), 3);
        assert_eq!((0..9).filter(|_| socket.check(Act::Join).is_ok()).count(), 2);
        assert_eq!((0..9).filter(|_| paces.message(UserId(1)).is_ok()).count(), 6);
        assert!(paces.message(UserId(2)).is_ok());
        assert_eq!((0..9).filter(|_| paces.creation(None, IP).is_ok()).count(), 2);
        assert!((0..99).all(|_| lifted.message(UserId(1)).is_ok()));
    }

    #[test]
    fn sockets_are_counted_by_user_by_address_and_while_they_owe_their_first_word() {
        let paces = paces(true);
        let mut owing = paces.count_in(None, IP, true).expect("the first");
        assert!(paces.count_in(None, IP, true).is_none(), "one owes already");
        assert!(owing.is_proven(Some(UserId(1))));
        let second = paces.count_in(Some(UserId(1)), IP, false).expect("his second");
        assert!(paces.count_in(Some(UserId(1)), IP, false).is_none(), "his third");
        let third = paces.count_in(None, IP, true).expect("the third of the address");
        assert!(paces.count_in(None, IP, false).is_none(), "its fourth");
        drop((owing, second, third));
        assert!(paces.census.lock().expect("nobody panicked").is_empty());
    }
}
