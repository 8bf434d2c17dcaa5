//! The wire form: what is written reads back, what older and newer versions wrote is taken as far
//! as it is known.

use super::*;
use crate::domain::nodes::{ChatAction, Present, RoomTag};
use crate::domain::{RoomKind, Timestamp};
use uuid::Uuid;

/// One envelope a line, as versions wrote them. Lines of a version that was released never change.
const RECORDED: &str = include_str!("../../tests/bus/envelopes.txt");

fn origin() -> Origin {
    Origin { node: NodeId::from("n1"), started: 1_700_000_000_000_000 }
}

const ROOM: RoomId = RoomId(Uuid::from_u128(0x0192_f7a0_0000_7000_8000_0000_0000_0001));

fn event() -> Event {
    Event {
        id: EventId(Uuid::from_u128(0x0192_f7a0_0000_7000_8000_0000_0000_0002)),
        room: ROOM,
        seq: 7,
        kind: EventKind::Message,
        author: Author::User(UserId(3)),
        sender: Some(Arc::new(UserCard {
            id: 3,
            username: "alice".into(),
            email: "a@b.c".into(),
            ..UserCard::default()
        })),
        nick_name: None,
        content: "hi \"there\"\n🦀".into(),
        raw: Some(r#"{"a":[1,2]}"#.into()),
        target: None,
        client_id: Some("c-1".into()),
        created_at: Timestamp::from_micros(1_700_000_000_000_123),
        edited_at: Some(Timestamp::from_micros(1)),
        deleted_at: None,
    }
}

fn delta() -> Delta {
    let since = Timestamp::from_micros(5);
    Delta {
        was: 3,
        rev: 4,
        tag: RoomTag { kind: RoomKind::Named, name: Some("global".into()), by_guest: true },
        came: vec![Present { id: UserId(3), name: "alice".into(), since, sessions: 2 }],
        went: vec![UserId(4)],
        guests: 2,
        sessions: 5,
    }
}

fn news() -> ChatNews {
    let whose = vec![(UserId(3), 2), (UserId(4), 0)];
    ChatNews { chat: ROOM, action: ChatAction::Activity, seq: 7, whose }
}

fn read_in(text: &[u8], room: Option<RoomId>) -> Option<(Origin, Said)> {
    match read(text, room, |_, _, _| false) {
        Some(Read::From(origin, said)) => Some((origin, said)),
        _ => None,
    }
}

#[test]
fn whatever_is_written_reads_back() {
    let body = RawValue::from_string(r#"{"a":1}"#.into()).unwrap_or_default();
    let room = Question::Room { room: ROOM, limit: 7 };
    for (said, of_room) in [
        (Said::Hint(Hint::Event(Arc::new(event()))), true),
        (Said::Hint(Hint::Typing { user: Some(UserId(3)), name: "al".into(), on: true }), true),
        (Said::Hint(Hint::Typing { user: None, name: "guest".into(), on: false }), true),
        (Said::Hint(Hint::Read { user: UserId(3), seq: 6 }), true),
        (Said::Hint(Hint::Reload), true),
        (Said::Presence(delta()), true),
        (Said::Beat(Beat { sent: 1, kept: 2, lost: 3 }), false),
        (Said::Bye, false),
        (Said::Control(9), false),
        (Said::Chats(news()), false),
        (Said::Ask { id: 1, question: Some(Question::Load) }, false),
        (Said::Ask { id: 1, question: Some(room) }, false),
        (Said::Answer { id: 1, body }, false),
    ] {
        let text = write(&origin(), &said);
        let back = read_in(&text, of_room.then_some(ROOM));
        let shown = format!("{:?}", Some((origin(), &said)));
        assert_eq!(format!("{back:?}"), shown, "{}", String::from_utf8_lossy(&text));
        let elsewhere = read_in(&text, (!of_room).then_some(ROOM));
        assert!(elsewhere.is_none() || !of_room, "a room's words have a room: {said:?}");
    }
}

#[test]
fn a_message_costs_little_more_than_its_text() {
    let event = Event { client_id: None, raw: None, edited_at: None, ..event() };
    let text = write(&origin(), &Said::Hint(Hint::Event(Arc::new(event.clone()))));
    assert!(text.len() < 260 + event.content.len(), "{}", String::from_utf8_lossy(&text));
    let beat = write(&origin(), &Said::Beat(Beat { sent: 9_999_999_999, kept: 99, lost: 0 }));
    assert!(beat.len() < 100, "{}", String::from_utf8_lossy(&beat));
}

/// `+` in front: to be taken. `-`: to be skipped. Then whether it came on a room's channel.
#[test]
fn older_and_newer_envelopes_are_taken_as_far_as_they_are_known() {
    let mut lines = 0;
    for line in RECORDED.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (how, text) = line.split_once(' ').unwrap_or_default();
        let room = how.ends_with('r').then_some(ROOM);
        let taken = read_in(text.as_bytes(), room);
        assert_eq!(taken.is_some(), how.starts_with('+'), "{line}");
        if let Some((from, said)) = taken {
            assert_eq!(from, origin(), "{line}");
            if let Said::Hint(Hint::Event(read)) = said {
                assert_eq!((read.seq, &*read.content), (7, "hi"), "{line}");
            }
        }
        lines += 1;
    }
    assert!(lines > 15, "{lines}");
    let unknown = br#"{"v":2,"n":"n1","s":1,"k":"ask","b":{"i":5,"q":{"ask":"weather","of":7}}}"#;
    assert!(matches!(read_in(unknown, None), Some((_, Said::Ask { id: 5, question: None }))));
}

#[test]
fn own_words_are_known_by_their_head() {
    let text = write(&origin(), &Said::Control(1));
    let is_own = |node: &str, started: i64, _: &str| (node, started) == ("n1", origin().started);
    assert!(read(&text, None, is_own).is_none());
    let earlier = Origin { started: 1, ..origin() };
    assert!(read(&write(&earlier, &Said::Control(1)), None, is_own).is_some(), "an earlier run");
}
