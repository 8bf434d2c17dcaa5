//! The HTTP side of a handshake, for both engines: reading a head, and the bytes of the answers
//! that end or complete it (RFC 6455, section 4.2.2).

use std::fmt::Write;
use std::str;

use actix_http::header::HeaderMap;
use actix_http::ws::hash_key;
use actix_http::{HttpMessage, Request};
use actix_web::{HttpRequest, HttpResponse};

use super::door::{Head, Refusal};

impl Head for Request {
    fn method(&self) -> &str {
        self.method().as_str()
    }
    fn path(&self) -> &str {
        self.path()
    }
    fn query(&self) -> &str {
        self.uri().query().unwrap_or_default()
    }
    fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }
    fn list(&self, name: &str) -> Option<String> {
        list(self.headers(), name)
    }
}

impl Head for HttpRequest {
    fn method(&self) -> &str {
        self.method().as_str()
    }
    fn path(&self) -> &str {
        self.path()
    }
    fn query(&self) -> &str {
        self.query_string()
    }
    fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }
    fn list(&self, name: &str) -> Option<String> {
        list(self.headers(), name)
    }
}

/// As long as the head at most, which the engines' readers bound.
fn list(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(name).filter_map(|line| line.to_str().ok());
    lines.map(str::to_owned).reduce(|all, line| all + "," + &line)
}

/// `Sec-WebSocket-Accept` for a key.
#[must_use]
pub fn accept(key: &str) -> String {
    str::from_utf8(&hash_key(key.as_bytes())).unwrap_or_default().to_owned()
}

/// The answer that completes a handshake.
#[must_use]
pub fn switching(key: &str, is_native: bool) -> Vec<u8> {
    let protocol = if is_native { "Sec-WebSocket-Protocol: hubbub.v1\r\n" } else { "" };
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{protocol}\r\n",
        accept(key)
    )
    .into_bytes()
}

/// The answer that ends one. The connection closes with it.
#[must_use]
pub fn refusing(refusal: &Refusal) -> Vec<u8> {
    let body = serde_json::to_string(refusal).unwrap_or_default();
    let reason = actix_http::StatusCode::from_u16(refusal.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", refusal.status);
    if let Some((name, value)) = refusal.header {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(
        head,
        "Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    head.into_bytes()
}

/// The same as [`refusing`], through actix-web.
#[must_use]
pub fn refusal(refusal: &Refusal) -> HttpResponse {
    let status = actix_http::StatusCode::from_u16(refusal.status).unwrap_or_default();
    let mut response = HttpResponse::build(status);
    if let Some(header) = refusal.header {
        response.insert_header(header);
    }
    response.force_close().json(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_http::header::{HeaderName, HeaderValue};

    #[test]
    fn lines_of_one_name_are_one_list_without_what_is_no_text() {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("sec-websocket-protocol");
        assert_eq!(list(&headers, name.as_str()), None);
        for line in [&b"hubbub.v1"[..], b"\xff", b"", b"x, y"] {
            headers.append(name.clone(), HeaderValue::from_bytes(line).expect("a value"));
        }
        assert_eq!(list(&headers, name.as_str()).as_deref(), Some("hubbub.v1,,x, y"));
    }
}
