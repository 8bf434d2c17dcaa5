//! Settings: one plain struct a concern. Values, units and reasons stand in `config/default.toml`;
//! [`load`] reads them from files, the environment and flags, called once by `cli`.
//! Other layers get the struct of their concern and never read the environment.

mod chaos;
mod layers;
mod load;
mod schema;
#[cfg(test)]
mod tests;
mod values;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use chaos::{Chaos, NotChaos};
pub use layers::{ConfigError, Overrides};
pub use load::load;

/// Everything.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where and whom to serve.
    pub server: ServerSettings,
    /// Where things are kept.
    pub store: StoreSettings,
    /// Tokens and passwords.
    pub auth: AuthSettings,
    /// Rooms and their bounds.
    pub rooms: RoomSettings,
    /// Sockets and their bounds.
    pub session: SessionSettings,
    /// How fast, and how many.
    pub paces: PaceSettings,
    /// Between nodes.
    pub bus: BusSettings,
    /// What is logged.
    pub log: LogSettings,
    /// Faults on purpose.
    pub faults: FaultSettings,
}

/// Where and whom to serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// Address to listen on.
    pub bind: SocketAddr,
    /// Address for `/metrics` alone, if any.
    #[serde(with = "maybe_address")]
    pub metrics_bind: Option<SocketAddr>,
    /// Worker threads; 0: one a core.
    pub workers: usize,
    /// Host names that are answered; the host of `bind` is added.
    pub allowed_hosts: Vec<String>,
    /// Origins that may send credentials, besides the server's own.
    pub cors_allowed_origins: Vec<String>,
    /// Peers whose `X-Forwarded-*` counts.
    pub trusted_proxies: Vec<IpAddr>,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Seconds within which a request's head must have come.
    pub head_timeout_s: u64,
    /// Seconds within which a request's body must have come.
    pub body_timeout_s: u64,
    /// Seconds that a drain may take.
    pub drain_s: u64,
    /// Production: no secret is made up.
    pub production: bool,
}

/// Where things are kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// `sqlite://file` or `postgres://…`.
    pub database_url: String,
    /// Connections that read.
    pub readers: u32,
    /// Rows in one commit.
    pub max_batch: usize,
    /// Messages that may wait for the Writer; over that, posts are refused with `busy`.
    pub max_waiting: usize,
    /// Days that events are kept; 0: for ever.
    pub keep_days: u32,
}

/// Tokens and passwords.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// Signs tokens; empty: made at the first start and kept in the database (not in production).
    pub secret_key: String,
    /// `iss` of tokens.
    pub issuer: String,
    /// Life of an access token, seconds.
    pub access_ttl_s: u64,
    /// Life of a refresh token, seconds.
    pub refresh_ttl_s: u64,
    /// Whether `/api/token/refresh/` rotates.
    pub rotate_refresh: bool,
    /// Seconds in which a rotated cookie still yields its successor.
    pub refresh_grace_s: u64,
    /// Passwords hashed at the same time.
    pub hash_threads: usize,
    /// Password checks that may wait; over that, `busy`.
    pub hash_waiting: usize,
    /// Whether guests are let in.
    pub allow_guests: bool,
    /// Whether rates are limited.
    pub rate_limits: bool,
    /// Logins a minute for one account.
    pub logins_per_minute_account: u32,
    /// Logins a minute from one address.
    pub logins_per_minute_ip: u32,
    /// Registrations an hour from one address.
    pub registrations_per_hour_ip: u32,
}

/// Rooms and their bounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomSettings {
    /// Posts a room takes before it answers `busy`.
    pub permits: usize,
    /// Seconds that an empty room stays in memory.
    pub linger_s: u64,
    /// Events of a room held in memory, at most.
    pub window_events: usize,
    /// Bytes of events held in memory over all rooms.
    pub windows_bytes: usize,
    /// Bytes of messages under way in all rooms, taken and not yet written to every socket; over
    /// that, posts are refused with `busy`.
    pub in_flight_bytes: usize,
    /// Members of a group.
    pub max_members: usize,
}

/// Sockets and their bounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSettings {
    /// `direct` or `actix-web-actors`.
    pub engine: Engine,
    /// Bytes of a frame (and of a message put together from several).
    pub max_frame_bytes: usize,
    /// Seconds between pings; silent for two of them: closed.
    pub ping_interval_s: u64,
    /// Bytes that may wait for one socket.
    pub max_pending_bytes: usize,
    /// Seconds that something may wait for one socket.
    pub max_pending_s: u64,
    /// Posts of one socket on their way at a time.
    pub max_in_flight: usize,
    /// Seconds that a plain socket's post waits for a store that is behind.
    pub busy_wait_s: u64,
    /// Seconds in which a native socket must have said who it is.
    pub auth_within_s: u64,
    /// Rooms that one native socket may follow.
    pub max_rooms: usize,
    /// Sockets of a node; 0: as many as its limit of open files allows.
    pub max_sockets: u32,
}

impl SessionSettings {
    /// See [`SessionSettings::auth_within_s`].
    #[must_use]
    pub const fn auth_within(&self) -> Duration {
        Duration::from_secs(self.auth_within_s)
    }
}

/// What hosts a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// The session owns its socket.
    Direct,
    /// The socket lives in an actix-web response body.
    ActixWebActors,
}

/// How fast somebody may act, and how many sockets he may hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaceSettings {
    /// Stored acts of one socket, a second.
    pub messages_per_s: u32,
    /// Stored acts of one socket at once.
    pub messages_burst: u32,
    /// Stored acts from one address, a second.
    pub messages_per_s_ip: u32,
    /// Stored acts from one address at once.
    pub messages_burst_ip: u32,
    /// Light signals of one socket, a second.
    pub typing_per_s: u32,
    /// Joins and questions of one socket, a second.
    pub joins_per_s: u32,
    /// Rooms made by a user or an address, an hour.
    pub rooms_per_hour: u32,
    /// Sockets of a user.
    pub max_per_user: u32,
    /// Sockets of an address.
    pub max_per_ip: u32,
    /// Sockets of an address that owe their first word.
    pub max_unproven_per_ip: u32,
}

impl PaceSettings {
    /// Sockets of a user, of an address, of those of an address that owe their first word.
    #[must_use]
    pub const fn maxima(&self) -> [u32; 3] {
        [self.max_per_user, self.max_per_ip, self.max_unproven_per_ip]
    }
}

/// Between nodes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusSettings {
    /// `redis://HOST:PORT`; empty: one node.
    pub redis_url: String,
    /// What names of channels and keys begin with, after `hubbub:`.
    pub prefix: String,
    /// What happens to what comes from other nodes, on purpose.
    pub chaos: Chaos,
    /// Whether that may be in production, too.
    pub allow_chaos: bool,
}

/// What is logged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// Levels by module, as `RUST_LOG` has them.
    pub filter: String,
}

/// Faults on purpose, for those who want to see what becomes of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSettings {
    /// A message of exactly this text makes its room's actor panic; empty: none does.
    pub room_panics_on: String,
}

/// Structs that hold a secret say only their name, so that none gets into a log by `{:?}`.
macro_rules! debug_without_fields {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
debug_without_fields!(StoreSettings, AuthSettings, BusSettings);

/// TOML has no null: no address is an empty text.
mod maybe_address {
    use std::net::SocketAddr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "serde passes the field as it is")]
    pub(super) fn serialize<S: Serializer>(
        address: &Option<SocketAddr>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => to.collect_str(address),
            None => to.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<SocketAddr>, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
    }
}
