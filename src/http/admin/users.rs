//! What admins do to accounts. Handlers for `routes` only: the store does it, with its record, and
//! the rooms close the sockets.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::caller::Acting;
use super::super::error::ApiError;
use super::super::refusals::{Busy, Forbidden, Missing, Unauthorized};
use super::super::tokens::{tell_act, tell_rooms};
use crate::domain::{Timestamp, UserId};
use crate::rooms::{Act, Rooms};
use crate::store::Store;

/// How an account stands now.
#[derive(Serialize, ToSchema)]
pub struct AccountNow {
    /// Row id.
    #[schema(example = 7)]
    id: i64,
    /// Name.
    #[schema(example = "alice")]
    username: String,
    /// Since when it is off; null while it is on.
    disabled_at: Option<Timestamp>,
}

/// Turns an account off: nobody signs in with it, its logins end, its sockets close.
#[utoipa::path(post, path = "/api/admin/users/{id}/disable/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = i64, Path, description = "The user's row id.")),
    responses((status = 200, description = "It is off, as it may have been before.", body = AccountNow),
        Unauthorized, Forbidden, Missing, Busy))]
pub async fn disable(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    acting: Acting,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let user = user_id(&path)?;
    store.disable_user(user, &acting.deed).await?;
    tell_act(&rooms, acting.user(), Act::UserDisabled { user }).await;
    show(&store, user).await
}

/// Turns an account on again: its user may sign in.
#[utoipa::path(post, path = "/api/admin/users/{id}/enable/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = i64, Path, description = "The user's row id.")),
    responses((status = 200, description = "It is on, as it may have been before.", body = AccountNow),
        Unauthorized, Forbidden, Missing, Busy))]
pub async fn enable(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    acting: Acting,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let user = user_id(&path)?;
    store.enable_user(user, &acting.deed).await?;
    tell_act(&rooms, acting.user(), Act::UserEnabled { user }).await;
    show(&store, user).await
}

/// Ends all logins of a user and closes their sockets; he may sign in again.
#[utoipa::path(post, path = "/api/admin/users/{id}/sign-out/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = i64, Path, description = "The user's row id.")),
    responses((status = 200, description = "Signed out everywhere.", body = AccountNow),
        Unauthorized, Forbidden, Missing, Busy))]
pub async fn sign_out(
    store: web::Data<Store>,
    rooms: web::Data<Rooms>,
    acting: Acting,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let user = user_id(&path)?;
    let ended = store.sign_out_user(user, &acting.deed).await?;
    tell_rooms(&rooms, acting.user(), ended).await;
    show(&store, user).await
}

fn user_id(path: &str) -> Result<UserId, ApiError> {
    path.parse().map(UserId).map_err(|_| ApiError::NOT_FOUND)
}

async fn show(store: &Store, user: UserId) -> Result<HttpResponse, ApiError> {
    let row = store.user(user).await?.ok_or(ApiError::NOT_FOUND)?;
    let (id, username) = (row.card.id, row.card.username.clone());
    Ok(HttpResponse::Ok().json(AccountNow { id, username, disabled_at: row.disabled_at }))
}
