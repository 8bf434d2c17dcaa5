//! Public rooms by name: the list with live counts, and making one. No account is needed, unless
//! guests are turned off. Handlers for `routes` only.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{Body, REQUIRED};
use super::caller::{From, MaybeCaller};
use super::error::ApiError;
use super::paging::{Page, Query};
use super::refusals::{BadInput, Busy, Throttled, Unauthorized};
use super::views::NamedRoom;
use crate::auth::paces::Paces;
use crate::domain::{RoomKind, RoomName, UserId, clock};
use crate::rooms::{LiveRoom, Rooms};
use crate::store::Store;

/// Whether guests are let in at all.
#[derive(Clone, Copy, Debug)]
pub struct Guests {
    /// The switch.
    pub allowed: bool,
}

/// Public rooms: those that somebody made by name, and those with somebody in them.
#[utoipa::path(get, path = "/list_rooms/", tag = "random",
    security((), ("bearer" = []), ("cookie" = [])),
    params(("limit" = Option<u32>, Query, description = "Rows at most; 200 when missing, never over 500."),
        ("after" = Option<String>, Query, description = "From a `Link`.")),
    responses((status = 200, description = "Rooms by name; `Link` leads to more.",
        body = [NamedRoom]), BadInput, Unauthorized, Busy))]
pub async fn list(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    guests: web::Data<Guests>,
    caller: MaybeCaller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let limit = query.limit()?;
    let for_users = caller.0.is_some();
    if !for_users && !guests.allowed {
        return Ok(Page::<NamedRoom> { rows: Vec::new(), link: None }.respond());
    }
    let after = query.get("after");
    let listed = store.listed_rooms(for_users, after, u64::from(limit) + 1).await?;
    let listed = listed.into_iter().filter_map(|room| room.name);
    let rows = merge(listed, &rooms.live(), for_users, after);
    Ok(Page::cut(&query, rows, limit, |room| room.name.clone()).respond())
}

/// Listed rooms and live ones as one list by name, each with the people in it now. Both come in
/// the order of their bytes, so a page of the one and all of the other make a page of both.
fn merge(
    listed: impl Iterator<Item = String>,
    live: &[LiveRoom],
    for_users: bool,
    after: Option<&str>,
) -> Vec<NamedRoom> {
    let mut names: BTreeMap<String, u64> = listed.map(|name| (name, 0)).collect();
    for room in live.iter().filter(|room| room.kind == RoomKind::Named) {
        let Some(name) = &room.name else { continue };
        let seen = room.active_users > 0 && (for_users || room.by_guest);
        if seen && after.is_none_or(|after| name.as_str() > after) {
            names.insert(name.clone(), room.active_users);
        }
    }
    names.into_iter().map(|(name, active_members)| NamedRoom { name, active_members }).collect()
}

/// A new room.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct CreateBody {
    /// 1 to 100 printable characters without a slash. `room_name` is taken, too.
    #[schema(example = "global")]
    name: String,
}

/// Makes a public room; it stays listed when nobody is in it.
#[utoipa::path(post, path = "/create_room/", tag = "random", request_body = CreateBody,
    security((), ("bearer" = []), ("cookie" = [])),
    responses((status = 201, description = "Made.", body = NamedRoom),
        (status = 200, description = "It was there already.", body = NamedRoom),
        BadInput, Unauthorized, Throttled, Busy))]
pub async fn create(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    paces: web::Data<Paces>,
    guests: web::Data<Guests>,
    caller: MaybeCaller,
    From(asker): From,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    if caller.0.is_none() && !guests.allowed {
        return Err(ApiError::NoCredential);
    }
    let fields = body.fields().await?;
    let wrong = |text: &str| ApiError::field("name", text);
    let given = match fields.text("name").map_err(wrong)? {
        None => fields.text("room_name").map_err(wrong)?,
        given => given,
    };
    let given = given.ok_or_else(|| wrong(REQUIRED))?;
    let name = RoomName::parse(&given).map_err(|error| wrong(&error.to_string()))?;
    let by = caller.0.map(|user| UserId(user.card.id));
    if store.named_room(&name).await?.is_none() {
        paces.creation_from(asker.ip, by)?;
    }
    let (room, new) = store.open_named(&name, by, true, clock::now()).await?;
    let live = rooms.live();
    let room = NamedRoom {
        active_members: live.iter().find(|l| l.id == room.id).map_or(0, |l| l.active_users),
        name: room.name.unwrap_or_else(|| name.to_string()),
    };
    let mut response = if new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(room))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RoomId, ids};

    fn live(name: &str, kind: RoomKind, by_guest: bool, active_users: u64) -> LiveRoom {
        LiveRoom {
            id: RoomId(ids::random()),
            kind,
            name: Some(name.to_owned()),
            by_guest,
            active_users,
            sessions: active_users,
        }
    }

    #[test]
    fn the_list_is_what_was_posted_and_what_lives_with_its_people() {
        let live = [
            live("b", RoomKind::Named, true, 2),
            live("c", RoomKind::Named, false, 3),
            live("d", RoomKind::Room, false, 4),
            live("e", RoomKind::Named, true, 0),
        ];
        let listed = || ["a", "b"].map(str::to_owned).into_iter();
        let names = |rooms: Vec<NamedRoom>| -> Vec<(String, u64)> {
            rooms.into_iter().map(|room| (room.name, room.active_members)).collect()
        };
        let of = |name: &str, members| (name.to_owned(), members);
        assert_eq!(names(merge(listed(), &live, false, None)), [of("a", 0), of("b", 2)]);
        assert_eq!(names(merge(listed(), &live, true, None)), [of("a", 0), of("b", 2), of("c", 3)]);
        assert_eq!(names(merge(std::iter::empty(), &live, true, Some("b"))), [of("c", 3)]);
    }
}
