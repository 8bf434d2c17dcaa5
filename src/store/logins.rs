//! Logins, the refresh tokens that rotate within them, and the secrets that sign. Called by
//! `auth`. Must not see a token: it keeps what signs the same one again.

use entity::{login, refresh_token, secret, user};
use sea_orm::ActiveValue::Set;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, FromQueryResult, QueryFilter, QuerySelect,
    Statement,
};
use uuid::Uuid;

use super::{For, LoginRow, RefreshRow, Rotation, Store, StoreError};
use crate::domain::{LoginId, Timestamp, UserId, ids};

impl Store {
    /// Starts a login.
    ///
    /// # Errors
    /// `Missing("user")`.
    pub async fn start_login(&self, user: UserId, now: Timestamp) -> Result<LoginId, StoreError> {
        let sid = ids::random();
        let row = login::ActiveModel {
            sid: Set(sid),
            user_id: Set(user.0),
            created_at: Set(now.micros()),
            revoked_at: Set(None),
        };
        let db = self.write().await?;
        login::Entity::insert(row).exec_without_returning(&*db).await.map_err(|error| {
            if super::error::foreign_key_violation(&error) {
                StoreError::Missing("user")
            } else {
                error.into()
            }
        })?;
        Ok(LoginId(sid))
    }

    /// A login and its user, in one query.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn login(&self, login: LoginId) -> Result<Option<LoginRow>, StoreError> {
        let db = self.read(For::Accounts).await?;
        let found = db
            .query_one_raw(Statement::from_sql_and_values(
                db.get_database_backend(),
                r#"SELECT u.*, l.revoked_at FROM login l JOIN "user" u ON u.id = l.user_id
                   WHERE l.sid = $1"#,
                [login.0.into()],
            ))
            .await?;
        let Some(row) = found else { return Ok(None) };
        Ok(Some(LoginRow {
            user: user::Model::from_query_result(&row, "")?.into(),
            revoked_at: row.try_get::<Option<i64>>("", "revoked_at")?.map(Timestamp::from_micros),
        }))
    }

    /// Ends a login; whether it was open.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn revoke_login(&self, login: LoginId, now: Timestamp) -> Result<bool, StoreError> {
        let db = self.write().await?;
        let ended = login::Entity::update_many()
            .col_expr(login::Column::RevokedAt, Expr::value(now.micros()))
            .filter(login::Column::Sid.eq(login.0))
            .filter(login::Column::RevokedAt.is_null())
            .exec(&*db)
            .await?;
        Ok(ended.rows_affected > 0)
    }

    /// Ends all of the user's open logins but one; gives those it ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn revoke_logins(
        &self,
        user: UserId,
        but: Option<LoginId>,
        now: Timestamp,
    ) -> Result<Vec<LoginId>, StoreError> {
        Ok(end_logins(&*self.write().await?, user, but, now).await?)
    }

    /// Keeps the first refresh token of a login.
    ///
    /// # Errors
    /// When the database does not answer, or there is no such login.
    pub async fn keep_refresh(&self, token: RefreshRow) -> Result<(), StoreError> {
        let db = self.write().await?;
        refresh_token::Entity::insert(fresh(&token)).exec_without_returning(&*db).await?;
        Ok(())
    }

    /// Swaps `jti` for `successor`, or says what it was swapped for within `grace_s`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rotate_refresh(
        &self,
        jti: Uuid,
        successor: RefreshRow,
        grace_s: i64,
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        let (_turn, swap) = self.begin().await?;
        let answer = rotate(&swap, jti, successor, grace_s, now).await?;
        swap.commit().await?;
        Ok(answer)
    }

    /// The value under `name`; `candidate` becomes it when there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn secret(&self, name: &str, candidate: &str) -> Result<String, StoreError> {
        Ok(keep_secret(&*self.write().await?, name, candidate).await?)
    }
}

/// See [`Store::revoke_logins`].
pub(super) async fn end_logins(
    db: &impl ConnectionTrait,
    user: UserId,
    but: Option<LoginId>,
    now: Timestamp,
) -> Result<Vec<LoginId>, sea_orm::DbErr> {
    let ended = db
        .query_all_raw(Statement::from_sql_and_values(
            db.get_database_backend(),
            "UPDATE login SET revoked_at = $1
             WHERE user_id = $2 AND revoked_at IS NULL AND sid <> $3 RETURNING sid",
            [now.micros().into(), user.0.into(), but.map_or(Uuid::nil(), |login| login.0).into()],
        ))
        .await?;
    ended.iter().map(|row| row.try_get("", "sid").map(LoginId)).collect()
}

/// See [`Store::secret`].
pub(super) async fn keep_secret(
    db: &impl ConnectionTrait,
    name: &str,
    candidate: &str,
) -> Result<String, sea_orm::DbErr> {
    let row = secret::ActiveModel { name: Set(name.to_owned()), value: Set(candidate.to_owned()) };
    secret::Entity::insert(row)
        .on_conflict(OnConflict::column(secret::Column::Name).do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    let kept = secret::Entity::find_by_id(name).one(db).await?;
    kept.map(|row| row.value).ok_or(sea_orm::DbErr::RecordNotFound(format!("secret {name}")))
}

/// The rules of a rotation, with the token's row locked.
async fn rotate(
    swap: &DatabaseTransaction,
    jti: Uuid,
    successor: RefreshRow,
    grace_s: i64,
    now: Timestamp,
) -> Result<Rotation, StoreError> {
    let token = refresh_token::Entity::find_by_id(jti).lock_exclusive().one(swap).await?;
    let Some(token) = token.filter(|token| token.expires_at > now.micros()) else {
        return Ok(Rotation::Unknown);
    };
    let login = login::Entity::find_by_id(token.login).one(swap).await?;
    if login.is_none_or(|login| login.revoked_at.is_some()) || token.login != successor.login.0 {
        return Ok(Rotation::Unknown);
    }
    let (Some(replaced_by), Some(replaced_at)) = (token.replaced_by, token.replaced_at) else {
        refresh_token::Entity::insert(fresh(&successor)).exec_without_returning(swap).await?;
        refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::ReplacedBy, Expr::value(successor.jti))
            .col_expr(refresh_token::Column::ReplacedAt, Expr::value(now.micros()))
            .filter(refresh_token::Column::Jti.eq(jti))
            .exec(swap)
            .await?;
        return Ok(Rotation::Successor(successor));
    };
    if Timestamp::from_micros(replaced_at).plus_secs(grace_s) >= now {
        let kept = refresh_token::Entity::find_by_id(replaced_by).one(swap).await?;
        return Ok(kept.map_or(Rotation::Unknown, |row| Rotation::Successor(row.into())));
    }
    login::Entity::update_many()
        .col_expr(login::Column::RevokedAt, Expr::value(now.micros()))
        .filter(login::Column::Sid.eq(token.login))
        .exec(swap)
        .await?;
    Ok(Rotation::Reused)
}

/// A token that was not used yet.
fn fresh(token: &RefreshRow) -> refresh_token::ActiveModel {
    refresh_token::ActiveModel {
        jti: Set(token.jti),
        login: Set(token.login.0),
        issued_at: Set(token.issued_at.micros()),
        expires_at: Set(token.expires_at.micros()),
        replaced_by: Set(None),
        replaced_at: Set(None),
    }
}
