//! An account. Read and written by the store alone; must not reach a client as it is.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user")]
pub struct Model {
    /// Given by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// As written.
    pub username: String,
    /// What must be unique: compatibility form, case folded.
    pub username_key: String,
    /// Empty when none was given.
    pub email: String,
    /// What must be unique: lower case; none when there is no address.
    pub email_key: Option<String>,
    /// PHC string of argon2id.
    pub password_hash: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// An admin.
    pub is_superuser: bool,
    /// Microseconds; since when the account is off.
    pub disabled_at: Option<i64>,
    /// Microseconds.
    pub created_at: i64,
    /// Microseconds; last online.
    pub last_seen: Option<i64>,
}

/// None are declared: the store joins by hand, where it shows.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
