//! Indexes for acts on messages, and when the token behind a ticket ends. Run by the migrator
//! alone. The indexes hold rare kinds of events only: storing a message costs what it did.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

/// This step.
#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // A message that thousands reacted to must not be read as a whole for the next reaction.
    "CREATE INDEX event_reaction ON event (room, target, author, seq) WHERE kind = 'reaction'",
    "CREATE INDEX event_edit ON event (room, target) WHERE kind = 'edit'",
    // Null in what an older node minted.
    "ALTER TABLE ticket ADD COLUMN token_expires BIGINT",
];

const DOWN: &[&str] = &[
    "ALTER TABLE ticket DROP COLUMN token_expires",
    "DROP INDEX event_edit",
    "DROP INDEX event_reaction",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in UP {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in DOWN {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }
}
