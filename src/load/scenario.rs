//! What a run does: its layout, its pace, what goes wrong in it on purpose. Pure: a file's text comes
//! in, a scenario that makes sense goes out. `cli/load` reads the file and lays its flags over it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::span::Span;
use super::tag::TAG_BYTES;

/// Most sockets of a run.
const SESSIONS_MAX: usize = 200_000;
/// Most messages of a run: the book of who saw what lies in memory.
const MESSAGES_MAX: f64 = 20_000_000.0;
/// Longest text of a message: the server's own limit.
const PAYLOAD_MAX: usize = 8 * 1024;

/// What the sockets speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// `{"message": …}`, no account.
    #[default]
    Guest,
    /// The superset frame, `?token=`.
    Token,
    /// `hubbub.v1`, with an account's token or as a guest.
    Native,
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "guest" => Ok(Self::Guest),
            "token" => Ok(Self::Token),
            "native" => Ok(Self::Native),
            _ => Err(format!("{text:?} is no dialect: guest, token or native")),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Guest => "guest",
            Self::Token => "token",
            Self::Native => "native",
        })
    }
}

/// How fast messages are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// So many a second in all, each when it is due.
    PerSecond(f64),
    /// Each sender as fast as his messages come back to him.
    Max,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim_end_matches("/s").parse::<f64>() {
            _ if text == "max" => Ok(Self::Max),
            Ok(rate) if (0.0..=1e6).contains(&rate) => Ok(Self::PerSecond(rate)),
            _ => Err(format!("{text:?} is no rate: messages a second in all, or max")),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerSecond(rate) => write!(out, "{rate}/s"),
            Self::Max => out.write_str("max"),
        }
    }
}

/// In a file a rate is a number or `"max"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum RateInFile {
    Whole(u32),
    Number(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = match RateInFile::deserialize(from)? {
            RateInFile::Whole(rate) => rate.to_string(),
            RateInFile::Number(rate) => rate.to_string(),
            RateInFile::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::PerSecond(rate) => to.serialize_f64(*rate),
            Self::Max => to.serialize_str("max"),
        }
    }
}

/// A run. Every field has a default, so that a file says only what differs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Servers, `ws://host:port`; sockets take them in turn.
    pub urls: Vec<String>,
    /// Path of a room's socket; `{room}` stands for its name.
    pub path: String,
    /// What the sockets speak.
    pub dialect: Dialect,
    /// Rooms.
    pub rooms: usize,
    /// Sockets in each.
    pub members: usize,
    /// How many of them send.
    pub senders: usize,
    /// What the rooms' names begin with; a run's own when missing.
    pub room_prefix: Option<String>,
    /// Messages a second, over all rooms.
    pub rate: Rate,
    /// With `rate = "max"`: messages of one sender under way.
    pub in_flight: usize,
    /// Bytes of a message's text.
    pub payload: usize,
    /// Time over which the sockets come; 0: all at once.
    pub ramp_up: Span,
    /// How long messages are sent.
    pub duration: Span,
    /// How long the last deliveries are waited for, at most.
    pub settle: Span,
    /// A message sent later than so long after it was due counts as late.
    pub late: Span,
    /// File of tokens, one a line, the last word of it.
    pub tokens: Option<PathBuf>,
    /// Accounts to make over REST; sockets share them in turn.
    pub accounts: usize,
    /// Addresses to connect from, in turn: one of them has some 28,000 ports.
    pub sources: Vec<IpAddr>,
    /// Threads, each with its own rooms.
    pub threads: usize,
    /// Whether a socket that is closed comes back.
    pub reconnect: bool,
    /// What goes wrong on purpose.
    pub faults: Vec<Fault>,
    /// What must hold in the end.
    pub expect: Option<String>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            urls: vec!["ws://127.0.0.1:8000".to_owned()],
            path: "/ws/chat/{room}/".to_owned(),
            dialect: Dialect::Guest,
            rooms: 1,
            members: 10,
            senders: 1,
            room_prefix: None,
            rate: Rate::PerSecond(10.0),
            in_flight: 1,
            payload: 128,
            ramp_up: Span::secs(0),
            duration: Span::secs(10),
            settle: Span::secs(5),
            late: Span::millis(10),
            tokens: None,
            accounts: 0,
            sources: Vec::new(),
            threads: 1,
            reconnect: true,
            faults: Vec::new(),
            expect: None,
        }
    }
}

impl Scenario {
    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|why| why.to_string().trim_end().replace('\n', " "))
    }

    /// Sockets in all.
    #[must_use]
    pub const fn sessions(&self) -> usize {
        self.rooms.saturating_mul(self.members)
    }

    /// Sees that it makes sense.
    ///
    /// # Errors
    /// What does not, and what to write instead.
    pub fn check(&self) -> Result<(), String> {
        let right = |holds: bool, else_say: &str| {
            if holds { Ok(()) } else { Err(else_say.to_owned()) }
        };
        right(!self.urls.is_empty(), "there is no url: give one, such as ws://127.0.0.1:8000")?;
        right(
            self.path.starts_with('/') && self.path.contains("{room}"),
            "path must begin with / and hold {room}, as /ws/chat/{room}/ does",
        )?;
        right(self.rooms > 0 && self.members > 0, "rooms and members must be 1 at least")?;
        if self.sessions() > SESSIONS_MAX {
            return Err(format!(
                "rooms x members is {}: {SESSIONS_MAX} sockets at most",
                self.sessions()
            ));
        }
        if self.senders > self.members {
            let (senders, members) = (self.senders, self.members);
            return Err(format!(
                "senders is {senders}, but a room has {members} members: senders are among them"
            ));
        }
        if !(TAG_BYTES..=PAYLOAD_MAX).contains(&self.payload) {
            return Err(format!(
                "payload is {}: {TAG_BYTES} bytes at least, which tell the message, and \
                 {PAYLOAD_MAX} at most",
                self.payload
            ));
        }
        right((1..=64).contains(&self.threads), "threads must be 1 to 64: one a core")?;
        right((1..=1_000).contains(&self.in_flight), "in-flight must be 1 to 1000")?;
        if let Rate::PerSecond(rate) = self.rate
            && rate * self.duration.as_secs() > MESSAGES_MAX
        {
            return Err(format!(
                "{rate} messages/s for {} are more than {MESSAGES_MAX}: make the run shorter",
                self.duration
            ));
        }
        right(
            self.dialect != Dialect::Token || self.tokens.is_some() || self.accounts > 0,
            "the dialect token needs accounts: --tokens FILE with the lines that `hubbub user \
             tokens --count N` prints, or --accounts N to make them over REST",
        )?;
        right(
            self.dialect != Dialect::Guest || (self.tokens.is_none() && self.accounts == 0),
            "the dialect guest has no accounts: leave tokens and accounts out, or say --dialect \
             token or --dialect native",
        )?;
        right(self.accounts <= 100_000, "accounts may be 100000 at most")?;
        self.faults.iter().try_for_each(|fault| fault.check(self))
    }

    /// Messages that the book can hold.
    #[must_use]
    pub const fn messages_max() -> f64 {
        MESSAGES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_differs() {
        let text = "rooms = 200\nmembers = 10\nsenders = 10\nrate = 1000\nduration = \"30s\"\n\
                    [[faults]]\nkind = \"storm\"\nat = \"10s\"\n";
        let scenario = Scenario::from_toml(text).expect("right");
        assert_eq!((scenario.sessions(), scenario.rate), (2_000, Rate::PerSecond(1_000.0)));
        assert_eq!(scenario.payload, 128);
        assert_eq!(scenario.check(), Ok(()));
        let max = Scenario::from_toml("rate = \"max\"").expect("right");
        assert_eq!(max.rate, Rate::Max);
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_right() {
        for (text, said) in [
            ("romms = 2", "unknown field `romms`"),
            ("rate = \"fast\"", "is no rate"),
            ("duration = 5", "invalid type"),
            ("duration = \"5\"", "write 500ms, 10s or 2m"),
            ("dialect = \"irc\"", "unknown variant `irc`"),
        ] {
            let why = Scenario::from_toml(text).expect_err(text);
            assert!(why.contains(said) && !why.contains('\n'), "{why}");
        }
        for (text, said) in [
            ("urls = []", "there is no url"),
            ("path = \"/ws/\"", "{room}"),
            ("rooms = 0", "1 at least"),
            ("rooms = 1000000", "sockets at most"),
            ("senders = 11", "senders are among them"),
            ("payload = 10", "payload is 10"),
            ("dialect = \"token\"", "hubbub user tokens --count N"),
            ("accounts = 5", "has no accounts"),
            ("rate = 1000000\nduration = \"1h\"", "make the run shorter"),
            ("[[faults]]\nkind = \"stalled\"\nat = \"1s\"\nsessions = 11", "sessions"),
        ] {
            let why = Scenario::from_toml(text).expect(text).check().expect_err(text);
            assert!(why.contains(said), "{why}");
        }
    }
}
