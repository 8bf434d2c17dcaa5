//! The page on `/` and its files, as `web` holds them inside the binary.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::web::asset;

use super::error::ApiError;

/// The page.
pub async fn index(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    send(&request, "index.html")
}

/// A file of the page.
pub async fn file(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    send(&request, &name)
}

/// Browsers keep it and ask each time whether it changed.
fn send(request: &HttpRequest, name: &str) -> Result<HttpResponse, ApiError> {
    let asset = asset(name).ok_or(ApiError::NOT_FOUND)?;
    let known = request.headers().get(IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let mut response = if known == Some(asset.etag.as_str()) {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response.insert_header((ETAG, asset.etag.as_str())).insert_header((CACHE_CONTROL, "no-cache"));
    if known == Some(asset.etag.as_str()) {
        return Ok(response.finish());
    }
    Ok(response.insert_header((CONTENT_TYPE, asset.content_type)).body(asset.bytes.into_owned()))
}
