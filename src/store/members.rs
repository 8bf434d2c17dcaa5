//! Rooms that have members, and who they are. Called by the registry, rooms and whoever shows
//! them. Changes of members after a room is made go through the Writer, never through here.

use std::collections::{BTreeSet, HashMap};

use entity::{ban, membership, room, user};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, Statement,
};
use uuid::Uuid;

use super::error::foreign_key_violation;
use super::rooms::{NewRoom, insert_or_ignore};
use super::rows::{Cards, role, room_row};
use super::{For, MemberRow, RoomRows, Store, StoreError};
use crate::domain::{Ban, Role, RoomId, RoomKind, RoomName, RoomRow, Timestamp, UserId, ids};

impl Store {
    /// An shh room with its first member.
    ///
    /// # Errors
    /// `Taken("name")` when there is an open one; `Missing("user")`.
    pub async fn create_shh_room(
        &self,
        name: &RoomName,
        owner: UserId,
        now: Timestamp,
    ) -> Result<RoomRow, StoreError> {
        self.create(RoomKind::Room, name, owner, &[], now).await
    }

    /// A group; the owner is its first member.
    ///
    /// # Errors
    /// `Missing("user")` for an unknown member.
    pub async fn create_group(
        &self,
        name: &RoomName,
        owner: UserId,
        members: &[UserId],
        now: Timestamp,
    ) -> Result<RoomRow, StoreError> {
        self.create(RoomKind::Chat, name, owner, members, now).await
    }

    async fn create(
        &self,
        kind: RoomKind,
        name: &RoomName,
        owner: UserId,
        members: &[UserId],
        now: Timestamp,
    ) -> Result<RoomRow, StoreError> {
        let others: BTreeSet<i64> =
            members.iter().filter(|id| **id != owner).map(|id| id.0).collect();
        let everybody = others.iter().copied().chain([owner.0]);
        let (_turn, making) = self.begin().await?;
        let known =
            user::Entity::find().filter(user::Column::Id.is_in(everybody)).count(&making).await?;
        if usize::try_from(known) != Ok(others.len() + 1) {
            return Err(StoreError::Missing("user"));
        }
        let id = RoomId(ids::at(now));
        let by = Some(owner);
        let new = NewRoom { id, kind, name: Some(name), listed: false, by, pair: None, now };
        if !insert_or_ignore(&making, &new).await? {
            return Err(StoreError::Taken("name"));
        }
        let others = others.into_iter().map(|user| (user, Role::Member));
        let everybody: Vec<_> = std::iter::once((owner.0, Role::Owner)).chain(others).collect();
        insert_members(&making, id, &everybody, now).await?;
        let row = find(&making, Condition::all().add(room::Column::Id.eq(id.0))).await?;
        making.commit().await?;
        row.ok_or(StoreError::Missing("room"))
    }

    /// The open private chat of two users.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pair(&self, a: UserId, b: UserId) -> Result<Option<RoomRow>, StoreError> {
        Ok(find(&*self.read(For::Rooms).await?, pair_of(a, b)).await?)
    }

    /// The one private chat of two users, made when missing; whether it was made now.
    ///
    /// # Errors
    /// `Missing("user")` when one of them does not exist.
    pub async fn open_pair(
        &self,
        a: UserId,
        b: UserId,
        now: Timestamp,
    ) -> Result<(RoomRow, bool), StoreError> {
        if let Some(row) = self.pair(a, b).await? {
            return Ok((row, false));
        }
        let (low, high) = sorted(a, b);
        let (_turn, making) = self.begin().await?;
        let id = RoomId(ids::at(now));
        let (kind, pair) = (RoomKind::Pair, Some((low, high)));
        let new = NewRoom { id, kind, name: None, listed: false, by: Some(a), pair, now };
        let made = insert_or_ignore(&making, &new).await.map_err(missing_user)?;
        if made {
            let both = [(low, Role::Member), (high, Role::Member)];
            insert_members(&making, id, &both, now).await?;
        }
        let row = find(&making, pair_of(a, b)).await?;
        making.commit().await?;
        // Closed by somebody else in between: asked again it will be made anew.
        Ok((row.ok_or(StoreError::Busy)?, made))
    }

    /// Longest member first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn members(&self, room: RoomId) -> Result<Vec<MemberRow>, StoreError> {
        Ok(self.members_of(&[room]).await?.remove(&room).unwrap_or_default())
    }

    /// A room with all that it must know to live: its row first, so that members and bans are at
    /// least as new as its `member_rev`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn room_rows(
        &self,
        room: RoomId,
        now: Timestamp,
    ) -> Result<Option<RoomRows>, StoreError> {
        let Some(row) = self.room(room).await? else { return Ok(None) };
        let has_members = row.kind.has_members();
        let members = if has_members { self.members(room).await? } else { Vec::new() };
        // Each ban raised it.
        let has_bans = row.member_rev > 0;
        let bans = if has_bans {
            bans(&*self.read(For::Rooms).await?, room, now).await?
        } else {
            Vec::new()
        };
        Ok(Some(RoomRows { row, members, bans }))
    }

    /// The members of several rooms, longest first; rooms without any are not in the map.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn members_of(
        &self,
        rooms: &[RoomId],
    ) -> Result<HashMap<RoomId, Vec<MemberRow>>, StoreError> {
        Ok(members_of(&*self.read(For::Rooms).await?, rooms).await?)
    }

    /// As what the user is a member, if he is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn role(&self, room: RoomId, user: UserId) -> Result<Option<Role>, StoreError> {
        let db = self.read(For::Rooms).await?;
        let row = membership::Entity::find_by_id((room.0, user.0)).one(&*db).await?;
        Ok(row.map(|row| role(&row.role)).transpose()?)
    }

    /// A ban in force for one of these subjects (`u:7`, `g:<uuid>`, `ip:<address>`).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn banned(
        &self,
        room: RoomId,
        subjects: &[String],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if subjects.is_empty() {
            return Ok(false);
        }
        Ok(banned(&*self.read(For::Rooms).await?, room, subjects, now).await?)
    }
}

/// The bans of a room that are in force at `now`.
pub(super) async fn bans(
    db: &impl ConnectionTrait,
    room: RoomId,
    now: Timestamp,
) -> Result<Vec<Ban>, DbErr> {
    let rows = ban::Entity::find()
        .filter(ban::Column::Room.eq(room.0))
        .filter(in_force(now))
        .all(db)
        .await?;
    let ban = |row: ban::Model| {
        let until = row.until.map(Timestamp::from_micros);
        // What a later version bans by, this one can't hold against anybody.
        row.subject.parse().ok().map(|subject| Ban { subject, until })
    };
    Ok(rows.into_iter().filter_map(ban).collect())
}

/// Whether one of these subjects is banned at `now`.
pub(super) async fn banned(
    db: &impl ConnectionTrait,
    room: RoomId,
    subjects: &[String],
    now: Timestamp,
) -> Result<bool, DbErr> {
    let found = ban::Entity::find()
        .filter(ban::Column::Room.eq(room.0))
        .filter(ban::Column::Subject.is_in(subjects))
        .filter(in_force(now))
        .count(db)
        .await?;
    Ok(found > 0)
}

fn in_force(now: Timestamp) -> Condition {
    Condition::any().add(ban::Column::Until.is_null()).add(ban::Column::Until.gt(now.micros()))
}

/// See [`Store::members_of`].
pub(super) async fn members_of(
    db: &impl ConnectionTrait,
    rooms: &[RoomId],
) -> Result<HashMap<RoomId, Vec<MemberRow>>, DbErr> {
    let mut found: HashMap<RoomId, Vec<MemberRow>> = HashMap::new();
    if rooms.is_empty() {
        return Ok(found);
    }
    let places: Vec<_> = (1..=rooms.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        r#"SELECT m.room, m.role, m.joined_at, m.read_seq,
                  u.id AS user_id, u.username, u.email, u.first_name, u.last_name
           FROM membership m JOIN "user" u ON u.id = m.user_id WHERE m.room IN ({})
           ORDER BY m.joined_at,
                    CASE m.role WHEN 'owner' THEN 0 WHEN 'admin' THEN 1 ELSE 2 END, m.user_id"#,
        places.join(", ")
    );
    let values: Vec<sea_orm::Value> = rooms.iter().map(|room| room.0.into()).collect();
    let query = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let mut cards = Cards::default();
    for row in db.query_all_raw(query).await? {
        let Some(card) = cards.card(&row)? else { continue };
        let member = MemberRow {
            card,
            role: role(&row.try_get::<String>("", "role")?)?,
            joined_at: Timestamp::from_micros(row.try_get("", "joined_at")?),
            read_seq: row.try_get("", "read_seq")?,
        };
        found.entry(RoomId(row.try_get::<Uuid>("", "room")?)).or_default().push(member);
    }
    Ok(found)
}

/// First members of a room that was just made.
async fn insert_members(
    making: &DatabaseTransaction,
    room: RoomId,
    members: &[(i64, Role)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = members.iter().map(|(user, role)| membership::ActiveModel {
        room: Set(room.0),
        user_id: Set(*user),
        role: Set(role.as_str().to_owned()),
        joined_at: Set(now.micros()),
        read_seq: Set(0),
    });
    let done = membership::Entity::insert_many(rows).exec_without_returning(making).await;
    done.map_err(missing_user)?;
    Ok(())
}

/// Smaller id first, as a private chat's row has them.
fn sorted(a: UserId, b: UserId) -> (i64, i64) {
    (a.0.min(b.0), a.0.max(b.0))
}

fn pair_of(a: UserId, b: UserId) -> Condition {
    let (low, high) = sorted(a, b);
    Condition::all()
        .add(Expr::cust("kind = 'pair'"))
        .add(room::Column::ClosedAt.is_null())
        .add(room::Column::PairLow.eq(low))
        .add(room::Column::PairHigh.eq(high))
}

async fn find(db: &impl ConnectionTrait, which: Condition) -> Result<Option<RoomRow>, DbErr> {
    room::Entity::find().filter(which).one(db).await?.map(room_row).transpose()
}

/// The only keys that a new room or member can lack are users.
fn missing_user(error: DbErr) -> StoreError {
    if foreign_key_violation(&error) { StoreError::Missing("user") } else { error.into() }
}
