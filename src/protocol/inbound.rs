//! What a plain socket's text frame says (CONTRACT section 3, *What it takes*). Pure; the session
//! decides what follows from it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::MessageText;

use super::json::is_too_deep;

/// Largest JSON value of a guest that is kept to be relayed as sent, in bytes.
pub const RAW_MAX_BYTES: usize = 16 * 1024;
/// Longest nick, in characters: as long as a user name may be.
pub const NICK_MAX: usize = 150;

/// A frame of the plain dialects, read.
#[derive(Debug)]
pub struct Spoken {
    /// The text; may be blank.
    pub text: String,
    /// The name the sender gives himself; whoever has a user ignores it.
    pub nick_name: Option<String>,
    /// The value of `message` as sent, to the letter.
    pub raw: Box<RawValue>,
    /// The value is an object, not a plain string.
    pub is_object: bool,
    /// `"type":"typing"`, as some clients say it.
    pub is_typing: bool,
}

/// Why a frame says nothing; the words are for the client that gets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON, or no object.
    #[error("Invalid JSON: send an object with a \"message\".")]
    NotAnObject,
    /// Nested deeper than is read.
    #[error("JSON is nested too deeply.")]
    TooDeep,
    /// No `message`, or one that is neither a string nor an object with a string `message`.
    #[error("\"message\" must be a string, or an object with a string \"message\".")]
    NoMessage,
    /// Over the limit of a text, a nick or a raw value.
    #[error("The message is too long: at most 8192 bytes.")]
    TooLong,
    /// Holds U+0000.
    #[error("Null characters are not allowed.")]
    Nul,
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    nick_name: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Named {
    message: String,
    nick_name: Option<serde_json::Value>,
}

/// Reads a frame.
///
/// # Errors
/// Why it says nothing.
pub fn read(frame: &str) -> Result<Spoken, Unreadable> {
    if is_too_deep(frame.as_bytes()) {
        return Err(Unreadable::TooDeep);
    }
    let outer: Outer<'_> = serde_json::from_str(frame).map_err(|_| Unreadable::NotAnObject)?;
    let is_typing = outer.kind.is_some_and(|kind| kind.get() == r#""typing""#);
    let nick_beside = outer.nick_name.and_then(|nick| serde_json::from_str(nick.get()).ok());
    let raw = match outer.message.or(outer.content) {
        Some(raw) => raw,
        None if is_typing => RawValue::NULL,
        None => return Err(Unreadable::NoMessage),
    };
    let is_object = raw.get().starts_with('{');
    let (text, nick_name) = if is_object {
        let named: Named = serde_json::from_str(raw.get()).map_err(|_| Unreadable::NoMessage)?;
        let nick = named.nick_name.and_then(|nick| nick.as_str().map(str::to_owned));
        (named.message, nick)
    } else if is_typing && !raw.get().starts_with('"') {
        (String::new(), None)
    } else {
        (serde_json::from_str(raw.get()).map_err(|_| Unreadable::NoMessage)?, nick_beside)
    };
    let text = MessageText::parse_or_blank(text).map_err(|error| match error {
        crate::domain::text::TextError::Nul => Unreadable::Nul,
        _ => Unreadable::TooLong,
    })?;
    let nick_name = nick_name.filter(|nick| !nick.trim().is_empty());
    if let Some(nick) = &nick_name {
        if nick.contains('\0') {
            return Err(Unreadable::Nul);
        }
        if nick.chars().count() > NICK_MAX {
            return Err(Unreadable::TooLong);
        }
    }
    if is_object && raw.get().len() > RAW_MAX_BYTES {
        return Err(Unreadable::TooLong);
    }
    Ok(Spoken { text: text.into_string(), nick_name, raw: raw.to_owned(), is_object, is_typing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_a_string_or_an_object_with_a_nick() {
        for (frame, text, nick, raw) in [
            (r#"{"message":"hi"}"#, "hi", None, r#""hi""#),
            (r#"{"content":"hi"}"#, "hi", None, r#""hi""#),
            (r#"{"type":"chat_message","message":"h\u00e9"}"#, "hé", None, r#""h\u00e9""#),
            (r#"{"message":""}"#, "", None, r#""""#),
            (r#"{"message":"hi","nick_name":"bob"}"#, "hi", Some("bob"), r#""hi""#),
            (
                r#"{"message":{"message":"hi", "nick_name":"bob","x":[1]}}"#,
                "hi",
                Some("bob"),
                r#"{"message":"hi", "nick_name":"bob","x":[1]}"#,
            ),
            (
                r#"{"message":{"message":"hi","nick_name":7}}"#,
                "hi",
                None,
                r#"{"message":"hi","nick_name":7}"#,
            ),
        ] {
            let spoken = read(frame).expect(frame);
            assert_eq!(
                (spoken.text.as_str(), spoken.nick_name.as_deref()),
                (text, nick),
                "{frame}"
            );
            assert_eq!(spoken.raw.get(), raw);
        }
    }

    #[test]
    fn everything_else_says_nothing_and_why() {
        let deep = format!(r#"{{"message":{}1{}}}"#, "[".repeat(16), "]".repeat(16));
        let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(8_193));
        let raw =
            format!(r#"{{"message":{{"message":"hi","x":"{}"}}}}"#, "x".repeat(RAW_MAX_BYTES));
        let nick = format!(r#"{{"message":{{"message":"hi","nick_name":"{}"}}}}"#, "x".repeat(151));
        for (frame, why) in [
            ("", Unreadable::NotAnObject),
            ("hi", Unreadable::NotAnObject),
            ("[]", Unreadable::NotAnObject),
            ("7", Unreadable::NotAnObject),
            ("{}", Unreadable::NoMessage),
            (r#"{"message":7}"#, Unreadable::NoMessage),
            (r#"{"message":null}"#, Unreadable::NoMessage),
            (r#"{"message":["hi"]}"#, Unreadable::NoMessage),
            (r#"{"message":{}}"#, Unreadable::NoMessage),
            (r#"{"message":{"message":7}}"#, Unreadable::NoMessage),
            (r#"{"message":"a\u0000b"}"#, Unreadable::Nul),
            (&deep, Unreadable::TooDeep),
            (&long, Unreadable::TooLong),
            (&raw, Unreadable::TooLong),
            (&nick, Unreadable::TooLong),
        ] {
            assert_eq!(read(frame).map(|spoken| spoken.text).err(), Some(why), "{frame:.60}");
        }
    }

    /// What holds for every text.
    fn is_sound(frame: &str) -> bool {
        read(frame).is_ok_and(|spoken| {
            spoken.text.len() <= 8_192
                && !spoken.text.contains('\0')
                && spoken.nick_name.is_none_or(|nick| nick.chars().count() <= NICK_MAX)
                && (!spoken.is_object || spoken.raw.get().len() <= RAW_MAX_BYTES)
        }) || read(frame).is_err()
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(is_sound(&String::from_utf8_lossy(&bytes)));
        }

        #[test]
        fn no_damaged_frame_makes_it_panic_or_keeps_more_than_the_bounds(
            text in any::<String>(),
            repeated in 1usize..3_000,
            nick in any::<String>(),
            outside in any::<bool>(),
            (at, byte) in (any::<prop::sample::Index>(), any::<u8>()),
        ) {
            let text = text.repeat(repeated.min(20_000 / text.len().max(1)).max(1));
            let said = serde_json::json!({"message": text, "nick_name": nick});
            let frame = if outside { said } else { serde_json::json!({"message": said}) };
            let mut bytes = frame.to_string().into_bytes();
            prop_assert!(is_sound(&String::from_utf8_lossy(&bytes)));
            let at = at.index(bytes.len());
            bytes[at] = byte;
            prop_assert!(is_sound(&String::from_utf8_lossy(&bytes)));
        }
    }

    #[test]
    fn typing_may_be_said_by_type() {
        assert!(read(r#"{"type":"typing"}"#).is_ok_and(|spoken| spoken.is_typing));
        assert!(read(r#"{"message":"typing"}"#).is_ok_and(|spoken| !spoken.is_typing));
    }
}
