//! What each setting may be: one table, from which values of every source are read and every
//! refusal takes its words. Called by `layers`; reads no file and no environment itself.

use toml::Value;

use super::chaos::Chaos;
use super::values;

/// What a setting may hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Address and port.
    Address,
    /// The same, or empty.
    MaybeAddress,
    /// A whole number between two, both included.
    Whole(i64, i64),
    /// On or off.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A text that is not empty.
    Text,
    /// Any text.
    AnyText,
    /// A text that is never shown.
    Secret,
    /// Where the database is.
    DatabaseUrl,
    /// Where Redis is, or empty.
    RedisUrl,
    /// A word of letters and digits.
    Word,
    /// How the bus is made unreliable on purpose, or empty.
    Chaos,
    /// Host names.
    Hosts,
    /// Origins of web pages.
    Origins,
    /// IP addresses.
    Addresses,
    /// Levels of the log.
    LogFilter,
}

/// A setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// Its section.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The environment variable that deployers know, if any.
    pub short: Option<&'static str>,
    /// What it may be.
    pub kind: Kind,
}

const fn setting(
    section: &'static str,
    name: &'static str,
    short: Option<&'static str>,
    kind: Kind,
) -> Setting {
    Setting { section, name, short, kind }
}

/// Longest span that a setting in seconds may name: a year.
const YEAR_S: i64 = 366 * 24 * 3600;
/// Largest size that a setting in bytes may name: 1 GiB.
const GIB: i64 = 1 << 30;

/// Every setting there is.
pub(super) const SETTINGS: &[Setting] = &[
    setting("server", "bind", Some("BIND"), Kind::Address),
    setting("server", "metrics_bind", Some("METRICS_BIND"), Kind::MaybeAddress),
    setting("server", "workers", None, Kind::Whole(0, 512)),
    setting("server", "allowed_hosts", Some("ALLOWED_HOSTS"), Kind::Hosts),
    setting("server", "cors_allowed_origins", Some("CORS_ALLOWED_ORIGINS"), Kind::Origins),
    setting("server", "trusted_proxies", None, Kind::Addresses),
    setting("server", "max_body_bytes", None, Kind::Whole(1024, GIB)),
    setting("server", "head_timeout_s", None, Kind::Whole(1, 3600)),
    setting("server", "body_timeout_s", None, Kind::Whole(1, 3600)),
    setting("server", "drain_s", None, Kind::Whole(1, 30)),
    setting("server", "production", None, Kind::Switch),
    setting("store", "database_url", Some("DATABASE_URL"), Kind::DatabaseUrl),
    setting("store", "readers", None, Kind::Whole(1, 256)),
    setting("store", "max_batch", None, Kind::Whole(1, 500)),
    setting("store", "max_waiting", None, Kind::Whole(1, 1_000_000)),
    setting("store", "keep_days", None, Kind::Whole(0, 36_500)),
    setting("bus", "redis_url", Some("REDIS_URL"), Kind::RedisUrl),
    setting("bus", "prefix", None, Kind::Word),
    setting("bus", "chaos", None, Kind::Chaos),
    setting("bus", "allow_chaos", None, Kind::Switch),
    setting("auth", "secret_key", Some("SECRET_KEY"), Kind::Secret),
    setting("auth", "issuer", None, Kind::Text),
    setting("auth", "access_ttl_s", None, Kind::Whole(1, YEAR_S)),
    setting("auth", "refresh_ttl_s", None, Kind::Whole(1, YEAR_S)),
    setting("auth", "rotate_refresh", None, Kind::Switch),
    setting("auth", "refresh_grace_s", None, Kind::Whole(0, 3600)),
    setting("auth", "hash_threads", None, Kind::Whole(1, 64)),
    setting("auth", "hash_waiting", None, Kind::Whole(1, 10_000)),
    setting("auth", "allow_guests", Some("ALLOW_GUESTS"), Kind::Switch),
    setting("auth", "rate_limits", Some("RATE_LIMITS"), Kind::Switch),
    setting("auth", "logins_per_minute_account", None, Kind::Whole(1, 1_000_000)),
    setting("auth", "logins_per_minute_ip", None, Kind::Whole(1, 1_000_000)),
    setting("auth", "registrations_per_hour_ip", None, Kind::Whole(1, 1_000_000)),
    setting("rooms", "permits", None, Kind::Whole(1, 1_000_000)),
    setting("rooms", "linger_s", None, Kind::Whole(0, 86_400)),
    setting("rooms", "window_events", None, Kind::Whole(1, 100_000)),
    setting("rooms", "windows_bytes", None, Kind::Whole(0, 64 * GIB)),
    setting("rooms", "in_flight_bytes", None, Kind::Whole(65_536, 64 * GIB)),
    setting("rooms", "max_members", None, Kind::Whole(2, 100_000)),
    setting("session", "engine", None, Kind::Choice(&["direct", "actix-web-actors"])),
    setting("session", "max_frame_bytes", None, Kind::Whole(1024, 16 << 20)),
    setting("session", "ping_interval_s", None, Kind::Whole(1, 3600)),
    setting("session", "max_pending_bytes", None, Kind::Whole(1024, GIB)),
    setting("session", "max_pending_s", None, Kind::Whole(1, 3600)),
    setting("session", "max_in_flight", None, Kind::Whole(1, 100_000)),
    setting("session", "busy_wait_s", None, Kind::Whole(1, 3600)),
    setting("session", "auth_within_s", None, Kind::Whole(1, 3600)),
    setting("session", "max_rooms", None, Kind::Whole(1, 100_000)),
    setting("session", "max_sockets", None, Kind::Whole(0, 10_000_000)),
    setting("paces", "messages_per_s", None, Kind::Whole(1, 1_000_000)),
    setting("paces", "messages_burst", None, Kind::Whole(1, 1_000_000)),
    setting("paces", "messages_per_s_ip", None, Kind::Whole(1, 1_000_000)),
    setting("paces", "messages_burst_ip", None, Kind::Whole(1, 1_000_000)),
    setting("paces", "typing_per_s", None, Kind::Whole(1, 1_000_000)),
    setting("paces", "joins_per_s", None, Kind::Whole(1, 1_000_000)),
    setting("paces", "rooms_per_hour", None, Kind::Whole(1, 1_000_000)),
    setting("paces", "max_per_user", None, Kind::Whole(1, 10_000_000)),
    setting("paces", "max_per_ip", None, Kind::Whole(1, 10_000_000)),
    setting("paces", "max_unproven_per_ip", None, Kind::Whole(1, 10_000_000)),
    setting("log", "filter", Some("RUST_LOG"), Kind::LogFilter),
    setting("faults", "room_panics_on", None, Kind::AnyText),
];

impl Setting {
    /// The setting of that section and name.
    pub fn find(section: &str, name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|one| one.section == section && one.name == name)
    }

    /// How files and messages name it.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// Reads a value of any source into what the structs take; none when it may not be that.
    pub fn read(&self, value: &Value) -> Option<Value> {
        match (self.kind, value) {
            (Kind::MaybeAddress | Kind::RedisUrl, Value::String(text)) if text.is_empty() => {
                Some(value.clone())
            }
            (Kind::Address | Kind::MaybeAddress, Value::String(text)) => {
                values::address(text).map(Value::String)
            }
            (Kind::RedisUrl, Value::String(text)) => values::redis_url(text).then(|| value.clone()),
            (Kind::DatabaseUrl, Value::String(text)) => {
                values::database_url(text).then(|| value.clone())
            }
            (Kind::Whole(low, high), Value::Integer(number)) => {
                (low..=high).contains(number).then(|| value.clone())
            }
            (Kind::Whole(..), Value::String(text)) => {
                self.read(&Value::Integer(text.trim().parse().ok()?))
            }
            (Kind::Switch, Value::Boolean(_)) | (Kind::Secret, Value::String(_)) => {
                Some(value.clone())
            }
            (Kind::Switch, Value::String(text)) => values::switch(text).map(Value::Boolean),
            (Kind::Choice(words), Value::String(text)) => {
                words.contains(&text.as_str()).then(|| value.clone())
            }
            (Kind::AnyText, Value::String(_)) => Some(value.clone()),
            (Kind::Text, Value::String(text)) => (!text.trim().is_empty()).then(|| value.clone()),
            (Kind::Word, Value::String(text)) => values::word(text).then(|| value.clone()),
            (Kind::Chaos, Value::String(text)) => {
                text.parse::<Chaos>().is_ok().then(|| value.clone())
            }
            (Kind::LogFilter, Value::String(text)) => {
                values::log_filter(text).then(|| value.clone())
            }
            (Kind::Hosts, list) => values::list(list, values::host),
            (Kind::Origins, list) => values::list(list, values::origin),
            (Kind::Addresses, list) => values::list(list, values::ip),
            _ => None,
        }
    }

    /// What it may be, for the one who set it wrong.
    pub fn may_be(&self) -> String {
        match self.kind {
            Kind::Address => {
                "an address and a port, such as 127.0.0.1:8000, 0.0.0.0:80 or [::1]:8000".into()
            }
            Kind::MaybeAddress => "empty, or an address and a port, such as 127.0.0.1:9100".into(),
            Kind::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Kind::Switch => "on or off".into(),
            Kind::Choice(words) => words.join(" or "),
            Kind::Text => "a text that is not empty".into(),
            Kind::AnyText | Kind::Secret => "a text".into(),
            Kind::DatabaseUrl => {
                "sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/DATABASE".into()
            }
            Kind::RedisUrl => "empty, redis://HOST:PORT or rediss://HOST:PORT".into(),
            Kind::Word => "1 to 64 letters, digits and -".into(),
            Kind::Chaos => {
                "empty, or some of drop=5%, delay=50ms, double=2% and seed=7, with commas".into()
            }
            Kind::Hosts => {
                "host names or addresses without scheme, port, path or wildcard, such as chat.example.org"
                    .into()
            }
            Kind::Origins => {
                "origins without path or wildcard, such as https://chat.example.org".into()
            }
            Kind::Addresses => "IP addresses, such as 10.0.0.1".into(),
            Kind::LogFilter => {
                "off, error, warn, info, debug or trace, also by module: warn,hubbub::rooms=debug"
                    .into()
            }
        }
    }

    /// The value as a message may show it.
    pub fn shown(&self, value: &Value) -> String {
        match (self.kind, value) {
            (Kind::Secret, Value::String(text)) if !text.is_empty() => values::MASK.into(),
            (Kind::Secret, Value::String(_)) => "empty".into(),
            (Kind::Secret, _) => "not a text".into(),
            (Kind::DatabaseUrl | Kind::RedisUrl, Value::String(text)) => {
                format!("{:?}", values::masked_url(text))
            }
            (_, value) => values::one_line(&value.to_string()),
        }
    }
}
