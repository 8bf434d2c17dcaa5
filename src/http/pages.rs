//! The pages and their files, as `web` holds them inside the binary. Handlers for `routes` only.

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::web::{asset, release};

use super::error::ApiError;

/// Browsers keep it and ask each time whether it changed.
const ASK: &str = "no-cache";
/// Its address changes when it does.
const KEEP: &str = "public, max-age=31536000, immutable";

/// The chat: one page under several addresses, which its script reads.
pub async fn chat(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    send(&request, "index.html", ASK)
}

/// The control room; what it shows it asks for as whoever is signed in.
pub async fn admin(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    send(&request, "admin.html", ASK)
}

/// The private chat with somebody. `/chat/history/` is where rooms' histories are, and no user's page.
pub async fn private_chat(
    request: HttpRequest,
    username: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    if username.as_str() == "history" {
        return Err(ApiError::NOT_FOUND);
    }
    chat(request).await
}

/// The protocol's client, under the address that others' pages name.
pub async fn hubbub_js(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    send(&request, "hubbub.js", ASK)
}

/// What `hubbub.js` imports.
pub async fn hubbub_room_js(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    send(&request, "hubbub-room.js", ASK)
}

/// A file of the pages. Of another release, as while nodes are upgraded one by one, the own one is
/// given, and nobody keeps it.
pub async fn file(
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (of, name) = path.into_inner();
    send(&request, &name, if of == release() { KEEP } else { ASK })
}

fn send(request: &HttpRequest, name: &str, cache: &'static str) -> Result<HttpResponse, ApiError> {
    let asset = asset(name).ok_or(ApiError::NOT_FOUND)?;
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let zipped = header(ACCEPT_ENCODING).is_some_and(|accepted| accepted.contains("gzip"));
    let etag = format!("\"{}{}\"", asset.hash, if zipped { "-gzip" } else { "" });
    let is_known = header(IF_NONE_MATCH) == Some(etag.as_str());
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, etag)).insert_header((CACHE_CONTROL, cache));
    response.append_header((VARY, "Accept-Encoding"));
    if is_known {
        return Ok(response.finish());
    }
    response.insert_header((CONTENT_TYPE, asset.content_type));
    if zipped {
        response.insert_header((CONTENT_ENCODING, "gzip"));
        return Ok(response.body(asset.gzip.as_slice()));
    }
    Ok(response.body(asset.bytes.as_slice()))
}
