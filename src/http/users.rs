//! Users: everybody but the caller, and who of them is online. Handlers for `routes` only.

use std::collections::HashSet;

use actix_web::{HttpResponse, web};

use super::caller::Caller;
use super::error::ApiError;
use super::paging::{Page, Query};
use super::refusals::{BadInput, Busy, Unauthorized};
use super::views::PersonOnline;
use crate::domain::UserId;
use crate::rooms::Rooms;
use crate::store::Store;

/// All users but the caller, by id, or those of them that are searched for.
#[utoipa::path(get, path = "/api/users/", tag = "accounts",
    security(("bearer" = []), ("cookie" = [])),
    params(("limit" = Option<u32>, Query, description = "Rows at most; 200 when missing, never over 500."),
        ("q" = Option<String>, Query, description = "Part of a name or an e-mail."),
        ("after" = Option<String>, Query, description = "From a `Link`.")),
    responses((status = 200, description = "Users; `Link` leads to more.", body = [PersonOnline]),
        BadInput, Unauthorized, Busy))]
pub async fn list(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    caller: Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let (limit, after) = (query.limit()?, query.number("after")?.map(UserId));
    // One more than the page to see whether it is cut, and one for the caller.
    let mut rows = store.users(after, query.get("q"), u64::from(limit) + 2).await?;
    rows.retain(|row| row.card.id != caller.id().0);
    let page = Page::cut(&query, rows, limit, |row| row.card.id.to_string());
    let online: HashSet<i64> = rooms.online().into_iter().map(|user| user.id.0).collect();
    let gone = rooms.just_gone();
    Ok(page
        .map(|row| {
            let mut person = PersonOnline::new(&row, online.contains(&row.card.id));
            person.last_seen = gone.get(&UserId(row.card.id)).copied().or(person.last_seen);
            person
        })
        .respond())
}
