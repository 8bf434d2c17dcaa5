//! Bans: who may not be in a room, and until when. Kept by the store with the room, held by the
//! room while it lives. Pure: the time is an argument, so that a ban ends by the clock alone.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Author, NotAnAuthor, SessionId, Timestamp, UserId};

/// Whom a ban is about, as the database keeps it: `u:7`, `g:<uuid>` or `ip:<address>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A user, wherever he comes from.
    User(UserId),
    /// A guest who keeps his identity by a token.
    Guest(Uuid),
    /// Every guest from there: one on a plain socket is nobody else again.
    Address(IpAddr),
}

impl Subject {
    /// The user, when it is one.
    #[must_use]
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Guest(_) | Self::Address(_) => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(out, "u:{id}"),
            Self::Guest(id) => write!(out, "g:{id}"),
            Self::Address(ip) => write!(out, "ip:{ip}"),
        }
    }
}

impl FromStr for Subject {
    type Err = NotAnAuthor;

    fn from_str(text: &str) -> Result<Self, NotAnAuthor> {
        if let Some(ip) = text.strip_prefix("ip:") {
            return ip.parse().map(Self::Address).map_err(|_| NotAnAuthor);
        }
        text.parse().map(|author| match author {
            Author::User(id) => Self::User(id),
            Author::Guest(id) => Self::Guest(id),
        })
    }
}

/// Whom an admin means: somebody by what the list of a room's sockets shows of him.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// A user.
    User(UserId),
    /// A guest.
    Guest(Uuid),
    /// Whoever is behind this socket; of kicks, this socket alone.
    Session(SessionId),
    /// Every guest from there.
    Address(IpAddr),
}

impl Whom {
    /// Whether this socket is meant.
    #[must_use]
    pub fn fits(self, who: Author, session: SessionId, ip: IpAddr) -> bool {
        match (self, who) {
            (Self::User(user), who) => who == Author::User(user),
            (Self::Guest(guest), who) => who == Author::Guest(guest),
            (Self::Session(meant), _) => meant == session,
            (Self::Address(meant), Author::Guest(_)) => meant == ip,
            (Self::Address(_), Author::User(_)) => false,
        }
    }
}

/// A ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Whom.
    pub subject: Subject,
    /// Until then; none: for ever.
    pub until: Option<Timestamp>,
}

/// The bans of a room.
#[derive(Clone, Debug, Default)]
pub struct Bans(HashMap<Subject, Option<Timestamp>>);

impl FromIterator<Ban> for Bans {
    fn from_iter<I: IntoIterator<Item = Ban>>(bans: I) -> Self {
        Self(bans.into_iter().map(|ban| (ban.subject, ban.until)).collect())
    }
}

impl Bans {
    /// Whether somebody is banned now. An address is of guests alone: who has an account is
    /// banned by name.
    #[must_use]
    pub fn hold(&self, who: Author, from: Option<IpAddr>, now: Timestamp) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let holds = |subject: Subject| {
            let until = self.0.get(&subject);
            until.is_some_and(|until| until.is_none_or(|until| until > now))
        };
        match who {
            Author::User(id) => holds(Subject::User(id)),
            Author::Guest(id) => {
                holds(Subject::Guest(id)) || from.is_some_and(|ip| holds(Subject::Address(ip)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids;

    const ALICE: Author = Author::User(UserId(7));

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn a_subject_reads_back_what_it_writes_and_refuses_the_rest() {
        let all = [
            (Subject::User(UserId(7)), "u:7".to_owned()),
            (Subject::Guest(Uuid::nil()), format!("g:{}", Uuid::nil())),
            (Subject::Address(ip("203.0.113.7")), "ip:203.0.113.7".to_owned()),
            (Subject::Address(ip("2001:db8::1")), "ip:2001:db8::1".to_owned()),
        ];
        for (subject, text) in all {
            assert_eq!(subject.to_string(), text);
            assert_eq!(text.parse().ok(), Some(subject));
        }
        for wrong in ["", "ip:", "ip:x", "u:x", "g:7", "x:7"] {
            assert!(wrong.parse::<Subject>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_ban_holds_for_its_subject_until_it_ends() {
        let (guest, other) = (ids::random(), ids::random());
        let (here, there) = (ip("203.0.113.7"), ip("203.0.113.8"));
        let now = Timestamp::from_secs(100);
        let until = Some(now);
        let bans: Bans = [
            Ban { subject: Subject::User(UserId(7)), until: None },
            Ban { subject: Subject::Guest(guest), until },
            Ban { subject: Subject::Address(here), until },
        ]
        .into_iter()
        .collect();
        let before = now.plus_secs(-1);
        for (who, from, at, expected) in [
            (ALICE, None, before, true),
            (ALICE, Some(there), now.plus_secs(1_000_000), true),
            (Author::User(UserId(8)), Some(here), before, false),
            (Author::Guest(guest), Some(there), before, true),
            (Author::Guest(guest), Some(there), now, false),
            (Author::Guest(other), Some(here), before, true),
            (Author::Guest(other), Some(here), now, false),
            (Author::Guest(other), Some(there), before, false),
            (Author::Guest(other), None, before, false),
        ] {
            assert_eq!(bans.hold(who, from, at), expected, "{who} {from:?} {at}");
        }
    }

    #[test]
    fn an_admin_means_sockets_by_what_he_sees_of_them() {
        let (session, guest) = (SessionId(ids::random()), Author::Guest(Uuid::nil()));
        let here = ip("203.0.113.7");
        for (whom, who, fits) in [
            (Whom::User(UserId(7)), ALICE, true),
            (Whom::User(UserId(8)), ALICE, false),
            (Whom::Guest(Uuid::nil()), guest, true),
            (Whom::Guest(Uuid::nil()), ALICE, false),
            (Whom::Session(session), ALICE, true),
            (Whom::Session(SessionId(Uuid::nil())), ALICE, false),
            (Whom::Address(here), guest, true),
            (Whom::Address(here), ALICE, false),
            (Whom::Address(ip("203.0.113.8")), guest, false),
        ] {
            assert_eq!(whom.fits(who, session, here), fits, "{whom:?} {who}");
        }
    }
}
