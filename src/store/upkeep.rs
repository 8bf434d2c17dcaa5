//! What is forgotten, and what that needs to know. Called by the registry and by a timer of the
//! app. Must not touch a room that a user wrote to or that somebody `POSTed`.

use entity::room;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Statement, Value};
use uuid::Uuid;

use super::{POSITIONS_AT_A_TIME, Store, StoreError};
use crate::domain::{RoomId, Timestamp};

/// Rows removed in one transaction: the Writer waits no longer than for one of its own commits.
const STEP: i64 = 500;

impl Store {
    /// The last one left a room at `at`: from then on it may be forgotten.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn room_left(&self, room: RoomId, at: Timestamp) -> Result<(), StoreError> {
        self.set_left(room, Some(at.micros())).await
    }

    /// The first one entered a room: it is not forgotten while somebody is in it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn room_entered(&self, room: RoomId) -> Result<(), StoreError> {
        self.set_left(room, None).await
    }

    async fn set_left(&self, room: RoomId, at: Option<i64>) -> Result<(), StoreError> {
        let db = self.write().await?;
        room::Entity::update_many()
            .col_expr(room::Column::LeftAt, Expr::value(at))
            .filter(room::Column::Id.eq(room.0))
            .exec(&*db)
            .await?;
        Ok(())
    }

    /// Somebody is in these rooms, whatever the database says of who left them before `at`: on another
    /// node he was the last one, or it was not there to be told that somebody had come.
    ///
    /// # Errors
    /// When the database does not answer; the next time tells it.
    pub async fn somebody_is_in(
        &self,
        mut rooms: Vec<RoomId>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        rooms.sort_unstable_by_key(|room| room.0);
        for some in rooms.chunks(POSITIONS_AT_A_TIME) {
            let db = self.write().await?;
            room::Entity::update_many()
                .col_expr(room::Column::LeftAt, Expr::value(None::<i64>))
                .filter(room::Column::Id.is_in(some.iter().map(|room| room.0)))
                .filter(room::Column::ByGuest.eq(true))
                .filter(room::Column::LeftAt.lt(at.micros()))
                .exec(&*db)
                .await?;
        }
        Ok(())
    }

    /// Nobody is in any room, whatever a process that was killed left behind. For the start of a
    /// server that runs alone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn nobody_is_in(&self, at: Timestamp) -> Result<(), StoreError> {
        let db = self.write().await?;
        room::Entity::update_many()
            .col_expr(room::Column::LeftAt, Expr::value(at.micros()))
            .filter(room::Column::LeftAt.is_null())
            .exec(&*db)
            .await?;
        Ok(())
    }

    /// Forgets rooms of guests that nobody `POSTed`, no user wrote to and nobody used since
    /// `before`; how many.
    ///
    /// # Errors
    /// When the database does not answer; what is left is forgotten next time.
    pub async fn forget_idle_rooms(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        while let Some(room) = self.close_one_idle(before).await? {
            while self.remove_events(room, i64::MAX).await? > 0 {}
            let (_turn, removing) = self.begin().await?;
            for table in ["membership", "ban"] {
                run(&removing, &format!("DELETE FROM {table} WHERE room = $1"), [room.into()])
                    .await?;
            }
            run(&removing, "DELETE FROM room WHERE id = $1", [room.into()]).await?;
            removing.commit().await?;
            forgotten += 1;
        }
        Ok(forgotten)
    }

    /// Removes events older than `before`, lowest `seq` first; how many. A room's numbering goes
    /// on as before.
    ///
    /// # Errors
    /// When the database does not answer; what is left is removed next time.
    pub async fn forget_events(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut removed = 0;
        let mut after = Uuid::nil();
        // The newest event below the time, found from the room's end that has few: the old one.
        let sql = "SELECT r.id, (SELECT max(o.seq) FROM (SELECT e.seq, e.created_at FROM event e
                       WHERE e.room = r.id ORDER BY e.seq LIMIT $3) o WHERE o.created_at < $2) AS upto
                   FROM room r WHERE r.id > $1 ORDER BY r.id LIMIT 1";
        loop {
            let db = self.read_uncounted().await?;
            let values = [after.into(), before.micros().into(), STEP.into()];
            let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
            let Some(row) = db.query_one_raw(query).await? else { return Ok(removed) };
            drop(db);
            let room: Uuid = row.try_get("", "id")?;
            match row.try_get::<Option<i64>>("", "upto")? {
                Some(upto) => removed += self.remove_events(room, upto).await?,
                None => after = room,
            }
        }
    }

    /// Closes one room that may be forgotten, so that nobody gets in while it goes.
    async fn close_one_idle(&self, before: Timestamp) -> Result<Option<Uuid>, StoreError> {
        let db = self.write().await?;
        let sql = "UPDATE room SET closed_at = coalesce(closed_at, $1) WHERE id = (
                SELECT id FROM room WHERE by_guest AND NOT listed AND NOT user_wrote
                    AND kind = 'named' AND left_at < $1 AND last_at < $1 LIMIT 1)
             AND NOT user_wrote AND last_at < $1 RETURNING id";
        let values = [before.micros().into()];
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let row = db.query_one_raw(query).await?;
        Ok(row.map(|row| row.try_get("", "id")).transpose()?)
    }

    /// Removes a step of a room's events, lowest `seq` first, up to and with `upto`.
    async fn remove_events(&self, room: Uuid, upto: i64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM event WHERE room = $1 AND seq IN (SELECT seq FROM event
                   WHERE room = $1 AND seq <= $2 ORDER BY seq LIMIT $3)";
        let db = self.write().await?;
        Ok(run(&*db, sql, [room.into(), upto.into(), STEP.into()]).await?)
    }
}

/// How many rows it touched.
async fn run<const N: usize>(
    db: &impl ConnectionTrait,
    sql: &str,
    values: [Value; N],
) -> Result<u64, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.execute_raw(statement).await?.rows_affected())
}
