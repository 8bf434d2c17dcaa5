//! One change of a room's members: its row, its event and the room's new `member_rev` in one
//! transaction. Called by a lane, in its turn. Must not decide who may do it: the room did, and
//! what it went by is compared here.

use std::time::Instant;

use entity::{event, membership, room, user};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect,
};
use serde_json::json;
use tokio::time::timeout;

use super::batch::{ATTEMPT, LIMIT, patience, pauses, turn_of};
use super::figures::Counters;
use super::short_way::ShortWay;
use super::{ChangeMembers, Changed, MemberChange, MembersChanged, banning};
use crate::domain::{
    Author, Event, EventId, EventKind, NewEvent, Record, Role, RoomId, Subject, Target, UserId, ids,
};
use crate::store::members::{banned, bans, members_of};
use crate::store::rows::role;
use crate::store::{StoreError, UserRow, audit, connect};

/// What was done to the rows.
pub(super) struct Made {
    /// The action's name and whose membership it was, when one changed.
    pub event: Option<(&'static str, UserId)>,
    /// Who has the owner's place by it.
    pub heir: Option<UserId>,
    /// Whether what was checked before must be checked again.
    pub raises: bool,
    /// Of an admin's act.
    pub record: Option<Record>,
}

impl Made {
    const NOTHING: Self = Self { event: None, heir: None, raises: false, record: None };

    const fn of(action: &'static str, who: UserId) -> Self {
        Self { event: Some((action, who)), heir: None, raises: true, record: None }
    }
}

/// What the event of an heir says.
const PROMOTED: &str = "promoted";

/// Makes a change and answers it. One whose commit got no answer is found again by its event.
pub(super) async fn make(
    db: &DatabaseConnection,
    counters: &Counters,
    short: Option<&ShortWay>,
    change: ChangeMembers,
) {
    let since = Instant::now();
    let mut again = false;
    for pause in pauses() {
        let right = timeout(patience(since), turn_of(short)).await;
        let done = match &right {
            Ok(_) => timeout(ATTEMPT, attempt(db, &change, again)).await,
            Err(_) => Ok(Err(StoreError::Busy)),
        };
        drop(right);
        let result = done.unwrap_or(Err(StoreError::Busy));
        if !matches!(result, Err(StoreError::Busy)) || since.elapsed() > LIMIT {
            if let Ok(Changed { event: Some(_), .. }) = result {
                let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
                counters.committed(std::iter::once(micros));
            }
            counters.reach.clear();
            change.reply.do_send(MembersChanged { room: change.room, id: change.id, result });
            return;
        }
        again = true;
        counters.retried();
        tokio::time::sleep(pause).await;
    }
}

async fn attempt(
    db: &DatabaseConnection,
    change: &ChangeMembers,
    again: bool,
) -> Result<Changed, StoreError> {
    let changing = connect::begin(db).await?;
    let row = room::Entity::find_by_id(change.room.0)
        .lock(LockType::NoKeyUpdate)
        .one(&changing)
        .await?
        .filter(|row| row.closed_at.is_none())
        .ok_or(StoreError::Missing("room"))?;
    if again
        && let Some(stored) =
            event::Entity::find().filter(event::Column::Id.eq(change.id.0)).one(&changing).await?
    {
        let event = new_event(&changing, change, stored.content).await?.stored_at(stored.seq);
        let promoted = promoted_with(&changing, change, event.seq).await?;
        return now(&changing, change, (Some(event), promoted), row.member_rev).await;
    }
    if again
        && let Some((deed, action)) = banning::deed(change)
        && audit::holds(&changing, deed, action, Target::Room(change.room)).await?
    {
        return now(&changing, change, (None, None), row.member_rev).await;
    }
    let made = apply(&changing, change, &row).await?;
    if !made.raises && made.record.is_none() {
        return now(&changing, change, (None, None), row.member_rev).await;
    }
    let rev = row.member_rev + i64::from(made.raises);
    let by = change.by.user();
    // By `rev` a room that reads it later knows whether its own rows are as new.
    let words = |action: &str, who: UserId| {
        json!({ "action": action, "user_id": who, "by": by, "rev": rev }).to_string()
    };
    let mut events = (None, None);
    if let Some((action, who)) = made.event {
        let event = new_event(&changing, change, words(action, who)).await?;
        events.0 = Some(event.stored_at(row.last_seq + 1));
        if let Some(heir) = made.heir {
            let next = new_event(&changing, change, words(PROMOTED, heir)).await?;
            let next = NewEvent { id: EventId(ids::at(change.at)), ..next };
            events.1 = Some(next.stored_at(row.last_seq + 2));
        }
    }
    let mut update = room::Entity::update_many()
        .col_expr(room::Column::MemberRev, Expr::value(rev))
        .filter(room::Column::Id.eq(change.room.0));
    for event in [&events.0, &events.1].into_iter().flatten() {
        event::Entity::insert(stored_row(event)).exec_without_returning(&changing).await?;
    }
    if let Some(event) = events.1.as_ref().or(events.0.as_ref()) {
        update = update
            .col_expr(room::Column::LastSeq, Expr::value(event.seq))
            .col_expr(room::Column::LastAt, Expr::value(event.created_at.micros()))
            .col_expr(room::Column::UserWrote, Expr::value(row.user_wrote || by.is_some()));
    }
    update.exec(&changing).await?;
    if let Some(record) = &made.record {
        audit::insert(&changing, record).await?;
    }
    let changed = now(&changing, change, events, rev).await?;
    changing.commit().await?;
    Ok(changed)
}

/// The event of the heir, when the change at `seq`, which was stored before, made one.
async fn promoted_with(
    changing: &DatabaseTransaction,
    change: &ChangeMembers,
    seq: i64,
) -> Result<Option<Event>, StoreError> {
    let next = event::Entity::find()
        .filter(event::Column::Room.eq(change.room.0))
        .filter(event::Column::Seq.eq(seq + 1))
        .filter(event::Column::Kind.eq(EventKind::Member.as_str()))
        .filter(event::Column::CreatedAt.eq(change.at.micros()))
        .one(changing)
        .await?;
    let Some(next) = next.filter(|next| next.content.contains(PROMOTED)) else { return Ok(None) };
    let event = new_event(changing, change, next.content).await?;
    Ok(Some(NewEvent { id: EventId(next.id), ..event }.stored_at(next.seq)))
}

/// Changes the rows.
async fn apply(
    changing: &DatabaseTransaction,
    change: &ChangeMembers,
    row: &room::Model,
) -> Result<Made, StoreError> {
    let room = change.room.0;
    match change.change {
        MemberChange::Add(who) => {
            if user::Entity::find_by_id(who.0).one(changing).await?.is_none() {
                return Err(StoreError::Missing("user"));
            }
            if membership::Entity::find_by_id((room, who.0)).one(changing).await?.is_some() {
                return Ok(Made::NOTHING);
            }
            fence(changing, change, None).await?;
            let subject = Subject::User(who).to_string();
            if banned(changing, change.room, &[subject], change.at).await? {
                return Err(StoreError::Banned);
            }
            let row = membership::ActiveModel {
                room: Set(room),
                user_id: Set(who.0),
                role: Set(Role::Member.as_str().to_owned()),
                joined_at: Set(change.at.micros()),
                read_seq: Set(0),
            };
            membership::Entity::insert(row).exec_without_returning(changing).await?;
            let himself = change.by == Author::User(who);
            Ok(Made::of(if himself { "joined" } else { "added" }, who))
        }
        MemberChange::Remove(who) => {
            let Some(row) = membership::Entity::find_by_id((room, who.0)).one(changing).await?
            else {
                return Ok(Made::NOTHING);
            };
            fence(changing, change, Some(role(&row.role)?)).await?;
            membership::Entity::delete_by_id((room, who.0)).exec(changing).await?;
            let is_owner = row.role == Role::Owner.as_str();
            let heir = if is_owner { pass_on(changing, change.room).await? } else { None };
            let himself = change.by == Author::User(who);
            Ok(Made { heir, ..Made::of(if himself { "left" } else { "removed" }, who) })
        }
        MemberChange::Ban(new) => banning::ban(changing, change, row, new).await,
        MemberChange::Unban(subject) => banning::unban(changing, change, subject).await,
    }
}

/// Whether the room, which may not have heard of another node's change yet, went by roles that
/// allow no more than those of now; `subject`: of who would be removed. Whoever removes a plain
/// member need not have known of him.
async fn fence(
    changing: &DatabaseTransaction,
    change: &ChangeMembers,
    subject: Option<Role>,
) -> Result<(), StoreError> {
    let mut by = None;
    if let Some(user) = change.by.user() {
        let row = membership::Entity::find_by_id((change.room.0, user.0)).one(changing).await?;
        by = row.map(|row| role(&row.role)).transpose()?;
    }
    let known = change.roles.subject.unwrap_or(Role::Member);
    let is_fenced = by < change.roles.by || subject > Some(known);
    if is_fenced { Err(StoreError::Fenced) } else { Ok(()) }
}

/// The owner has gone: the longest member takes his place.
pub(super) async fn pass_on(
    changing: &DatabaseTransaction,
    room: RoomId,
) -> Result<Option<UserId>, StoreError> {
    let members = members_of(changing, &[room]).await?;
    let Some(heir) = members.get(&room).and_then(|members| members.first()) else {
        return Ok(None);
    };
    membership::Entity::update_many()
        .col_expr(membership::Column::Role, Expr::value(Role::Owner.as_str()))
        .filter(membership::Column::Room.eq(room.0))
        .filter(membership::Column::UserId.eq(heir.card.id))
        .exec(changing)
        .await?;
    Ok(Some(UserId(heir.card.id)))
}

async fn new_event(
    changing: &DatabaseTransaction,
    change: &ChangeMembers,
    content: String,
) -> Result<NewEvent, StoreError> {
    let sender = match change.by {
        Author::User(id) => user::Entity::find_by_id(id.0).one(changing).await?,
        Author::Guest(_) => None,
    };
    Ok(NewEvent {
        id: change.id,
        room: change.room,
        kind: EventKind::Member,
        author: change.by,
        sender: sender.map(|row| UserRow::from(row).card),
        nick_name: None,
        content,
        raw: None,
        target: None,
        client_id: None,
        created_at: change.at,
    })
}

fn stored_row(event: &Event) -> event::ActiveModel {
    event::ActiveModel {
        id: Set(event.id.0),
        room: Set(event.room.0),
        seq: Set(event.seq),
        kind: Set(event.kind.as_str().to_owned()),
        author: Set(event.author.to_string()),
        sender: Set(event.author.user().map(|user| user.0)),
        nick_name: Set(None),
        content: Set(event.content.clone()),
        raw: Set(None),
        target: Set(None),
        client_id: Set(None),
        created_at: Set(event.created_at.micros()),
        edited_at: Set(None),
        deleted_at: Set(None),
    }
}

/// How things stand inside the transaction.
async fn now(
    changing: &DatabaseTransaction,
    change: &ChangeMembers,
    (event, promoted): (Option<Event>, Option<Event>),
    member_rev: i64,
) -> Result<Changed, StoreError> {
    let room = change.room;
    let members = members_of(changing, &[room]).await?.remove(&room).unwrap_or_default();
    let members = members.iter().map(|member| (UserId(member.card.id), member.role)).collect();
    let bans = bans(changing, room, change.at).await?;
    Ok(Changed { event, promoted, member_rev, members, bans })
}
