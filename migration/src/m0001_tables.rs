//! The first tables and their indexes. Run by the migrator alone. One text serves both databases:
//! where they differ, `{uuid}`, `{id}` and `{clustered}` stand for each one's own words.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// This step.
#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &[
    r#"CREATE TABLE "user" (
        id {id},
        username TEXT NOT NULL,
        username_key TEXT NOT NULL UNIQUE,
        email TEXT NOT NULL,
        email_key TEXT UNIQUE,
        password_hash TEXT NOT NULL,
        first_name TEXT NOT NULL,
        last_name TEXT NOT NULL,
        is_superuser BOOLEAN NOT NULL,
        disabled_at BIGINT,
        created_at BIGINT NOT NULL,
        last_seen BIGINT
    )"#,
    r#"CREATE TABLE login (
        sid {uuid} NOT NULL PRIMARY KEY,
        user_id BIGINT NOT NULL REFERENCES "user" (id),
        created_at BIGINT NOT NULL,
        revoked_at BIGINT
    )"#,
    "CREATE INDEX login_open ON login (user_id) WHERE revoked_at IS NULL",
    r#"CREATE TABLE room (
        id {uuid} NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        name TEXT,
        name_key TEXT,
        listed BOOLEAN NOT NULL,
        by_guest BOOLEAN NOT NULL,
        created_by BIGINT REFERENCES "user" (id),
        pair_low BIGINT REFERENCES "user" (id),
        pair_high BIGINT REFERENCES "user" (id),
        epoch TEXT NOT NULL,
        last_seq BIGINT NOT NULL,
        member_rev BIGINT NOT NULL,
        user_wrote BOOLEAN NOT NULL,
        created_at BIGINT NOT NULL,
        last_at BIGINT NOT NULL,
        left_at BIGINT,
        closed_at BIGINT
    )"#,
    "CREATE UNIQUE INDEX room_named ON room (name) WHERE kind = 'named' AND closed_at IS NULL",
    "CREATE UNIQUE INDEX room_shh ON room (name) WHERE kind = 'room' AND closed_at IS NULL",
    "CREATE UNIQUE INDEX room_pair ON room (pair_low, pair_high) \
     WHERE kind = 'pair' AND closed_at IS NULL",
    "CREATE INDEX room_key ON room (name_key) WHERE kind = 'named' AND closed_at IS NULL",
    "CREATE INDEX room_left ON room (left_at) WHERE by_guest AND left_at IS NOT NULL",
    r#"CREATE TABLE membership (
        room {uuid} NOT NULL REFERENCES room (id),
        user_id BIGINT NOT NULL REFERENCES "user" (id),
        role TEXT NOT NULL,
        joined_at BIGINT NOT NULL,
        read_seq BIGINT NOT NULL,
        PRIMARY KEY (room, user_id)
    ){clustered}"#,
    "CREATE INDEX membership_user ON membership (user_id)",
    // No foreign keys here: the Writer holds the room's row while it inserts, users are never
    // removed, and a check for each row would cost as much as the row.
    "CREATE TABLE event (
        id {uuid} NOT NULL,
        room {uuid} NOT NULL,
        seq BIGINT NOT NULL,
        kind TEXT NOT NULL,
        author TEXT NOT NULL,
        sender BIGINT,
        nick_name TEXT,
        content TEXT NOT NULL,
        raw TEXT,
        target {uuid},
        client_id TEXT,
        created_at BIGINT NOT NULL,
        edited_at BIGINT,
        deleted_at BIGINT,
        PRIMARY KEY (room, seq)
    ){clustered}",
    "CREATE UNIQUE INDEX event_id ON event (id)",
    // Author last: clients number their messages or take ids that grow with time, so that what
    // many authors send at once lies together.
    "CREATE UNIQUE INDEX event_client ON event (room, client_id, author) \
     WHERE client_id IS NOT NULL",
    "CREATE INDEX event_target ON event (room, target) WHERE target IS NOT NULL",
    r#"CREATE TABLE ban (
        room {uuid} NOT NULL REFERENCES room (id),
        subject TEXT NOT NULL,
        until BIGINT,
        by_user BIGINT REFERENCES "user" (id),
        created_at BIGINT NOT NULL,
        PRIMARY KEY (room, subject)
    ){clustered}"#,
    "CREATE TABLE refresh_token (
        jti {uuid} NOT NULL PRIMARY KEY,
        login {uuid} NOT NULL REFERENCES login (sid),
        issued_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        replaced_by {uuid},
        replaced_at BIGINT
    )",
    "CREATE INDEX refresh_token_login ON refresh_token (login)",
    "CREATE TABLE ticket (
        digest TEXT NOT NULL PRIMARY KEY,
        login {uuid} NOT NULL REFERENCES login (sid),
        expires_at BIGINT NOT NULL
    )",
    r#"CREATE TABLE audit (
        id {id},
        at BIGINT NOT NULL,
        actor BIGINT REFERENCES "user" (id),
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        before TEXT,
        after TEXT,
        ip TEXT
    )"#,
    "CREATE TABLE secret (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
];

/// As they must go: whoever refers to another one first.
const NAMES: &[&str] = &[
    "secret",
    "audit",
    "ticket",
    "refresh_token",
    "ban",
    "event",
    "membership",
    "room",
    "login",
    "\"user\"",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (uuid, id, clustered) = match manager.get_database_backend() {
            DbBackend::Sqlite => ("BLOB", "INTEGER PRIMARY KEY AUTOINCREMENT", " WITHOUT ROWID"),
            _ => ("UUID", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", ""),
        };
        for table in TABLES {
            let sql =
                table.replace("{uuid}", uuid).replace("{id}", id).replace("{clustered}", clustered);
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in NAMES {
            let sql = format!("DROP TABLE {name}");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}
