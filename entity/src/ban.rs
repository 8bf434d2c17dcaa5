//! Who may not enter a room. Read and written by the store alone; a new one raises the room's
//! `member_rev`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ban")]
pub struct Model {
    /// Where.
    #[sea_orm(primary_key, auto_increment = false)]
    pub room: Uuid,
    /// `u:7`, `g:<uuid>` or `ip:<address>`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// Microseconds; none: for ever.
    pub until: Option<i64>,
    /// The admin who set it.
    pub by_user: Option<i64>,
    /// Microseconds.
    pub created_at: i64,
}

/// None are declared: the store joins by hand, where it shows.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
