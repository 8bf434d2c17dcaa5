//! The one mapping of errors to statuses and bodies (CONTRACT section 1, *Errors*). Handlers
//! return [`ApiError`]; the layers below have errors of their own, which turn into it here and
//! nowhere else. A fault of the server's is logged where it happened and says nothing here.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use crate::auth::paces::TooFast;
use crate::auth::{AuthError, TokenError};
use crate::rooms::Refused;
use crate::store::StoreError;

/// Seconds after which a client that met `busy` may come again.
const BUSY_RETRY_S: u64 = 1;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 401: no credential.
    #[error("Authentication credentials were not provided.")]
    NoCredential,
    /// 401: a credential that is wrong or over.
    #[error("Given token not valid for any token type")]
    BadCredential,
    /// 401: a refresh token that buys nothing.
    #[error("Token is invalid")]
    BadRefresh,
    /// 401: name and password open nothing.
    #[error("No active account found with the given credentials")]
    NoAccount,
    /// 403.
    #[error("You do not have permission to perform this action.")]
    Forbidden,
    /// 404, in the words of the resource.
    #[error("{0}")]
    NotFound(&'static str),
    /// 405, with the methods that are allowed.
    #[error("Method not allowed.")]
    Method(&'static str),
    /// 400: fields with what is wrong in them.
    #[error("{}", first(.0))]
    Fields(Vec<(&'static str, String)>),
    /// 400 in a sentence.
    #[error("{0}")]
    Invalid(String),
    /// 400: the body is not what its type says.
    #[error("{0}")]
    Parse(String),
    /// 400: a host name that is not served.
    #[error("Invalid HTTP_HOST header.")]
    Host,
    /// 408: the body did not come in time.
    #[error("The request's body did not come in time.")]
    Slow,
    /// 413: bytes that a body may have.
    #[error("The request's body is over {0} bytes.")]
    TooLarge(usize),
    /// 415: the type that was sent.
    #[error("Unsupported media type \"{0}\" in request.")]
    MediaType(String),
    /// 426: an address of sockets, asked without an upgrade.
    #[error("This address speaks WebSocket.")]
    Upgrade,
    /// 429: seconds to wait.
    #[error("Request was throttled. Expected available in {0} seconds.")]
    RateLimited(u64),
    /// 503: again in a moment.
    #[error("The server is busy, try again in a moment.")]
    Busy,
    /// 504: again with the same `client_id`.
    #[error("It is not known whether this was stored: send it again with the same client_id.")]
    UnknownOutcome,
    /// 500.
    #[error("A server error occurred.")]
    Internal,
}

fn first(fields: &[(&'static str, String)]) -> String {
    match fields {
        [] => "Invalid input.".to_owned(),
        [("non_field_errors", text), ..] => text.clone(),
        [(field, text), ..] => format!("{field}: {text}"),
    }
}

impl ApiError {
    /// 404 in no particular words.
    pub const NOT_FOUND: Self = Self::NotFound("Not found.");

    /// One field with what is wrong in it.
    #[must_use]
    pub fn field(field: &'static str, text: impl Into<String>) -> Self {
        Self::Fields(vec![(field, text.into())])
    }

    /// The word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoCredential => "not_authenticated",
            Self::BadCredential | Self::BadRefresh => "token_not_valid",
            Self::NoAccount => "no_active_account",
            Self::Forbidden => "permission_denied",
            Self::NotFound(_) => "not_found",
            Self::Method(_) => "method_not_allowed",
            Self::Fields(_) | Self::Invalid(_) => "invalid",
            Self::Parse(_) => "parse_error",
            Self::Host => "invalid_host",
            Self::Slow => "request_timeout",
            Self::TooLarge(_) => "too_large",
            Self::MediaType(_) => "unsupported_media_type",
            Self::Upgrade => "upgrade_required",
            Self::RateLimited(_) => "rate_limited",
            Self::Busy => "busy",
            Self::UnknownOutcome => "unknown_outcome",
            Self::Internal => "error",
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Value {
        let detail = self.to_string();
        let mut body = Map::new();
        if let Self::Fields(fields) = self {
            for (field, text) in fields {
                let texts = body.entry(*field).or_insert_with(|| json!([]));
                if let Some(texts) = texts.as_array_mut() {
                    texts.push(json!(text));
                }
            }
        }
        if matches!(self, Self::BadCredential) {
            body.insert(
                "messages".to_owned(),
                json!([{"token_class": "AccessToken", "token_type": "access",
                        "message": "Token is invalid or expired"}]),
            );
        }
        body.insert("error".to_owned(), json!(detail));
        body.insert("detail".to_owned(), json!(detail));
        body.insert("code".to_owned(), json!(self.code()));
        Value::Object(body)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NoCredential | Self::BadCredential | Self::BadRefresh | Self::NoAccount => {
                StatusCode::UNAUTHORIZED
            }
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Fields(_) | Self::Invalid(_) | Self::Parse(_) | Self::Host => {
                StatusCode::BAD_REQUEST
            }
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Upgrade => StatusCode::UPGRADE_REQUIRED,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::UnknownOutcome => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::NoCredential | Self::BadCredential | Self::BadRefresh | Self::NoAccount => {
                let challenge = HeaderValue::from_static("Bearer realm=\"api\"");
                response.insert_header((WWW_AUTHENTICATE, challenge));
            }
            Self::Method(allowed) => {
                response.insert_header((ALLOW, *allowed));
            }
            Self::Upgrade => {
                response.insert_header((UPGRADE, "websocket"));
            }
            Self::RateLimited(seconds) => {
                response.insert_header((RETRY_AFTER, *seconds));
            }
            Self::Busy | Self::UnknownOutcome => {
                response.insert_header((RETRY_AFTER, BUSY_RETRY_S));
            }
            _ => {}
        }
        response.json(self.body())
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid | TokenError::Expired => Self::BadCredential,
            TokenError::Busy => Self::Busy,
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Fields(fields) => Self::Fields(fields),
            AuthError::WrongCredentials => Self::NoAccount,
            AuthError::WrongToken | AuthError::Reused(..) => Self::BadRefresh,
            AuthError::Limited(seconds) => Self::RateLimited(seconds),
            AuthError::Busy => Self::Busy,
            AuthError::Internal => Self::Internal,
        }
    }
}

impl From<TooFast> for ApiError {
    fn from(TooFast(wait): TooFast) -> Self {
        Self::RateLimited(wait.as_secs().saturating_add(1))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken(field) => Self::field(field, format!("This {field} is taken.")),
            StoreError::Missing(_) => Self::NOT_FOUND,
            StoreError::Banned => Self::Forbidden,
            StoreError::Busy | StoreError::Fenced => Self::Busy,
            error @ (StoreError::Database(_) | StoreError::Unusable(_)) => {
                log::error!("the store failed: {error}");
                Self::Internal
            }
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy => Self::Busy,
            Refused::UnknownOutcome => Self::UnknownOutcome,
            Refused::Forbidden => Self::Forbidden,
            Refused::NotFound => Self::NOT_FOUND,
            Refused::Invalid(text) => Self::Invalid(text.to_owned()),
            Refused::Internal => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_status_and_its_words() {
        for (error, status, code, detail) in [
            (
                ApiError::NoCredential,
                401,
                "not_authenticated",
                "Authentication credentials were not provided.",
            ),
            (
                ApiError::from(TokenError::Expired),
                401,
                "token_not_valid",
                "Given token not valid for any token type",
            ),
            (
                ApiError::from(Refused::Forbidden),
                403,
                "permission_denied",
                "You do not have permission to perform this action.",
            ),
            (ApiError::from(Refused::NotFound), 404, "not_found", "Not found."),
            (
                ApiError::field("name", "This field is required."),
                400,
                "invalid",
                "name: This field is required.",
            ),
            (
                ApiError::field("non_field_errors", "Invalid email or password"),
                400,
                "invalid",
                "Invalid email or password",
            ),
        ] {
            let body = error.body();
            assert_eq!(error.status_code().as_u16(), status, "{code}");
            assert_eq!(body["code"], code);
            assert_eq!(body["detail"], detail);
            assert_eq!(body["error"], detail);
        }
    }

    #[test]
    fn fields_carry_all_that_is_wrong_in_them() {
        let error = ApiError::Fields(vec![
            ("password", "This password is too short.".to_owned()),
            ("password", "This password is too common.".to_owned()),
        ]);
        let wanted = json!(["This password is too short.", "This password is too common."]);
        assert_eq!(error.body()["password"], wanted);
    }

    #[test]
    fn what_may_be_tried_again_says_when() {
        for (error, seconds) in [
            (ApiError::RateLimited(7), "7"),
            (ApiError::from(TooFast(std::time::Duration::from_millis(50))), "1"),
            (ApiError::from(Refused::Busy), "1"),
            (ApiError::from(Refused::UnknownOutcome), "1"),
        ] {
            let response = error.error_response();
            let header = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok());
            assert_eq!(header, Some(seconds));
        }
        let refused = ApiError::BadCredential.error_response();
        let header = refused.headers().get(WWW_AUTHENTICATE).and_then(|v| v.to_str().ok());
        assert_eq!(header, Some("Bearer realm=\"api\""));
    }
}
