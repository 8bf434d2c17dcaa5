//! The door: a request's head and the peer's address in, a decision out, the same for both
//! engines. Pure. Whether a credential is good, and whether its owner may enter, `entry.rs` asks
//! afterwards.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use crate::domain::names;
use crate::protocol::Gate;

/// Longest target: two user names and a `_` between them.
const TARGET_MAX: usize = 2 * names::USER_NAME_MAX + 1;
/// Subprotocols that are looked at; who offers more means something else.
const OFFERED_MAX: usize = 32;

/// A request's head, whichever type it came in.
pub trait Head {
    /// `GET`.
    fn method(&self) -> &str;
    /// Without the query.
    fn path(&self) -> &str;
    /// Without the `?`.
    fn query(&self) -> &str;
    /// The first header of that name, if it is text.
    fn header(&self, name: &str) -> Option<&str>;
    /// All headers of that name that are text, as the one list that they are (RFC 9110, 5.3).
    fn list(&self, name: &str) -> Option<String>;
}

/// Somebody who may be let in, depending on who he is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knock {
    /// The room he wants, decoded, in NFC; none at the door for many rooms. A native socket's is
    /// empty when it can't be read: it is let in and told so.
    pub target: Option<String>,
    /// He speaks `hubbub.v1`.
    pub is_native: bool,
    /// He holds everything of that room up to here.
    pub after: Option<i64>,
    /// The epoch that he holds it of.
    pub epoch: Option<String>,
    /// What he shows.
    pub credential: Credential,
    /// Where he comes from, behind listed proxies.
    pub ip: IpAddr,
    /// His `Sec-WebSocket-Key`.
    pub key: String,
}

/// What somebody shows; the first one present counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    Nothing,
    /// An explicit token: `Authorization`, or `?token=`.
    Token(String),
    /// A ticket, to be used once.
    Ticket(String),
    /// A cookie, and whether it came with an allowed `Origin`.
    Cookie(String, bool),
}

/// An HTTP answer that ends the handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The status.
    #[serde(skip)]
    pub status: u16,
    /// A header that belongs to the status.
    #[serde(skip)]
    pub header: Option<(&'static str, &'static str)>,
    /// For people.
    pub detail: &'static str,
    /// The same; shh's clients read it.
    pub error: &'static str,
    /// For programs.
    pub code: &'static str,
}

impl Refusal {
    const fn new(status: u16, code: &'static str, detail: &'static str) -> Self {
        Self { status, header: None, detail, error: detail, code }
    }

    /// 403 for a missing or wrong credential, a non-member and an unknown id alike: nobody learns
    /// which rooms exist.
    pub const FORBIDDEN: Self =
        Self::new(403, "permission_denied", "You do not have permission to perform this action.");
    /// 503.
    pub const BUSY: Self = Self {
        header: Some(("Retry-After", "1")),
        ..Self::new(503, "busy", "The server is busy, try again in a second.")
    };
    /// 404.
    pub const NOT_FOUND: Self = Self::new(404, "not_found", "Not found.");
    const BAD_HOST: Self =
        Self::new(400, "bad_host", "This host is not served here: see ALLOWED_HOSTS.");
    const WRONG_METHOD: Self = Self {
        header: Some(("Allow", "GET")),
        ..Self::new(405, "method_not_allowed", "A WebSocket opens with GET.")
    };
    /// 400.
    pub const BAD_TARGET: Self = Self::new(
        400,
        "invalid",
        "A room is named by 1 to 100 printable characters without a slash.",
    );
    const NO_WEBSOCKET: Self = Self {
        header: Some(("Upgrade", "websocket")),
        ..Self::new(426, "upgrade_required", "This address speaks WebSocket.")
    };
    const WRONG_VERSION: Self = Self {
        header: Some(("Sec-WebSocket-Version", "13")),
        ..Self::new(426, "upgrade_required", "This address speaks WebSocket version 13.")
    };
    const NO_KEY: Self =
        Self::new(400, "invalid", "The Sec-WebSocket-Key header is missing or malformed.");
    const NO_PROTOCOL: Self =
        Self::new(400, "invalid", "At this address offer the WebSocket subprotocol hubbub.v1.");
}

/// Decides.
///
/// # Errors
/// How to turn him away.
pub fn knock(head: &impl Head, peer: IpAddr, gate: &Gate) -> Result<Knock, Refusal> {
    let host =
        head.header("host").filter(|host| gate.host_allowed(host)).ok_or(Refusal::BAD_HOST)?;
    let target = match head.path() {
        "/ws" | "/ws/" => None,
        path => {
            let target = path.strip_prefix("/ws/chat/").ok_or(Refusal::NOT_FOUND)?;
            let target = target.strip_suffix('/').unwrap_or(target);
            if target.is_empty() || target.contains('/') {
                return Err(Refusal::NOT_FOUND);
            }
            Some(target)
        }
    };
    if head.method() != "GET" {
        return Err(Refusal::WRONG_METHOD);
    }
    let is_websocket = |value: &str| value.to_ascii_lowercase().contains("websocket");
    if !head.header("upgrade").is_some_and(is_websocket) {
        return Err(Refusal::NO_WEBSOCKET);
    }
    if head.header("sec-websocket-version") != Some("13") {
        return Err(Refusal::WRONG_VERSION);
    }
    let key = head.header("sec-websocket-key").filter(|key| is_key(key)).ok_or(Refusal::NO_KEY)?;
    let offered = head.list("sec-websocket-protocol").unwrap_or_default();
    let offered: Vec<&str> = offered.split(',').map(str::trim).take(OFFERED_MAX).collect();
    let is_native = offered.contains(&"hubbub.v1");
    if target.is_none() && !is_native {
        return Err(Refusal::NO_PROTOCOL);
    }
    let target = match target.map(decode) {
        // Browsers can't read a refusal.
        Some(Err(_)) if is_native => Some(String::new()),
        target => target.transpose()?,
    };
    let (forwarded_for, proto) = (head.list("x-forwarded-for"), head.list("x-forwarded-proto"));
    let asker = gate.asker(peer, forwarded_for.as_deref(), proto.as_deref());
    let origin_allowed = || {
        head.header("origin").is_some_and(|origin| gate.origin_allowed(origin, host, asker.https))
    };
    let query: Vec<(String, String)> = serde_urlencoded::from_str(head.query()).unwrap_or_default();
    let wanted = |name: &str| {
        let value = query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|_| is_native)
    };
    let credential = credential(head, &query, is_native.then_some(&offered), origin_allowed);
    Ok(Knock {
        target,
        is_native,
        after: wanted("after").and_then(|after| after.parse().ok()).filter(|after| *after >= 0),
        epoch: wanted("epoch").map(str::to_owned),
        credential,
        ip: asker.ip,
        key: key.to_owned(),
    })
}

/// 16 bytes in base64.
fn is_key(key: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with("==") && key.bytes().take(22).all(is_base64)
}

fn decode(target: &str) -> Result<String, Refusal> {
    let decoded = percent_decode_str(target).decode_utf8().map_err(|_| Refusal::BAD_TARGET)?;
    let target: String = decoded.nfc().collect();
    let is_fine = target.chars().all(names::is_printable)
        && !target.trim().is_empty()
        && target.chars().count() <= TARGET_MAX;
    if is_fine { Ok(target) } else { Err(Refusal::BAD_TARGET) }
}

/// The first one present counts. `offered`: the subprotocols of a native socket, one of which may
/// carry a token, as browsers can set no header.
fn credential(
    head: &impl Head,
    query: &[(String, String)],
    offered: Option<&Vec<&str>>,
    origin_allowed: impl Fn() -> bool,
) -> Credential {
    if let Some(authorization) = head.header("authorization") {
        let token = authorization
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        // Another scheme is a credential that is present and wrong.
        return Credential::Token(token.map_or_else(String::new, |(_, token)| token.trim().into()));
    }
    let asked = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    if let Some(offered) = offered {
        let mut tokens = offered.iter().filter_map(|one| one.strip_prefix("hubbub.token."));
        if let Some(token) = tokens.next() {
            return Credential::Token(token.to_owned());
        }
        if let Some(ticket) = asked("ticket") {
            return Credential::Ticket(ticket.clone());
        }
    }
    if let Some(token) = asked("token") {
        return Credential::Token(token.clone());
    }
    match head.header("cookie").and_then(access_cookie) {
        Some(token) => Credential::Cookie(token.to_owned(), origin_allowed()),
        None => Credential::Nothing,
    }
}

fn access_cookie(cookies: &str) -> Option<&str> {
    cookies
        .split(';')
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == "access_token")
        .map(|(_, value)| value.trim_matches('"'))
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
#[path = "door_tests.rs"]
mod tests;
