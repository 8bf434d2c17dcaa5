//! Private and group chats. Handlers for `routes` only. Here: what the handlers of both files
//! share, and the chats themselves (list, make, show, rename, delete); `traffic` has their members
//! and messages. Nobody learns which chats exist: one that is not the caller's is refused like one
//! that is not there.

pub mod traffic;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::body::{Body, NULL, Problems, REQUIRED};
use super::caller::Caller;
use super::error::ApiError;
use super::paging::Query;
use super::refusals::{BadInput, Busy, Forbidden, Missing, NotAllowed, Throttled, Unauthorized};
use super::views::Chat;
use crate::auth::paces::Paces;
use crate::domain::{Role, RoomId, RoomKind, RoomName, RoomRow, UserId, clock};
use crate::rooms::Rooms;
use crate::store::{Store, StoreError};

/// Bounds of groups.
#[derive(Clone, Copy, Debug)]
pub struct GroupLimits {
    /// Members of one, its owner among them.
    pub max_members: usize,
}

/// Methods of a private chat's own address.
const PRIVATE_METHODS: &str = "GET, HEAD, OPTIONS";

/// The id in a path; one that is none names nothing.
fn chat_id(path: &str) -> Result<RoomId, ApiError> {
    Uuid::try_parse(path).map(RoomId).map_err(|_| ApiError::NOT_FOUND)
}

/// The chat and the caller's role in it; none when it is not his, or not there.
async fn find(
    store: &Store,
    id: RoomId,
    caller: UserId,
) -> Result<Option<(RoomRow, Role)>, StoreError> {
    let Some(role) = store.role(id, caller).await? else {
        return Ok(None);
    };
    let room = store.room(id).await?;
    let open = room.filter(|room| room.kind.is_chat() && room.closed_at.is_none());
    Ok(open.map(|room| (room, role)))
}

/// One chat as JSON, as its rows are now.
async fn show(store: &Store, id: RoomId, caller: UserId) -> Result<Chat, ApiError> {
    let room = store.room(id).await?.ok_or(ApiError::NOT_FOUND)?;
    let members = store.members(id).await?;
    let last = store.last_messages(&[id]).await?;
    let unread = store.unread(caller, &[id]).await?;
    Ok(Chat::new(&room, &members, last.get(&id), unread.get(&id).copied().unwrap_or(0)))
}

/// The caller's chats, most recently active first.
#[utoipa::path(get, path = "/api/chats/", tag = "chats", security(("bearer" = []), ("cookie" = [])),
    params(("limit" = Option<u32>, Query, description = "Rows at most; 200 when missing, never over 500."),
        ("after" = Option<String>, Query, description = "From a `Link`.")),
    responses((status = 200, description = "Chats; `Link` leads to more.", body = [Chat]),
        BadInput, Unauthorized, Busy))]
pub async fn list(
    store: web::Data<Store>,
    caller: Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let kinds = [RoomKind::Chat, RoomKind::Pair];
    let page = query.rooms_of(&store, caller.id(), &kinds).await?;
    let ids: Vec<RoomId> = page.rows.iter().map(|room| room.id).collect();
    let members = store.members_of(&ids).await?;
    let last = store.last_messages(&ids).await?;
    let unread = store.unread(caller.id(), &ids).await?;
    let page = page.map(|room| {
        let of_room = members.get(&room.id).map_or(&[] as &[_], Vec::as_slice);
        let unread = unread.get(&room.id).copied().unwrap_or(0);
        Chat::new(&room, of_room, last.get(&room.id), unread)
    });
    Ok(page.respond())
}

/// One chat of the caller's.
#[utoipa::path(get, path = "/api/chats/{id}/", tag = "chats",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The chat's id.")),
    responses((status = 200, description = "The chat.", body = Chat), Unauthorized, Missing, Busy))]
pub async fn one(
    store: web::Data<Store>,
    caller: Caller,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = chat_id(&path)?;
    find(&store, id, caller.id()).await?.ok_or(ApiError::NOT_FOUND)?;
    Ok(HttpResponse::Ok().json(show(&store, id, caller.id()).await?))
}

/// With whom.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct PrivateBody {
    /// The other user's row id.
    #[schema(example = 2)]
    other_user_id: i64,
}

/// The private chat with another user: made when there is none.
#[utoipa::path(post, path = "/api/chats/private/", tag = "chats", request_body = PrivateBody,
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 201, description = "Made.", body = Chat),
        (status = 200, description = "It was there already.", body = Chat),
        BadInput, Unauthorized, Throttled, Busy))]
pub async fn private(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    paces: web::Data<Paces>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let wrong = |text: String| ApiError::field("other_user_id", text);
    let fields = body.fields().await?;
    let other = fields.integer("other_user_id").map_err(|error| wrong(error.to_owned()))?;
    let absent = if fields.has("other_user_id") { NULL } else { REQUIRED };
    let other = UserId(other.ok_or_else(|| wrong(absent.to_owned()))?);
    if other == caller.id() {
        return Err(wrong("You cannot create a private chat with yourself.".to_owned()));
    }
    store.user(other).await?.ok_or_else(|| wrong(no_such_user(other)))?;
    if store.pair(caller.id(), other).await?.is_none() {
        paces.creation(caller.id())?;
    }
    let (room, new) = store.open_pair(caller.id(), other, clock::now()).await?;
    if new {
        rooms.tell_new_chat(room.id, &[caller.id(), other]);
    }
    let mut response = if new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(show(&store, room.id, caller.id()).await?))
}

fn no_such_user(id: UserId) -> String {
    format!("Invalid pk \"{id}\" - object does not exist.")
}

/// A new group.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct GroupBody {
    /// 1 to 100 printable characters without a slash.
    #[schema(example = "book club")]
    name: String,
    /// Row ids of its members besides the caller.
    #[schema(example = json!([2, 3]))]
    member_ids: Option<Vec<i64>>,
}

/// Makes a group; the caller is its owner.
#[utoipa::path(post, path = "/api/chats/group/", tag = "chats", request_body = GroupBody,
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 201, description = "Made.", body = Chat),
        BadInput, Unauthorized, Throttled, Busy))]
pub async fn group(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    paces: web::Data<Paces>,
    limits: web::Data<GroupLimits>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = body.fields().await?;
    let mut problems = Problems::default();
    let name = problems.take("name", room_name(fields.required("name")).map(Some));
    let mut members = problems.take("member_ids", fields.integers("member_ids"));
    problems.done()?;
    members.retain(|id| *id != caller.id().0);
    members.sort_unstable();
    members.dedup();
    let wrong = |text: String| ApiError::field("member_ids", text);
    if members.len() >= limits.max_members {
        let most = limits.max_members;
        return Err(wrong(format!("Ensure this group has no more than {most} members.")));
    }
    let mut members: Vec<UserId> = members.into_iter().map(UserId).collect();
    let known = store.users_by_ids(&members).await?;
    let missing = members.iter().find(|id| known.iter().all(|user| user.card.id != id.0));
    if let Some(missing) = missing {
        return Err(wrong(no_such_user(*missing)));
    }
    let name = name.ok_or(ApiError::Internal)?;
    paces.creation(caller.id())?;
    let room = store.create_group(&name, caller.id(), &members, clock::now()).await?;
    members.push(caller.id());
    rooms.tell_new_chat(room.id, &members);
    Ok(HttpResponse::Created().json(show(&store, room.id, caller.id()).await?))
}

fn room_name(given: Result<String, &'static str>) -> Result<RoomName, String> {
    RoomName::parse(&given?).map_err(|error| error.to_string())
}

/// A group's new name.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct RenameBody {
    /// 1 to 100 printable characters without a slash.
    #[schema(example = "film club")]
    name: String,
}

/// Renames a group: its owner alone.
#[utoipa::path(patch, path = "/api/chats/{id}/", tag = "chats", request_body = RenameBody,
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The chat's id.")),
    responses((status = 200, description = "Renamed.", body = Chat),
        BadInput, Unauthorized, Forbidden, Missing, NotAllowed, Busy))]
pub async fn rename(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    caller: Caller,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let id = owned_group(&store, &path, caller.id()).await?;
    let fields = body.fields().await?;
    let name = room_name(fields.required("name")).map_err(|e| ApiError::field("name", e))?;
    store.rename_room(id, &name).await?;
    rooms.reload(id);
    Ok(HttpResponse::Ok().json(show(&store, id, caller.id()).await?))
}

/// Deletes a group and closes its sockets: its owner alone.
#[utoipa::path(delete, path = "/api/chats/{id}/", tag = "chats",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The chat's id.")),
    responses((status = 204, description = "Deleted."),
        Unauthorized, Forbidden, Missing, NotAllowed, Busy))]
pub async fn delete(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    caller: Caller,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = owned_group(&store, &path, caller.id()).await?;
    rooms.close(id, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The group that the caller owns.
async fn owned_group(store: &Store, path: &str, caller: UserId) -> Result<RoomId, ApiError> {
    let id = chat_id(path)?;
    let (room, role) = find(store, id, caller).await?.ok_or(ApiError::Forbidden)?;
    match (room.kind, role) {
        (RoomKind::Chat, Role::Owner) => Ok(id),
        (RoomKind::Chat, _) => Err(ApiError::Forbidden),
        _ => Err(ApiError::Method(PRIVATE_METHODS)),
    }
}
