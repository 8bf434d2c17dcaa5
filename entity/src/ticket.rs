//! A ticket that opens one socket once. Read and written by the store alone; holds a digest,
//! never the ticket.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ticket")]
pub struct Model {
    /// SHA-256 of the ticket, in hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: String,
    /// By which login.
    pub login: Uuid,
    /// Microseconds.
    pub expires_at: i64,
    /// Microseconds; when the access token ends that bought it.
    pub token_expires: Option<i64>,
}

/// None are declared: the store joins by hand, where it shows.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
