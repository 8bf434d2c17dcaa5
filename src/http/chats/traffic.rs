//! A chat's members and messages. Handlers for `routes` only. Who may add, remove and post, the
//! rooms decide at the act; here stands what the answer to a refused one says.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::body::Body;
use super::super::caller::{Caller, From};
use super::super::error::ApiError;
use super::super::paging::{Query, messages};
use super::super::refusals::{
    BadInput, Busy, Forbidden, Missing, Throttled, Unauthorized, UnknownOutcome,
};
use super::super::views::{Chat, ChatMessage};
use super::{GroupLimits, chat_id, find, show};
use crate::auth::paces::Paces;
use crate::domain::{Author, Identity, MessageText, RoomKind, UserId};
use crate::rooms::{Post, Rooms};
use crate::store::{MemberChange, Store};

/// A member to be.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct MemberBody {
    /// The user's row id.
    #[schema(example = 3)]
    user_id: i64,
}

/// Adds a member to a group: any member may. Nothing happens when he is there.
#[utoipa::path(post, path = "/api/chats/{id}/add-member/", tag = "chats", request_body = MemberBody,
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The chat's id.")),
    responses((status = 200, description = "The chat as it is now.", body = Chat),
        BadInput, Unauthorized, Forbidden, Missing, Busy))]
pub async fn add_member(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    limits: web::Data<GroupLimits>,
    caller: Caller,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let id = chat_id(&path)?;
    let user = member(&store, &caller, &path, body).await?;
    if store.role(id, user).await?.is_none() && store.members(id).await?.len() >= limits.max_members
    {
        let most = limits.max_members;
        let text = format!("Ensure this group has no more than {most} members.");
        return Err(ApiError::field("user_id", text));
    }
    rooms.change_members(id, caller.id(), MemberChange::Add(user)).await?;
    Ok(HttpResponse::Ok().json(show(&store, id, caller.id()).await?))
}

/// Removes a member from a group and closes his sockets there: the owner and admins remove
/// others, anybody himself. Nothing happens when he is not there.
#[utoipa::path(post, path = "/api/chats/{id}/remove-member/", tag = "chats",
    request_body = MemberBody, security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The chat's id.")),
    responses((status = 200, description = "The chat as it is now.", body = Chat),
        BadInput, Unauthorized, Forbidden, Missing, Busy))]
pub async fn remove_member(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    caller: Caller,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let id = chat_id(&path)?;
    let user = member(&store, &caller, &path, body).await?;
    rooms.change_members(id, caller.id(), MemberChange::Remove(user)).await?;
    Ok(HttpResponse::Ok().json(show(&store, id, caller.id()).await?))
}

/// The user that a change of a group's members names.
async fn member(
    store: &Store,
    caller: &Caller,
    path: &str,
    body: Body,
) -> Result<UserId, ApiError> {
    let id = chat_id(path)?;
    let (room, _) = find(store, id, caller.id()).await?.ok_or(ApiError::Forbidden)?;
    if room.kind == RoomKind::Pair {
        let text = "Members of a private chat can't be changed.";
        return Err(ApiError::Invalid(text.to_owned()));
    }
    let fields = body.fields().await?;
    let user = fields.integer("user_id").map_err(|error| ApiError::field("user_id", error))?;
    let user = user.ok_or_else(|| ApiError::Invalid("user_id is required.".to_owned()))?;
    let known = store.user(UserId(user)).await?;
    known.map(|_| UserId(user)).ok_or(ApiError::NotFound("User not found."))
}

/// The latest messages of a chat, oldest first.
#[utoipa::path(get, path = "/api/chats/{id}/messages/", tag = "chats",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The chat's id."),
        ("limit" = Option<u32>, Query, description = "Rows at most; 200 when missing, never over 500."),
        ("before" = Option<i64>, Query, description = "Only those with a `seq` below."),
        ("after" = Option<i64>, Query, description = "Only those with a `seq` above.")),
    responses((status = 200, description = "Messages; `Link` leads to older ones.",
        body = [ChatMessage]), BadInput, Unauthorized, Forbidden, Missing, Busy))]
pub async fn history(
    store: web::Data<Store>,
    caller: Caller,
    path: web::Path<String>,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let id = chat_id(&path)?;
    find(&store, id, caller.id()).await?.ok_or(ApiError::Forbidden)?;
    let page = messages(&store, id, &query).await?;
    Ok(page.map(|event| ChatMessage::from(&event)).respond())
}

/// A message to send.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct MessageBody {
    /// The text; white space at both ends goes.
    #[schema(example = "Hello")]
    content: String,
    /// The sender's own id for it: the same again is the same message.
    client_id: Option<String>,
}

/// Sends a message to a chat.
#[utoipa::path(post, path = "/api/chats/{id}/messages/", tag = "chats", request_body = MessageBody,
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = Uuid, Path, description = "The chat's id.")),
    responses((status = 201, description = "Stored, and sent to the chat's sockets.",
            body = ChatMessage),
        (status = 200, description = "The same `client_id` was stored before.", body = ChatMessage),
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
    let id = chat_id(&path)?;
    find(&store, id, caller.id()).await?.ok_or(ApiError::Forbidden)?;
    let fields = body.fields().await?;
    let wrong = |text: &str| ApiError::field("content", text);
    let content = fields.required("content").map_err(wrong)?;
    let content = MessageText::parse(content.trim()).map_err(|e| wrong(&e.to_string()))?;
    paces.message(Author::User(caller.id()), asker.ip)?;
    let post = Post {
        by: Identity::User(caller.0),
        content: content.into_string(),
        nick_name: None,
        raw: None,
        client_id: fields.client_id()?,
    };
    let posted = rooms.post(id, post).await?;
    let mut response = if posted.duplicate { HttpResponse::Ok() } else { HttpResponse::Created() };
    Ok(response.json(ChatMessage::from(posted.event.as_ref())))
}
