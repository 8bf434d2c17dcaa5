//! The refusals that handlers share, as the OpenAPI document shows them: each example is the body
//! that `error` really sends. Named in `#[utoipa::path]` only.

use std::collections::BTreeMap;

use actix_web::ResponseError;
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::error::ApiError;

/// A refusal. Wrong fields are keys of their own with a list of texts each.
#[derive(Serialize, ToSchema)]
pub struct Problem {
    /// Why, in a sentence.
    pub detail: String,
    /// The same.
    pub error: String,
    /// Why, as a word.
    #[schema(example = "not_found")]
    pub code: String,
}

fn response(error: &ApiError, description: &str) -> BTreeMap<String, RefOr<Response>> {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .example(Some(error.body()))
        .build();
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .build();
    BTreeMap::from([(error.status_code().as_u16().to_string(), RefOr::T(response))])
}

macro_rules! refusal {
    ($name:ident, $description:literal, $error:expr) => {
        #[doc = $description]
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                response(&$error, $description)
            }
        }
    };
}

refusal!(
    BadInput,
    "The body or a field of it is wrong; each wrong field is named with its texts.",
    ApiError::field("name", "This field is required.")
);
refusal!(Unauthorized, "No credential, or one that is wrong or over.", ApiError::BadCredential);
refusal!(NoAccount, "Name and password open no account.", ApiError::NoAccount);
refusal!(BadRefresh, "The refresh token buys nothing.", ApiError::BadRefresh);
refusal!(Forbidden, "The caller may not do this.", ApiError::Forbidden);
refusal!(Missing, "Not there, or not for the caller to know of.", ApiError::NOT_FOUND);
refusal!(NotAllowed, "Not possible on a private chat.", ApiError::Method("GET, HEAD, OPTIONS"));
refusal!(Throttled, "Too often; `Retry-After` says when again.", ApiError::RateLimited(6));
refusal!(Busy, "The server is behind; `Retry-After` says when again.", ApiError::Busy);
refusal!(
    UnknownOutcome,
    "It is not known whether this was stored: send it again with the same `client_id`.",
    ApiError::UnknownOutcome
);
