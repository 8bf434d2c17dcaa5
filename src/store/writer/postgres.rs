//! The Writer's statements for PostgreSQL. Called by the ledger alone. Each takes whole columns as
//! arrays, so that its text is the same for every batch and stays prepared.

use sea_orm::QueryResult;
use sea_orm::sqlx::{self, Error, Postgres, Transaction};
use uuid::Uuid;

use super::acts::ReactionKey;
use super::plan::{Key, NewHead};
use crate::domain::{EventId, NewEvent, RoomId};

const LOCK: &str = "SELECT id, last_seq, member_rev, closed_at FROM room WHERE id = ANY($1) \
     ORDER BY id FOR NO KEY UPDATE";

/// The sub-select is a barrier: whatever the planner believes of the table's size, each key is
/// looked up in the index.
const FIRSTS: &str = r#"SELECT e.id, e.room, e.seq, e.kind, e.author, e.nick_name, e.content, e.raw,
        e.target, e.client_id, e.created_at, e.edited_at, e.deleted_at,
        u.id AS user_id, u.username, u.email, u.first_name, u.last_name
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS k (room, author, client_id)
    CROSS JOIN LATERAL (SELECT * FROM event f WHERE f.room = k.room AND f.author = k.author
        AND f.client_id = k.client_id LIMIT 1) e
    LEFT JOIN "user" u ON u.id = e.sender"#;

const MESSAGES: &str = "SELECT e.id, e.room, e.author, e.content, e.deleted_at
    FROM unnest($1::uuid[], $2::uuid[]) AS k (room, id)
    CROSS JOIN LATERAL (SELECT * FROM event f WHERE f.id = k.id LIMIT 1) e
    WHERE e.room = k.room AND e.kind = 'message'";

const REACTIONS: &str = "SELECT e.room, e.target, e.author, e.content, e.raw
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS k (room, target, author, emoji)
    CROSS JOIN LATERAL (SELECT * FROM event f WHERE f.kind = 'reaction' AND f.room = k.room
        AND f.target = k.target AND f.author = k.author AND f.content = k.emoji
        ORDER BY f.seq DESC LIMIT 1) e";

const HEADS: &str = "UPDATE room SET last_seq = k.seq, last_at = k.at, \
        user_wrote = room.user_wrote OR k.wrote \
     FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::bool[]) AS k (id, seq, at, wrote) \
     WHERE room.id = k.id";

const INSERT: &str = "INSERT INTO event (id, room, seq, kind, author, sender, nick_name, content, \
        raw, target, client_id, created_at) \
     SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::text[], $5::text[], $6::int8[], \
        $7::text[], $8::text[], $9::text[], $10::uuid[], $11::text[], $12::int8[])";

type Tx = Transaction<'static, Postgres>;

/// See `Ledger::lock`.
pub(super) async fn lock_heads(tx: &mut Tx, rooms: &[Uuid]) -> Result<Vec<QueryResult>, Error> {
    let rows = sqlx::query(LOCK).bind(rooms).fetch_all(&mut **tx).await?;
    Ok(rows.into_iter().map(QueryResult::from).collect())
}

/// See `Ledger::firsts`.
pub(super) async fn firsts(tx: &mut Tx, keys: &[Key<'_>]) -> Result<Vec<QueryResult>, Error> {
    let rooms: Vec<Uuid> = keys.iter().map(|key| key.0.0).collect();
    let authors: Vec<String> = keys.iter().map(|key| key.1.to_string()).collect();
    let client_ids: Vec<&str> = keys.iter().map(|key| key.2).collect();
    let query = sqlx::query(FIRSTS).bind(rooms).bind(authors).bind(client_ids);
    let rows = query.fetch_all(&mut **tx).await?;
    Ok(rows.into_iter().map(QueryResult::from).collect())
}

/// See `Ledger::messages`.
pub(super) async fn messages(
    tx: &mut Tx,
    targets: &[(RoomId, EventId)],
) -> Result<Vec<QueryResult>, Error> {
    let rooms: Vec<Uuid> = targets.iter().map(|(room, _)| room.0).collect();
    let ids: Vec<Uuid> = targets.iter().map(|(_, id)| id.0).collect();
    let rows = sqlx::query(MESSAGES).bind(rooms).bind(ids).fetch_all(&mut **tx).await?;
    Ok(rows.into_iter().map(QueryResult::from).collect())
}

/// See `Ledger::reactions`.
pub(super) async fn reactions(
    tx: &mut Tx,
    keys: &[ReactionKey<'_>],
) -> Result<Vec<QueryResult>, Error> {
    let rooms: Vec<Uuid> = keys.iter().map(|key| key.0.0).collect();
    let targets: Vec<Uuid> = keys.iter().map(|key| key.1.0).collect();
    let authors: Vec<String> = keys.iter().map(|key| key.2.to_string()).collect();
    let emojis: Vec<&str> = keys.iter().map(|key| key.3).collect();
    let query = sqlx::query(REACTIONS).bind(rooms).bind(targets).bind(authors).bind(emojis);
    let rows = query.fetch_all(&mut **tx).await?;
    Ok(rows.into_iter().map(QueryResult::from).collect())
}

/// See `Ledger::append`.
pub(super) async fn append(
    tx: &mut Tx,
    heads: &[NewHead],
    rows: &[(i64, &NewEvent)],
) -> Result<(), Error> {
    sqlx::query(HEADS)
        .bind(heads.iter().map(|head| head.room.0).collect::<Vec<_>>())
        .bind(heads.iter().map(|head| head.last_seq).collect::<Vec<_>>())
        .bind(heads.iter().map(|head| head.last_at).collect::<Vec<_>>())
        .bind(heads.iter().map(|head| head.user_wrote).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await?;
    sqlx::query(INSERT)
        .bind(column(rows, |event| event.id.0))
        .bind(column(rows, |event| event.room.0))
        .bind(rows.iter().map(|(seq, _)| *seq).collect::<Vec<_>>())
        .bind(column(rows, |event| event.kind.as_str()))
        .bind(column(rows, |event| event.author.to_string()))
        .bind(column(rows, |event| event.author.user().map(|user| user.0)))
        .bind(column(rows, |event| event.nick_name.as_deref()))
        .bind(column(rows, |event| event.content.as_str()))
        .bind(column(rows, |event| event.raw.as_deref()))
        .bind(column(rows, |event| event.target.map(|target| target.0)))
        .bind(column(rows, |event| event.client_id.as_deref()))
        .bind(column(rows, |event| event.created_at.micros()))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// One column of all rows.
fn column<'a, T>(rows: &[(i64, &'a NewEvent)], of: impl Fn(&'a NewEvent) -> T) -> Vec<T> {
    rows.iter().map(|(_, event)| of(event)).collect()
}
