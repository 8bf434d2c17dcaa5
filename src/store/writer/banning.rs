//! Bans within a change of members: the row, and the membership that ends with it. Part of
//! `change`, whose transaction holds the room's lock. Must not decide who may ban: `http/` did.

use entity::{ban, membership, room};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::change::{Made, pass_on};
use super::{ChangeMembers, MemberChange};
use crate::domain::{
    Action, Ban, Deed, Role, RoomId, RoomKind, Subject, Target, Timestamp, UserId,
};
use crate::store::StoreError;

/// An admin's deed in a change, and what it is called.
pub(super) const fn deed(change: &ChangeMembers) -> Option<(&Deed, Action)> {
    match (&change.deed, change.change) {
        (Some(deed), MemberChange::Ban(_)) => Some((deed, Action::Ban)),
        (Some(deed), MemberChange::Unban(_)) => Some((deed, Action::Unban)),
        _ => None,
    }
}

/// Bans somebody, or changes until when.
pub(super) async fn ban(
    changing: &DatabaseTransaction,
    change: &ChangeMembers,
    row: &room::Model,
    new: Ban,
) -> Result<Made, StoreError> {
    let before = lift(changing, change.room, new.subject).await?;
    let kept = ban::ActiveModel {
        room: Set(change.room.0),
        subject: Set(new.subject.to_string()),
        until: Set(new.until.map(Timestamp::micros)),
        by_user: Set(change.by.user().map(|user| user.0)),
        created_at: Set(change.at.micros()),
    };
    ban::Entity::insert(kept).exec_without_returning(changing).await?;
    let (event, heir) = match new.subject {
        Subject::User(user) => end_membership(changing, row, user).await?,
        Subject::Guest(_) | Subject::Address(_) => (None, None),
    };
    let (before, after) = (told(new.subject, before), told(new.subject, Some(new)));
    let record = change
        .deed
        .map(|deed| deed.was(Action::Ban, Target::Room(change.room), Some(before), Some(after)));
    Ok(Made { event, heir, raises: true, record })
}

/// Ends a ban; it is recorded even when there was none.
pub(super) async fn unban(
    changing: &DatabaseTransaction,
    change: &ChangeMembers,
    subject: Subject,
) -> Result<Made, StoreError> {
    let before = lift(changing, change.room, subject).await?;
    let raises = before.is_some();
    let (before, after) = (told(subject, before), told(subject, None));
    let record = change
        .deed
        .map(|deed| deed.was(Action::Unban, Target::Room(change.room), Some(before), Some(after)));
    Ok(Made { event: None, heir: None, raises, record })
}

/// Takes a ban away; which, when there was one.
async fn lift(
    changing: &DatabaseTransaction,
    room: RoomId,
    subject: Subject,
) -> Result<Option<Ban>, StoreError> {
    let key = (room.0, subject.to_string());
    let Some(row) = ban::Entity::find_by_id(key.clone()).one(changing).await? else {
        return Ok(None);
    };
    ban::Entity::delete_by_id(key).exec(changing).await?;
    Ok(Some(Ban { subject, until: row.until.map(Timestamp::from_micros) }))
}

/// A member of such a room is none any more, and somebody may have the owner's place. The two of a private chat stay: nobody could make
/// them members again.
async fn end_membership(
    changing: &DatabaseTransaction,
    row: &room::Model,
    user: UserId,
) -> Result<(Option<(&'static str, UserId)>, Option<UserId>), StoreError> {
    let member = membership::Entity::find()
        .filter(membership::Column::Room.eq(row.id))
        .filter(membership::Column::UserId.eq(user.0))
        .one(changing)
        .await?;
    let Some(member) = member else { return Ok((None, None)) };
    let mut heir = None;
    if row.kind != RoomKind::Pair.as_str() {
        membership::Entity::delete_by_id((row.id, user.0)).exec(changing).await?;
        if member.role == Role::Owner.as_str() {
            heir = pass_on(changing, RoomId(row.id)).await?;
        }
    }
    Ok((Some(("banned", user)), heir))
}

fn told(subject: Subject, ban: Option<Ban>) -> Value {
    let subject = subject.to_string();
    match ban {
        Some(ban) => json!({ "subject": subject, "banned": true, "until": ban.until }),
        None => json!({ "subject": subject, "banned": false }),
    }
}
