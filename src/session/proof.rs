//! What a socket's credential proves: a user, nobody, or that it is refused. Part of the porter in
//! `entry.rs`, which then decides where he may go. Asks `auth/`.

use crate::auth::TokenError;
use crate::domain::SignedIn;
use crate::protocol::close;

use super::door::{Credential, Refusal};
use super::entry::{Denied, EXPIRED, FORBIDDEN, Porter};

/// What a socket's credential turned out to be.
#[derive(Clone, Debug)]
pub enum Proof {
    /// There is none.
    Nothing,
    /// An explicit one of this user.
    Token(SignedIn),
    /// A cookie of this user.
    Cookie(SignedIn),
    /// A cookie that proves nothing: past its time, or wrong, or from a foreign origin.
    ExpiredCookie,
    /// The same.
    WrongCookie,
}

impl Proof {
    /// The user whom it proves.
    #[must_use]
    pub const fn user(&self) -> Option<&SignedIn> {
        match self {
            Self::Token(user) | Self::Cookie(user) => Some(user),
            _ => None,
        }
    }

    pub(super) const fn is_cookie(&self) -> bool {
        matches!(self, Self::Cookie(_) | Self::ExpiredCookie | Self::WrongCookie)
    }

    /// How a room that needs an account turns this one away.
    pub(super) const fn denied(&self) -> Denied {
        match self {
            Self::ExpiredCookie => EXPIRED,
            _ => FORBIDDEN,
        }
    }
}

impl Porter {
    /// On native sockets a credential that is wrong is refused, a cookie's too.
    pub(super) async fn prove_native(&self, credential: &Credential) -> Result<Proof, Denied> {
        if matches!(credential, Credential::Cookie(_, false)) {
            return Err(FORBIDDEN);
        }
        match self.prove(credential).await {
            Ok(Proof::ExpiredCookie) => Err(EXPIRED),
            Ok(Proof::WrongCookie) => Err(Denied::close(close::UNAUTHORIZED)),
            Err(Denied::Refuse(refusal)) if refusal.status == 403 => {
                Err(Denied::close(close::UNAUTHORIZED))
            }
            proved => proved,
        }
    }

    /// On plain sockets a cookie that proves nothing is as good as none.
    pub(super) async fn prove(&self, credential: &Credential) -> Result<Proof, Denied> {
        let found = match credential {
            Credential::Nothing => return Ok(Proof::Nothing),
            Credential::Cookie(_, false) => return Ok(Proof::WrongCookie),
            Credential::Ticket(ticket) => self.auth.use_ticket(ticket).await,
            Credential::Token(token) | Credential::Cookie(token, true) => {
                self.auth.identify(token).await
            }
        };
        match (found, matches!(credential, Credential::Cookie(..))) {
            (Ok(user), false) => Ok(Proof::Token(user)),
            (Ok(user), true) => Ok(Proof::Cookie(user)),
            (Err(TokenError::Expired), false) => Err(EXPIRED),
            (Err(TokenError::Expired), true) => Ok(Proof::ExpiredCookie),
            (Err(TokenError::Invalid), false) => Err(FORBIDDEN),
            (Err(TokenError::Invalid), true) => Ok(Proof::WrongCookie),
            (Err(TokenError::Busy), _) => Err(Denied::Refuse(Refusal::BUSY)),
        }
    }
}
