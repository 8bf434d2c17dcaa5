//! A refresh token that rotates. Read and written by the store alone; holds what signs the same
//! token again, never a token.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_token")]
pub struct Model {
    /// The token's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub jti: Uuid,
    /// Its `sid`.
    pub login: Uuid,
    /// Microseconds; `iat`.
    pub issued_at: i64,
    /// Microseconds; `exp`.
    pub expires_at: i64,
    /// Its successor.
    pub replaced_by: Option<Uuid>,
    /// Microseconds; when it was used.
    pub replaced_at: Option<i64>,
}

/// None are declared: the store joins by hand, where it shows.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
