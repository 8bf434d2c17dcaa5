//! Holds the frames of events to the protocol's table, live, replayed and as history.

use serde_json::{Value, json};

use super::saying::{AT, AT_TEXT, alice, event, room, said};
use crate::domain::{Event, EventId, EventKind, ids};
use crate::protocol::native;

fn event_said(event: &Event) -> Value {
    said(&native::event(event, false).expect("a frame"))
}

#[test]
fn a_message_has_what_there_is_and_no_more() {
    let mut event = event(EventKind::Message, Some(alice()), "hi");
    let mut wanted = json!({
        "type": "chat_message", "id": event.id, "chat_id": event.room, "seq": 7, "message": "hi",
        "sender_id": 1, "sender": "alice", "nick_name": null, "created_at": AT_TEXT
    });
    assert_eq!(event_said(&event), wanted);
    let target = EventId(ids::random());
    event.nick_name = Some("al".into());
    event.client_id = Some("c1".into());
    event.target = Some(target);
    event.edited_at = Some(AT);
    for (field, value) in [
        ("nick_name", json!("al")),
        ("client_id", json!("c1")),
        ("reply_to", json!(target)),
        ("edited_at", json!(AT_TEXT)),
    ] {
        wanted[field] = value;
    }
    assert_eq!(event_said(&event), wanted);
    wanted["replay"] = json!(true);
    assert_eq!(said(&native::event(&event, true).expect("a frame")), wanted);
}

#[test]
fn a_guest_is_anonymous_unless_he_gives_a_nick() {
    let mut event = event(EventKind::Message, None, "hi");
    let names = |event: &Event| {
        let said = event_said(event);
        (said["sender_id"].clone(), said["sender"].clone(), said["nick_name"].clone())
    };
    assert_eq!(names(&event), (Value::Null, json!("anonymous"), Value::Null));
    event.nick_name = Some("bob".into());
    assert_eq!(names(&event), (Value::Null, json!("bob"), json!("bob")));
}

#[test]
fn what_was_taken_away_shows_its_place_and_no_text() {
    let mut event = event(EventKind::Message, Some(alice()), "secret");
    event.deleted_at = Some(AT);
    let said = event_said(&event);
    assert_eq!((&said["message"], &said["deleted_at"]), (&json!(""), &json!(AT_TEXT)));
}

#[test]
fn acts_on_a_message_name_that_message() {
    let target = EventId(ids::random());
    let act = |kind, content: &str, raw: Option<&str>| {
        let mut event = event(kind, Some(alice()), content);
        event.target = Some(target);
        event.raw = raw.map(Into::into);
        let mut said = event_said(&event);
        assert_eq!(said["chat_id"], json!(event.room));
        said.as_object_mut().and_then(|said| said.remove("chat_id"));
        said
    };
    assert_eq!(
        act(EventKind::Edit, "ho", None),
        json!({"type": "message_edited", "id": target, "seq": 7, "message": "ho", "edited_at": AT_TEXT})
    );
    assert_eq!(
        act(EventKind::Delete, "", None),
        json!({"type": "message_deleted", "id": target, "seq": 7})
    );
    for (raw, on) in [("true", true), ("false", false)] {
        assert_eq!(
            act(EventKind::Reaction, "👍", Some(raw)),
            json!({"type": "reaction", "id": target, "seq": 7, "emoji": "👍", "sender_id": 1, "on": on})
        );
    }
}

#[test]
fn a_change_of_members_says_who_by_whom() {
    let content = r#"{"action":"removed","user_id":2,"by":1,"rev":4}"#;
    let event = event(EventKind::Member, Some(alice()), content);
    assert_eq!(
        event_said(&event),
        json!({"type": "member", "chat_id": event.room, "seq": 7, "action": "removed", "user_id": 2, "by": 1})
    );
}

#[test]
fn what_clients_do_not_see_has_no_frame() {
    let act = event(EventKind::Act, None, r#"{"act":"logins_ended"}"#);
    let broken = event(EventKind::Member, None, "not JSON");
    let of_nothing = event(EventKind::Edit, None, "ho");
    for event in [&act, &broken, &of_nothing] {
        assert!(native::event(event, true).is_none(), "{event:?}");
    }
}

#[test]
fn history_holds_the_same_objects_as_a_replay() {
    let chat_id = room();
    let mut reaction = event(EventKind::Reaction, None, "👍");
    reaction.target = Some(EventId(ids::random()));
    let events = [
        event(EventKind::Message, Some(alice()), "hi"),
        event(EventKind::Act, None, "{}"),
        reaction,
    ];
    let replayed: Vec<Value> = events
        .iter()
        .filter_map(|event| native::event(event, true))
        .map(|frame| said(&frame))
        .collect();
    assert_eq!(replayed.len(), 2);
    assert_eq!(
        said(&native::history(Some("r1"), chat_id, &events, true)),
        json!({"type": "history", "ref": "r1", "chat_id": chat_id, "events": replayed, "more": true})
    );
}
