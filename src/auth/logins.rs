//! Logins: started, renewed, ended, each with the tokens it gives out. Called by `http/` and the
//! commands. Two kinds of refresh token that are never taken for one another: the one in a body
//! is used again and again (unless a setting makes it rotate), the one in a cookie rotates.

use uuid::Uuid;

use super::tokens::{Kind, Ticket, Via};
use super::{Auth, AuthError};
use crate::domain::{LoginId, Timestamp, UserId, clock, ids};
use crate::store::{RefreshRow, Rotation};

/// What a login hands out in its body.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The login: `sid` of both.
    pub login: LoginId,
    /// A credential.
    pub access: String,
    /// Buys new access tokens.
    pub refresh: String,
}

/// What renews a pair.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// A credential.
    pub access: String,
    /// The successor, when a setting makes body tokens rotate.
    pub refresh: Option<String>,
}

/// What a login hands out in cookies.
#[derive(Clone, Debug)]
pub struct CookiePair {
    /// Whose.
    pub user: UserId,
    /// A credential.
    pub access: String,
    /// Rotates at each use.
    pub refresh: String,
}

impl Auth {
    /// Starts a login and gives its pair.
    ///
    /// # Errors
    /// The store is busy or failed.
    pub async fn start_login(&self, user: UserId) -> Result<Pair, AuthError> {
        let now = clock::now();
        let login = self.inner.store.start_login(user, now).await?;
        let row = self.refresh_row(login, now);
        if self.inner.settings.rotate_refresh {
            self.inner.store.keep_refresh(row.clone()).await?;
        }
        Ok(Pair {
            login,
            access: self.access(user, login, now)?,
            refresh: self.sign_refresh(user, &row, Via::Body)?,
        })
    }

    /// The rotating refresh token of a login that was just started, for its cookie.
    ///
    /// # Errors
    /// The store is busy or failed.
    pub async fn cookie_refresh(&self, user: UserId, login: LoginId) -> Result<String, AuthError> {
        let row = self.refresh_row(login, clock::now());
        self.inner.store.keep_refresh(row.clone()).await?;
        self.sign_refresh(user, &row, Via::Cookie)
    }

    /// A new access token for a refresh token from a body.
    ///
    /// # Errors
    /// It buys nothing, or why not now.
    pub async fn renew(&self, refresh: &str) -> Result<Renewed, AuthError> {
        let now = clock::now();
        let (user, login, jti) = self.open_refresh(refresh, Via::Body, now).await?;
        let mut successor = None;
        if self.inner.settings.rotate_refresh {
            let row = self.rotate(user, login, jti, now).await?;
            successor = Some(self.sign_refresh(user, &row, Via::Body)?);
        }
        Ok(Renewed { access: self.access(user, login, now)?, refresh: successor })
    }

    /// New cookies for a refresh token from a cookie. The one before yields the same successor
    /// for a short grace, since two tabs renew at once.
    ///
    /// # Errors
    /// It buys nothing, was used again after its grace, or why not now.
    pub async fn renew_cookie(&self, refresh: &str) -> Result<CookiePair, AuthError> {
        let now = clock::now();
        let (user, login, jti) = self.open_refresh(refresh, Via::Cookie, now).await?;
        let row = self.rotate(user, login, jti, now).await?;
        Ok(CookiePair {
            user,
            access: self.access(user, login, now)?,
            refresh: self.sign_refresh(user, &row, Via::Cookie)?,
        })
    }

    /// Ends the login that a rightly signed token of any kind and age belongs to. None when the
    /// token is not ours or the login was over.
    ///
    /// # Errors
    /// The store is busy or failed.
    pub async fn sign_out(&self, token: &str) -> Result<Option<(UserId, LoginId)>, AuthError> {
        let Ok(claims) = self.inner.keys.read(token) else {
            return Ok(None);
        };
        let ended = self.inner.store.revoke_login(claims.sid, clock::now()).await?;
        if ended {
            log::info!("user {} signed out", claims.user());
        }
        Ok(ended.then_some((claims.user(), claims.sid)))
    }

    /// Seconds that an access and a refresh token live, for the cookies that hold them.
    #[must_use]
    pub fn lives_s(&self) -> (u64, u64) {
        (self.inner.settings.access_ttl_s, self.inner.settings.refresh_ttl_s)
    }

    /// Whose refresh token this is, of a login in force.
    async fn open_refresh(
        &self,
        token: &str,
        via: Via,
        now: Timestamp,
    ) -> Result<(UserId, LoginId, Uuid), AuthError> {
        let claims = self.inner.keys.read(token).map_err(|_| AuthError::WrongToken)?;
        if claims.kind != Kind::Refresh || claims.via != Some(via) || claims.expired(now) {
            return Err(AuthError::WrongToken);
        }
        self.live_login(&claims).await?;
        Ok((claims.user(), claims.sid, claims.jti))
    }

    async fn rotate(
        &self,
        user: UserId,
        login: LoginId,
        jti: Uuid,
        now: Timestamp,
    ) -> Result<RefreshRow, AuthError> {
        let successor = self.refresh_row(login, now);
        let grace_s = i64::try_from(self.inner.settings.refresh_grace_s).unwrap_or(i64::MAX);
        match self.inner.store.rotate_refresh(jti, successor, grace_s, now).await? {
            Rotation::Successor(row) => Ok(row),
            Rotation::Unknown => Err(AuthError::WrongToken),
            Rotation::Reused => {
                log::warn!("a refresh token was used again after its grace: login {login} ends");
                Err(AuthError::Reused(user, login))
            }
        }
    }

    fn refresh_row(&self, login: LoginId, now: Timestamp) -> RefreshRow {
        // Whole seconds, as the token has them: the row must sign to the very same text again.
        let issued_at = Timestamp::from_secs(now.secs());
        RefreshRow {
            jti: ids::random(),
            login,
            issued_at,
            expires_at: issued_at.plus_secs(secs(self.inner.settings.refresh_ttl_s)),
        }
    }

    fn sign_refresh(&self, user: UserId, row: &RefreshRow, via: Via) -> Result<String, AuthError> {
        Ok(self.inner.keys.sign(&Ticket {
            kind: Kind::Refresh,
            via: Some(via),
            jti: row.jti,
            user,
            login: row.login,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
        })?)
    }

    fn access(&self, user: UserId, login: LoginId, now: Timestamp) -> Result<String, AuthError> {
        Ok(self.inner.keys.sign(&Ticket {
            kind: Kind::Access,
            via: None,
            jti: ids::random(),
            user,
            login,
            issued_at: now,
            expires_at: now.plus_secs(secs(self.inner.settings.access_ttl_s)),
        })?)
    }
}

fn secs(secs: u64) -> i64 {
    i64::try_from(secs).unwrap_or(i64::MAX)
}
