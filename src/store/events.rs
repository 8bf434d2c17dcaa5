//! Pages of a room's history. Called by rooms, REST and whoever fills a gap. Every page is one
//! stretch of the `(room, seq)` tree, so its cost does not depend on the room's length.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

use super::rows::{Cards, EVENT_COLUMNS};
use super::{CONTROL_ROOM, For, Store, StoreError};
use crate::domain::{Event, EventId, RoomId};

impl Store {
    /// An event by its id, of whatever kind.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let db = self.read(For::History).await?;
        let sql = format!(
            r#"SELECT {EVENT_COLUMNS} FROM event e LEFT JOIN "user" u ON u.id = e.sender
               WHERE e.id = $1"#
        );
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, [id.0.into()]);
        let row = db.query_one_raw(query).await?;
        Ok(row.map(|row| Cards::default().event(&row)).transpose()?)
    }

    /// Newest `limit` messages (kind `message`, not other kinds), oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn latest_messages(
        &self,
        room: RoomId,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        self.messages_before(room, i64::MAX, limit).await
    }

    /// Messages with `seq` below `before`: the newest `limit`, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn messages_before(
        &self,
        room: RoomId,
        before: i64,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        let which = "e.seq < $2 AND e.kind = 'message' ORDER BY e.seq DESC";
        let mut page = self.page(which, room, before, limit).await?;
        page.reverse();
        Ok(page)
    }

    /// Messages with `seq` above `after`: the oldest `limit`, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn messages_after(
        &self,
        room: RoomId,
        after: i64,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        self.page("e.seq > $2 AND e.kind = 'message' ORDER BY e.seq", room, after, limit).await
    }

    /// Events of every kind with `seq` above `after`: the oldest `limit` within `max_bytes` of
    /// text, but at least one where there is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn events_after(
        &self,
        room: RoomId,
        after: i64,
        limit: u64,
        max_bytes: usize,
    ) -> Result<Vec<Event>, StoreError> {
        self.bounded("e.seq > $2 ORDER BY e.seq", room, after, limit, max_bytes).await
    }

    /// Events of every kind with `seq` below `before`: the newest `limit` within `max_bytes` of
    /// text, but at least one where there is one; oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn events_before(
        &self,
        room: RoomId,
        before: i64,
        limit: u64,
        max_bytes: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let which = "e.seq < $2 ORDER BY e.seq DESC";
        let mut events = self.bounded(which, room, before, limit, max_bytes).await?;
        events.reverse();
        Ok(events)
    }

    /// The lowest `seq` that is still kept; none when nothing is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn first_seq(&self, room: RoomId) -> Result<Option<i64>, StoreError> {
        let db = self.read(For::History).await?;
        let sql = "SELECT seq FROM event WHERE room = $1 ORDER BY seq LIMIT 1";
        let values = [room.0.into()];
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let row = db.query_one_raw(query).await?;
        Ok(row.map(|row| row.try_get("", "seq")).transpose()?)
    }

    /// The event with this `seq`, while it is kept.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn event_at(&self, room: RoomId, seq: i64) -> Result<Option<Event>, StoreError> {
        Ok(self.page("e.seq = $2", room, seq, 1).await?.pop())
    }

    /// How many messages there are from this `seq` to that one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_messages(
        &self,
        room: RoomId,
        from: i64,
        to: i64,
    ) -> Result<u64, StoreError> {
        let db = self.read(For::History).await?;
        let sql = "SELECT count(*) AS messages FROM event
                   WHERE room = $1 AND seq >= $2 AND seq <= $3 AND kind = 'message'";
        let values = [room.0.into(), from.into(), to.into()];
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let row = db.query_one_raw(query).await?;
        let messages: Option<i64> = row.map(|row| row.try_get("", "messages")).transpose()?;
        Ok(messages.and_then(|messages| u64::try_from(messages).ok()).unwrap_or(0))
    }

    /// The newest message of each of these rooms that has one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn last_messages(
        &self,
        rooms: &[RoomId],
    ) -> Result<HashMap<RoomId, Event>, StoreError> {
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let places: Vec<_> = (1..=rooms.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            r#"SELECT {EVENT_COLUMNS} FROM room r
               JOIN event e ON e.room = r.id AND e.seq = (SELECT n.seq FROM event n
                   WHERE n.room = r.id AND n.kind = 'message' ORDER BY n.seq DESC LIMIT 1)
               LEFT JOIN "user" u ON u.id = e.sender WHERE r.id IN ({})"#,
            places.join(", ")
        );
        let values: Vec<Value> = rooms.iter().map(|room| room.0.into()).collect();
        let events = self.events(For::Lists, sql, values).await?;
        Ok(events.into_iter().map(|event| (event.room, event)).collect())
    }

    /// Up to `limit` events from `from` on in the order of `which`, within `max_bytes` of text, but
    /// at least one where there is one. Their lengths are asked first: texts beyond the bound are
    /// not even read.
    async fn bounded(
        &self,
        which: &str,
        room: RoomId,
        from: i64,
        limit: u64,
        max_bytes: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let db = self.read(pages_of(room)).await?;
        let sql = format!(
            "SELECT octet_length(e.content) + coalesce(octet_length(e.raw), 0) AS bytes
             FROM event e WHERE e.room = $1 AND {which} LIMIT $3"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values: [Value; 3] = [room.0.into(), from.into(), limit.into()];
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let (mut fit, mut bytes) = (0, 0);
        for row in db.query_all_raw(query).await? {
            bytes += usize::try_from(Self::bytes(&row)?).unwrap_or(usize::MAX);
            if bytes > max_bytes && fit > 0 {
                break;
            }
            fit += 1;
        }
        drop(db);
        if fit == 0 { Ok(Vec::new()) } else { self.page(which, room, from, fit).await }
    }

    fn bytes(row: &QueryResult) -> Result<i64, DbErr> {
        // PostgreSQL counts in four bytes, SQLite in eight.
        row.try_get("", "bytes").or_else(|_| row.try_get::<i32>("", "bytes").map(i64::from))
    }

    async fn page(
        &self,
        which: &str,
        room: RoomId,
        seq: i64,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        let sql = format!(
            r#"SELECT {EVENT_COLUMNS} FROM event e LEFT JOIN "user" u ON u.id = e.sender
               WHERE e.room = $1 AND {which} LIMIT $3"#
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.events(pages_of(room), sql, vec![room.0.into(), seq.into(), limit.into()]).await
    }

    async fn events(
        &self,
        what: For,
        sql: String,
        values: Vec<Value>,
    ) -> Result<Vec<Event>, StoreError> {
        let db = self.read(what).await?;
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let mut cards = Cards::default();
        let rows = db.query_all_raw(query).await?;
        Ok(rows.iter().map(|row| cards.event(row)).collect::<Result<_, _>>()?)
    }
}

fn pages_of(room: RoomId) -> For {
    if room == CONTROL_ROOM { For::Control } else { For::History }
}
