//! Holds what the server says of itself and of a room to the protocol's table: every frame, every
//! field. `telling` does the same for events.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{ErrorCode, FRAMES, Hello, Joined, Me, Person, Verdict, Who, WhoRow};
use crate::domain::nodes::ChatAction;
use crate::domain::{
    Author, Event, EventId, EventKind, Role, RoomId, RoomKind, SessionId, Timestamp, UserCard,
    UserId, ids,
};
use crate::protocol::{Frame, close, native};

pub const AT: Timestamp = Timestamp::from_micros(1_735_732_800_000_000);
pub const AT_TEXT: &str = "2025-01-01T12:00:00.000000Z";

pub fn said(frame: &Frame) -> Value {
    serde_json::from_slice(&frame.payload()).expect("JSON")
}

pub fn alice() -> UserCard {
    UserCard { id: 1, username: "alice".into(), email: "a@x.io".into(), ..UserCard::default() }
}

pub fn room() -> RoomId {
    RoomId(ids::random())
}

pub fn event(kind: EventKind, sender: Option<UserCard>, content: &str) -> Event {
    Event {
        id: EventId(ids::random()),
        room: room(),
        seq: 7,
        kind,
        author: sender
            .as_ref()
            .map_or(Author::Guest(ids::random()), |card| Author::User(UserId(card.id))),
        sender: sender.map(Arc::new),
        nick_name: None,
        content: content.into(),
        raw: None,
        target: None,
        client_id: None,
        created_at: AT,
        edited_at: None,
        deleted_at: None,
    }
}

fn a_joined(chat_id: RoomId) -> Frame {
    let me = Me { user_id: Some(1), nick_name: None, role: Some(Role::Owner), read_seq: 40 };
    let words = Joined {
        chat_id,
        name: "global",
        kind: RoomKind::Chat,
        epoch: "e1",
        seq: 42,
        verdict: Verdict::Partial,
        from: 9,
        to: 41,
        more: true,
        active_users: 3,
        sessions: 4,
        me,
        guest_token: None,
    };
    native::joined(Some("r1"), &words)
}

fn a_who(chat_id: RoomId) -> Frame {
    let members = [WhoRow { user_id: 1, username: "alice".into(), nick_name: None, sessions: 2 }];
    let guest_names = &["Zoe".to_owned()];
    let words = Who {
        chat_id,
        active_users: 3,
        guests: 2,
        guest_names,
        members: &members,
        as_of: AT,
        more: false,
    };
    native::who(Some("r1"), &words)
}

#[test]
fn a_connection_begins_with_who_and_where_it_is_and_shows_nobodys_address() {
    let (session, card) = (SessionId(ids::random()), alice());
    let mut words = Hello {
        session,
        node: "n1",
        auth_within_ms: 10_000,
        ping_interval_ms: 20_000,
        max_frame_bytes: 65_536,
        user: None,
    };
    let mut wanted = json!({
        "type": "hello", "protocol": "hubbub.v1", "session": session, "node": "n1",
        "auth_within_ms": 10_000, "ping_interval_ms": 20_000, "max_frame_bytes": 65_536,
        "user": null
    });
    assert_eq!(said(&native::hello(&words)), wanted);
    words.user = Some(&card);
    wanted["user"] = json!({"id": 1, "username": "alice"});
    assert_eq!(said(&native::hello(&words)), wanted);
}

#[test]
fn an_ok_gives_the_reference_back_and_what_its_kind_adds() {
    let id = EventId(ids::random());
    for (frame, wanted) in [
        (native::ok(None), json!({"type": "ok"})),
        (native::ok(Some("r\"1")), json!({"type": "ok", "ref": "r\"1"})),
        (native::ok_seq(Some("r1"), 8), json!({"type": "ok", "ref": "r1", "seq": 8})),
        (
            native::ok_send(Some("r1"), id, 8, AT, true),
            json!({"type": "ok", "ref": "r1", "id": id, "seq": 8, "created_at": AT_TEXT, "duplicate": true}),
        ),
        (
            native::ok_auth(Some("r1"), Some(&alice()), Some(AT), None),
            json!({"type": "ok", "ref": "r1", "user": {"id": 1, "username": "alice"}, "expires_at": AT_TEXT}),
        ),
        (
            native::ok_auth(None, None, None, Some("g.t")),
            json!({"type": "ok", "user": null, "expires_at": null, "guest_token": "g.t"}),
        ),
    ] {
        assert_eq!(said(&frame), wanted);
    }
}

#[test]
fn a_join_is_answered_with_the_room_the_replay_and_oneself() {
    let chat_id = room();
    assert_eq!(
        said(&a_joined(chat_id)),
        json!({
            "type": "joined", "ref": "r1", "chat_id": chat_id, "name": "global", "kind": "chat",
            "epoch": "e1", "seq": 42, "verdict": "partial", "from": 9, "to": 41, "more": true,
            "active_users": 3, "sessions": 4,
            "me": {"user_id": 1, "nick_name": null, "role": "owner", "read_seq": 40}
        })
    );
    let live = said(&native::live(chat_id, 42));
    assert_eq!(live, json!({"type": "live", "chat_id": chat_id, "seq": 42}));
    for (verdict, word) in [
        (Verdict::Fresh, "fresh"),
        (Verdict::Full, "full"),
        (Verdict::Partial, "partial"),
        (Verdict::Reset, "reset"),
    ] {
        assert_eq!(json!(verdict), word);
    }
}

#[test]
fn a_guest_who_joins_gets_a_token() {
    let me = Me { user_id: None, nick_name: Some("bob"), role: None, read_seq: 0 };
    let words = Joined {
        chat_id: room(),
        name: "global",
        kind: RoomKind::Named,
        epoch: "e1",
        seq: 0,
        verdict: Verdict::Fresh,
        from: 1,
        to: 0,
        more: false,
        active_users: 1,
        sessions: 1,
        me,
        guest_token: Some("g.t"),
    };
    let said = said(&native::joined(None, &words));
    assert_eq!((&said["guest_token"], said.get("ref")), (&json!("g.t"), None));
    assert_eq!(
        said["me"],
        json!({"user_id": null, "nick_name": "bob", "role": null, "read_seq": 0})
    );
}

#[test]
fn who_is_there_and_who_came_and_went() {
    let chat_id = room();
    assert_eq!(
        said(&a_who(chat_id)),
        json!({
            "type": "who", "ref": "r1", "chat_id": chat_id, "active_users": 3, "guests": 2, "guest_names": ["Zoe"],
            "members": [{"user_id": 1, "username": "alice", "nick_name": null, "sessions": 2}],
            "as_of": AT_TEXT, "more": false
        })
    );
    let bob = Person { user_id: None, username: None, nick_name: Some("bob".into()) };
    assert_eq!(
        said(&native::presence(chat_id, 4, &[bob], &[], AT)),
        json!({
            "type": "presence", "chat_id": chat_id, "active_users": 4,
            "joined": [{"user_id": null, "username": null, "nick_name": "bob"}], "left": [],
            "as_of": AT_TEXT
        })
    );
}

#[test]
fn signals_and_words_about_chats_and_people() {
    let chat_id = room();
    for (frame, wanted) in [
        (
            native::typing(chat_id, None, "bob", true),
            json!({"type": "typing", "chat_id": chat_id, "user_id": null, "nick_name": "bob", "on": true}),
        ),
        (
            native::read_mark(chat_id, 1, 7),
            json!({"type": "read", "chat_id": chat_id, "user_id": 1, "seq": 7}),
        ),
        (
            native::chats(chat_id, ChatAction::Activity, 7, 2),
            json!({"type": "chats", "chat_id": chat_id, "action": "activity", "seq": 7, "unread": 2}),
        ),
        (
            native::lag(chat_id, 7, 2),
            json!({"type": "lag", "chat_id": chat_id, "seq": 7, "unread": 2}),
        ),
        (
            native::people(&[(1, "alice")], &[2], AT),
            json!({"type": "people", "online": [{"id": 1, "username": "alice"}], "offline": [2], "as_of": AT_TEXT}),
        ),
        (native::pong(Some("r1"), AT), json!({"type": "pong", "ref": "r1", "at": AT_TEXT})),
        (
            native::announcement("tea", None, AT),
            json!({"type": "announcement", "message": "tea", "at": AT_TEXT}),
        ),
        (
            native::announcement("tea", Some(chat_id), AT),
            json!({"type": "announcement", "message": "tea", "chat_id": chat_id, "at": AT_TEXT}),
        ),
        (native::expiring(AT), json!({"type": "expiring", "expires_at": AT_TEXT})),
    ] {
        assert_eq!(said(&frame), wanted);
    }
    for (action, word) in [(ChatAction::Added, "added"), (ChatAction::Removed, "removed")] {
        assert_eq!(json!(action), word);
    }
}

#[test]
fn a_goodbye_says_whether_to_come_back() {
    for (close, code, retry) in [
        (close::GOING_AWAY, 4003, true),
        (close::TOO_BIG, 1009, true),
        (close::EXPIRED, 4100, false),
        (close::SIGNED_OUT, 4401, false),
        (close::TOO_MANY, 4504, false),
    ] {
        assert_eq!(
            said(&native::bye(close, 500)),
            json!({"type": "bye", "code": code, "reason": close.reason, "retry": retry, "after_ms": 500})
        );
    }
}

#[test]
fn an_error_always_has_a_ref() {
    let chat_id = room();
    assert_eq!(
        said(&native::error(None, ErrorCode::BadFrame, "no", None, None)),
        json!({"type": "error", "ref": null, "code": "bad_frame", "detail": "no"})
    );
    assert_eq!(
        said(&native::error(Some("r1"), ErrorCode::Busy, "no", Some(1_000), Some(chat_id))),
        json!({"type": "error", "ref": "r1", "code": "busy", "detail": "no", "retry_after_ms": 1_000, "chat_id": chat_id})
    );
}

/// One frame of each maker's.
fn one_of_each() -> Vec<Frame> {
    let chat_id = room();
    let hello = Hello {
        session: SessionId(ids::random()),
        node: "n1",
        auth_within_ms: 1,
        ping_interval_ms: 1,
        max_frame_bytes: 1,
        user: None,
    };
    let events = [
        (EventKind::Message, "hi"),
        (EventKind::Edit, "ho"),
        (EventKind::Delete, ""),
        (EventKind::Reaction, "👍"),
        (EventKind::Member, r#"{"action":"left","user_id":1,"by":1}"#),
    ];
    let events = events.map(|(kind, content)| {
        let mut event = event(kind, Some(alice()), content);
        event.target = Some(EventId(ids::random()));
        native::event(&event, false).expect("a frame")
    });
    let mut frames =
        vec![native::hello(&hello), native::ok(None), a_joined(chat_id), native::live(chat_id, 1)];
    frames.extend(events);
    frames.extend([
        native::history(None, chat_id, [], false),
        a_who(chat_id),
        native::presence(chat_id, 0, &[], &[], AT),
        native::typing(chat_id, None, "bob", true),
        native::read_mark(chat_id, 1, 1),
        native::chats(chat_id, ChatAction::Added, 1, 1),
        native::people(&[], &[], AT),
        native::pong(None, AT),
        native::lag(chat_id, 1, 1),
        native::announcement("tea", None, AT),
        native::expiring(AT),
        native::bye(close::NORMAL, 0),
        native::error(None, ErrorCode::Internal, "no", None, None),
    ]);
    frames
}

#[test]
fn the_list_of_frames_is_what_is_said() {
    let kinds: Vec<Value> = one_of_each().iter().map(|frame| said(frame)["type"].clone()).collect();
    assert_eq!(json!(kinds), json!(FRAMES));
}
