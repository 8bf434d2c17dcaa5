//! Tickets: each opens one socket, once, for a browser that can't send its token with the upgrade.
//! Minted by `http/tickets`, used by `session/`. Must not keep a ticket: its digest alone.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use sha2::{Digest, Sha256};

use super::{Auth, AuthError, TokenError};
use crate::domain::{SignedIn, Timestamp, clock, ids};
use crate::store::TicketRow;

/// Seconds in which a ticket must be used.
pub const TICKET_LIVES_S: i64 = 30;
/// Seconds between removals of tickets that were never used.
const SWEPT_EVERY_S: i64 = 60;
/// Bytes of a ticket: 32 in base64url.
const BYTES: usize = 43;

impl Auth {
    /// A ticket for one socket of the caller's.
    ///
    /// # Errors
    /// The store is busy or failed.
    pub async fn mint_ticket(&self, caller: &SignedIn) -> Result<String, AuthError> {
        let now = clock::now();
        self.sweep_tickets(now).await;
        let seed = [ids::random().into_bytes(), ids::random().into_bytes()].concat();
        let ticket = self.inner.keys.opaque(&seed)?;
        let row = TicketRow {
            login: caller.login,
            expires_at: now.plus_secs(TICKET_LIVES_S),
            token_expires: caller.token_expires,
        };
        self.inner.store.keep_ticket(&digest(&ticket), row).await?;
        Ok(ticket)
    }

    /// Whose ticket this is. It is used up by this, whatever comes of it.
    ///
    /// # Errors
    /// `Invalid` when it is unknown, used or too old, or its login has ended; `Expired` when the
    /// access token has ended that bought it.
    pub async fn use_ticket(&self, ticket: &str) -> Result<SignedIn, TokenError> {
        if ticket.len() != BYTES {
            return Err(TokenError::Invalid);
        }
        let row = self.inner.store.take_ticket(&digest(ticket)).await?;
        let now = clock::now();
        let row = row.filter(|row| row.expires_at > now).ok_or(TokenError::Invalid)?;
        let login = self.login_in_force(row.login).await?;
        if row.token_expires <= now {
            return Err(TokenError::Expired);
        }
        Ok(SignedIn {
            card: login.user.card,
            login: row.login,
            is_superuser: login.user.is_superuser,
            token_expires: row.token_expires,
        })
    }

    /// Removes what nobody used in time, at most once a minute.
    async fn sweep_tickets(&self, now: Timestamp) {
        let swept = self.inner.swept.load(Ordering::Relaxed);
        let due = now.secs() - swept >= SWEPT_EVERY_S;
        let exchange =
            |to| self.inner.swept.compare_exchange(swept, to, Ordering::Relaxed, Ordering::Relaxed);
        if due
            && exchange(now.secs()).is_ok()
            && let Err(error) = self.inner.store.forget_tickets(now).await
        {
            log::warn!("old tickets could not be removed, again in a minute: {error}");
        }
    }
}

/// SHA-256 in hexadecimal.
fn digest(ticket: &str) -> String {
    Sha256::digest(ticket.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_sha_256() {
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest("abc"), of_abc);
    }
}
