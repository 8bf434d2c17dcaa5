//! One login: the `sid` of every token it gave out. Read and written by the store alone; a
//! login is ended, never removed.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "login")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sid: Uuid,
    /// Whose.
    pub user_id: i64,
    /// Microseconds.
    pub created_at: i64,
    /// Microseconds; when it was ended.
    pub revoked_at: Option<i64>,
}

/// None are declared: the store joins by hand, where it shows.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
