//! Who somebody is: tokens, passwords, logins. Used by `http/`, `session/` and the commands. Must
//! not know rooms or HTTP types: whoever ends logins here tells the rooms himself.
//!
//! `tokens` and `passwords` are pure; `hashing` is the pool that hashes; `rates` says who tries
//! too often; `accounts` makes accounts and checks passwords; `logins` starts, renews and ends
//! logins; `guests` says who a guest was before; `tickets` open one socket each.

mod accounts;
mod guests;
mod hashing;
mod logins;
pub mod paces;
pub mod passwords;
mod rates;
mod tickets;
pub mod tokens;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use crate::config::AuthSettings;
use crate::domain::{LoginId, SignedIn, Timestamp, UserId, clock};
use crate::store::{LoginRow, Store, StoreError};
pub use accounts::Registration;
use hashing::{HashError, HashPool};
pub use logins::{CookiePair, Pair, Renewed};
use rates::Rates;
pub use tickets::TICKET_LIVES_S;
use tokens::{Claims, Keys, Kind};

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

impl From<StoreError> for TokenError {
    fn from(error: StoreError) -> Self {
        if !matches!(error, StoreError::Busy) {
            log::error!("a credential could not be checked: {error}");
        }
        Self::Busy
    }
}

/// Why an account, a login or a renewal was refused.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Fields with what is wrong in them; the texts are for the one who filled them in.
    #[error("fields are wrong")]
    Fields(Vec<(&'static str, String)>),
    /// No such account, a wrong password or a disabled account: nobody learns which.
    #[error("no active account with these credentials")]
    WrongCredentials,
    /// A refresh token that buys nothing.
    #[error("Token is invalid")]
    WrongToken,
    /// A rotated refresh token came again after its grace: the store has ended this user's login;
    /// its sockets are still to be told.
    #[error("Token is invalid")]
    Reused(UserId, LoginId),
    /// Too often: seconds after which it may be tried again.
    #[error("Request was throttled. Expected available in {0} seconds.")]
    Limited(u64),
    /// Full or away: again in a moment.
    #[error("the server is busy, try again")]
    Busy,
    /// A fault of the server's; logged where it happened.
    #[error("internal error")]
    Internal,
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy,
            StoreError::Taken(field) => Self::Fields(vec![(field, taken(field))]),
            StoreError::Missing(_) => Self::WrongToken,
            error @ (StoreError::Banned
            | StoreError::Fenced
            | StoreError::Database(_)
            | StoreError::Unusable(_)) => {
                log::error!("accounts: the store failed: {error}");
                Self::Internal
            }
        }
    }
}

impl From<HashError> for AuthError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy,
            HashError::Failed => Self::Internal,
        }
    }
}

impl From<jsonwebtoken::errors::Error> for AuthError {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        log::error!("a token could not be signed: {error}");
        Self::Internal
    }
}

fn taken(field: &str) -> String {
    format!("A user with that {field} already exists.")
}

#[derive(Debug)]
struct Inner {
    store: Store,
    settings: AuthSettings,
    keys: Keys,
    pool: HashPool,
    rates: Rates,
    /// The hash of a password that nobody knows: what an unknown user's password is held against,
    /// so that it takes as long as a known one's.
    nobodys: Arc<str>,
    /// The second in which expired tickets were last removed.
    swept: AtomicI64,
}

/// Tokens, passwords and logins. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Auth {
    inner: Arc<Inner>,
}

impl Auth {
    /// Starts the password pool. `secret` signs the tokens, its bytes unchanged.
    ///
    /// # Panics
    /// At the start of the process only: when the system gives no thread or no random bytes, with
    /// which nothing could be served.
    #[must_use]
    pub fn new(store: Store, settings: AuthSettings, secret: &str) -> Self {
        let pool = HashPool::start(settings.hash_threads, settings.hash_waiting)
            .expect("the password threads could not be started");
        let nobodys = passwords::hash(&crate::domain::ids::random().to_string())
            .expect("no random bytes for a password's salt");
        Self {
            inner: Arc::new(Inner {
                keys: Keys::new(secret, &settings.issuer),
                rates: Rates::new(&settings),
                nobodys: nobodys.into(),
                swept: AtomicI64::new(0),
                store,
                settings,
                pool,
            }),
        }
    }

    /// Whose access token this is. One query.
    ///
    /// # Errors
    /// Why it is no credential.
    pub async fn identify(&self, access_token: &str) -> Result<SignedIn, TokenError> {
        let claims = self.inner.keys.read(access_token).map_err(|_| TokenError::Invalid)?;
        if claims.kind != Kind::Access {
            return Err(TokenError::Invalid);
        }
        let login = self.live_login(&claims).await?;
        if claims.expired(clock::now()) {
            return Err(TokenError::Expired);
        }
        Ok(SignedIn {
            card: login.user.card,
            login: claims.sid,
            is_superuser: login.user.is_superuser,
            token_expires: Timestamp::from_secs(claims.exp),
        })
    }

    /// The login behind rightly signed claims, if it and its account are in force.
    async fn live_login(&self, claims: &Claims) -> Result<LoginRow, TokenError> {
        let login = self.login_in_force(claims.sid).await?;
        if login.user.card.id == claims.user().0 { Ok(login) } else { Err(TokenError::Invalid) }
    }

    /// The login, if it and its account are in force.
    async fn login_in_force(&self, login: LoginId) -> Result<LoginRow, TokenError> {
        let found = self.inner.store.login(login).await?;
        found
            .filter(|login| login.revoked_at.is_none() && login.user.disabled_at.is_none())
            .ok_or(TokenError::Invalid)
    }
}

impl From<TokenError> for AuthError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Busy => Self::Busy,
            TokenError::Invalid | TokenError::Expired => Self::WrongToken,
        }
    }
}
