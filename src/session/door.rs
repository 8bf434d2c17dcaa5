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
    let offered = head.header("sec-websocket-protocol").unwrap_or_default();
    let offered: Vec<&str> = offered.split(',').map(str::trim).collect();
    let is_native = offered.contains(&"hubbub.v1");
    if target.is_none() && !is_native {
        return Err(Refusal::NO_PROTOCOL);
    }
    let target = match target.map(decode) {
        // Browsers can't read a refusal.
        Some(Err(_)) if is_native => Some(String::new()),
        target => target.transpose()?,
    };
    let asker = gate.asker(peer, head.header("x-forwarded-for"), head.header("x-forwarded-proto"));
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
mod tests {
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    struct Request {
        method: &'static str,
        path: String,
        query: String,
        headers: HashMap<String, String>,
    }

    impl Head for Request {
        fn method(&self) -> &str {
            self.method
        }
        fn path(&self) -> &str {
            &self.path
        }
        fn query(&self) -> &str {
            &self.query
        }
        fn header(&self, name: &str) -> Option<&str> {
            self.headers.get(name).map(String::as_str)
        }
    }

    fn request(path: &str, more: &[(&str, &str)]) -> Request {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let usual = [
            ("host", "localhost:8000"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let headers = usual.iter().chain(more).map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Request { method: "GET", path: path.into(), query: query.into(), headers }
    }

    fn ask(request: &Request) -> Result<Knock, Refusal> {
        knock(request, IpAddr::from([127, 0, 0, 1]), &Gate::new(&["localhost"], &[], &[]))
    }

    #[test]
    fn targets_are_decoded_once_and_come_in_nfc() {
        for (path, target) in [
            ("/ws/chat/global/", "global"),
            ("/ws/chat/global", "global"),
            ("/ws/chat/caf%C3%A9/", "café"),
            ("/ws/chat/cafe%CC%81/", "café"),
            ("/ws/chat/50%2525/", "50%25"),
            ("/ws/chat/a%20b", "a b"),
        ] {
            let asked = ask(&request(path, &[])).map(|knock| knock.target);
            assert_eq!(asked, Ok(Some(target.to_owned())));
        }
    }

    #[test]
    fn what_is_no_room_is_turned_away() {
        let long = format!("/ws/chat/{}/", "a".repeat(302));
        for (path, status) in [
            ("/ws/chat/", 404),
            ("/ws/chat", 404),
            ("/ws/", 400),
            ("/elsewhere/", 404),
            ("/ws/chat/a/b/", 404),
            ("/ws/chat//", 404),
            ("/ws/chat/a%2Fb/", 400),
            ("/ws/chat/%00/", 400),
            ("/ws/chat/%0A/", 400),
            ("/ws/chat/%FF/", 400),
            ("/ws/chat/%20/", 400),
            (&long, 400),
        ] {
            assert_eq!(
                ask(&request(path, &[])).map_err(|refusal| refusal.status),
                Err(status),
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_no_handshake_is_turned_away() {
        for (name, value, status) in [
            ("host", "evil.example", 400),
            ("upgrade", "h2c", 426),
            ("sec-websocket-version", "8", 426),
            ("sec-websocket-key", "short", 400),
        ] {
            let refused = ask(&request("/ws/chat/x/", &[(name, value)]));
            assert_eq!(refused.map_err(|refusal| refusal.status), Err(status), "{name}");
        }
        let post = Request { method: "POST", ..request("/ws/chat/x/", &[]) };
        assert_eq!(
            ask(&post).map_err(|refusal| (refusal.status, refusal.header)),
            Err((405, Some(("Allow", "GET"))))
        );
    }

    #[test]
    fn the_first_credential_present_counts_and_an_empty_one_is_present() {
        let bearer = ("authorization", "Bearer abc");
        let cookie = ("cookie", "x=1; access_token=def; y=2");
        let own = ("origin", "http://localhost:8000");
        for (path, headers, credential) in [
            ("/ws/chat/x/", vec![], Credential::Nothing),
            ("/ws/chat/x/?token=abc", vec![cookie], Credential::Token("abc".into())),
            ("/ws/chat/x/?token=q", vec![bearer], Credential::Token("abc".into())),
            ("/ws/chat/x/?token=", vec![], Credential::Token(String::new())),
            ("/ws/chat/x/?a=b&token=null", vec![], Credential::Token("null".into())),
            ("/ws/chat/x/", vec![("authorization", "Basic abc")], Credential::Token(String::new())),
            ("/ws/chat/x/", vec![cookie, own], Credential::Cookie("def".into(), true)),
            (
                "/ws/chat/x/",
                vec![cookie, ("origin", "null")],
                Credential::Cookie("def".into(), false),
            ),
            ("/ws/chat/x/", vec![cookie], Credential::Cookie("def".into(), false)),
            ("/ws/chat/x/", vec![("cookie", "access_token=")], Credential::Nothing),
        ] {
            let shown = ask(&request(path, &headers)).map(|knock| knock.credential);
            assert_eq!(shown, Ok(credential), "{path} {headers:?}");
        }
    }

    #[test]
    fn native_sockets_have_more_ways_to_say_who_they_are() {
        let native = |path: &str, more: &[(&str, &str)]| {
            let mut headers = vec![("sec-websocket-protocol", "hubbub.v1, x")];
            headers.extend(more);
            ask(&request(path, &headers)).expect("a knock")
        };
        let knock = native("/ws/?ticket=t&token=q&after=7&epoch=e", &[]);
        assert_eq!(knock.credential, Credential::Ticket("t".into()));
        assert_eq!((knock.target, knock.after, knock.epoch.as_deref()), (None, Some(7), Some("e")));
        let offered = [("sec-websocket-protocol", "hubbub.v1, hubbub.token.abc")];
        let knock = native("/ws/chat/x/?ticket=t", &offered);
        assert_eq!(knock.credential, Credential::Token("abc".into()));
        let bearer = [offered[0], ("authorization", "Bearer b")];
        assert_eq!(native("/ws", &bearer).credential, Credential::Token("b".into()));
        assert_eq!(native("/ws/chat/%00/", &[]).target.as_deref(), Some(""));
        assert_eq!(native("/ws/?after=x", &[]).after, None);
        let plain = ask(&request("/ws/chat/x/?ticket=t", &[])).expect("a knock");
        assert_eq!(plain.credential, Credential::Nothing);
    }

    proptest! {
        #[test]
        fn no_path_or_header_makes_it_panic(path in ".{0,200}", value in ".{0,100}") {
            let path = format!("/ws/chat/{path}");
            for name in ["host", "authorization", "cookie", "origin", "x-forwarded-for", "sec-websocket-key", "sec-websocket-protocol"] {
                drop(ask(&request(&path, &[(name, &value)])));
            }
        }
    }
}
