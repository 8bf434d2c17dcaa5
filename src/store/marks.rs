//! Read marks: how far each member has read, and what he has not. Called by rooms and by whoever
//! shows chats. A mark only grows, and never beyond what the room holds.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use super::{For, Store, StoreError};
use crate::domain::{Author, RoomId, UserId};

/// Marks in one statement. Few texts, since the connection that writes SQLite keeps them prepared
/// beside the Writer's; a list takes the next larger one, whose last rows are null.
const SIZES: [usize; 3] = [1, 16, 256];
/// Marks in one transaction: the Writer waits no longer than for one of its own commits.
const MOST: usize = SIZES[SIZES.len() - 1];
/// Rooms that one query counts in.
const ROOMS: usize = 100;
/// Counted at most in a room: who has so many unread is told no better by more, and it bounds what
/// a list of chats costs.
const COUNTED: i64 = 1_000;
/// Newest events looked at in a room, whatever they are: his own messages are not counted, but
/// read. Places have no gaps, so that this is a range of them and no planner can sort a room.
const LOOKED_AT: i64 = 4 * COUNTED;

/// The mark that a row of the list asks for, as far as the room goes.
const MARK: &str = "CASE WHEN k.column3 < r.last_seq THEN k.column3 ELSE r.last_seq END";

impl Store {
    /// These users have read these rooms up to these places. What is no membership is passed over.
    ///
    /// # Errors
    /// When the database does not answer; the same again does no harm.
    pub async fn mark_read(&self, marks: &[(RoomId, UserId, i64)]) -> Result<(), StoreError> {
        let mut highest: BTreeMap<(RoomId, UserId), i64> = BTreeMap::new();
        for (room, user, seq) in marks {
            let mark = highest.entry((*room, *user)).or_insert(*seq);
            *mark = (*mark).max(*seq);
        }
        let marks: Vec<_> = highest.into_iter().collect();
        for step in marks.chunks(MOST) {
            self.mark_step(step).await?;
        }
        Ok(())
    }

    async fn mark_step(&self, marks: &[((RoomId, UserId), i64)]) -> Result<(), StoreError> {
        let size = SIZES[SIZES.partition_point(|size| *size < marks.len())];
        let places: Vec<_> = (0..size)
            .map(|n| format!("(${}, ${}, ${})", 3 * n + 1, 3 * n + 2, 3 * n + 3))
            .collect();
        let list = places.join(", ");
        let mut values: Vec<Value> = Vec::with_capacity(3 * size);
        for n in 0..size {
            let mark = marks.get(n);
            values.push(mark.map(|((room, _), _)| room.0).into());
            values.push(mark.map(|((_, user), _)| user.0).into());
            values.push(mark.map(|(_, seq)| *seq).into());
        }
        let (_turn, marking) = self.begin().await?;
        let backend = marking.get_database_backend();
        if backend == DbBackend::Postgres {
            // Two nodes that mark the same rows must take them in one order.
            let sql = format!(
                "SELECT 1 FROM membership m JOIN (VALUES {list}) k ON m.room = k.column1 \
                     AND m.user_id = k.column2 AND k.column3 IS NOT NULL \
                 ORDER BY m.room, m.user_id FOR NO KEY UPDATE OF m"
            );
            let lock = Statement::from_sql_and_values(backend, sql, values.clone());
            marking.query_all_raw(lock).await?;
        }
        let sql = format!(
            "UPDATE membership SET read_seq = {MARK} \
             FROM (VALUES {list}) k CROSS JOIN room r \
             WHERE r.id = k.column1 AND membership.room = k.column1 \
                 AND membership.user_id = k.column2 AND membership.read_seq < {MARK}"
        );
        marking.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(marking.commit().await?)
    }

    /// How many messages of others the user has not read in each of these rooms that he is a
    /// member of; 1,000 stands for so many or more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unread(
        &self,
        user: UserId,
        rooms: &[RoomId],
    ) -> Result<HashMap<RoomId, u64>, StoreError> {
        let mut found = HashMap::with_capacity(rooms.len());
        for rooms in rooms.chunks(ROOMS) {
            let places: Vec<_> = (5..5 + rooms.len()).map(|n| format!("${n}")).collect();
            let sql = format!(
                "SELECT m.room, (SELECT count(*) FROM (SELECT 1 AS one FROM event e
                     WHERE e.room = m.room AND e.seq > CASE WHEN m.read_seq < r.last_seq - $4
                             THEN r.last_seq - $4 ELSE m.read_seq END
                         AND e.kind = 'message' AND e.deleted_at IS NULL AND e.author <> $2
                     LIMIT $3) c) AS unread
                 FROM membership m JOIN room r ON r.id = m.room
                 WHERE m.user_id = $1 AND m.room IN ({})",
                places.join(", ")
            );
            let own = Author::User(user).to_string();
            let mut values: Vec<Value> =
                vec![user.0.into(), own.into(), COUNTED.into(), LOOKED_AT.into()];
            values.extend(rooms.iter().map(|room| Value::from(room.0)));
            let db = self.read(For::Lists).await?;
            let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
            for row in db.query_all_raw(query).await? {
                let unread: i64 = row.try_get("", "unread")?;
                let room = RoomId(row.try_get("", "room")?);
                found.insert(room, u64::try_from(unread).unwrap_or(0));
            }
        }
        Ok(found)
    }

    /// How many messages of others lie in a room after each of these users' marks, up to `head`;
    /// 1,000 stands for so many or more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unread_after(
        &self,
        room: RoomId,
        marks: &[(UserId, i64)],
        head: i64,
    ) -> Result<HashMap<UserId, u64>, StoreError> {
        let db = self.read_uncounted().await?;
        let mut found = HashMap::with_capacity(marks.len());
        for marks in marks.chunks(MOST) {
            let size = SIZES[SIZES.partition_point(|size| *size < marks.len())];
            let places: Vec<_> = (0..size)
                .map(|n| format!("(${}, ${}, ${})", 3 * n + 5, 3 * n + 6, 3 * n + 7))
                .collect();
            let sql = format!(
                "SELECT k.column1 AS reader, (SELECT count(*) FROM (SELECT 1 AS one FROM event e
                     WHERE e.room = $1 AND e.seq > CASE WHEN k.column2 < $2 - $4
                             THEN $2 - $4 ELSE k.column2 END AND e.seq <= $2
                         AND e.kind = 'message' AND e.deleted_at IS NULL AND e.author <> k.column3
                     LIMIT $3) c) AS unread
                 FROM (VALUES {}) k WHERE k.column1 IS NOT NULL",
                places.join(", ")
            );
            let mut values: Vec<Value> =
                vec![room.0.into(), head.into(), COUNTED.into(), LOOKED_AT.into()];
            for n in 0..size {
                let mark = marks.get(n);
                values.push(mark.map(|(user, _)| user.0).into());
                values.push(mark.map(|(_, seq)| *seq).into());
                values.push(mark.map(|(user, _)| Author::User(*user).to_string()).into());
            }
            let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
            for row in db.query_all_raw(query).await? {
                let unread: i64 = row.try_get("", "unread")?;
                let reader = UserId(row.try_get("", "reader")?);
                found.insert(reader, u64::try_from(unread).unwrap_or(0));
            }
        }
        Ok(found)
    }
}
