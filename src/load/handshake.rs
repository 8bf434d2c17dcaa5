//! The upgrade as a client does it: the request for a room's socket, and what the answer says. Pure.

use super::accounts::Account;
use super::scenario::Dialect;
use super::target::Target;

/// What a socket asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The server.
    pub target: &'a Target,
    /// The scenario's path.
    pub path: &'a str,
    /// The room's name.
    pub room: &'a str,
    /// What it speaks.
    pub dialect: Dialect,
    /// Who it is.
    pub account: Option<&'a Account>,
    /// `seq` and epoch of what it holds, to resume.
    pub resume: Option<(i64, &'a str)>,
    /// The value of `Sec-WebSocket-Key`.
    pub key: &'a str,
}

/// Appends the request.
pub fn request(wanted: &Wanted<'_>, out: &mut Vec<u8>) {
    let mut path = wanted.path.replace("{room}", wanted.room);
    let mut query = |name: &str, value: &str| {
        path.push(if path.contains('?') { '&' } else { '?' });
        path.extend([name, "=", value]);
    };
    let mut more = String::new();
    match (wanted.dialect, wanted.account) {
        (Dialect::Guest, _) | (Dialect::Token, None) => {}
        (Dialect::Token, Some(account)) => query("token", &account.access),
        (Dialect::Native, account) => {
            more += "Sec-WebSocket-Protocol: hubbub.v1\r\n";
            if let Some(account) = account {
                more.extend(["Authorization: Bearer ", &account.access, "\r\n"]);
                if let Some((after, epoch)) = wanted.resume {
                    query("after", &after.to_string());
                    query("epoch", epoch);
                }
            }
        }
    }
    let text = format!(
        "GET {}{path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n{more}\r\n",
        wanted.target.base, wanted.target.host, wanted.key
    );
    out.extend_from_slice(text.as_bytes());
}

/// What the server said to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Not all of it is there yet.
    Unfinished,
    /// The socket is open; what follows begins at this byte.
    Open(usize),
    /// It was refused with this status; 0 when it was no right answer.
    Refused(u16),
}

/// Reads the answer to a request with the key that this `accept` belongs to.
#[must_use]
pub fn answer(bytes: &[u8], accept: &[u8]) -> Answer {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(bytes) {
        Ok(httparse::Status::Partial) => Answer::Unfinished,
        Ok(httparse::Status::Complete(end)) if head.code == Some(101) => {
            let right = head.headers.iter().any(|header| {
                header.name.eq_ignore_ascii_case("sec-websocket-accept") && header.value == accept
            });
            if right { Answer::Open(end) } else { Answer::Refused(0) }
        }
        Ok(httparse::Status::Complete(_)) => Answer::Refused(head.code.unwrap_or(0)),
        Err(_) => Answer::Refused(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(dialect: Dialect, account: Option<&Account>) -> String {
        let target = Target::parse("ws://127.0.0.1:8000").expect("a target");
        let mut out = Vec::new();
        let wanted = Wanted {
            target: &target,
            path: "/ws/chat/{room}/",
            room: "load-1",
            dialect,
            account,
            resume: Some((7, "e")),
            key: "dGhlIHNhbXBsZSBub25jZQ==",
        };
        request(&wanted, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn each_dialect_proves_itself_in_its_way() {
        let account = Account { access: "a.b.c".to_owned(), refresh: None };
        assert!(asked(Dialect::Guest, None).starts_with("GET /ws/chat/load-1/ HTTP/1.1\r\n"));
        assert!(asked(Dialect::Token, Some(&account)).contains("/?token=a.b.c HTTP"));
        let native = asked(Dialect::Native, Some(&account));
        assert!(native.contains("/?after=7&epoch=e HTTP") && native.contains("Bearer a.b.c\r\n"));
        assert!(asked(Dialect::Native, None).contains("/load-1/ HTTP"));
    }

    #[test]
    fn the_answer_must_be_whole_and_to_this_key() {
        let accept = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        let good = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                     sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x00";
        assert_eq!(answer(good, accept), Answer::Open(good.len() - 2));
        assert_eq!(answer(&good[..40], accept), Answer::Unfinished);
        assert_eq!(answer(good, b"another"), Answer::Refused(0));
        assert_eq!(answer(b"HTTP/1.1 403 Forbidden\r\n\r\n", accept), Answer::Refused(403));
        assert_eq!(answer(b"SSH-2.0\r\n\r\n", accept), Answer::Refused(0));
    }
}
