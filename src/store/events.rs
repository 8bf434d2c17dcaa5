//! Pages of a room's history. Called by rooms, REST and whoever fills a gap. Every page is one
//! stretch of the `(room, seq)` tree, so its cost does not depend on the room's length.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, Statement, Value};

use super::rows::{Cards, EVENT_COLUMNS};
use super::{CONTROL_ROOM, For, Store, StoreError};
use crate::domain::{Event, RoomId};

/// Rows fetched at a time where bytes are bounded: what is read beyond the bound is thrown away.
const STEP: u64 = 64;

impl Store {
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
        let db = self.read(For::History);
        let sql = "SELECT seq FROM event WHERE room = $1 ORDER BY seq LIMIT 1";
        let values = [room.0.into()];
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let row = db.query_one_raw(query).await?;
        Ok(row.map(|row| row.try_get("", "seq")).transpose()?)
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
    /// at least one where there is one.
    async fn bounded(
        &self,
        which: &str,
        room: RoomId,
        from: i64,
        limit: u64,
        max_bytes: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let mut events: Vec<Event> = Vec::new();
        let mut bytes = 0;
        loop {
            let left = limit - events.len() as u64;
            let from = events.last().map_or(from, |event| event.seq);
            let step = left.min(STEP);
            let page = self.page(which, room, from, step).await?;
            let last = page.len() as u64 == left || (page.len() as u64) < step;
            for event in page {
                bytes += event.content.len() + event.raw.as_ref().map_or(0, String::len);
                if bytes > max_bytes && !events.is_empty() {
                    return Ok(events);
                }
                events.push(event);
            }
            if last {
                return Ok(events);
            }
        }
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
        let what = if room == CONTROL_ROOM { For::Control } else { For::History };
        self.events(what, sql, vec![room.0.into(), seq.into(), limit.into()]).await
    }

    async fn events(
        &self,
        what: For,
        sql: String,
        values: Vec<Value>,
    ) -> Result<Vec<Event>, StoreError> {
        let db = self.read(what);
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let mut cards = Cards::default();
        let rows = db.query_all_raw(query).await?;
        Ok(rows.iter().map(|row| cards.event(row)).collect::<Result<_, _>>()?)
    }
}
