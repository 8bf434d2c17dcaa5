//! Holds [`super::request`] to the protocol: what each frame must be, which error names which
//! fault, and that no text makes it panic.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Asked, ErrorCode, Proof, REQUESTS, Request, read};
use crate::domain::EventId;

const ID: &str = "0192f7a0-0000-7000-8000-000000000001";

fn id() -> EventId {
    EventId(ID.parse().expect("a UUID"))
}

/// One whole frame of each kind, and what it asks.
fn whole() -> Vec<(Value, Request)> {
    let room = || "global".to_owned();
    vec![
        (
            json!({"type": "auth", "token": "a.b.c"}),
            Request::Auth(Proof::Token("a.b.c".to_owned())),
        ),
        (
            json!({"type": "join", "room": "global", "after": 7, "epoch": "e1", "nick_name": "bob"}),
            Request::Join {
                room: room(),
                after: Some(7),
                epoch: Some("e1".to_owned()),
                nick_name: Some("bob".to_owned()),
            },
        ),
        (json!({"type": "leave", "room": "global"}), Request::Leave { room: room() }),
        (
            json!({"type": "send", "room": "global", "message": "hi", "client_id": "c1", "reply_to": ID}),
            Request::Send {
                room: room(),
                message: "hi".to_owned(),
                client_id: Some("c1".to_owned()),
                reply_to: Some(id()),
            },
        ),
        (
            json!({"type": "edit", "room": "global", "id": ID, "message": "ho"}),
            Request::Edit { room: room(), id: id(), message: "ho".to_owned() },
        ),
        (
            json!({"type": "delete", "room": "global", "id": ID}),
            Request::Delete { room: room(), id: id() },
        ),
        (
            json!({"type": "react", "room": "global", "id": ID, "emoji": "👍🏽", "on": false}),
            Request::React { room: room(), id: id(), emoji: "👍🏽".to_owned(), on: false },
        ),
        (
            json!({"type": "typing", "room": "global", "on": false}),
            Request::Typing { room: room(), on: false },
        ),
        (
            json!({"type": "read", "room": "global", "seq": 9}),
            Request::Read { room: room(), seq: 9 },
        ),
        (
            json!({"type": "history", "room": "global", "before": 9, "after": 1, "limit": 50}),
            Request::History { room: room(), before: Some(9), after: Some(1), limit: Some(50) },
        ),
        (
            json!({"type": "who", "room": "global", "after": 500}),
            Request::Who { room: room(), after: Some(500) },
        ),
        (json!({"type": "watch", "people": false}), Request::Watch { people: false }),
        (json!({"type": "ping"}), Request::Ping),
    ]
}

fn with(frame: &Value, field: &str, value: Value) -> Map<String, Value> {
    let mut fields = frame.as_object().expect("an object").clone();
    fields.insert(field.to_owned(), value);
    fields
}

fn asked(fields: &Map<String, Value>) -> Asked {
    read(&serde_json::to_string(fields).expect("JSON"))
}

/// The code and words of a refusal.
fn refused(frame: &str) -> (ErrorCode, String) {
    let complaint = read(frame).what.expect_err(frame);
    (complaint.code, complaint.detail.into_owned())
}

#[test]
fn every_request_is_read_with_its_reference_whatever_else_is_in_it() {
    let kinds: Vec<Value> = whole().into_iter().map(|(frame, _)| frame["type"].clone()).collect();
    assert_eq!(json!(kinds), json!(REQUESTS));
    for (frame, wanted) in whole() {
        let mut fields = with(&frame, "ref", json!("r1"));
        fields.insert("colour".to_owned(), json!({"x": [1, null]}));
        let asked = asked(&fields);
        assert_eq!(asked.reference.as_deref(), Some("r1"));
        assert_eq!(asked.what, Ok(wanted));
    }
}

#[test]
fn what_may_be_absent_may_be_null_and_what_must_be_there_is_named() {
    for (frame, _) in whole() {
        for field in frame.as_object().expect("an object").keys() {
            let null = asked(&with(&frame, field, Value::Null));
            let mut without = frame.as_object().expect("an object").clone();
            without.remove(field);
            assert_eq!(null, asked(&without), "{frame} without {field}");
            let optional = matches!(
                (frame["type"].as_str().unwrap_or_default(), field.as_str()),
                ("join" | "history" | "who", "after" | "epoch" | "nick_name" | "before" | "limit")
                    | ("send", "client_id" | "reply_to")
                    | ("react" | "typing", "on")
            );
            match null.what {
                Ok(_) => assert!(optional, "{frame} without {field}"),
                Err(complaint) => {
                    assert!(!optional, "{frame} without {field}");
                    assert!(complaint.detail.contains(&format!("\"{field}\"")), "{complaint:?}");
                }
            }
        }
    }
}

#[test]
fn a_field_of_the_wrong_kind_is_named_and_the_reference_is_kept() {
    for (frame, _) in whole() {
        for field in frame.as_object().expect("an object").keys().filter(|field| *field != "type") {
            for wrong in [json!({}), json!([1]), json!(-1), json!(1.5), json!("\u{0}")] {
                // Tokens are any string: whether they are good is asked elsewhere.
                if (field == "token" || field == "epoch") && wrong.is_string() {
                    continue;
                }
                let mut fields = with(&frame, field, wrong);
                fields.insert("ref".to_owned(), json!("r1"));
                let asked = asked(&fields);
                let complaint = asked.what.expect_err(field);
                assert_eq!(complaint.code, ErrorCode::Invalid, "{fields:?}");
                assert!(complaint.detail.contains(&format!("\"{field}\"")), "{complaint:?}");
                assert_eq!(asked.reference.as_deref(), Some("r1"));
            }
        }
    }
}

#[test]
fn absent_switches_are_on_and_what_is_empty_is_absent() {
    for frame in [
        format!(r#"{{"type":"react","room":"x","id":"{ID}","emoji":"!"}}"#),
        r#"{"type":"typing","room":"x"}"#.to_owned(),
    ] {
        let what = read(&frame).what;
        assert!(
            matches!(&what, Ok(Request::React { on: true, .. } | Request::Typing { on: true, .. })),
            "{what:?}"
        );
    }
    let join = read(r#"{"type":"join","room":"x","nick_name":"  "}"#).what;
    assert!(matches!(join, Ok(Request::Join { nick_name: None, .. })), "{join:?}");
    let send = read(r#"{"type":"send","room":"x","message":"hi","client_id":""}"#).what;
    assert!(matches!(send, Ok(Request::Send { client_id: None, .. })), "{send:?}");
}

#[test]
fn a_text_that_is_no_frame_and_a_type_that_is_none() {
    let deep = format!(r#"{{"type":"ping","x":{}1{}}}"#, "[".repeat(16), "]".repeat(16));
    for frame in [
        "",
        "hi",
        "7",
        "null",
        r#"["ping"]"#,
        r#"["ping","r1"]"#,
        "{",
        r#"{"type":"ping"} x"#,
        r#"{"type":"ping","type":"ping"}"#,
        "{}",
        r#"{"type":null}"#,
        r#"{"type":7}"#,
        r#"{"type":["ping"]}"#,
        r#"{"type":"\ud800"}"#,
        &deep,
    ] {
        assert_eq!(refused(frame).0, ErrorCode::BadFrame, "{frame:.60}");
    }
    for frame in [r#"{"type":""}"#, r#"{"type":"PING"}"#, r#"{"type":"chat_message"}"#] {
        assert_eq!(refused(frame).0, ErrorCode::UnknownType, "{frame}");
    }
    for (frame, code) in [
        (r#"{"ref":"r1"}"#, ErrorCode::BadFrame),
        (r#"{"ref":"r1","type":"dance"}"#, ErrorCode::UnknownType),
    ] {
        let asked = read(frame);
        assert_eq!(asked.reference.as_deref(), Some("r1"));
        assert_eq!(asked.what.map_err(|complaint| complaint.code), Err(code));
    }
}

#[test]
fn a_reference_that_can_not_be_given_back_is_not_given_back() {
    let fits = format!(r#"{{"type":"ping","ref":"{}"}}"#, "é".repeat(32));
    assert_eq!(read(&fits).what, Ok(Request::Ping));
    let long = format!(r#"{{"type":"ping","ref":"{}"}}"#, "x".repeat(65));
    for frame in [r#"{"type":"ping","ref":7}"#, r#"{"ref":{},"type":"ping"}"#, &long] {
        let asked = read(frame);
        assert_eq!(asked.reference, None);
        let complaint = asked.what.expect_err(frame);
        assert_eq!(complaint.code, ErrorCode::Invalid);
        assert_eq!(complaint.detail, "\"ref\" must be a string of at most 64 bytes.");
    }
}

#[test]
fn rooms_come_in_nfc_within_their_bounds() {
    let room = |text: &str| match asked(&with(&json!({"type": "leave"}), "room", json!(text))).what
    {
        Ok(Request::Leave { room }) => Some(room),
        _ => None,
    };
    assert_eq!(room("cafe\u{301}").as_deref(), Some("café"));
    assert_eq!(room("50%25").as_deref(), Some("50%25"));
    assert_eq!(room(ID).as_deref(), Some(ID));
    assert!(room(&"é".repeat(301)).is_some());
    for wrong in ["", " ", "a/b", "a\nb", "a\u{0}b", "\u{2028}", &"é".repeat(302)] {
        assert_eq!(room(wrong), None, "{wrong:?}");
    }
}

#[test]
fn texts_have_their_limits_each_with_its_code() {
    let long = "x".repeat(8_193);
    for (field, value, code) in [
        ("message", long.as_str(), ErrorCode::TooLong),
        ("message", " \n", ErrorCode::Invalid),
        ("message", "a\u{0}", ErrorCode::Invalid),
        ("client_id", &long[..65], ErrorCode::Invalid),
        ("emoji", "", ErrorCode::Invalid),
        ("emoji", &long[..33], ErrorCode::Invalid),
        ("emoji", "a b", ErrorCode::Invalid),
        ("emoji", "\u{7}", ErrorCode::Invalid),
        ("nick_name", &long[..151], ErrorCode::Invalid),
        ("epoch", &long[..129], ErrorCode::Invalid),
        ("id", "7", ErrorCode::Invalid),
    ] {
        let frames = whole();
        let (frame, _) = frames
            .iter()
            .find(|(frame, _)| frame.get(field).is_some())
            .expect("a frame with that field");
        let complaint = asked(&with(frame, field, json!(value))).what.expect_err(field);
        assert_eq!(complaint.code, code, "{field}");
        assert!(complaint.detail.contains(&format!("\"{field}\"")), "{complaint:?}");
    }
    let fits = with(&json!({"type": "send", "room": "x"}), "message", json!(&long[..8_192]));
    assert!(asked(&fits).what.is_ok());
    let seq = refused(r#"{"type":"read","room":"x","seq":9223372036854775808}"#);
    assert_eq!(seq.1, "\"seq\" must be a whole number of at least 0.");
    assert_eq!(
        refused(r#"{"type":"history","room":"x","limit":0}"#).1,
        "\"limit\" must be a whole number of at least 1."
    );
}

#[test]
fn an_auth_shows_one_proof_and_it_is_not_printed() {
    let guest = read(r#"{"type":"auth","guest_token":"g.t"}"#).what;
    assert_eq!(guest, Ok(Request::Auth(Proof::Guest("g.t".to_owned()))));
    assert!(!format!("{guest:?}").contains("g.t"));
    for frame in [r#"{"type":"auth"}"#, r#"{"type":"auth","token":"a","guest_token":"b"}"#] {
        assert_eq!(refused(frame).0, ErrorCode::Invalid);
    }
}

/// A byte of a text changed, added or taken away.
fn mutated(text: &str, changes: &[(usize, u8, u8)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for &(at, how, byte) in changes {
        let at = at % bytes.len().max(1);
        match how % 4 {
            0 if at < bytes.len() => bytes[at] = byte,
            1 => bytes.insert(at.min(bytes.len()), byte),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What holds for every text: an answer that can go out.
fn is_sound(text: &str) -> bool {
    let asked = read(text);
    let reference = asked.reference.as_ref().is_none_or(|text| text.len() <= 64);
    reference
        && match asked.what {
            Err(complaint) => !complaint.detail.is_empty() && complaint.detail.len() < 200,
            Ok(Request::Send { message, .. } | Request::Edit { message, .. }) => {
                (1..=8_192).contains(&message.len())
            }
            Ok(Request::Join { room, .. } | Request::Leave { room }) => {
                (1..=301).contains(&room.chars().count()) && !room.contains('/')
            }
            Ok(_) => true,
        }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(is_sound(&String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn no_damaged_frame_makes_it_panic(
        which in 0usize..13,
        changes in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..6),
    ) {
        let frame = with(&whole()[which].0, "ref", json!("r1"));
        let text = serde_json::to_string(&frame).expect("JSON");
        prop_assert!(is_sound(&mutated(&text, &changes)));
    }

    #[test]
    fn no_value_in_any_place_makes_it_panic(
        which in 0usize..13,
        field in "(type|ref|room|after|before|limit|epoch|nick_name|message|client_id|reply_to|id|emoji|on|seq|people|token)",
        text in any::<String>(),
        number in any::<f64>(),
        kind in 0u8..3,
    ) {
        let value = match kind {
            0 => json!(text),
            1 => json!(number),
            _ => json!([{"x": text}]),
        };
        let frame = with(&whole()[which].0, &field, value);
        prop_assert!(is_sound(&serde_json::to_string(&frame).expect("JSON")));
    }
}
