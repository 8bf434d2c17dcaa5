//! Rooms: made, found, listed, closed. Called by the registry and whoever shows rooms. Must not
//! touch `last_seq` nor decide who may do what.

use entity::room;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Order, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};
use serde_json::json;
use uuid::Uuid;

use super::error::unique_violation;
use super::rows::room_row;
use super::{For, Store, StoreError, audit};
use crate::domain::names::user_key;
use crate::domain::{
    Action, Deed, RoomId, RoomKind, RoomName, RoomRow, Target, Timestamp, UserId, ids,
};

/// The one hidden room of acts on users and logins; the same id in every database.
pub const CONTROL_ROOM: RoomId = RoomId(Uuid::from_u128(0x0192_f7a0_0000_7000_8000_0000_0000_0001));

/// The name under which the text is kept that new rooms take as their epoch.
const EPOCH: &str = "epoch";

/// A room about to be made.
pub(super) struct NewRoom<'a> {
    pub id: RoomId,
    pub kind: RoomKind,
    pub name: Option<&'a RoomName>,
    pub listed: bool,
    pub by: Option<UserId>,
    /// The smaller and the larger user id.
    pub pair: Option<(i64, i64)>,
    pub now: Timestamp,
}

impl Store {
    /// By id, closed ones too.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn room(&self, id: RoomId) -> Result<Option<RoomRow>, StoreError> {
        let db = self.read(For::Rooms).await?;
        let row = room::Entity::find_by_id(id.0).one(&*db).await?;
        Ok(row.map(room_row).transpose()?)
    }

    /// Open `named` room of that name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn named_room(&self, name: &RoomName) -> Result<Option<RoomRow>, StoreError> {
        Ok(open_room(&*self.read(For::Rooms).await?, RoomKind::Named, name.as_str()).await?)
    }

    /// Open shh room (`kind = room`) of that name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn shh_room(&self, name: &str) -> Result<Option<RoomRow>, StoreError> {
        Ok(open_room(&*self.read(For::Rooms).await?, RoomKind::Room, name).await?)
    }

    /// The named room, made when missing; whether it was made now. `by`: none for guests. A room
    /// that is there becomes listed when `listed` asks for it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_named(
        &self,
        name: &RoomName,
        by: Option<UserId>,
        listed: bool,
        now: Timestamp,
    ) -> Result<(RoomRow, bool), StoreError> {
        let mut made = false;
        let mut row = self.named_room(name).await?;
        if row.is_none() {
            let id = RoomId(ids::at(now));
            let new = NewRoom {
                id,
                kind: RoomKind::Named,
                name: Some(name),
                listed,
                by,
                pair: None,
                now,
            };
            let db = self.write().await?;
            made = insert_or_ignore(&*db, &new).await?;
            row = open_room(&*db, RoomKind::Named, name.as_str()).await?;
        }
        // Closed between the two statements by somebody else: asked again it will be made anew.
        let mut row = row.ok_or(StoreError::Busy)?;
        if listed && !row.listed {
            let db = self.write().await?;
            room::Entity::update_many()
                .col_expr(room::Column::Listed, Expr::value(true))
                .filter(room::Column::Id.eq(row.id.0))
                .exec(&*db)
                .await?;
            row.listed = true;
        }
        Ok((row, made))
    }

    /// Listed open named rooms by name, after `after`; those closed to guests only when
    /// `for_users`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn listed_rooms(
        &self,
        for_users: bool,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<RoomRow>, StoreError> {
        let mut which = open(RoomKind::Named).add(room::Column::Listed.eq(true));
        if !for_users {
            which = which.add(room::Column::ByGuest.eq(true));
        }
        // By its bytes, as the live rooms are sorted that this list is merged with.
        let name = match self.inner.read.get_database_backend() {
            DbBackend::Postgres => Expr::cust(r#""room"."name" COLLATE "C""#),
            _ => room::Column::Name.into_expr(),
        };
        if let Some(after) = after {
            which = which.add(name.clone().gt(after));
        }
        let db = self.read(For::Rooms).await?;
        let rows = room::Entity::find()
            .filter(which)
            .order_by(name, Order::Asc)
            .limit(limit)
            .all(&*db)
            .await?;
        Ok(rows.into_iter().map(room_row).collect::<Result<_, _>>()?)
    }

    /// Open rooms in which the user is a member, of these kinds, most recently active first; the
    /// cursor is the id of the last row seen.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rooms_of(
        &self,
        user: UserId,
        kinds: &[RoomKind],
        after: Option<RoomId>,
        limit: u64,
    ) -> Result<Vec<RoomRow>, StoreError> {
        let last = match after {
            Some(id) => {
                let db = self.read(For::Rooms).await?;
                room::Entity::find_by_id(id.0).one(&*db).await?
            }
            None => None,
        };
        let (last_at, last_id) =
            last.map_or((i64::MAX, Uuid::max()), |last| (last.last_at, last.id));
        let kinds: Vec<_> = kinds.iter().map(|kind| format!("'{}'", kind.as_str())).collect();
        let sql = format!(
            "SELECT r.* FROM membership m JOIN room r ON r.id = m.room
             WHERE m.user_id = $1 AND r.closed_at IS NULL AND r.kind IN ({})
               AND (r.last_at < $2 OR (r.last_at = $2 AND r.id < $3))
             ORDER BY r.last_at DESC, r.id DESC LIMIT $4",
            kinds.join(", ")
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let db = self.read(For::Rooms).await?;
        let values = [user.0.into(), last_at.into(), last_id.into(), limit.into()];
        let rows = room::Entity::find()
            .from_raw_sql(Statement::from_sql_and_values(db.get_database_backend(), sql, values))
            .all(&*db)
            .await?;
        Ok(rows.into_iter().map(room_row).collect::<Result<_, _>>()?)
    }

    /// Gives an open room another name.
    ///
    /// # Errors
    /// `Missing("room")`; `Taken("name")` where names are unique.
    pub async fn rename_room(&self, room: RoomId, name: &RoomName) -> Result<(), StoreError> {
        let db = self.write().await?;
        let changed = room::Entity::update_many()
            .col_expr(room::Column::Name, Expr::value(name.as_str()))
            .filter(room::Column::Id.eq(room.0))
            .filter(room::Column::ClosedAt.is_null())
            .exec(&*db)
            .await
            .map_err(|error| match unique_violation(&error) {
                Some(_) => StoreError::Taken("name"),
                None => error.into(),
            })?;
        if changed.rows_affected == 0 { Err(StoreError::Missing("room")) } else { Ok(()) }
    }

    /// Sets `closed_at`, by an admin's `deed` with its record; false when it was closed or is not
    /// there. `member_rev` grows, so that who looks for that alone learns of it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn close_room(
        &self,
        room: RoomId,
        now: Timestamp,
        deed: Option<&Deed>,
    ) -> Result<bool, StoreError> {
        let (_turn, closing) = self.begin().await?;
        let changed = room::Entity::update_many()
            .col_expr(room::Column::ClosedAt, Expr::value(now.micros()))
            .col_expr(room::Column::MemberRev, Expr::col(room::Column::MemberRev).add(1))
            .filter(room::Column::Id.eq(room.0))
            .filter(room::Column::ClosedAt.is_null())
            .exec(&closing)
            .await?;
        if changed.rows_affected == 0 {
            return Ok(false);
        }
        if let Some(deed) = deed {
            let at = |at: Option<Timestamp>| Some(json!({ "closed_at": at }));
            let target = Target::Room(room);
            let record = deed.was(Action::CloseRoom, target, at(None), at(Some(now)));
            audit::insert(&closing, &record).await?;
        }
        closing.commit().await?;
        Ok(true)
    }

    /// Gives every room, and those made later, a new epoch: clients that resume start over. For a
    /// restored backup.
    ///
    /// # Errors
    /// When the database does not answer; nothing has changed then.
    pub async fn new_epochs(&self) -> Result<(), StoreError> {
        let (_turn, changing) = self.begin().await?;
        let epoch = ids::random().simple().to_string();
        let backend = changing.get_database_backend();
        for sql in
            ["UPDATE secret SET value = $1 WHERE name = 'epoch'", "UPDATE room SET epoch = $1"]
        {
            let values = [epoch.as_str().into()];
            changing.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        }
        Ok(changing.commit().await?)
    }
}

/// Makes what new rooms take as their epoch, and the room `control`.
pub(super) async fn make_control(db: &impl ConnectionTrait, now: Timestamp) -> Result<(), DbErr> {
    let candidate = ids::random().simple().to_string();
    super::logins::keep_secret(db, EPOCH, &candidate).await?;
    let kind = RoomKind::Control;
    let new =
        NewRoom { id: CONTROL_ROOM, kind, name: None, listed: false, by: None, pair: None, now };
    insert_or_ignore(db, &new).await?;
    Ok(())
}

/// Makes a room unless a unique index has one in its place; whether it did.
pub(super) async fn insert_or_ignore(
    db: &impl ConnectionTrait,
    new: &NewRoom<'_>,
) -> Result<bool, DbErr> {
    let (low, high) = new.pair.unzip();
    let key = (new.kind == RoomKind::Named)
        .then(|| new.name.map(|name| user_key(name.as_str())))
        .flatten();
    let made = db
        .execute_raw(Statement::from_sql_and_values(
            db.get_database_backend(),
            "INSERT INTO room (id, kind, name, name_key, listed, by_guest, created_by, pair_low,
                pair_high, epoch, last_seq, member_rev, user_wrote, created_at, last_at, left_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
                (SELECT value FROM secret WHERE name = 'epoch'), 0, 0, $10, $11, $11, $12)
             ON CONFLICT DO NOTHING",
            [
                new.id.0.into(),
                new.kind.as_str().into(),
                new.name.map(RoomName::as_str).into(),
                key.into(),
                new.listed.into(),
                (new.kind == RoomKind::Named && new.by.is_none()).into(),
                new.by.map(|user| user.0).into(),
                low.into(),
                high.into(),
                false.into(),
                new.now.micros().into(),
                // Nobody is in it until somebody enters.
                new.now.micros().into(),
            ],
        ))
        .await?;
    Ok(made.rows_affected() > 0)
}

/// The open room of that kind and name.
async fn open_room(
    db: &impl ConnectionTrait,
    kind: RoomKind,
    name: &str,
) -> Result<Option<RoomRow>, DbErr> {
    let which = open(kind).add(room::Column::Name.eq(name));
    room::Entity::find().filter(which).one(db).await?.map(room_row).transpose()
}

/// The kind stands in the text of the query, as it does in the partial indexes that serve it.
fn open(kind: RoomKind) -> Condition {
    let kind = Expr::cust(format!("kind = '{}'", kind.as_str()));
    Condition::all().add(kind).add(room::Column::ClosedAt.is_null())
}
