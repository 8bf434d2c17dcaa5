//! What a plain socket's frames ask for, by its dialect (CONTRACT section 3, *What it takes* and
//! *Bad input*). Pure: text in, one action out; `relay.rs` carries it out.

use crate::protocol::inbound::{self, Spoken};
use crate::protocol::{CloseCode, Dialect, Frame, Incoming, close, dialect};

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Say this to the client.
    Reply(Frame),
    /// Hand this to the room.
    Post(Words),
    /// Tell the room that somebody types.
    Typing,
    /// End.
    Close(CloseCode),
}

/// A message as the sender means it.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// The text.
    pub content: String,
    /// A guest's nick.
    pub nick_name: Option<String>,
    /// The JSON value as sent, when a plain string of `content` would not say the same.
    pub raw: Option<String>,
}

/// What follows from a message of the client's.
#[must_use]
pub fn hear(speaks: Dialect, has_user: bool, incoming: Incoming) -> Action {
    match incoming {
        Incoming::Text(text) => match inbound::read(&text) {
            Ok(spoken) => said(speaks, has_user, spoken),
            Err(why) => complain(speaks, &why.to_string()),
        },
        Incoming::Binary => complain(speaks, "Binary frames are not understood: send JSON text."),
        Incoming::Ping(payload) => Action::Reply(Frame::pong(&payload)),
        Incoming::Pong => Action::Nothing,
        Incoming::Close => Action::Close(close::NORMAL),
    }
}

fn said(speaks: Dialect, has_user: bool, spoken: Spoken) -> Action {
    let is_blank = spoken.text.trim().is_empty();
    let is_typing = spoken.is_typing || (!spoken.is_object && spoken.text == "typing");
    if speaks.is_shh() && is_typing {
        return Action::Typing;
    }
    if spoken.is_typing && is_blank {
        // Nobody else knows the signal, and as a message it would say nothing.
        return Action::Nothing;
    }
    if speaks == Dialect::Guest {
        // What a user says here goes to other guests to the letter, to everybody else as his.
        let raw = if spoken.is_object {
            Some(spoken.raw.get().to_owned())
        } else {
            // A plain string is kept as its text; one of a user's must be told from his words.
            has_user.then(|| serde_json::Value::from(spoken.text.as_str()).to_string())
        };
        let nick_name = spoken.nick_name.filter(|_| !has_user);
        return Action::Post(Words { content: spoken.text, nick_name, raw });
    }
    if is_blank {
        return complain(speaks, "The message is empty.");
    }
    Action::Post(Words { content: spoken.text, nick_name: None, raw: None })
}

/// shh's clients show errors; the others would take one for a message.
fn complain(speaks: Dialect, why: &str) -> Action {
    if speaks.is_shh() { Action::Reply(dialect::shh_error(why)) } else { Action::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear_text(speaks: Dialect, has_user: bool, text: &str) -> Action {
        hear(speaks, has_user, Incoming::Text(text.into()))
    }

    fn posted(action: Action) -> Option<Words> {
        match action {
            Action::Post(words) => Some(words),
            _ => None,
        }
    }

    fn words(content: &str, nick_name: Option<&str>, raw: Option<&str>) -> Words {
        Words {
            content: content.into(),
            nick_name: nick_name.map(Into::into),
            raw: raw.map(Into::into),
        }
    }

    #[test]
    fn a_guest_is_relayed_to_the_letter_and_a_user_is_who_he_is() {
        let object = r#"{"message":"hi","nick_name":"bob"}"#;
        let framed = format!(r#"{{"message":{object}}}"#);
        for (speaks, has_user, text, expected) in [
            (Dialect::Guest, false, r#"{"message":"hi"}"#, words("hi", None, None)),
            (Dialect::Guest, false, framed.as_str(), words("hi", Some("bob"), Some(object))),
            (Dialect::Guest, false, r#"{"message":""}"#, words("", None, None)),
            (Dialect::Guest, true, r#"{"message":"hi"}"#, words("hi", None, Some(r#""hi""#))),
            (Dialect::Guest, true, framed.as_str(), words("hi", None, Some(object))),
            (Dialect::Guest, false, r#"{"message":"typing"}"#, words("typing", None, None)),
            (Dialect::Chat, true, framed.as_str(), words("hi", None, None)),
            (Dialect::Chat, true, r#"{"content":"hi"}"#, words("hi", None, None)),
            (Dialect::ShhToken, true, r#"{"message":"hi"}"#, words("hi", None, None)),
        ] {
            assert_eq!(
                posted(hear_text(speaks, has_user, text)),
                Some(expected),
                "{speaks:?} {text}"
            );
        }
    }

    #[test]
    fn only_shh_sockets_are_told_of_bad_input() {
        for bad in ["nonsense", "{}", r#"{"message":7}"#, r#"{"message":" "}"#] {
            for shh in [Dialect::ShhCookie, Dialect::ShhToken] {
                assert!(matches!(hear_text(shh, true, bad), Action::Reply(_)), "{bad}");
            }
            assert!(matches!(hear_text(Dialect::Chat, true, bad), Action::Nothing), "{bad}");
        }
        assert!(matches!(hear_text(Dialect::Guest, false, r#"{"message":7}"#), Action::Nothing));
        assert!(matches!(hear(Dialect::Guest, false, Incoming::Binary), Action::Nothing));
        assert!(matches!(hear(Dialect::ShhToken, true, Incoming::Binary), Action::Reply(_)));
    }

    #[test]
    fn typing_is_a_signal_on_shh_sockets_alone() {
        for typing in [r#"{"message":"typing"}"#, r#"{"type":"typing"}"#] {
            assert!(matches!(hear_text(Dialect::ShhCookie, true, typing), Action::Typing));
        }
        assert!(posted(hear_text(Dialect::Chat, true, r#"{"message":"typing"}"#)).is_some());
        for signal in [r#"{"type":"typing"}"#, r#"{"type":"typing","message":[1]}"#] {
            for (speaks, has_user) in
                [(Dialect::Chat, true), (Dialect::Guest, false), (Dialect::Guest, true)]
            {
                assert!(matches!(hear_text(speaks, has_user, signal), Action::Nothing));
            }
        }
    }
}
