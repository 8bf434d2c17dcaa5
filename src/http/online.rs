//! Who is online. Handlers for `routes` only.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::Caller;
use super::error::ApiError;
use super::paging::{Page, Query};
use super::refusals::{BadInput, Unauthorized};
use crate::domain::Timestamp;
use crate::rooms::Rooms;

/// A user with a socket.
#[derive(Serialize, ToSchema)]
pub struct Online {
    /// Row id.
    #[schema(example = 1)]
    id: i64,
    /// Name.
    #[schema(example = "alice")]
    username: String,
    /// Since when he has one.
    since: Timestamp,
}

/// Users with at least one socket, by id.
#[utoipa::path(get, path = "/api/online/", tag = "pair",
    security(("bearer" = []), ("cookie" = [])),
    params(("limit" = Option<u32>, Query, description = "Rows at most; 200 when missing, never over 500."),
        ("after" = Option<String>, Query, description = "From a `Link`.")),
    responses((status = 200, description = "Who is online; `Link` leads to more.", body = [Online]),
        BadInput, Unauthorized))]
pub async fn list(
    rooms: web::Data<Rooms>,
    _caller: Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let (limit, after) = (query.limit()?, query.number("after")?);
    let mut online = rooms.online();
    online.retain(|user| after.is_none_or(|after| user.id.0 > after));
    let page = Page::cut(&query, online, limit, |user| user.id.to_string());
    let shape = |user: crate::rooms::OnlineUser| Online {
        id: user.id.0,
        username: user.username,
        since: user.since,
    };
    Ok(page.map(shape).respond())
}
