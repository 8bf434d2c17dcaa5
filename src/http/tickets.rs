//! Tickets for sockets. Handler for `routes` only.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::Caller;
use super::error::ApiError;
use super::refusals::{Busy, Unauthorized};
use crate::auth::{Auth, TICKET_LIVES_S};

/// A ticket for one socket.
#[derive(Serialize, ToSchema)]
pub struct SocketTicket {
    /// Opens one socket, once.
    #[schema(example = "UDA2cyxiTGl6oD0qyZ7rDUv4tPjYCkWz1kEhrJ0qvXM")]
    ticket: String,
    /// Seconds in which it must be used.
    #[schema(example = 30)]
    expires_in: i64,
}

/// Mints a ticket, used once as `?ticket=` of a socket's address: for browsers, which can't send a
/// token with the upgrade. The socket lives no longer than the access token that bought it.
#[utoipa::path(post, path = "/api/ws-ticket/", tag = "tokens",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "A ticket.", body = SocketTicket), Unauthorized, Busy))]
pub async fn mint(auth: web::Data<Auth>, caller: Caller) -> Result<HttpResponse, ApiError> {
    let ticket = auth.mint_ticket(&caller.0).await?;
    Ok(HttpResponse::Ok().json(SocketTicket { ticket, expires_in: TICKET_LIVES_S }))
}
