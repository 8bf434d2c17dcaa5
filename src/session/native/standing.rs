//! Who is behind the socket, and for how long: the hello, the first frame that says so, renewal on
//! the live socket, and the end of a token that was not renewed.

use std::time::{Duration, Instant};

use crate::auth::TokenError;
use crate::domain::{SignedIn, UserId, clock};
use crate::protocol::close;
use crate::protocol::native::{self, ErrorCode, Hello};
use crate::rooms::callers::Caller;

use super::super::proof::Proof;
use super::super::relay::Step;
use super::{Native, Then};

/// How long before its end a token's client is told.
const WARNING: Duration = Duration::from_mins(1);
/// The socket ends that much before its token: it is looked at once a second, and must not
/// outlive it.
const MARGIN: Duration = Duration::from_secs(1);

impl Native {
    /// The first frame.
    pub(super) fn greet(&mut self) {
        let limits = &self.berth.limits;
        let hello = Hello {
            session: self.berth.departure.session(),
            node: self.berth.porter.rooms().node(),
            auth_within_ms: limits.auth_within_s * 1_000,
            ping_interval_ms: limits.ping_interval_s * 1_000,
            max_frame_bytes: limits.max_frame_bytes,
            user: self.user().map(|user| &*user.card),
        };
        let hello = native::hello(&hello);
        self.say(hello);
    }

    /// Says to the Shard who is behind the socket.
    pub(super) fn call_in(&self) {
        let card = self.user().map(|user| user.card.clone());
        let login = self.user().map(|user| user.login);
        self.berth.shard.call_in(self.berth.slot, Caller { card, login });
    }

    pub(super) fn auth(&mut self, reference: Option<String>, proof: native::Proof) {
        match proof {
            native::Proof::Token(token) => self.auth_user(reference, token),
            native::Proof::Guest(token) => self.auth_guest(reference.as_deref(), &token),
        }
    }

    fn auth_user(&mut self, reference: Option<String>, token: String) {
        if self.guest.is_some() {
            return self.is_somebody_else(reference.as_deref());
        }
        let porter = self.berth.porter.clone();
        self.work(async move {
            let known = porter.identify(&token).await;
            Box::new(move |session: &mut Self| session.identified(reference.as_deref(), known))
                as Then
        });
    }

    fn identified(&mut self, reference: Option<&str>, known: Result<SignedIn, TokenError>) {
        let is_renewal = self.user().is_some();
        let other = |user: &SignedIn| self.user().is_some_and(|own| own.card.id != user.card.id);
        match known {
            Ok(user) if other(&user) => self.is_somebody_else(reference),
            Ok(user) if !self.berth.departure.is_proven(Some(UserId(user.card.id))) => {
                self.out.push_back(Step::Close(close::TOO_MANY));
            }
            Ok(user) => {
                let ok =
                    native::ok_auth(reference, Some(&*user.card), Some(user.token_expires), None);
                self.proof = match &self.proof {
                    Proof::Cookie(_) => Proof::Cookie(user),
                    _ => Proof::Token(user),
                };
                self.warned = false;
                self.call_in();
                self.say(ok);
            }
            Err(TokenError::Busy) => {
                self.refuse(reference, ErrorCode::Busy, "The store is busy, send it again.");
            }
            // Who is in stays until his token ends: it may be the wrong one by mistake.
            Err(_) if is_renewal => {
                self.refuse(reference, ErrorCode::Unauthorized, "That token is no good.");
            }
            Err(TokenError::Expired) => self.out.push_back(Step::Close(close::EXPIRED)),
            Err(TokenError::Invalid) => self.out.push_back(Step::Close(close::UNAUTHORIZED)),
        }
    }

    fn auth_guest(&mut self, reference: Option<&str>, token: &str) {
        match self.berth.porter.identify_guest(token) {
            Ok(id) if self.user().is_some() || self.guest.is_some_and(|own| own != id) => {
                self.is_somebody_else(reference);
            }
            Ok(id) => {
                self.guest = Some(id);
                let _ = self.berth.departure.is_proven(None);
                let token = self.berth.porter.guest_token(id);
                self.say(native::ok_auth(reference, None, None, Some(&token)));
            }
            Err(TokenError::Expired) => self.out.push_back(Step::Close(close::EXPIRED)),
            Err(_) => self.out.push_back(Step::Close(close::UNAUTHORIZED)),
        }
    }

    fn is_somebody_else(&mut self, reference: Option<&str>) {
        let detail = "This socket is somebody else's already: open another one.";
        self.refuse(reference, ErrorCode::Invalid, detail);
    }

    pub(super) fn watch(&mut self, reference: Option<&str>, people: bool) {
        if self.user().is_none() {
            let detail = "Who is online is told to those who are signed in.";
            return self.refuse(reference, ErrorCode::Unauthorized, detail);
        }
        self.say(native::ok(reference));
        self.berth.shard.watch(self.berth.slot, people);
    }

    /// When the session is to be woken even if nothing comes.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        if let Some(user) = self.user() {
            let left = user.token_expires.micros_since(clock::now());
            let before = if self.warned { MARGIN } else { WARNING };
            return Some(Instant::now() + Duration::from_micros(left).saturating_sub(before));
        }
        self.guest.is_none().then_some(self.owes_by)
    }

    pub(super) fn time_is_up(&mut self) {
        let Some(user) = self.user() else {
            return self.out.push_back(Step::Close(close::AUTH_TIMEOUT));
        };
        let expires = user.token_expires;
        let left = Duration::from_micros(expires.micros_since(clock::now()));
        if left <= MARGIN {
            self.out.push_back(Step::Close(close::EXPIRED));
        } else {
            self.warned = true;
            self.say(native::expiring(expires));
        }
    }
}
