//! Why somebody did not get an event: what all nodes know of his sockets, as one answer. Called by
//! `http/admin`.

use std::cmp::Reverse;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::fates::{Fate, Stay, Stays};
use crate::domain::nodes::Question;
use crate::domain::{Event, EventId, NodeId, RoomId, Timestamp, UserCard, UserId};
use crate::store::StoreError;

use super::{Stats, asking, names};

/// Stays shown.
const SHOWN: usize = 100;

/// What became of one event for one user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// The room.
    #[schema(value_type = uuid::Uuid)]
    pub room_id: RoomId,
    /// The event.
    #[schema(value_type = uuid::Uuid)]
    pub event_id: EventId,
    /// Its place in the room's order.
    pub seq: i64,
    /// `message`, `edit`, `delete`, `reaction` or `member`.
    pub kind: &'static str,
    /// When it was made.
    pub at: Timestamp,
    /// The user's row id.
    pub user_id: i64,
    /// His name.
    pub username: String,
    /// The best that became of it for any of his sockets.
    pub fate: Fate,
    /// Why.
    pub why: String,
    /// All who left after this are remembered, on every node.
    pub known_since: Timestamp,
    /// His sockets in the room, the newest first; those that were there when it went out are
    /// named before others when there are too many.
    pub stays: Vec<Stay>,
    /// Nodes that did not answer within a second; left out when all did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl Stats {
    /// What became of an event for a user, on whichever node.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delivery(&self, event: &Event, user: &UserCard) -> Result<Delivery, StoreError> {
        let (room, whose, seq, kind) = (event.room, UserId(user.id), event.seq, event.kind);
        let question = Question::Stays { room, user: whose, seq, kind };
        let said = asking::ask::<Stays>(&self.rooms, question).await;
        let mut all = said.answers;
        all.push(self.rooms.stays(room, whose, seq, kind).await?);
        let (fate, why, known_since, stays) = verdict(all, event.created_at, &said.missing);
        Ok(Delivery {
            room_id: room,
            event_id: event.id,
            seq,
            kind: kind.as_str(),
            at: event.created_at,
            user_id: user.id,
            username: user.username.clone(),
            fate,
            why,
            known_since,
            stays,
            missing: names(&said.missing),
        })
    }
}

fn verdict(
    all: Vec<Stays>,
    at: Timestamp,
    missing: &[NodeId],
) -> (Fate, String, Timestamp, Vec<Stay>) {
    let known_since = all.iter().map(|said| said.known_since).max().unwrap_or_default();
    let mut stays: Vec<Stay> = all.into_iter().flat_map(|said| said.stays).collect();
    stays.sort_by_key(|stay| (stay.fate, Reverse(stay.since)));
    stays.truncate(SHOWN);
    let best = stays.first().filter(|stay| stay.fate < Fate::NotConnected);
    let (fate, why) = match best {
        Some(stay) => (stay.fate, stay.why.to_string()),
        None if !missing.is_empty() => {
            (Fate::PastKeeping, "A node that may have had a socket did not answer.".to_owned())
        }
        None if known_since > at => {
            let why = format!(
                "Who left before {known_since} is no longer known: nodes remember the last who \
                 left, and none from before their start."
            );
            (Fate::PastKeeping, why)
        }
        None => {
            let why = "No socket of this user was in the room when it went out.".to_owned();
            (Fate::NotConnected, why)
        }
    };
    stays.sort_by_key(|stay| Reverse(stay.since));
    (fate, why, known_since, stays)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{SessionId, ids};

    fn said(known_since: i64, fates: &[Fate]) -> Stays {
        let stay = |fate: &Fate| Stay {
            session: SessionId(ids::random()),
            node: "a".into(),
            dialect: "native".into(),
            since: Timestamp::from_secs(1),
            joined_seq: 0,
            replayed: None,
            left_seq: None,
            left_at: None,
            fate: *fate,
            why: "so".into(),
        };
        let known_since = Timestamp::from_secs(known_since);
        Stays { known_since, stays: fates.iter().map(stay).collect() }
    }

    #[test]
    fn the_best_fate_counts_and_not_connected_is_said_only_where_it_is_known() {
        let gone = [NodeId::from("c")];
        let at = Timestamp::from_secs(10);
        for (all, missing, fate) in [
            (vec![said(1, &[]), said(2, &[])], &[][..], Fate::NotConnected),
            (vec![said(1, &[]), said(11, &[])], &[], Fate::PastKeeping),
            (vec![said(1, &[])], &gone, Fate::PastKeeping),
            (vec![said(1, &[Fate::NotConnected])], &gone, Fate::PastKeeping),
            (vec![said(11, &[Fate::Written])], &gone, Fate::Written),
            (vec![said(1, &[Fate::Dropped]), said(1, &[Fate::Lagged])], &[], Fate::Lagged),
        ] {
            let found = verdict(all.clone(), at, missing).0;
            assert_eq!(found, fate, "{all:?} {missing:?}");
        }
    }
}
