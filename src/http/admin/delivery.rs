//! Why somebody did not get an event. Handler for `routes` only.

use actix_web::{HttpResponse, web};
use uuid::Uuid;

use super::super::caller::Admin;
use super::super::error::ApiError;
use super::super::paging::Query;
use super::super::refusals::{BadInput, Busy, Forbidden, Missing, Unauthorized};
use crate::domain::{RoomId, RoomKind, UserId};
use crate::stats::{Delivery, Stats};
use crate::store::Store;

/// What became of an event for a user: it follows from when his sockets came and went, and from the
/// exceptions that nodes remember. Written means that the kernel took it.
#[utoipa::path(get, path = "/api/admin/rooms/{id}/delivery/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The room's id; it need not be live."),
        ("seq" = i64, Query, description = "The event's place in the room's order."),
        ("user_id" = i64, Query, description = "The user's row id.")),
    responses((status = 200, description = "What became of it, and why.", body = Delivery),
        BadInput, Unauthorized, Forbidden, Missing, Busy))]
pub async fn delivery(
    stats: web::Data<Stats>,
    store: web::Data<Store>,
    _admin: Admin,
    path: web::Path<String>,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let id = Uuid::try_parse(&path).map_err(|_| ApiError::NOT_FOUND)?;
    let needed = |name| query.number(name)?.ok_or(ApiError::field(name, "This field is required."));
    let (seq, user) = (needed("seq")?, needed("user_id")?);
    let room = store.room(RoomId(id)).await?.filter(|room| room.kind != RoomKind::Control);
    let room = room.ok_or(ApiError::NOT_FOUND)?;
    let user = store.user(UserId(user)).await?.ok_or(ApiError::NotFound("User not found."))?;
    let event = store.event_at(room.id, seq).await?;
    let event = event.ok_or(ApiError::NotFound(if (1..=room.last_seq).contains(&seq) {
        "This event is past keeping."
    } else {
        "There is no such event in this room."
    }))?;
    Ok(HttpResponse::Ok().json(stats.delivery(&event, &user.card).await?))
}
