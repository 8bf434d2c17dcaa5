//! What goes wrong in a run on purpose, and when. Pure. The loop carries it out.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::scenario::Scenario;
use super::span::Span;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sockets are not read for a while.
    Stalled,
    /// Sockets are reset without a word, and come back.
    Killed,
    /// Everybody's socket is reset at once, and everybody comes back at once.
    Storm,
    /// Many messages are due at once.
    Burst,
    /// Sockets stop half-way in their request for a while, before they join.
    SlowJoiners,
    /// The server's `expiring` is left unanswered: the socket is closed, then comes back with a new
    /// token.
    Expiring,
}

/// Every kind with its name, and what it needs besides.
const KINDS: &[(&str, Kind)] = &[
    ("stalled", Kind::Stalled),
    ("killed", Kind::Killed),
    ("storm", Kind::Storm),
    ("burst", Kind::Burst),
    ("slow_joiners", Kind::SlowJoiners),
    ("expiring", Kind::Expiring),
];

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// When, from the first message on.
    #[serde(default)]
    pub at: Span,
    /// How many sockets; a storm takes all.
    #[serde(default)]
    pub sessions: usize,
    /// For how long: stalled readers, slow joiners; and how long the killed stay away.
    #[serde(default)]
    pub lasts: Span,
    /// A burst's messages.
    #[serde(default)]
    pub messages: u32,
}

impl FromStr for Fault {
    type Err = String;

    /// `stalled,sessions=10,at=2s,lasts=3s`
    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split(',').map(str::trim);
        let name = words.next().unwrap_or_default().replace('-', "_");
        let names = || KINDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let kind = KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let kind = kind.ok_or_else(|| format!("{name:?} is no fault: {}", names()))?;
        let mut fault =
            Self { kind, at: Span::default(), sessions: 0, lasts: Span::default(), messages: 0 };
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| {
                format!("{word:?} is no name=value: a fault is stalled,sessions=10,at=2s,lasts=3s")
            })?;
            let number = || format!("{name} is {value:?}: it may be a whole number");
            match name {
                "at" => fault.at = value.parse()?,
                "lasts" => fault.lasts = value.parse()?,
                "sessions" => fault.sessions = value.parse().map_err(|_| number())?,
                "messages" => fault.messages = value.parse().map_err(|_| number())?,
                _ => return Err(format!("{name} is unknown: at, lasts, sessions or messages")),
            }
        }
        Ok(fault)
    }
}

impl Fault {
    /// Sees that it has what its kind needs.
    ///
    /// # Errors
    /// What is missing.
    pub fn check(&self, scenario: &Scenario) -> Result<(), String> {
        let name = KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        let all = scenario.sessions();
        let (counts, lasts) = match self.kind {
            Kind::Stalled | Kind::SlowJoiners => (true, true),
            Kind::Killed | Kind::Expiring => (true, false),
            Kind::Storm | Kind::Burst => (false, false),
        };
        if counts && !(1..=all).contains(&self.sessions) {
            return Err(format!(
                "the fault {name} needs sessions=1 to {all}, as many as there are"
            ));
        }
        if lasts && self.lasts == Span::default() {
            return Err(format!("the fault {name} needs lasts=, such as lasts=3s"));
        }
        if self.kind == Kind::Burst && self.messages == 0 {
            return Err("the fault burst needs messages=, such as messages=500".to_owned());
        }
        if self.at > scenario.duration {
            return Err(format!("the fault {name} is at={}, after the run's end", self.at));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_from_a_flag() {
        let fault: Fault = "slow-joiners,sessions=3,lasts=2s".parse().expect("right");
        assert_eq!(
            (fault.kind, fault.sessions, fault.lasts),
            (Kind::SlowJoiners, 3, Span::secs(2))
        );
        for (text, said) in [
            ("fire", "is no fault: stalled, killed"),
            ("storm,now", "is no name=value"),
            ("burst,messages=lots", "a whole number"),
            ("storm,when=1s", "is unknown"),
            ("storm,at=soon", "is no length of time"),
        ] {
            let why = text.parse::<Fault>().expect_err(text);
            assert!(why.contains(said), "{why}");
        }
    }
}
