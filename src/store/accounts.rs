//! Accounts: made, found, changed. Called by `auth`, the commands and whoever shows users. Must
//! not see a password, only its hash.

use entity::{room, user};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, Func, LikeExpr},
};

use super::error::unique_violation;
use super::{For, NewUser, Store, StoreError, UserRow};
use crate::domain::names::user_key;
use crate::domain::{RoomKind, Timestamp, UserId};

impl Store {
    /// Makes an account.
    ///
    /// # Errors
    /// `Taken("username")`, also when a named room has that name; `Taken("email")`.
    pub async fn create_user(&self, new: NewUser, now: Timestamp) -> Result<UserRow, StoreError> {
        let (_turn, making) = self.begin().await?;
        let key = new.username.key();
        let email_key = Some(email_key(&new.email)).filter(|key| !key.is_empty());
        free_name(&making, &key).await?;
        if let Some(email) = &email_key
            && user::Entity::find().filter(user::Column::EmailKey.eq(email)).count(&making).await?
                > 0
        {
            return Err(StoreError::Taken("email"));
        }
        let row = user::ActiveModel {
            id: NotSet,
            username: Set(new.username.to_string()),
            username_key: Set(key),
            email: Set(new.email.trim().to_owned()),
            email_key: Set(email_key),
            password_hash: Set(new.password_hash),
            first_name: Set(new.first_name),
            last_name: Set(new.last_name),
            is_superuser: Set(new.is_superuser),
            disabled_at: Set(None),
            created_at: Set(now.micros()),
            last_seen: Set(None),
        };
        // Two who ask at once on PostgreSQL pass the look above together; the index tells them apart.
        let row = row.insert(&making).await.map_err(|error| match unique_violation(&error) {
            Some(which) if which.contains("email") => StoreError::Taken("email"),
            Some(_) => StoreError::Taken("username"),
            None => error.into(),
        })?;
        making.commit().await?;
        Ok(row.into())
    }

    /// By id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user(&self, id: UserId) -> Result<Option<UserRow>, StoreError> {
        let db = self.read(For::Accounts).await?;
        let row = user::Entity::find_by_id(id.0).one(&*db).await?;
        Ok(row.map(UserRow::from))
    }

    /// By key: any spelling that folds to the same.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_by_name(&self, name: &str) -> Result<Option<UserRow>, StoreError> {
        self.user_where(user::Column::UsernameKey.eq(user_key(name))).await
    }

    /// Case does not matter.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError> {
        self.user_where(user::Column::EmailKey.eq(email_key(email))).await
    }

    async fn user_where(&self, which: Expr) -> Result<Option<UserRow>, StoreError> {
        let db = self.read(For::Accounts).await?;
        let row = user::Entity::find().filter(which).one(&*db).await?;
        Ok(row.map(UserRow::from))
    }

    /// By id, ascending, after `after`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn users(
        &self,
        after: Option<UserId>,
        part: Option<&str>,
        limit: u64,
    ) -> Result<Vec<UserRow>, StoreError> {
        let mut found = user::Entity::find();
        if let Some(part) = part {
            let part: String = part.chars().flat_map(char::to_lowercase).collect();
            let part = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let like = LikeExpr::new(format!("%{part}%")).escape('\\');
            let has = |column: user::Column| {
                Expr::expr(Func::lower(Expr::col(column))).like(like.clone())
            };
            found = found.filter(has(user::Column::Username).or(has(user::Column::Email)));
        }
        let db = self.read(For::Accounts).await?;
        let rows = found
            .filter(user::Column::Id.gt(after.map_or(i64::MIN, |id| id.0)))
            .order_by_asc(user::Column::Id)
            .limit(limit)
            .all(&*db)
            .await?;
        Ok(rows.into_iter().map(UserRow::from).collect())
    }

    /// Those of `ids` that there are, by id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn users_by_ids(&self, ids: &[UserId]) -> Result<Vec<UserRow>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let db = self.read(For::Accounts).await?;
        let rows = user::Entity::find()
            .filter(user::Column::Id.is_in(ids.iter().map(|id| id.0)))
            .order_by_asc(user::Column::Id)
            .all(&*db)
            .await?;
        Ok(rows.into_iter().map(UserRow::from).collect())
    }

    /// Keeps a new hash. Logins stay as they are.
    ///
    /// # Errors
    /// `Missing("user")`.
    pub async fn set_password(&self, user: UserId, hash: &str) -> Result<(), StoreError> {
        let db = self.write().await?;
        let changed = user::Entity::update_many()
            .col_expr(user::Column::PasswordHash, Expr::value(hash))
            .filter(user::Column::Id.eq(user.0))
            .exec(&*db)
            .await?;
        if changed.rows_affected == 0 { Err(StoreError::Missing("user")) } else { Ok(()) }
    }

    /// Notes that these users were online at `at`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn seen(&self, users: &[UserId], at: Timestamp) -> Result<(), StoreError> {
        if users.is_empty() {
            return Ok(());
        }
        let db = self.write().await?;
        user::Entity::update_many()
            .col_expr(user::Column::LastSeen, Expr::value(at.micros()))
            .filter(user::Column::Id.is_in(users.iter().map(|id| id.0)))
            .exec(&*db)
            .await?;
        Ok(())
    }
}

/// Whether neither a user nor a named room has this key.
async fn free_name(making: &DatabaseTransaction, key: &str) -> Result<(), StoreError> {
    let users = user::Entity::find().filter(user::Column::UsernameKey.eq(key)).count(making);
    let taken = users.await? > 0
        || room::Entity::find()
            .filter(room::Column::NameKey.eq(key))
            .filter(Expr::col(room::Column::Kind).eq(RoomKind::Named.as_str()))
            .filter(room::Column::ClosedAt.is_null())
            .count(making)
            .await?
            > 0;
    if taken { Err(StoreError::Taken("username")) } else { Ok(()) }
}

/// The key under which an address is unique and found.
fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}
