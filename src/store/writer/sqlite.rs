//! The Writer's statements for SQLite. Called by the ledger alone. Each has texts for a few numbers
//! of rows, which stay prepared; a batch takes the next larger one, whose last rows are then null
//! and mean nothing, so that it costs one hop to the driver's thread. `OR FAIL` spares the journal
//! that would undo half a statement: whoever meets an error ends the transaction.

use std::sync::{Arc, LazyLock};

use sea_orm::QueryResult;
use sea_orm::sqlx::sqlite::SqliteArguments;
use sea_orm::sqlx::{self, AssertSqlSafe, Error, Sqlite, Transaction};
use uuid::Uuid;

use super::acts::ReactionKey;
use super::plan::{Key, NewHead};
use crate::domain::{EventId, NewEvent, RoomId};
use crate::store::rows::EVENT_COLUMNS;

/// Rows in one statement. A few texts of each kind: the driver keeps 100 prepared.
const SIZES: [usize; 8] = [1, 4, 16, 32, 64, 128, 256, 512];

const MOST: usize = SIZES[SIZES.len() - 1];

type Tx = Transaction<'static, Sqlite>;
type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;
/// One text for each of [`SIZES`].
type Texts = LazyLock<[Arc<str>; SIZES.len()]>;

static HEADS: Texts = LazyLock::new(|| {
    texts("?", |places| {
        format!("SELECT id, last_seq, member_rev, closed_at FROM room WHERE id IN ({places})")
    })
});

/// `CROSS JOIN` holds the order: each key is looked up in the index.
static FIRSTS: Texts = LazyLock::new(|| {
    texts("(?, ?, ?)", |places| {
        format!(
            r#"SELECT {EVENT_COLUMNS} FROM (VALUES {places}) k CROSS JOIN event e
                   ON e.room = k.column1 AND e.author = k.column2 AND e.client_id = k.column3
               LEFT JOIN "user" u ON u.id = e.sender"#
        )
    })
});

static MESSAGES: Texts = LazyLock::new(|| {
    texts("(?, ?)", |places| {
        format!(
            "SELECT e.id, e.room, e.author, e.content, e.deleted_at
             FROM (VALUES {places}) k CROSS JOIN event e
                 ON e.id = k.column2 AND e.room = k.column1 AND e.kind = 'message'"
        )
    })
});

/// Without statistics SQLite would rather read the room from its end than this index.
static REACTIONS: Texts = LazyLock::new(|| {
    texts("(?, ?, ?, ?)", |places| {
        format!(
            "SELECT e.room, e.target, e.author, e.content, e.raw
             FROM (VALUES {places}) k CROSS JOIN event e
                 ON e.room = k.column1 AND e.seq = (SELECT n.seq
                     FROM event n INDEXED BY event_reaction
                     WHERE n.kind = 'reaction' AND n.room = k.column1 AND n.target = k.column2
                         AND n.author = k.column3 AND n.content = k.column4
                     ORDER BY n.seq DESC LIMIT 1)"
        )
    })
});

static NEW_HEADS: Texts = LazyLock::new(|| {
    texts("(?, ?, ?, ?)", |places| {
        format!(
            "UPDATE OR FAIL room SET last_seq = k.column2, last_at = k.column3,
                 user_wrote = user_wrote OR k.column4
             FROM (VALUES {places}) k WHERE room.id = k.column1"
        )
    })
});

static INSERT: Texts = LazyLock::new(|| {
    texts("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", |places| {
        format!(
            "INSERT OR FAIL INTO event (id, room, seq, kind, author, sender, nick_name, content, raw,
                 target, client_id, created_at)
             SELECT * FROM (VALUES {places}) k WHERE k.column1 IS NOT NULL"
        )
    })
});

/// See `Ledger::lock`; the lock is the transaction's.
pub(super) async fn heads(tx: &mut Tx, rooms: &[Uuid]) -> Result<Vec<QueryResult>, Error> {
    fetch(tx, &HEADS, rooms, |query, room| query.bind(*room)).await
}

/// See `Ledger::firsts`.
pub(super) async fn firsts(tx: &mut Tx, keys: &[Key<'_>]) -> Result<Vec<QueryResult>, Error> {
    fetch(tx, &FIRSTS, keys, |query, (room, author, client_id)| {
        query.bind(room.0).bind(author.to_string()).bind((*client_id).to_owned())
    })
    .await
}

/// See `Ledger::messages`.
pub(super) async fn messages(
    tx: &mut Tx,
    targets: &[(RoomId, EventId)],
) -> Result<Vec<QueryResult>, Error> {
    fetch(tx, &MESSAGES, targets, |query, (room, id)| query.bind(room.0).bind(id.0)).await
}

/// See `Ledger::reactions`.
pub(super) async fn reactions(
    tx: &mut Tx,
    keys: &[ReactionKey<'_>],
) -> Result<Vec<QueryResult>, Error> {
    fetch(tx, &REACTIONS, keys, |query, (room, target, author, emoji)| {
        query.bind(room.0).bind(target.0).bind(author.to_string()).bind((*emoji).to_owned())
    })
    .await
}

/// See `Ledger::append`.
pub(super) async fn append(
    tx: &mut Tx,
    heads: &[NewHead],
    rows: &[(i64, &NewEvent)],
) -> Result<(), Error> {
    for group in heads.chunks(MOST) {
        let query = bind(&NEW_HEADS, group, |query, head: &NewHead| {
            query.bind(head.room.0).bind(head.last_seq).bind(head.last_at).bind(head.user_wrote)
        });
        query.execute(&mut **tx).await?;
    }
    for group in rows.chunks(MOST) {
        let query = bind(&INSERT, group, |query, (seq, event): &(i64, &NewEvent)| {
            query
                .bind(event.id.0)
                .bind(event.room.0)
                .bind(*seq)
                .bind(event.kind.as_str())
                .bind(event.author.to_string())
                .bind(event.author.user().map(|user| user.0))
                .bind(event.nick_name.clone())
                .bind(event.content.clone())
                .bind(event.raw.clone())
                .bind(event.target.map(|target| target.0))
                .bind(event.client_id.clone())
                .bind(event.created_at.micros())
        });
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

/// Asks for all of `items`, a group at a time.
async fn fetch<T>(
    tx: &mut Tx,
    texts: &Texts,
    items: &[T],
    each: impl for<'q> Fn(Query<'q>, &T) -> Query<'q>,
) -> Result<Vec<QueryResult>, Error> {
    let mut found = Vec::new();
    for group in items.chunks(MOST) {
        let rows = bind(texts, group, &each).fetch_all(&mut **tx).await?;
        found.extend(rows.into_iter().map(QueryResult::from));
    }
    Ok(found)
}

/// The statement for a group of at most [`MOST`]; what it does not fill stays null.
fn bind<'q, T>(texts: &Texts, group: &[T], each: impl Fn(Query<'q>, &T) -> Query<'q>) -> Query<'q> {
    let size = SIZES.partition_point(|size| *size < group.len());
    group.iter().fold(sqlx::query(AssertSqlSafe(Arc::clone(&texts[size]))), each)
}

fn texts(row: &str, text: impl Fn(&str) -> String) -> [Arc<str>; SIZES.len()] {
    SIZES.map(|size| text(&vec![row; size].join(", ")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nobody would see in a small test: a table read as a whole for each batch.
    #[actix::test]
    async fn statements_look_up_rows_by_index() {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = crate::config::StoreSettings {
            database_url: format!("sqlite://{}", directory.path().join("hubbub.db").display()),
            readers: 1,
            max_batch: 1,
            max_waiting: 1,
            keep_days: 0,
        };
        let store = crate::store::Store::open(&settings).await.expect("it opens");
        store.migrate().await.expect("it migrates");
        let pool = sqlx::SqlitePool::connect(&settings.database_url).await.expect("it opens");
        for (texts, index) in [
            (&HEADS, "SEARCH room USING INDEX sqlite_autoindex_room_1 (id=?)"),
            (&FIRSTS, "SEARCH e USING INDEX event_client (room=? AND client_id=? AND author=?)"),
            (&MESSAGES, "SEARCH e USING INDEX event_id (id=? AND room=?)"),
            (&REACTIONS, "SEARCH n USING INDEX event_reaction (room=? AND target=? AND author=?)"),
            (&REACTIONS, "SEARCH e USING PRIMARY KEY (room=? AND seq=?)"),
            (&NEW_HEADS, "SEARCH room USING INDEX sqlite_autoindex_room_1 (id=?)"),
        ] {
            for text in texts.iter() {
                let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
                let rows: Vec<(i64, i64, i64, String)> =
                    sqlx::query_as(sql).fetch_all(&pool).await.expect("a plan");
                let plan: Vec<_> = rows.into_iter().map(|row| row.3).collect();
                assert!(plan.iter().any(|step| step == index), "{plan:#?}");
                let whole = ["SCAN e", "SCAN n", "SCAN room"];
                assert!(!plan.iter().any(|step| whole.contains(&step.as_str())), "{plan:#?}");
            }
        }
    }
}
