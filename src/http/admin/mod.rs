//! For admins. Here: live figures of the chat, its rooms, one room; the acts stand in the files
//! beside, and what became of them in `audit`. Handlers for `routes` only.

pub mod audit;
pub mod delivery;
pub mod rooms;
pub mod stream;
pub mod users;
pub mod words;

use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};
use uuid::Uuid;

use super::caller::Admin;
use super::error::ApiError;
use super::paging::{LIMIT_MAX, Query};
use super::refusals::{BadInput, Forbidden, Missing, Unauthorized};
use crate::domain::RoomId;
use crate::stats::{BadCursor, DetailPage, RoomsPage, Snapshot, Sort, Stats, Wanted};

impl From<BadCursor> for ApiError {
    fn from(error: BadCursor) -> Self {
        Self::field("after", error.to_string())
    }
}

/// What the whole chat and each node carry.
#[utoipa::path(get, path = "/api/admin/stats/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Figures of now.", body = Snapshot),
        Unauthorized, Forbidden))]
pub async fn stats(stats: web::Data<Stats>, _admin: Admin) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).body(stats.seen().await.to_string())
}

/// The live rooms.
#[utoipa::path(get, path = "/api/admin/rooms/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(("sort" = Option<String>, Query,
            description = "`active_users` (when missing), `messages_per_s` or `name`."),
        ("q" = Option<String>, Query, description = "Part of a name."),
        ("limit" = Option<u32>, Query, description = "Rows at most; 200 when missing, never over 500."),
        ("after" = Option<String>, Query, description = "A page's `next`.")),
    responses((status = 200, description = "A page of rooms.", body = RoomsPage),
        BadInput, Unauthorized, Forbidden))]
pub async fn rooms(
    stats: web::Data<Stats>,
    _admin: Admin,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let sort = query.get("sort").map_or(Some(Sort::default()), Sort::parse);
    let sort = sort.ok_or_else(|| {
        ApiError::field("sort", "Choose one of active_users, messages_per_s, name.")
    })?;
    let wanted = Wanted {
        sort,
        q: query.get("q").map(str::to_owned),
        limit: query.limit()? as usize,
        after: query.get("after").map(str::to_owned),
    };
    Ok(HttpResponse::Ok().json(stats.rooms(&wanted).await?))
}

/// One live room, its people and its sockets.
#[utoipa::path(get, path = "/api/admin/rooms/{id}/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The room's id."),
        ("limit" = Option<u32>, Query, description = "Users and sockets at most; 500 when missing."),
        ("after" = Option<String>, Query, description = "A page's `next`.")),
    responses((status = 200, description = "The room.", body = DetailPage),
        BadInput, Unauthorized, Forbidden, Missing))]
pub async fn room(
    stats: web::Data<Stats>,
    _admin: Admin,
    path: web::Path<String>,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let id = Uuid::try_parse(&path).map_err(|_| ApiError::NOT_FOUND)?;
    let limit = if query.get("limit").is_some() { query.limit()? } else { LIMIT_MAX };
    let page = stats.room(RoomId(id), limit as usize, query.get("after")).await?;
    Ok(HttpResponse::Ok().json(page.ok_or(ApiError::NOT_FOUND)?))
}
