//! A room of any kind. Read and written by the store alone; `last_seq` and `member_rev` change
//! only in the transaction that stores the events they count.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "room")]
pub struct Model {
    /// Version 7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `named`, `room`, `chat`, `pair` or `control`.
    pub kind: String,
    /// None for pairs and `control`.
    pub name: Option<String>,
    /// Of a named room: the key a user name would have.
    pub name_key: Option<String>,
    /// Stays in lists when nobody is in it.
    pub listed: bool,
    /// Made without an account.
    pub by_guest: bool,
    /// The user who made it.
    pub created_by: Option<i64>,
    /// Of a pair: the smaller user id.
    pub pair_low: Option<i64>,
    /// Of a pair: the larger user id.
    pub pair_high: Option<i64>,
    /// Changes when the store is replaced.
    pub epoch: String,
    /// `seq` of its newest event, 0 when there is none.
    pub last_seq: i64,
    /// Grows with each change of members or bans.
    pub member_rev: i64,
    /// Whether a user ever wrote in it.
    pub user_wrote: bool,
    /// Microseconds.
    pub created_at: i64,
    /// Microseconds; time of its newest event, or of its making.
    pub last_at: i64,
    /// Microseconds; when the last one left; none while somebody is in it.
    pub left_at: Option<i64>,
    /// Microseconds; when it was deleted or closed.
    pub closed_at: Option<i64>,
}

/// None are declared: the store joins by hand, where it shows.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
