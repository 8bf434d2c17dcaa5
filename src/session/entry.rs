//! Who comes, and where he may go: what a socket's `{x}` names, whether its credential opens it,
//! and what it then speaks (CONTRACT section 3, its first three tables). Asks `auth/` and the
//! store; a guest who enters a live room costs no query.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use crate::auth::paces::{Paces, Pass, TooFast};
use crate::auth::{Auth, TokenError};
use crate::domain::{Identity, RoomId, RoomKind, RoomName, RoomRow, SignedIn, UserId, clock, ids};
use crate::protocol::{CloseCode, Dialect, Opening, close};
use crate::rooms::Rooms;
use crate::store::{Store, StoreError};

use super::door::{Credential, Knock, Refusal};
use super::lookup::Lookup;
use super::pair_names::{SPLITS_MAX, others_in_pair};
use super::proof::Proof;

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
    /// The handshake succeeds, then the socket is closed: browsers see no other reason. With it,
    /// when he came too early.
    Close(CloseCode, Option<TooFast>),
}

impl Denied {
    pub(super) const fn close(code: CloseCode) -> Self {
        Self::Close(code, None)
    }
}

impl From<TooFast> for Denied {
    fn from(too_fast: TooFast) -> Self {
        Self::Close(close::RATE_LIMITED, Some(too_fast))
    }
}

pub(super) const FORBIDDEN: Denied = Denied::Refuse(Refusal::FORBIDDEN);
pub(super) const EXPIRED: Denied = Denied::close(close::EXPIRED);

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
    looked_up: Lookup,
    opened: Lookup,
    rooms: Rooms,
    paces: Arc<Paces>,
    allow_guests: bool,
    draining: Arc<AtomicBool>,
}

impl Porter {
    /// With what it asks. Once `draining` is set, nobody is let in.
    #[must_use]
    pub fn new(
        auth: Auth,
        store: Store,
        rooms: Rooms,
        paces: Arc<Paces>,
        allow_guests: bool,
        draining: Arc<AtomicBool>,
    ) -> Self {
        let (looked_up, opened) = (Lookup::default(), Lookup::default());
        Self { auth, store, looked_up, opened, rooms, paces, allow_guests, draining }
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
        let mut pass = self.paces.admit().ok_or(Denied::Refuse(Refusal::BUSY))?;
        // What asks the database is boxed, here and below: its futures are large, and most
        // who come need none of them.
        let proof = match &knock.credential {
            Credential::Nothing => Proof::Nothing,
            some if knock.is_native => Box::pin(self.prove_native(some)).await?,
            some => Box::pin(self.prove(some)).await?,
        };
        let user = proof.user().map(|user| UserId(user.card.id));
        if !pass.is_of(user, knock.ip, knock.is_native && user.is_none()) {
            return Err(Denied::close(close::TOO_MANY));
        }
        if knock.is_native {
            return Ok(Arrival { pass, to: Way::Native(proof) });
        }
        let target = knock.target.as_deref().unwrap_or_default();
        let guest = self.place_of(target, &proof, knock.ip).await?;
        Ok(Arrival { pass, to: Way::Plain(guest) })
    }

    /// How fast sockets may act.
    #[must_use]
    pub const fn paces(&self) -> &Arc<Paces> {
        &self.paces
    }

    /// What room `target` names for somebody with this proof, and what he is there.
    ///
    /// # Errors
    /// How he is turned away.
    pub async fn place_of(&self, target: &str, proof: &Proof, ip: IpAddr) -> Result<Guest, Denied> {
        if let Ok(id) = Uuid::try_parse(target) {
            return Box::pin(self.by_id(RoomId(id), proof)).await;
        }
        let may_be_private = proof.user().is_some() || proof.is_cookie();
        if may_be_private && let Some(other) = Box::pin(self.private_chat(target, proof)).await? {
            let user = proof.user().ok_or_else(|| proof.denied())?;
            let own = UserId(user.card.id);
            return Ok(Guest {
                room: Box::pin(self.pair(own, other)).await?,
                identity: Identity::User(user.clone()),
                dialect: Dialect::Chat,
                opening: Opening::Frames,
            });
        }
        let name = RoomName::parse(target).map_err(|_| Denied::Refuse(Refusal::BAD_TARGET))?;
        if let Some((id, by_guest)) = self.rooms.live_named(&name) {
            return self.enter_named(id, by_guest, proof);
        }
        Box::pin(self.by_name(&name, proof, ip)).await
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

    /// The private chat of two users, made when there is none.
    async fn pair(&self, own: UserId, other: UserId) -> Result<RoomId, Denied> {
        if let Some(room) = self.store.pair(own, other).await? {
            return Ok(room.id);
        }
        self.paces.creation(own)?;
        let (room, is_new) = self.store.open_pair(own, other, clock::now()).await?;
        if is_new {
            self.rooms.tell_new_chat(room.id, &[own, other]);
        }
        Ok(room.id)
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
        let known = self.looked_up.once(name, async || self.store.named_room(name).await).await?;
        let room = if let Some(room) = known {
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
            let open = async || {
                self.paces.creation_from(ip, user)?;
                Ok::<_, Denied>(Some(self.store.open_named(name, by, false, clock::now()).await?.0))
            };
            self.opened.once(name, open).await?.ok_or(Denied::Refuse(Refusal::BUSY))?
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
