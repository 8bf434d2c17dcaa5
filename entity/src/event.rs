//! A durable event of a room. Appended by the store's Writer alone; the database keeps it under
//! `(room, seq)`, so that a page of history is one stretch of one tree.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// Version 7; unique.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Where.
    pub room: Uuid,
    /// Its place: 1, 2, 3, … without gaps.
    pub seq: i64,
    /// `message`, `edit`, `delete`, `reaction`, `member` or `act`.
    pub kind: String,
    /// `u:7` or `g:<uuid>`.
    pub author: String,
    /// The user; none for guests.
    pub sender: Option<i64>,
    /// The name a guest gave himself.
    pub nick_name: Option<String>,
    /// The text; JSON for members and acts.
    pub content: String,
    /// A guest's JSON value as sent.
    pub raw: Option<String>,
    /// The message it is about.
    pub target: Option<Uuid>,
    /// The sender's own id for it.
    pub client_id: Option<String>,
    /// Microseconds.
    pub created_at: i64,
    /// Microseconds.
    pub edited_at: Option<i64>,
    /// Microseconds.
    pub deleted_at: Option<i64>,
}

/// None are declared: the store joins by hand, where it shows.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
