//! What goes over a socket in each dialect, as a client that counts says and hears it. Pure. A
//! delivery is known by its tag and never read as JSON; what is rare is.

use serde::Deserialize;

use super::scenario::Dialect;
use super::tag::{Tag, Tags, hex, unhex};

/// A rare frame of `hubbub.v1`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Control {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whose answer it is.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Of an error.
    pub code: serde_json::Value,
    /// The room's head.
    pub seq: i64,
    /// The last event of the page that follows.
    pub to: i64,
    /// There is more to fetch.
    pub more: bool,
    /// How far a `join` resumes.
    pub verdict: String,
    /// The room's life.
    pub epoch: Option<String>,
    /// A new guest's proof.
    pub guest_token: Option<String>,
    /// When to come back.
    pub after_ms: u64,
}

/// What a text frame is.
#[derive(Debug)]
pub enum Heard<'a> {
    /// A message of this run.
    Delivery {
        /// Which.
        tag: Tag,
        /// Its number in the room, where the dialect is `hubbub.v1`.
        seq: i64,
        /// Told again to one who resumes.
        replay: bool,
    },
    /// A message of this run is stored.
    Stored {
        /// Its number among the sender's.
        number: u32,
        /// When it was due.
        due_us: u64,
    },
    /// A page of history: each of its tags is a delivery told again.
    Page(Control, &'a [u8]),
    /// Another frame that matters.
    Control(Control),
    /// A frame that does not, or somebody else's message.
    Other,
}

/// Types of `hubbub.v1` that are read as JSON.
const READ: &[&[u8]] = &[b"hello", b"joined", b"live", b"lag", b"bye", b"expiring", b"error"];

/// Hears a text frame.
#[must_use]
pub fn hear<'a>(dialect: Dialect, tags: &Tags, text: &'a [u8]) -> Heard<'a> {
    if dialect != Dialect::Native {
        return match tags.find(text) {
            Some((tag, _)) => Heard::Delivery { tag, seq: 0, replay: false },
            None => Heard::Other,
        };
    }
    let kind = text.strip_prefix(br#"{"type":""#).unwrap_or_default();
    let kind = &kind[..kind.iter().position(|byte| *byte == b'"').unwrap_or(0)];
    match kind {
        b"chat_message" => match tags.find(text) {
            Some((tag, _)) => Heard::Delivery {
                tag,
                seq: number_after(text, b"\"seq\":"),
                replay: text.ends_with(br#""replay":true}"#),
            },
            None => Heard::Other,
        },
        b"ok" => stored(text).unwrap_or(Heard::Other),
        b"history" => control(text).map_or(Heard::Other, |control| Heard::Page(control, text)),
        _ if READ.contains(&kind) => control(text).map_or(Heard::Other, Heard::Control),
        _ => Heard::Other,
    }
}

fn control(text: &[u8]) -> Option<Control> {
    serde_json::from_slice(text).ok()
}

/// The whole number that follows this name for the first time; 0 for none.
fn number_after(text: &[u8], name: &[u8]) -> i64 {
    let Some(at) = memchr::memmem::find(text, name) else { return 0 };
    let digits = text[at + name.len()..].iter().take_while(|byte| byte.is_ascii_digit()).take(18);
    digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}

/// `ref` is the message's number and its due time, as [`send`] wrote them.
fn stored(text: &[u8]) -> Option<Heard<'static>> {
    let name = br#""ref":""#;
    let at = memchr::memmem::find(text, name)? + name.len();
    let (number, due_us) = reference(text.get(at..at + 20)?)?;
    Some(Heard::Stored { number, due_us })
}

/// What a message's `ref` says: its number, and when it was due.
#[must_use]
pub fn reference(digits: &[u8]) -> Option<(u32, u64)> {
    let (number, due) = digits.split_at_checked(8)?;
    Some((u32::try_from(unhex(number)?).ok()?, unhex(due)?))
}

/// Appends the text of a frame that sends a message.
pub fn send(dialect: Dialect, tags: &Tags, room: &str, tag: Tag, len: usize, out: &mut Vec<u8>) {
    if dialect == Dialect::Native {
        out.extend_from_slice(br#"{"type":"send","room":""#);
        out.extend_from_slice(room.as_bytes());
        out.extend_from_slice(br#"","ref":""#);
        hex(u64::from(tag.number), 8, out);
        hex(tag.due_us, 12, out);
        out.extend_from_slice(br#"","client_id":""#);
        hex(u64::from(tag.sender), 8, out);
        hex(u64::from(tag.number), 8, out);
        out.extend_from_slice(br#"","message":""#);
    } else {
        out.extend_from_slice(br#"{"message":""#);
    }
    tags.write(tag, len, out);
    out.extend_from_slice(br#""}"#);
}

/// A `join`, as a guest or after `lag`.
#[must_use]
pub fn join(room: &str, resume: Option<(i64, &str)>) -> String {
    let mut frame = serde_json::json!({"type": "join", "room": room});
    if let Some((after, epoch)) = resume {
        frame["after"] = after.into();
        frame["epoch"] = epoch.into();
    }
    frame.to_string()
}

/// What a guest proves itself with after a reconnect.
#[must_use]
pub fn auth_guest(token: &str) -> String {
    serde_json::json!({"type": "auth", "guest_token": token}).to_string()
}

/// A newer access token on a live socket.
#[must_use]
pub fn auth(token: &str) -> String {
    serde_json::json!({"type": "auth", "token": token}).to_string()
}

/// The next page of what was missed.
#[must_use]
pub fn history(room: &str, after: i64) -> String {
    serde_json::json!({"type": "history", "room": room, "after": after, "limit": 500}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::inbound;
    use crate::protocol::native::request::{self, Request};

    const TAG: Tag = Tag { sender: 3, number: 9, due_us: 77 };

    fn sent(dialect: Dialect) -> String {
        let mut out = Vec::new();
        send(dialect, &Tags::new("abcdef"), "load-1", TAG, 64, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_server_reads_what_is_said() {
        let spoken = inbound::read(&sent(Dialect::Guest)).expect("right");
        assert_eq!(spoken.text.len(), 64);
        for frame in [sent(Dialect::Native), join("a", Some((3, "e"))), history("a", 3)] {
            assert!(request::read(&frame).what.is_ok(), "{frame}");
        }
        let Ok(Request::Send { message, client_id, .. }) =
            request::read(&sent(Dialect::Native)).what
        else {
            panic!("a send");
        };
        assert_eq!((message.len(), client_id.as_deref()), (64, Some("0000000300000009")));
    }

    #[test]
    fn a_delivery_is_heard_in_each_dialect() {
        let tags = Tags::new("abcdef");
        for dialect in [Dialect::Guest, Dialect::Token] {
            let text = sent(dialect);
            let Heard::Delivery { tag, .. } = hear(dialect, &tags, text.as_bytes()) else {
                panic!("{text}");
            };
            assert_eq!(tag, TAG);
        }
        let mut text =
            br#"{"type":"chat_message","id":"x","chat_id":"y","seq":41,"message":""#.to_vec();
        tags.write(TAG, 64, &mut text);
        text.extend(br#"","replay":true}"#);
        let heard = hear(Dialect::Native, &tags, &text);
        assert!(matches!(heard, Heard::Delivery { seq: 41, replay: true, .. }), "{heard:?}");
    }

    #[test]
    fn answers_and_rare_frames_are_told_apart() {
        let tags = Tags::new("abcdef");
        let hear = |text: &'static str| hear(Dialect::Native, &tags, text.as_bytes());
        let ok = hear(r#"{"type":"ok","ref":"0000000900000000004d","id":"x","seq":1}"#);
        assert!(matches!(ok, Heard::Stored { number: 9, due_us: 77 }), "{ok:?}");
        let joined = hear(r#"{"type":"joined","seq":5,"to":3,"more":true,"epoch":"e","me":{}}"#);
        let Heard::Control(control) = joined else { panic!("{joined:?}") };
        assert_eq!((control.seq, control.to, control.more), (5, 3, true));
        let error = hear(r#"{"type":"error","ref":null,"code":"busy","detail":"x"}"#);
        assert!(matches!(error, Heard::Control(_)));
        assert!(matches!(hear(r#"{"type":"presence","active_users":3}"#), Heard::Other));
        assert!(matches!(hear(r#"{"type":"ok","ref":"mine"}"#), Heard::Other));
    }
}
