//! How far rooms have got according to the database: the check that finds what no hint told. Asked
//! by the registry, for many rooms at a time.

use entity::room;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{For, Store, StoreError};
use crate::domain::RoomId;

/// Rooms in one question.
pub const POSITIONS_AT_A_TIME: usize = 500;

/// Where a room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which.
    pub room: RoomId,
    /// Its newest event.
    pub last_seq: i64,
    /// How often its members changed.
    pub member_rev: i64,
    /// It was closed.
    pub is_closed: bool,
}

impl Store {
    /// Where these rooms are; those that are not there any more are left out. At most
    /// [`POSITIONS_AT_A_TIME`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn positions(&self, rooms: &[RoomId]) -> Result<Vec<Position>, StoreError> {
        let db = self.read(For::Rooms).await?;
        let rows: Vec<(uuid::Uuid, i64, i64, Option<i64>)> = room::Entity::find()
            .select_only()
            .columns([
                room::Column::Id,
                room::Column::LastSeq,
                room::Column::MemberRev,
                room::Column::ClosedAt,
            ])
            .filter(room::Column::Id.is_in(rooms.iter().map(|room| room.0)))
            .into_tuple()
            .all(&*db)
            .await?;
        let position = |(id, last_seq, member_rev, closed_at): (_, _, _, Option<i64>)| Position {
            room: RoomId(id),
            last_seq,
            member_rev,
            is_closed: closed_at.is_some(),
        };
        Ok(rows.into_iter().map(position).collect())
    }
}
