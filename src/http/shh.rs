//! Invited rooms: the caller's, making, joining and deleting one, and its messages. Handlers for
//! `routes` only. Who may post or change members, the rooms decide; who may read, this file.

use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::body::Body;
use super::caller::{Caller, From};
use super::error::ApiError;
use super::paging::{Query, messages};
use super::refusals::{
    BadInput, Busy, Forbidden, Missing, Throttled, Unauthorized, UnknownOutcome,
};
use super::views::{Creator, InvitedMessage, InvitedRoom, UserRef};
use crate::auth::paces::Paces;
use crate::domain::{
    Author, Identity, MessageText, Role, RoomId, RoomKind, RoomName, RoomRow, Timestamp, UserId,
    clock,
};
use crate::rooms::{Post, Rooms};
use crate::store::{MemberChange, Store, StoreError};

/// The caller's rooms.
#[derive(Serialize, ToSchema)]
pub struct RoomsList {
    /// Most recently active first.
    rooms: Vec<InvitedRoom>,
    /// How many stand here.
    #[schema(example = 1)]
    count: usize,
    /// For people.
    #[schema(example = "Rooms retrieved successfully")]
    message: &'static str,
}

/// The rooms that the caller is a member of.
#[utoipa::path(get, path = "/rooms/", tag = "shh", security(("bearer" = []), ("cookie" = [])),
    params(("limit" = Option<u32>, Query, description = "Rows at most; 200 when missing, never over 500."),
        ("after" = Option<String>, Query, description = "From a `Link`.")),
    responses((status = 200, description = "Rooms; `Link` leads to more.", body = RoomsList),
        BadInput, Unauthorized, Busy))]
pub async fn list(
    store: web::Data<Store>,
    caller: Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let page = query.rooms_of(&store, caller.id(), &[RoomKind::Room]).await?;
    let makers: Vec<UserId> = page.rows.iter().filter_map(|room| room.created_by).collect();
    let makers = store.users_by_ids(&makers).await?.into_iter();
    let makers: HashMap<i64, Creator> =
        makers.map(|user| (user.card.id, Creator::from(user.card.as_ref()))).collect();
    let page = page.map(|room| InvitedRoom {
        room_name: room.name.unwrap_or_default(),
        room_id: room.id.0,
        created_at: room.created_at,
        created_by: room.created_by.and_then(|by| makers.get(&by.0).cloned()).unwrap_or_default(),
    });
    Ok(page.respond_as(&RoomsList {
        count: page.rows.len(),
        message: "Rooms retrieved successfully",
        rooms: page.rows.clone(),
    }))
}

/// A new room.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct CreateBody {
    /// 1 to 100 printable characters without a slash.
    #[schema(example = "book club")]
    chat_room_name: String,
}

/// The new room.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names that clients know")]
pub struct Created {
    /// Its id: what others join by.
    room_id: Uuid,
    /// Its name.
    #[schema(example = "book club")]
    chat_room_name: String,
    /// The caller, its owner.
    created_by: Creator,
    /// When.
    created_at: Timestamp,
}

/// Makes a room; the caller is its first member and owner.
#[utoipa::path(post, path = "/rooms/create/", tag = "shh", request_body = CreateBody,
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 201, description = "Made.", body = Created),
        BadInput, Unauthorized, Throttled, Busy))]
pub async fn create(
    store: web::Data<Store>,
    paces: web::Data<Paces>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = body.fields().await?;
    let given = fields.text("chat_room_name").map_err(|e| ApiError::field("chat_room_name", e))?;
    let given = given.filter(|name| !name.trim().is_empty());
    let given = given.ok_or_else(|| ApiError::Invalid("Chat room name is required".to_owned()))?;
    let name = RoomName::parse(&given)
        .map_err(|error| ApiError::field("chat_room_name", error.to_string()))?;
    let taken = || ApiError::Invalid("A room with this name already exists".to_owned());
    if store.shh_room(name.as_str()).await?.is_some() {
        return Err(taken());
    }
    paces.creation(caller.id())?;
    let room = match store.create_shh_room(&name, caller.id(), clock::now()).await {
        Err(StoreError::Taken(_)) => return Err(taken()),
        made => made?,
    };
    Ok(HttpResponse::Created().json(Created {
        room_id: room.id.0,
        chat_room_name: name.to_string(),
        created_by: Creator::from(caller.0.card.as_ref()),
        created_at: room.created_at,
    }))
}

/// Which room to join.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct JoinBody {
    /// Its id.
    room_id: Uuid,
}

/// The caller is a member now.
#[derive(Serialize, ToSchema)]
pub struct Joined {
    /// For people.
    #[schema(example = "Joined room book club")]
    message: String,
    /// The room.
    room: JoinedRoom,
    /// The caller.
    user: UserRef,
}

/// A room that was joined.
#[derive(Serialize, ToSchema)]
pub struct JoinedRoom {
    /// Its id.
    room_id: Uuid,
    /// Its name.
    #[schema(example = "book club")]
    room_name: String,
    /// When it was made.
    created_at: Timestamp,
}

const ROOM_NOT_FOUND: ApiError = ApiError::NotFound("Room not found");

/// Joins a room by its id.
#[utoipa::path(post, path = "/room/join/", tag = "shh", request_body = JoinBody,
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "A member now, or before.", body = Joined),
        BadInput, Unauthorized, Forbidden, Missing, Busy))]
pub async fn join(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = body.fields().await?;
    let given = fields.text("room_id").map_err(|error| ApiError::field("room_id", error))?;
    let given = given.filter(|id| !id.trim().is_empty());
    let given = given.ok_or_else(|| ApiError::Invalid("Room ID is required".to_owned()))?;
    let room = by_id(&store, given.trim()).await?.ok_or(ROOM_NOT_FOUND)?;
    let subject = format!("u:{}", caller.id());
    if store.banned(room.id, &[subject], clock::now()).await? {
        return Err(ApiError::Forbidden);
    }
    let room_name = room.name.clone().unwrap_or_default();
    let message = if store.role(room.id, caller.id()).await?.is_some() {
        format!("Already in room {room_name}")
    } else {
        let change = MemberChange::Add(caller.id());
        rooms.change_members(room.id, caller.id(), change).await?;
        format!("Joined room {room_name}")
    };
    Ok(HttpResponse::Ok().json(Joined {
        message,
        room: JoinedRoom { room_id: room.id.0, room_name, created_at: room.created_at },
        user: UserRef::from(caller.0.card.as_ref()),
    }))
}

/// The room is gone.
#[derive(Serialize, ToSchema)]
pub struct Deleted {
    /// For people.
    #[schema(example = "Room deleted successfully")]
    message: &'static str,
    /// Which.
    deleted_room: DeletedRoom,
}

/// A room that was deleted.
#[derive(Serialize, ToSchema)]
pub struct DeletedRoom {
    /// Its id.
    room_id: Uuid,
    /// Name of who deleted it.
    #[schema(example = "alice")]
    deleted_by: String,
}

/// Deletes a room and closes its sockets: its owner or an admin.
#[utoipa::path(delete, path = "/room/delete/{room_id}/", tag = "shh",
    security(("bearer" = []), ("cookie" = [])),
    params(("room_id" = Uuid, Path, description = "The room's id.")),
    responses((status = 200, description = "Deleted.", body = Deleted),
        Unauthorized, Forbidden, Missing, Busy))]
pub async fn delete(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    caller: Caller,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let room = by_id(&store, &path).await?.ok_or(ROOM_NOT_FOUND)?;
    let role = store.role(room.id, caller.id()).await?;
    if !caller.0.is_superuser && !matches!(role, Some(Role::Owner | Role::Admin)) {
        return Err(ApiError::Forbidden);
    }
    if !rooms.close(room.id, None).await? {
        return Err(ROOM_NOT_FOUND);
    }
    let deleted_by = caller.0.card.username.clone();
    Ok(HttpResponse::Ok().json(Deleted {
        message: "Room deleted successfully",
        deleted_room: DeletedRoom { room_id: room.id.0, deleted_by },
    }))
}

/// The messages of a room.
#[derive(Serialize, ToSchema)]
pub struct MessageHistory {
    /// Always `message_history`.
    #[serde(rename = "type")]
    #[schema(example = "message_history")]
    kind: &'static str,
    /// Oldest first.
    messages: Vec<InvitedMessage>,
}

/// The latest messages of a room, by its id or name.
#[utoipa::path(get, path = "/messages/{room}/", tag = "shh",
    security(("bearer" = []), ("cookie" = [])),
    params(("room" = String, Path, description = "The room's id or name."),
        ("limit" = Option<u32>, Query, description = "Rows at most; 200 when missing, never over 500."),
        ("before" = Option<i64>, Query, description = "Only those with a `seq` below."),
        ("after" = Option<i64>, Query, description = "Only those with a `seq` above.")),
    responses((status = 200, description = "Messages; `Link` leads to older ones.",
        body = MessageHistory), BadInput, Unauthorized, Forbidden, Missing, Busy))]
pub async fn history(
    store: web::Data<Store>,
    caller: Caller,
    path: web::Path<String>,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let room = by_id_or_name(&store, &path).await?.ok_or(ROOM_NOT_FOUND)?;
    store.role(room.id, caller.id()).await?.ok_or(ApiError::Forbidden)?;
    let page = messages(&store, room.id, &query).await?;
    let page = page.map(|event| InvitedMessage::from(&event));
    let body = MessageHistory { kind: "message_history", messages: page.rows.clone() };
    Ok(page.respond_as(&body))
}

/// A message to send.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct SendBody {
    /// The text.
    #[schema(example = "Hello")]
    message: String,
    /// The sender's own id for it: the same again is the same message.
    client_id: Option<String>,
}

/// The message as stored.
#[derive(Serialize, ToSchema)]
pub struct Sent {
    /// The message.
    #[serde(flatten)]
    message: InvitedMessage,
    /// The room's id.
    chat_room: Uuid,
}

/// Sends a message to a room, by its id or name.
#[utoipa::path(post, path = "/messages/{room}/send/", tag = "shh", request_body = SendBody,
    security(("bearer" = []), ("cookie" = [])),
    params(("room" = String, Path, description = "The room's id or name.")),
    responses((status = 201, description = "Stored, and sent to the room's sockets.", body = Sent),
        (status = 200, description = "The same `client_id` was stored before.", body = Sent),
        BadInput, Unauthorized, Forbidden, Missing, Throttled, Busy, UnknownOutcome))]
pub async fn send(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    paces: web::Data<Paces>,
    caller: Caller,
    From(asker): From,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let room = by_id_or_name(&store, &path).await?.ok_or(ROOM_NOT_FOUND)?;
    store.role(room.id, caller.id()).await?.ok_or(ApiError::Forbidden)?;
    let fields = body.fields().await?;
    let text = fields.text("message").map_err(|error| ApiError::field("message", error))?;
    let text = text.filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| ApiError::Invalid("Message field is required".to_owned()))?;
    let text = MessageText::parse(text).map_err(|e| ApiError::field("message", e.to_string()))?;
    paces.message(Author::User(caller.id()), asker.ip)?;
    let post = Post {
        by: Identity::User(caller.0),
        content: text.into_string(),
        nick_name: None,
        raw: None,
        client_id: fields.client_id()?,
    };
    let posted = rooms.post(room.id, post).await?;
    let mut response = if posted.duplicate { HttpResponse::Ok() } else { HttpResponse::Created() };
    let message = InvitedMessage::from(posted.event.as_ref());
    Ok(response.json(Sent { message, chat_room: room.id.0 }))
}

async fn by_id(store: &Store, text: &str) -> Result<Option<RoomRow>, StoreError> {
    let Ok(id) = Uuid::try_parse(text) else {
        return Ok(None);
    };
    let room = store.room(RoomId(id)).await?;
    Ok(room.filter(|room| room.kind == RoomKind::Room && room.closed_at.is_none()))
}

async fn by_id_or_name(store: &Store, text: &str) -> Result<Option<RoomRow>, StoreError> {
    match RoomName::parse(text) {
        Ok(name) => store.shh_room(name.as_str()).await,
        // A name never has the shape of an id.
        Err(_) => by_id(store, text).await,
    }
}
