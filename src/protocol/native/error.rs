//! The codes of an `error` frame. Named by whoever refuses a client's frame; programs read the
//! code, people the words beside it.

use serde::Serialize;

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not a JSON object with a string `type`.
    BadFrame,
    /// A `type` that this protocol does not have.
    UnknownType,
    /// About a room that this socket does not follow.
    NotJoined,
    /// Somebody with an account may, and nobody has signed in here.
    Unauthorized,
    /// This one may not.
    Forbidden,
    /// There is no such room or message.
    NotFound,
    /// A field is missing, or is not what it must be.
    Invalid,
    /// A text over its limit.
    TooLong,
    /// More than the limits allow: wait.
    RateLimited,
    /// The room or the store has no place now: wait.
    Busy,
    /// It may be stored or not: send it again with the same `client_id`.
    UnknownOutcome,
    /// A fault of the server's.
    Internal,
}

impl ErrorCode {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::BadFrame,
        Self::UnknownType,
        Self::NotJoined,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Invalid,
        Self::TooLong,
        Self::RateLimited,
        Self::Busy,
        Self::UnknownOutcome,
        Self::Internal,
    ];

    /// As clients read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadFrame => "bad_frame",
            Self::UnknownType => "unknown_type",
            Self::NotJoined => "not_joined",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::TooLong => "too_long",
            Self::RateLimited => "rate_limited",
            Self::Busy => "busy",
            Self::UnknownOutcome => "unknown_outcome",
            Self::Internal => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_goes_out_under_its_name() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::json!(code), code.as_str());
        }
    }
}
