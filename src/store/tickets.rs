//! Tickets for sockets, by their digests. Called by `auth`. Must not see a ticket.

use entity::ticket;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, Statement};

use super::{For, Store, StoreError, TicketRow};
use crate::domain::{LoginId, Timestamp};

/// Rows removed in one statement: the Writer waits no longer than for one of its own commits.
const STEP: i64 = 500;

impl Store {
    /// Keeps a new ticket.
    ///
    /// # Errors
    /// When the database does not answer, or there is no such login.
    pub async fn keep_ticket(&self, digest: &str, row: TicketRow) -> Result<(), StoreError> {
        let row = ticket::ActiveModel {
            digest: Set(digest.to_owned()),
            login: Set(row.login.0),
            expires_at: Set(row.expires_at.micros()),
            token_expires: Set(Some(row.token_expires.micros())),
        };
        let db = self.write().await?;
        ticket::Entity::insert(row).exec_without_returning(&*db).await?;
        Ok(())
    }

    /// Takes a ticket away, whatever its age; of several who ask at once one gets it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_ticket(&self, digest: &str) -> Result<Option<TicketRow>, StoreError> {
        // Whoever tries tickets at random must not hold up those who write.
        let here = ticket::Entity::find().filter(ticket::Column::Digest.eq(digest));
        if here.count(&*self.read(For::Accounts).await?).await? == 0 {
            return Ok(None);
        }
        let db = self.write().await?;
        let sql = "DELETE FROM ticket WHERE digest = $1 \
                   RETURNING login, expires_at, token_expires";
        let values = [digest.into()];
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let Some(row) = db.query_one_raw(query).await? else { return Ok(None) };
        let expires_at = Timestamp::from_micros(row.try_get("", "expires_at")?);
        let token_expires = row.try_get::<Option<i64>>("", "token_expires")?;
        Ok(Some(TicketRow {
            login: LoginId(row.try_get("", "login")?),
            expires_at,
            // An older node did not say: soon enough for any token.
            token_expires: token_expires.map_or(expires_at, Timestamp::from_micros),
        }))
    }

    /// Removes tickets that ended before `now`; how many.
    ///
    /// # Errors
    /// When the database does not answer; what is left is removed next time.
    pub async fn forget_tickets(&self, now: Timestamp) -> Result<u64, StoreError> {
        let sql = "DELETE FROM ticket WHERE digest IN (SELECT digest FROM ticket
                   WHERE expires_at <= $1 LIMIT $2)";
        let mut removed = 0;
        loop {
            // A turn for each step, so that others come between.
            let db = self.write().await?;
            let values = [now.micros().into(), STEP.into()];
            let step = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
            let rows = db.execute_raw(step).await?.rows_affected();
            removed += rows;
            if rows < STEP.unsigned_abs() {
                return Ok(removed);
            }
        }
    }
}
