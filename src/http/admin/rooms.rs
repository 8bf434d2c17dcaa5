//! What admins do to rooms and to who is in them. Handlers for `routes` only: the rooms do it, on
//! every node, with its record.

use std::collections::HashMap;
use std::net::IpAddr;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::body::{Body, Fields, Problems};
use super::super::caller::{Acting, Admin};
use super::super::error::ApiError;
use super::super::refusals::{BadInput, Busy, Forbidden, Missing, Unauthorized, UnknownOutcome};
use crate::domain::{
    Ban, RoomId, RoomKind, RoomRow, SessionId, Subject, Timestamp, UserId, Whom, clock,
};
use crate::rooms::Rooms;
use crate::store::{MemberChange, Store};

/// How long an address is banned unless the admin says until when.
const ADDRESS_BANNED_S: i64 = 3_600;
/// What is wrong with a text that should be an id.
const NOT_A_UUID: &str = "Must be a valid UUID.";

/// Whom: one of these, as the list of the room's sockets shows him.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct WhomBody {
    /// A user's row id.
    #[schema(example = 7)]
    user_id: Option<i64>,
    /// A guest.
    guest: Option<Uuid>,
    /// A socket, or whoever is behind it.
    session: Option<Uuid>,
    /// Every guest from this address.
    #[schema(example = "203.0.113.7")]
    ip: Option<String>,
}

/// Whom, and until when.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct BanBody {
    /// Whom.
    #[serde(flatten)]
    whom: WhomBody,
    /// For ever when missing; a guest without a `guest_token` is banned by his address, for an
    /// hour when missing.
    until: Option<Timestamp>,
}

/// What was done in a room.
#[derive(Serialize, ToSchema)]
pub struct RoomClosed {
    /// The room.
    room_id: Uuid,
    /// When.
    closed_at: Timestamp,
}

/// Who lost the room.
#[derive(Serialize, ToSchema)]
pub struct Kicked {
    /// The room.
    room_id: Uuid,
}

/// How a ban stands now.
#[derive(Serialize, ToSchema)]
pub struct BanNow {
    /// The room.
    room_id: Uuid,
    /// Whom: `u:<row id>`, `g:<guest>` or `ip:<address>`.
    #[schema(example = "u:7")]
    subject: String,
    /// Whether he is banned.
    banned: bool,
    /// Until when; null for ever.
    until: Option<Timestamp>,
}

/// A ban that is in force.
#[derive(Serialize, ToSchema)]
pub struct BanRow {
    /// Whom: `u:<row id>`, `g:<guest>` or `ip:<address>`.
    #[schema(example = "u:7")]
    subject: String,
    /// The user's name, null for guests and addresses.
    #[schema(example = "alice")]
    username: Option<String>,
    /// Until when; null for ever.
    until: Option<Timestamp>,
}

/// Closes a room for good: nobody enters or speaks there, its sockets close with 4404, its name is
/// free.
#[utoipa::path(post, path = "/api/admin/rooms/{id}/close/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The room's id.")),
    responses((status = 200, description = "Closed.", body = RoomClosed),
        Unauthorized, Forbidden, Missing, Busy))]
pub async fn close(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    acting: Acting,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let room = open_room(&store, &path).await?;
    if !rooms.close(room.id, Some(&acting.deed)).await? {
        return Err(ApiError::NOT_FOUND);
    }
    let (room_id, closed_at) = (room.id.0, acting.deed.at);
    Ok(HttpResponse::Ok().json(RoomClosed { room_id, closed_at }))
}

/// Puts somebody out of a room: his sockets lose it (4403), and he may come again.
#[utoipa::path(post, path = "/api/admin/rooms/{id}/kick/", tag = "admin", request_body = WhomBody,
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The room's id.")),
    responses((status = 200, description = "Out, if he was in.", body = Kicked),
        BadInput, Unauthorized, Forbidden, Missing, Busy, UnknownOutcome))]
pub async fn kick(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    acting: Acting,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let room = open_room(&store, &path).await?;
    let whom = whom(&store, &body.fields().await?).await?;
    rooms.kick(room.id, whom, acting.deed).await?;
    Ok(HttpResponse::Ok().json(Kicked { room_id: room.id.0 }))
}

/// Bans somebody from a room: he is out, and neither comes in nor says anything there until the
/// ban ends. A member of an invited room or a group is none any more.
#[utoipa::path(post, path = "/api/admin/rooms/{id}/ban/", tag = "admin", request_body = BanBody,
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The room's id.")),
    responses((status = 200, description = "Banned.", body = BanNow),
        BadInput, Unauthorized, Forbidden, Missing, Busy))]
pub async fn ban(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    acting: Acting,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let room = open_room(&store, &path).await?;
    let fields = body.fields().await?;
    let until = until(&fields).map_err(|wrong| ApiError::field("until", wrong))?;
    let whom = whom(&store, &fields).await?;
    let subject = rooms.subject_of(room.id, whom).await.ok_or(ApiError::NOT_FOUND)?;
    let until = match subject {
        Subject::Address(_) => until.or(Some(acting.deed.at.plus_secs(ADDRESS_BANNED_S))),
        Subject::User(_) | Subject::Guest(_) => until,
    };
    let ban = MemberChange::Ban(Ban { subject, until });
    rooms.change_bans(room.id, ban, acting.deed).await?;
    Ok(show(&room, subject, true, until))
}

/// The bans of a room that are in force.
#[utoipa::path(get, path = "/api/admin/rooms/{id}/ban/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The room's id.")),
    responses((status = 200, description = "Bans, those of users first.", body = [BanRow]),
        Unauthorized, Forbidden, Missing, Busy))]
pub async fn bans(
    store: web::Data<Store>,
    _admin: Admin,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let room = open_room(&store, &path).await?;
    let rows = store.room_rows(room.id, clock::now()).await?.ok_or(ApiError::NOT_FOUND)?;
    let banned: Vec<UserId> = rows.bans.iter().filter_map(|ban| ban.subject.user()).collect();
    let names: HashMap<i64, String> = store
        .users_by_ids(&banned)
        .await?
        .into_iter()
        .map(|row| (row.card.id, row.card.username.clone()))
        .collect();
    let row = |ban: &Ban| BanRow {
        subject: ban.subject.to_string(),
        username: ban.subject.user().and_then(|user| names.get(&user.0).cloned()),
        until: ban.until,
    };
    let mut bans: Vec<BanRow> = rows.bans.iter().map(row).collect();
    bans.sort_by(|a, b| {
        (a.username.is_none(), &a.subject).cmp(&(b.username.is_none(), &b.subject))
    });
    Ok(HttpResponse::Ok().json(bans))
}

/// Ends a ban. Who was a member does not become one by it. A guest who was banned by his address
/// is named by `ip`.
#[utoipa::path(post, path = "/api/admin/rooms/{id}/unban/", tag = "admin", request_body = WhomBody,
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The room's id.")),
    responses((status = 200, description = "Not banned, as it may have been before.", body = BanNow),
        BadInput, Unauthorized, Forbidden, Missing, Busy))]
pub async fn unban(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    acting: Acting,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let room = open_room(&store, &path).await?;
    let whom = whom(&store, &body.fields().await?).await?;
    let subject = rooms.subject_of(room.id, whom).await.ok_or(ApiError::NOT_FOUND)?;
    rooms.change_bans(room.id, MemberChange::Unban(subject), acting.deed).await?;
    Ok(show(&room, subject, false, None))
}

fn show(room: &RoomRow, subject: Subject, banned: bool, until: Option<Timestamp>) -> HttpResponse {
    let (room_id, subject) = (room.id.0, subject.to_string());
    HttpResponse::Ok().json(BanNow { room_id, subject, banned, until })
}

/// The open room that a text names by its id.
pub(super) async fn open_room(store: &Store, text: &str) -> Result<RoomRow, ApiError> {
    let id = Uuid::try_parse(text).map_err(|_| ApiError::NOT_FOUND)?;
    let room = store.room(RoomId(id)).await?;
    let open = room.filter(|room| room.kind != RoomKind::Control && room.closed_at.is_none());
    open.ok_or(ApiError::NOT_FOUND)
}

/// The one whom a body names; a user must be there.
async fn whom(store: &Store, fields: &Fields) -> Result<Whom, ApiError> {
    let mut problems = Problems::default();
    let user = problems.take("user_id", fields.integer("user_id"));
    let guest = problems.take("guest", uuid(fields, "guest"));
    let session = problems.take("session", uuid(fields, "session"));
    let ip = problems.take("ip", address(fields));
    problems.done()?;
    let named: Vec<Whom> = [
        user.map(|id| Whom::User(UserId(id))),
        guest.map(Whom::Guest),
        session.map(|id| Whom::Session(SessionId(id))),
        ip.map(Whom::Address),
    ]
    .into_iter()
    .flatten()
    .collect();
    let [whom] = named[..] else {
        return Err(ApiError::field("user_id", "Name one of user_id, guest, session and ip."));
    };
    if let Whom::User(user) = whom {
        store.user(user).await?.ok_or(ApiError::NotFound("User not found."))?;
    }
    Ok(whom)
}

pub(super) fn uuid(fields: &Fields, name: &str) -> Result<Option<Uuid>, &'static str> {
    let text = fields.text(name)?;
    text.map(|text| Uuid::try_parse(text.trim()).map_err(|_| NOT_A_UUID)).transpose()
}

fn address(fields: &Fields) -> Result<Option<IpAddr>, &'static str> {
    let wrong = "Enter a valid IPv4 or IPv6 address.";
    let text = fields.text("ip")?;
    let ip = text.map(|text| text.trim().parse::<IpAddr>().map_err(|_| wrong)).transpose()?;
    Ok(ip.map(|ip| ip.to_canonical()))
}

fn until(fields: &Fields) -> Result<Option<Timestamp>, &'static str> {
    let Some(text) = fields.text("until")? else { return Ok(None) };
    let until = Timestamp::parse_rfc3339(text.trim());
    let until = until.ok_or("Enter a time such as 2025-01-01T12:00:00Z.")?;
    if until > clock::now() { Ok(Some(until)) } else { Err("This lies in the past.") }
}
