//! What admins take away and what they say. Handlers for `routes` only.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::body::{Body, Problems};
use super::super::caller::Acting;
use super::super::error::ApiError;
use super::super::refusals::{BadInput, Busy, Forbidden, Missing, Unauthorized, UnknownOutcome};
use super::rooms::{open_room, uuid};
use crate::domain::{EventId, EventKind, MessageText, RoomId, Timestamp};
use crate::rooms::Rooms;
use crate::store::Store;

/// A message that was taken away.
#[derive(Serialize, ToSchema)]
pub struct TakenAway {
    /// Its id.
    id: Uuid,
    /// The room.
    room_id: Uuid,
    /// The place of the deletion in the room's order.
    #[schema(example = 8)]
    seq: i64,
}

/// Takes a message away, whoever wrote it and wherever: its text goes, its place stays.
#[utoipa::path(delete, path = "/api/admin/messages/{id}/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The message's id.")),
    responses((status = 200, description = "Taken away, as it may have been before.",
            body = TakenAway),
        Unauthorized, Forbidden, Missing, Busy, UnknownOutcome))]
pub async fn delete_message(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    acting: Acting,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = Uuid::try_parse(&path).map_err(|_| ApiError::NOT_FOUND)?;
    let message = store.event(EventId(id)).await?;
    let message = message.filter(|event| event.kind == EventKind::Message);
    let message = message.ok_or(ApiError::NOT_FOUND)?;
    let posted = rooms.take_away(&message, &acting.admin.card, acting.deed).await?;
    let (room_id, seq) = (message.room.0, posted.event.seq);
    Ok(HttpResponse::Ok().json(TakenAway { id, room_id, seq }))
}

/// What to say, and where.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct AnnounceBody {
    /// The text.
    #[schema(example = "The server restarts at noon.")]
    message: String,
    /// To this room alone; to everybody when missing.
    room_id: Option<Uuid>,
}

/// What was said.
#[derive(Serialize, ToSchema)]
pub struct Announced {
    /// The text.
    #[schema(example = "The server restarts at noon.")]
    message: String,
    /// The room, null for everybody.
    room_id: Option<Uuid>,
    /// When.
    at: Timestamp,
}

/// Says something to every `hubbub.v1` socket, or to those in a room, on every node. It is in no
/// room's history, and plain sockets don't hear of it.
#[utoipa::path(post, path = "/api/admin/announce/", tag = "admin", request_body = AnnounceBody,
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Said.", body = Announced),
        BadInput, Unauthorized, Forbidden, Missing, Busy, UnknownOutcome))]
pub async fn announce(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    acting: Acting,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = body.fields().await?;
    let mut problems = Problems::default();
    let message = fields
        .required("message")
        .map_err(str::to_owned)
        .and_then(|text| MessageText::parse(text).map(Some).map_err(|error| error.to_string()));
    let message = problems.take("message", message);
    let room_id = problems.take("room_id", uuid(&fields, "room_id"));
    problems.done()?;
    let message = message.ok_or(ApiError::Internal)?.into_string();
    if let Some(id) = room_id {
        open_room(&store, &id.to_string()).await?;
    }
    let at = acting.deed.at;
    rooms.announce(message.clone(), room_id.map(RoomId), acting.deed).await?;
    Ok(HttpResponse::Ok().json(Announced { message, room_id, at }))
}
