//! What admins did, newest first. Handlers for `routes` only.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::caller::Admin;
use super::super::error::ApiError;
use super::super::paging::{Page, Query};
use super::super::refusals::{BadInput, Busy, Forbidden, Unauthorized};
use crate::domain::Timestamp;
use crate::store::{RecordRow, Store};

/// An act of an admin.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    /// Ascending.
    #[schema(example = 7)]
    id: i64,
    /// When.
    at: Timestamp,
    /// The admin's row id, null for the command line.
    #[schema(example = 1)]
    actor: Option<i64>,
    /// His name.
    #[schema(example = "root")]
    actor_name: Option<String>,
    /// What: `user.disable`, `user.enable`, `user.sign_out`, `room.close`, `room.kick`, `room.ban`,
    /// `room.unban`, `message.delete` or `announce`.
    #[schema(example = "user.disable")]
    action: String,
    /// To whom or what: `user:<id>`, `room:<uuid>`, `message:<uuid>` or `everybody`.
    #[schema(example = "user:7")]
    target: String,
    /// How it was.
    #[schema(value_type = Option<Object>, example = json!({"disabled_at": null}))]
    before: Option<Value>,
    /// How it is.
    #[schema(value_type = Option<Object>,
        example = json!({"disabled_at": "2025-01-01T12:00:00.000000Z"}))]
    after: Option<Value>,
    /// From where, null for the command line.
    #[schema(example = "203.0.113.7")]
    ip: Option<String>,
}

impl From<RecordRow> for AuditEntry {
    fn from(row: RecordRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            actor: row.actor.map(|user| user.0),
            actor_name: row.actor_name,
            action: row.action,
            target: row.target,
            before: row.before,
            after: row.after,
            ip: row.ip,
        }
    }
}

/// What admins did, newest first.
#[utoipa::path(get, path = "/api/admin/audit/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(("limit" = Option<u32>, Query, description = "Rows at most; 200 when missing, never over 500."),
        ("before" = Option<i64>, Query, description = "Only those with an `id` below.")),
    responses((status = 200, description = "Acts; `Link` leads to older ones.", body = [AuditEntry]),
        BadInput, Unauthorized, Forbidden, Busy))]
pub async fn audit(
    store: web::Data<Store>,
    _admin: Admin,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let limit = query.limit()?;
    let rows = store.records(query.number("before")?, u64::from(limit) + 1).await?;
    let page = Page::newest_first(&query, rows, limit, |row| row.id.to_string());
    Ok(page.map(AuditEntry::from).respond())
}
