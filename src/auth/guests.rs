//! Guests who come again: a signed token says who a guest was before, so that he keeps his
//! identity over reconnects. Called by `session/`. It opens nothing that is closed to guests.

use uuid::Uuid;

use super::{Auth, TokenError};
use crate::domain::clock;

/// Seconds that a guest's token lives: 30 days.
const LIVES_S: i64 = 30 * 24 * 3_600;

impl Auth {
    /// The token of a guest, good for 30 days.
    ///
    /// # Panics
    /// Never: signing these claims can't fail.
    #[must_use]
    pub fn guest_token(&self, guest: Uuid) -> String {
        let now = clock::now();
        self.inner
            .keys
            .sign_guest(guest, now, now.plus_secs(LIVES_S))
            .expect("a name and two numbers can be signed")
    }

    /// Which guest this token is of.
    ///
    /// # Errors
    /// `Expired` when it is a guest's and past its time; else `Invalid`.
    pub fn identify_guest(&self, token: &str) -> Result<Uuid, TokenError> {
        let claims = self.inner.keys.read_guest(token).map_err(|_| TokenError::Invalid)?;
        if claims.expired(clock::now()) { Err(TokenError::Expired) } else { Ok(claims.sub) }
    }
}
