//! Who somebody is: tokens, passwords, logins. Used by `http/` and `session/`. Must not know
//! rooms or HTTP types.

use crate::domain::SignedIn;

/// Why a token is no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Wrong in any way: signature, kind, issuer, revoked login, disabled account.
    #[error("Token is invalid or expired")]
    Invalid,
    /// Rightly signed, an access token, and past its time.
    #[error("Token is invalid or expired")]
    Expired,
    /// The store did not answer.
    #[error("the store is busy")]
    Busy,
}

/// Tokens, passwords and logins. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Auth {
    _p: (),
}

#[allow(missing_docs, clippy::all, clippy::pedantic, unused)]
impl Auth {
    /// Whose access token this is. One query.
    pub async fn identify(&self, access_token: &str) -> Result<SignedIn, TokenError> {
        todo!()
    }
}
