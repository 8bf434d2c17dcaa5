//! How often somebody may try to log in or register, and how long he waits after failures.
//! Called by this layer only. Nothing here locks an account: what is over its rate may come again
//! after the seconds that the refusal names.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::config::AuthSettings;
use crate::domain::Timestamp;

/// Places of a table. Whoever guesses names can't make more of them, so the tables are bounded
/// by construction (a few MiB); the hash is keyed, so nobody can aim at another's place.
const PLACES: u64 = 1 << 16;

/// Failures without a delay.
const FREE_FAILURES: u32 = 5;
/// The longest delay.
const LONGEST: Duration = Duration::from_secs(1);
/// Seconds after which failures are forgotten.
const FORGOTTEN_S: i64 = 900;

/// Over a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Request was throttled. Expected available in {retry_after_s} seconds.")]
pub struct Limited {
    /// Seconds after which it may be tried again, at least 1.
    pub retry_after_s: u64,
}

/// The rates of logins and registrations.
#[derive(Debug)]
pub struct Rates {
    places: RandomState,
    on: bool,
    account: DefaultKeyedRateLimiter<u64>,
    login_ip: DefaultKeyedRateLimiter<u64>,
    registration_ip: DefaultKeyedRateLimiter<u64>,
    failures: Vec<AtomicU64>,
}

impl Rates {
    /// By the settings; a rate of 0 reads as 1.
    #[must_use]
    pub fn new(settings: &AuthSettings) -> Self {
        let at_least_one = |rate| NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        Self {
            places: RandomState::new(),
            on: settings.rate_limits,
            account: RateLimiter::keyed(Quota::per_minute(at_least_one(
                settings.logins_per_minute_account,
            ))),
            login_ip: RateLimiter::keyed(Quota::per_minute(at_least_one(
                settings.logins_per_minute_ip,
            ))),
            registration_ip: RateLimiter::keyed(Quota::per_hour(at_least_one(
                settings.registrations_per_hour_ip,
            ))),
            failures: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// A registration from this address.
    ///
    /// # Errors
    /// Over its rate.
    pub fn registration(&self, ip: IpAddr) -> Result<(), Limited> {
        self.check(&self.registration_ip, self.place(&network(ip)))
    }

    /// A login to this account from this address.
    ///
    /// # Errors
    /// Over one of its rates.
    pub fn login(&self, account: &str, ip: IpAddr) -> Result<(), Limited> {
        self.check(&self.login_ip, self.place(&network(ip)))?;
        self.check(&self.account, self.place(account))
    }

    /// How long this login waits before it is looked at: grows with what failed lately for the
    /// account and from the address.
    #[must_use]
    pub fn delay(&self, account: &str, ip: IpAddr, now: Timestamp) -> Duration {
        if !self.on {
            return Duration::ZERO;
        }
        let failed = |place| failures_at(self.failure(place).load(Ordering::Relaxed), now);
        // An address may stand for an office: it gets four times the failures of an account.
        delay_after(failed(self.place(account)).max(failed(self.place(&network(ip))) / 4))
    }

    /// This login failed.
    pub fn failed(&self, account: &str, ip: IpAddr, now: Timestamp) {
        for place in [self.place(account), self.place(&network(ip))] {
            let _ = self.failure(place).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
                Some(packed(failures_at(old, now).saturating_add(1), now))
            });
        }
    }

    /// This login succeeded: the account's failures are forgotten, the address's are not.
    pub fn succeeded(&self, account: &str) {
        self.failure(self.place(account)).store(0, Ordering::Relaxed);
    }

    fn check(&self, limiter: &DefaultKeyedRateLimiter<u64>, place: u64) -> Result<(), Limited> {
        if !self.on {
            return Ok(());
        }
        limiter.check_key(&place).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Limited { retry_after_s: wait.as_secs().saturating_add(1) }
        })
    }

    fn place<K: Hash + ?Sized>(&self, key: &K) -> u64 {
        self.places.hash_one(key) % PLACES
    }

    fn failure(&self, place: u64) -> &AtomicU64 {
        &self.failures[usize::try_from(place % PLACES).unwrap_or(0)]
    }
}

/// What counts as one address: of IPv6 the /64 that a single subscriber holds.
pub(super) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A count and the second of its last change, in one word.
fn packed(count: u32, now: Timestamp) -> u64 {
    let secs = u64::try_from(now.secs()).unwrap_or(0) & 0xFFFF_FFFF_FFFF;
    (secs << 16) | u64::from(count.min(0xFFFF))
}

fn failures_at(packed: u64, now: Timestamp) -> u32 {
    let since = i64::try_from(packed >> 16).unwrap_or(0);
    if now.secs() - since > FORGOTTEN_S { 0 } else { u32::try_from(packed & 0xFFFF).unwrap_or(0) }
}

/// Nothing for the first few, then 100 ms doubled with each, up to [`LONGEST`].
fn delay_after(failures: u32) -> Duration {
    let Some(over) = failures.checked_sub(FREE_FAILURES).filter(|over| *over > 0) else {
        return Duration::ZERO;
    };
    Duration::from_millis(100 << (over - 1).min(10)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(on: bool) -> Rates {
        Rates::new(&AuthSettings {
            secret_key: String::new(),
            issuer: "hubbub".to_owned(),
            access_ttl_s: 3600,
            refresh_ttl_s: 604_800,
            rotate_refresh: false,
            refresh_grace_s: 30,
            hash_threads: 1,
            hash_waiting: 1,
            allow_guests: true,
            rate_limits: on,
            logins_per_minute_account: 10,
            logins_per_minute_ip: 30,
            registrations_per_hour_ip: 10,
        })
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_account_is_tried_ten_times_a_minute_and_an_address_thirty() {
        let rates = rates(true);
        let tried = |account: &str, last| rates.login(account, ip(last)).is_ok();
        assert_eq!((0..15).filter(|n| tried("alice", *n)).count(), 10, "from anywhere");
        let names: Vec<String> = (0..40).map(|n| format!("user{n}")).collect();
        assert_eq!(names.iter().filter(|name| tried(name, 200)).count(), 30);
        assert!(tried("bob", 201), "another account from another address");
        let refused = rates.login("alice", ip(202)).err();
        assert!(refused.is_some_and(|limited| (1..=7).contains(&limited.retry_after_s)));
    }

    #[test]
    fn registrations_are_ten_an_hour_and_a_switch_lifts_every_rate() {
        let limited = rates(true);
        assert_eq!((0..20).filter(|_| limited.registration(ip(1)).is_ok()).count(), 10);
        let lifted = rates(false);
        assert!((0..100).all(|_| lifted.registration(ip(1)).is_ok()));
        assert!((0..100).all(|_| lifted.login("alice", ip(1)).is_ok()));
    }

    #[test]
    fn one_subscriber_of_ipv6_is_one_address() {
        let of = |text: &str| text.parse::<IpAddr>().map(network).ok();
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::4"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn delays_grow_up_to_a_second_and_are_forgotten() {
        for (failures, millis) in [(0, 0), (5, 0), (6, 100), (7, 200), (9, 800), (10, 1000)] {
            assert_eq!(delay_after(failures), Duration::from_millis(millis), "{failures}");
        }
        assert_eq!(delay_after(u32::MAX), LONGEST);
        let rates = rates(true);
        let now = Timestamp::from_secs(1_735_732_800);
        for _ in 0..7 {
            rates.failed("alice", ip(1), now);
        }
        assert_eq!(rates.delay("alice", ip(2), now), Duration::from_millis(200));
        assert_eq!(rates.delay("bob", ip(1), now), Duration::ZERO, "an office is not one account");
        assert_eq!(rates.delay("alice", ip(2), now.plus_secs(FORGOTTEN_S + 1)), Duration::ZERO);
        rates.succeeded("alice");
        assert_eq!(rates.delay("alice", ip(2), now), Duration::ZERO);
    }
}
