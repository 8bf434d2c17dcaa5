//! The stored history of a named room. Handlers for `routes` only.

use actix_web::{HttpResponse, web};
use uuid::Uuid;

use super::caller::MaybeCaller;
use super::error::ApiError;
use super::named_rooms::Guests;
use super::paging::{Page, Query, messages};
use super::refusals::{BadInput, Busy, Unauthorized};
use super::views::NamedMessage;
use crate::domain::{RoomId, RoomKind, RoomName, RoomRow};
use crate::store::{Store, StoreError};

/// Messages of a named room, newest first; an unknown room has none. A room that a token holder
/// made needs a token.
#[utoipa::path(get, path = "/chat/history/{room_name}/", tag = "multi",
    security((), ("bearer" = []), ("cookie" = [])),
    params(("room_name" = String, Path, description = "The room's name, or its id."),
        ("limit" = Option<u32>, Query, description = "Rows at most; 200 when missing, never over 500."),
        ("before" = Option<i64>, Query, description = "Only those with a `seq` below."),
        ("after" = Option<i64>, Query, description = "Only those with a `seq` above.")),
    responses((status = 200, description = "Messages; `Link` leads to older ones.",
        body = [NamedMessage]), BadInput, Unauthorized, Busy))]
pub async fn named(
    store: web::Data<Store>,
    guests: web::Data<Guests>,
    caller: MaybeCaller,
    path: web::Path<String>,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    if caller.0.is_none() && !guests.allowed {
        return Err(ApiError::NoCredential);
    }
    let Some(room) = find(&store, &path).await? else {
        return Ok(Page::<NamedMessage> { rows: Vec::new(), link: None }.respond());
    };
    if !room.by_guest && caller.0.is_none() {
        return Err(ApiError::NoCredential);
    }
    let name = room.name.unwrap_or_default();
    let mut page = messages(&store, room.id, &query).await?;
    page.rows.reverse();
    Ok(page.map(|event| NamedMessage::new(&event, &name)).respond())
}

async fn find(store: &Store, text: &str) -> Result<Option<RoomRow>, StoreError> {
    if let Ok(id) = Uuid::try_parse(text) {
        let room = store.room(RoomId(id)).await?;
        return Ok(room.filter(|room| room.kind == RoomKind::Named && room.closed_at.is_none()));
    }
    match RoomName::parse(text) {
        Ok(name) => store.named_room(&name).await,
        Err(_) => Ok(None),
    }
}
