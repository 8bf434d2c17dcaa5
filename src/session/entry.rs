//! Who comes, and where he may go: what a socket's `{x}` names, whether its credential opens it,
//! and what it then speaks (CONTRACT section 3, its first three tables). Asks `auth/` and the
//! store; a guest who enters a live room costs no query.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use crate::auth::paces::{Paces, Pass};
use crate::auth::{Auth, TokenError};
use crate::domain::{
    Identity, RoomId, RoomKind, RoomName, RoomRow, SignedIn, UserId, clock, ids, names,
};
use crate::protocol::{CloseCode, Dialect, Opening, close};
use crate::rooms::Rooms;
use crate::store::{Store, StoreError};

use super::door::{Knock, Refusal};
use super::proof::Proof;

/// Underscores of a name that are tried as the one between two users, when it is not known who
/// asks: each costs a query.
const SPLITS_MAX: usize = 8;

/// Somebody who is let in.
#[derive(Debug)]
pub struct Guest {
    /// Where to.
    pub room: RoomId,
    /// Who he is.
    pub identity: Identity,
    /// What his socket speaks.
    pub dialect: Dialect,
    /// What it gets first.
    pub opening: Opening,
}

/// Somebody who is not.
#[derive(Debug)]
pub enum Denied {
    /// By an HTTP status.
    Refuse(Refusal),
    /// The handshake succeeds, then the socket is closed: browsers see no other reason.
    Close(CloseCode),
}

pub(super) const FORBIDDEN: Denied = Denied::Refuse(Refusal::FORBIDDEN);
pub(super) const EXPIRED: Denied = Denied::Close(close::EXPIRED);

/// Somebody at the door who may come in, and where to.
#[derive(Debug)]
pub struct Arrival {
    /// He is counted as long as this lives.
    pub pass: Pass,
    /// Where to.
    pub to: Way,
}

/// Where somebody goes.
#[derive(Debug)]
pub enum Way {
    /// To one room, in a plain dialect.
    Plain(Guest),
    /// To speak `hubbub.v1`, with what he proved.
    Native(Proof),
}

impl From<StoreError> for Denied {
    fn from(error: StoreError) -> Self {
        log::error!("a handshake could not be decided: {error}");
        Self::Refuse(Refusal::BUSY)
    }
}

/// Decides who is let in. Cheap to clone.
#[derive(Clone)]
pub struct Porter {
    pub(super) auth: Auth,
    store: Store,
    rooms: Rooms,
    paces: Arc<Paces>,
    allow_guests: bool,
    draining: Arc<AtomicBool>,
}

impl Porter {
    /// With what it asks. Once `draining` is set, nobody is let in.
    #[must_use]
    pub const fn new(
        auth: Auth,
        store: Store,
        rooms: Rooms,
        paces: Arc<Paces>,
        allow_guests: bool,
        draining: Arc<AtomicBool>,
    ) -> Self {
        Self { auth, store, rooms, paces, allow_guests, draining }
    }

    /// The rooms behind the door.
    #[must_use]
    pub const fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// What is kept, for sessions that read history.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// Why it is nobody's.
    pub async fn identify(&self, token: &str) -> Result<SignedIn, TokenError> {
        self.auth.identify(token).await
    }

    /// Which guest's token this is.
    ///
    /// # Errors
    /// Why it is nobody's, or that guests are not let in.
    pub fn identify_guest(&self, token: &str) -> Result<Uuid, TokenError> {
        if self.allow_guests { self.auth.identify_guest(token) } else { Err(TokenError::Invalid) }
    }

    /// A token with which a guest is the same one again.
    #[must_use]
    pub fn guest_token(&self, guest: Uuid) -> String {
        self.auth.guest_token(guest)
    }

    /// Decides who comes in; a native socket is told later which rooms it may enter.
    ///
    /// # Errors
    /// How he is turned away.
    pub async fn greet(&self, knock: &Knock) -> Result<Arrival, Denied> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Denied::Refuse(Refusal::BUSY));
        }
        if knock.is_native {
            let proof = self.prove_native(&knock.credential).await?;
            let user = proof.user().map(|user| UserId(user.card.id));
            let pass = self.count_in(user, knock.ip, user.is_none())?;
            return Ok(Arrival { pass, to: Way::Native(proof) });
        }
        let proof = self.prove(&knock.credential).await?;
        let user = proof.user().map(|user| UserId(user.card.id));
        let pass = self.count_in(user, knock.ip, false)?;
        let target = knock.target.as_deref().unwrap_or_default();
        let guest = self.place_of(target, &proof, knock.ip).await?;
        Ok(Arrival { pass, to: Way::Plain(guest) })
    }

    fn count_in(&self, user: Option<UserId>, ip: IpAddr, owes: bool) -> Result<Pass, Denied> {
        self.paces.count_in(user, ip, owes).ok_or(Denied::Close(close::TOO_MANY))
    }

    /// How fast sockets may act.
    #[must_use]
    pub fn paces(&self) -> &Paces {
        &self.paces
    }

    /// What room `target` names for somebody with this proof, and what he is there.
    ///
    /// # Errors
    /// How he is turned away.
    pub async fn place_of(&self, target: &str, proof: &Proof, ip: IpAddr) -> Result<Guest, Denied> {
        if let Ok(id) = Uuid::try_parse(target) {
            return self.by_id(RoomId(id), proof).await;
        }
        if let Some(other) = self.private_chat(target, proof).await? {
            let user = proof.user().ok_or_else(|| proof.denied())?;
            let own = UserId(user.card.id);
            let (room, is_new) = self.store.open_pair(own, other, clock::now()).await?;
            if is_new {
                self.rooms.tell_new_chat(room.id, &[own, other]);
            }
            return Ok(Guest {
                room: room.id,
                identity: Identity::User(user.clone()),
                dialect: Dialect::Chat,
                opening: Opening::Frames,
            });
        }
        let name = RoomName::parse(target).map_err(|_| Denied::Refuse(Refusal::BAD_TARGET))?;
        self.by_name(&name, proof, ip).await
    }

    /// First: a UUID: that room, for members only; a named room's is as good as its name.
    async fn by_id(&self, id: RoomId, proof: &Proof) -> Result<Guest, Denied> {
        let room = self.store.room(id).await?.filter(|room| room.closed_at.is_none());
        let Some(room) = room.filter(|room| room.kind != RoomKind::Control) else {
            return Err(proof.denied());
        };
        if room.kind == RoomKind::Named {
            return self.named_by_row(&room, proof);
        }
        let user = proof.user().ok_or_else(|| proof.denied())?;
        if self.store.role(id, UserId(user.card.id)).await?.is_none() {
            return Err(FORBIDDEN);
        }
        let (dialect, opening) = match (room.kind, proof) {
            (RoomKind::Room, Proof::Cookie(_)) => (Dialect::ShhCookie, Opening::History),
            (RoomKind::Room, _) => (Dialect::ShhToken, Opening::History),
            _ => (Dialect::Chat, Opening::Nothing),
        };
        Ok(Guest { room: id, identity: Identity::User(user.clone()), dialect, opening })
    }

    /// Second: the private chat of two users: the other one. On a cookie's socket another user's name
    /// always means him, whether the cookie still holds or not: what is meant for one person must
    /// not land in a public room.
    async fn private_chat(&self, target: &str, proof: &Proof) -> Result<Option<UserId>, Denied> {
        if proof.is_cookie()
            && let Some(other) = self.store.user_by_name(target).await?
        {
            return match proof.user() {
                Some(user) if user.card.id == other.card.id => Err(FORBIDDEN),
                Some(_) => Ok(Some(UserId(other.card.id))),
                None => Err(proof.denied()),
            };
        }
        let Some(user) = proof.user() else {
            if proof.is_cookie() && self.names_two_users(target).await? {
                return Err(proof.denied());
            }
            return Ok(None);
        };
        for other in others_in_pair(target, &user.card.username) {
            if let Some(other) = self.store.user_by_name(other).await?
                && other.card.id != user.card.id
            {
                return Ok(Some(UserId(other.card.id)));
            }
        }
        Ok(None)
    }

    /// Whether `a_b` is two users for some split: then a cookie that has run out must not turn it
    /// into a public room.
    async fn names_two_users(&self, target: &str) -> Result<bool, StoreError> {
        if target.matches('_').count() > SPLITS_MAX {
            // Too many to look at: better refused than led astray.
            return Ok(true);
        }
        for (at, _) in target.match_indices('_') {
            if self.store.user_by_name(&target[..at]).await?.is_some()
                && self.store.user_by_name(&target[at + 1..]).await?.is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Third: a named public room, made when the first client joins.
    async fn by_name(&self, name: &RoomName, proof: &Proof, ip: IpAddr) -> Result<Guest, Denied> {
        if let Some((id, by_guest)) = self.rooms.live_named(name) {
            return self.enter_named(id, by_guest, proof);
        }
        let room = if let Some(room) = self.store.named_room(name).await? {
            room
        } else {
            // A cookie makes a room for everybody: it may come from another service of this
            // host, and the others in the room show none.
            let by = match proof {
                Proof::Token(user) => Some(UserId(user.card.id)),
                _ => None,
            };
            if proof.user().is_none() && !self.allow_guests {
                return Err(proof.denied());
            }
            let user = proof.user().map(|user| UserId(user.card.id));
            self.paces.creation(user, ip).map_err(|_| Denied::Close(close::RATE_LIMITED))?;
            self.store.open_named(name, by, false, clock::now()).await?.0
        };
        self.named_by_row(&room, proof)
    }

    fn named_by_row(&self, room: &RoomRow, proof: &Proof) -> Result<Guest, Denied> {
        self.enter_named(room.id, room.by_guest, proof)
    }

    fn enter_named(&self, room: RoomId, by_guest: bool, proof: &Proof) -> Result<Guest, Denied> {
        let (identity, dialect) = match proof {
            Proof::Token(user) => (Identity::User(user.clone()), Dialect::Chat),
            Proof::Cookie(user) => (Identity::User(user.clone()), Dialect::Guest),
            _ if by_guest && self.allow_guests => (Identity::Guest(ids::random()), Dialect::Guest),
            _ => return Err(proof.denied()),
        };
        Ok(Guest { room, identity, dialect, opening: Opening::Nothing })
    }
}

/// The other side of `a_b`, for each split that has the caller on one side and whose two names are
/// sorted. At most two: the caller first, and the caller last.
fn others_in_pair<'a>(target: &'a str, caller: &str) -> impl Iterator<Item = &'a str> {
    let caller: Arc<str> = names::user_key(caller).into();
    target.match_indices('_').filter_map(move |(at, _)| {
        let (first, second) = (&target[..at], &target[at + 1..]);
        let (first_key, second_key) = (names::user_key(first), names::user_key(second));
        let is_sorted = first <= second || first_key <= second_key;
        if !is_sorted || first.is_empty() || second.is_empty() {
            None
        } else if *caller == *first_key {
            Some(second)
        } else if *caller == *second_key {
            Some(first)
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_split_that_counts_has_the_caller_on_one_side() {
        let others = |target, caller| others_in_pair(target, caller).collect::<Vec<_>>();
        assert_eq!(others("alice_bob", "alice"), ["bob"]);
        assert_eq!(others("alice_bob", "bob"), ["alice"]);
        assert_eq!(others("alice_bob", "carol"), [""; 0]);
        assert_eq!(others("bob_alice", "bob"), [""; 0]);
        assert_eq!(others("Bob_alice", "alice"), ["Bob"]);
        assert_eq!(others("a_b_c", "a"), ["b_c"]);
        assert_eq!(others("a_b_c", "a_b"), ["c"]);
        assert_eq!(others("a_b_c", "c"), ["a_b"]);
        assert_eq!(others("a_a_a", "a"), ["a_a"]);
        assert_eq!(others("Alice_Bob", "aLICE"), ["Bob"]);
        assert_eq!(others("alice_", "alice"), [""; 0]);
        assert_eq!(others("global", "global"), [""; 0]);
    }
}
