//! Accounts turned off and on, and their logins ended, by an admin or from the command line: each
//! in one transaction with its record. Called by `http/admin` and the commands. Sockets are told
//! by `rooms/control`, not here.

use entity::user;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};
use serde_json::{Value, json};

use super::logins::end_logins;
use super::{Store, StoreError, audit};
use crate::domain::{Action, Deed, LoginId, Target, Timestamp, UserId};

impl Store {
    /// Turns an account off and ends its logins. One that is off stays off since when it was.
    ///
    /// # Errors
    /// `Missing("user")`.
    pub async fn disable_user(&self, user: UserId, deed: &Deed) -> Result<(), StoreError> {
        let (_turn, changing) = self.begin().await?;
        let before = disabled_at(&changing, user).await?;
        let after = before.unwrap_or(deed.at);
        set_disabled(&changing, user, Some(after)).await?;
        end_logins(&changing, user, None, deed.at).await?;
        let (before, after) = (Some(off(before)), Some(off(Some(after))));
        let record = deed.was(Action::DisableUser, Target::User(user), before, after);
        audit::insert(&changing, &record).await?;
        Ok(changing.commit().await?)
    }

    /// Turns an account on again. Its logins stay ended.
    ///
    /// # Errors
    /// `Missing("user")`.
    pub async fn enable_user(&self, user: UserId, deed: &Deed) -> Result<(), StoreError> {
        let (_turn, changing) = self.begin().await?;
        let before = disabled_at(&changing, user).await?;
        set_disabled(&changing, user, None).await?;
        let record =
            deed.was(Action::EnableUser, Target::User(user), Some(off(before)), Some(off(None)));
        audit::insert(&changing, &record).await?;
        Ok(changing.commit().await?)
    }

    /// Ends all logins of a user; gives those it ended.
    ///
    /// # Errors
    /// `Missing("user")`.
    pub async fn sign_out_user(
        &self,
        user: UserId,
        deed: &Deed,
    ) -> Result<Vec<LoginId>, StoreError> {
        let (_turn, changing) = self.begin().await?;
        disabled_at(&changing, user).await?;
        let ended = end_logins(&changing, user, None, deed.at).await?;
        let (before, after) = (json!({ "logins": ended.len() }), json!({ "logins": 0 }));
        let target = Target::User(user);
        let record = deed.was(Action::SignOutUser, target, Some(before), Some(after));
        audit::insert(&changing, &record).await?;
        changing.commit().await?;
        Ok(ended)
    }
}

/// Since when the account is off; its row stays locked.
async fn disabled_at(
    changing: &DatabaseTransaction,
    user: UserId,
) -> Result<Option<Timestamp>, StoreError> {
    let row = user::Entity::find_by_id(user.0).lock(LockType::NoKeyUpdate).one(changing).await?;
    let row = row.ok_or(StoreError::Missing("user"))?;
    Ok(row.disabled_at.map(Timestamp::from_micros))
}

async fn set_disabled(
    changing: &DatabaseTransaction,
    user: UserId,
    at: Option<Timestamp>,
) -> Result<(), StoreError> {
    user::Entity::update_many()
        .col_expr(user::Column::DisabledAt, Expr::value(at.map(Timestamp::micros)))
        .filter(user::Column::Id.eq(user.0))
        .exec(changing)
        .await?;
    Ok(())
}

fn off(since: Option<Timestamp>) -> Value {
    json!({ "disabled_at": since })
}
