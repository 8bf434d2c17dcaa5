//! Any bytes at the door: no head of a request makes it panic, and what it lets in is never more
//! than the bounds allow, whoever wrote it.

use std::net::IpAddr;

use hubbub::protocol::Gate;
use hubbub::session::door::{Credential, Head, Knock, knock};
use proptest::prelude::*;

/// Headers that the door looks at.
const HEADERS: [&str; 10] = [
    "host",
    "upgrade",
    "sec-websocket-version",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "authorization",
    "cookie",
    "origin",
    "x-forwarded-for",
    "x-forwarded-host",
];

#[derive(Debug)]
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
}

impl Head for Request {
    fn method(&self) -> &str {
        &self.method
    }
    fn path(&self) -> &str {
        &self.path
    }
    fn query(&self) -> &str {
        &self.query
    }
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }
    fn list(&self, name: &str) -> Option<String> {
        let all = self.headers.iter().filter(|(known, _)| *known == name);
        let all: Vec<&str> = all.map(|(_, value)| value.as_str()).collect();
        (!all.is_empty()).then(|| all.join(","))
    }
}

/// A head that would be let in.
fn good(native: bool) -> Request {
    let mut headers: Vec<(&'static str, String)> = [
        ("host", "localhost:8000"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();
    if native {
        headers.push(("sec-websocket-protocol", "hubbub.v1, hubbub.token.abc".to_owned()));
    }
    let (method, path) = ("GET".to_owned(), "/ws/chat/lobby/".to_owned());
    Request { method, path, query: "token=abc&after=7&epoch=e&ticket=t".to_owned(), headers }
}

fn ask(request: &Request) -> Option<Knock> {
    let proxy = IpAddr::from([127, 0, 0, 1]);
    let gate = Gate::new(&["localhost"], &["https://chat.example"], &[proxy]);
    match knock(request, proxy, &gate) {
        Ok(knock) => Some(knock),
        Err(refusal) => {
            assert!([400, 403, 404, 405, 426].contains(&refusal.status), "{refusal:?}");
            None
        }
    }
}

/// What holds for whoever is let in.
fn is_sound(request: &Request) -> bool {
    let Some(knock) = ask(request) else { return true };
    let all = request.path.len()
        + request.query.len()
        + request.headers.iter().map(|(_, value)| value.len()).sum::<usize>();
    let shown = match &knock.credential {
        Credential::Nothing => 0,
        Credential::Token(text) | Credential::Ticket(text) | Credential::Cookie(text, _) => {
            text.len()
        }
    };
    let target = knock.target.as_ref().is_none_or(|target| target.chars().count() <= 301);
    target
        && shown <= 3 * all
        && knock.after.is_none_or(|after| after >= 0)
        && request.method == "GET"
}

/// Text as odd as a request can carry it: what is no UTF-8 is no header.
fn odd() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,200}",
        "[%a-fA-F0-9/?&=;, ._~-]{0,200}",
        "(hubbub\\.(v1|token\\.)[, ]*){0,6}",
        prop::collection::vec(any::<u8>(), 0..200)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ]
}

proptest! {
    #[test]
    fn no_request_makes_the_door_panic(
        method in "(GET|get|POST|CONNECT|[^ ]{0,9})",
        path in odd(),
        query in odd(),
        values in prop::collection::vec((0..HEADERS.len(), odd()), 0..12),
    ) {
        let headers = values.into_iter().map(|(at, value)| (HEADERS[at], value)).collect();
        let request = Request { method, path, query, headers };
        prop_assert!(is_sound(&request));
    }

    #[test]
    fn no_change_of_a_good_request_makes_the_door_panic(
        native in any::<bool>(),
        which in 0..HEADERS.len() + 2,
        value in odd(),
        path in "(/ws/?|/ws/chat/|/ws/chat)",
    ) {
        let mut request = good(native);
        prop_assert!(ask(&request).is_some());
        match HEADERS.get(which) {
            Some(name) => {
                request.headers.retain(|(known, _)| known != name);
                request.headers.push((name, value));
            }
            None if which == HEADERS.len() => request.path = format!("{path}{value}"),
            None => request.query = value,
        }
        prop_assert!(is_sound(&request));
    }
}
