//! The figures of now, and again every second, as server-sent events. Handler for `routes` only.

use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::super::caller::{Admin, Credential, credential};
use super::super::error::ApiError;
use super::super::refusals::{Busy, Forbidden, Unauthorized};
use crate::auth::Auth;
use crate::stats::{EVERY, Snapshot, Stats, Watcher};

/// So many figures later the credential is looked at again: a stream ends with its login.
const CHECKED_EVERY: u64 = 5;

struct Stream {
    stats: Data<Stats>,
    auth: Data<Auth>,
    draining: Data<AtomicBool>,
    token: String,
    beat: Interval,
    sent: u64,
    _place: Watcher,
}

impl Stream {
    async fn next(mut self) -> Option<(Result<Bytes, ApiError>, Self)> {
        self.beat.tick().await;
        if self.draining.load(Ordering::Relaxed) {
            return None;
        }
        if self.sent > 0 && self.sent.is_multiple_of(CHECKED_EVERY) {
            let who = self.auth.identify(&self.token).await;
            if !who.is_ok_and(|who| who.is_superuser) {
                return None;
            }
        }
        self.sent += 1;
        let event = format!("data: {}\n\n", self.stats.seen().await);
        Some((Ok(Bytes::from(event)), self))
    }
}

/// What the whole chat and each node carry, every second, until the login ends or the node drains.
/// However many watch, the rooms are asked once a second.
#[utoipa::path(get, path = "/api/admin/stats/stream/", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "`data:` lines, each the body of `/api/admin/stats/`.",
            body = Snapshot, content_type = "text/event-stream"),
        Unauthorized, Forbidden, Busy))]
pub async fn stream(
    stats: Data<Stats>,
    auth: Data<Auth>,
    draining: Data<AtomicBool>,
    _admin: Admin,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let Some(Credential::Bearer(token) | Credential::Cookie(token)) = credential(&request) else {
        return Err(ApiError::NoCredential);
    };
    let place = stats.watch().ok_or(ApiError::Busy)?;
    let mut beat = interval(EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = Stream { stats, auth, draining, token, beat, sent: 0, _place: place };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        // nginx is not to gather events until they fill a buffer.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(stream::unfold(stream, Stream::next)))
}
