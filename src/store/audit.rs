//! The audit: what admins did. Appended to by every act, in its own transaction where it writes
//! to the database; read by `http/admin`. Must never change or remove a row.

use entity::audit;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, Statement,
};

use super::{RecordRow, Store, StoreError};
use crate::domain::{Action, Deed, Record, Target, Timestamp, UserId};

impl Store {
    /// Keeps the record of an act that writes nothing else.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note(&self, record: &Record) -> Result<(), StoreError> {
        Ok(insert(&*self.write().await?, record).await?)
    }

    /// Records, newest first, of those with a smaller id than `before`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn records(
        &self,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let db = self.read_uncounted().await?;
        let sql = r#"SELECT a.id, a.at, a.actor, a.action, a.target, a."before", a."after", a.ip,
                         u.username
                     FROM audit a LEFT JOIN "user" u ON u.id = a.actor
                     WHERE a.id < $1 ORDER BY a.id DESC LIMIT $2"#;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [before.unwrap_or(i64::MAX).into(), limit.into()];
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let mut records = Vec::new();
        for row in db.query_all_raw(query).await? {
            let json = |name: &str| -> Result<_, DbErr> {
                let text: Option<String> = row.try_get("", name)?;
                Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
            };
            records.push(RecordRow {
                id: row.try_get("", "id")?,
                at: Timestamp::from_micros(row.try_get("", "at")?),
                actor: row.try_get::<Option<i64>>("", "actor")?.map(UserId),
                actor_name: row.try_get("", "username")?,
                action: row.try_get("", "action")?,
                target: row.try_get("", "target")?,
                before: json("before")?,
                after: json("after")?,
                ip: row.try_get("", "ip")?,
            });
        }
        Ok(records)
    }
}

/// Keeps a record in the transaction of its act.
pub(super) async fn insert(db: &impl ConnectionTrait, record: &Record) -> Result<(), DbErr> {
    let row = audit::ActiveModel {
        id: NotSet,
        at: Set(record.deed.at.micros()),
        actor: Set(record.deed.by.map(|user| user.0)),
        action: Set(record.action.as_str().to_owned()),
        target: Set(record.target.to_string()),
        before: Set(record.before.as_ref().map(ToString::to_string)),
        after: Set(record.after.as_ref().map(ToString::to_string)),
        ip: Set(record.deed.ip.map(|ip| ip.to_string())),
    };
    audit::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Whether this deed is recorded: nobody does two things of a kind to the same target at the same
/// microsecond.
pub(super) async fn holds(
    db: &impl ConnectionTrait,
    deed: &Deed,
    action: Action,
    target: Target,
) -> Result<bool, DbErr> {
    let found = audit::Entity::find()
        .filter(audit::Column::At.eq(deed.at.micros()))
        .filter(audit::Column::Action.eq(action.as_str()))
        .filter(audit::Column::Target.eq(target.to_string()))
        .count(db)
        .await?;
    Ok(found > 0)
}
