//! What one message costs before and after the store: `cargo bench --bench frames`. Reads a
//! client's masked frame, decides what it says, and encodes its broadcast in each dialect.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use hubbub::domain::{Author, Event, EventId, EventKind, RoomId, UserCard, UserId, clock, ids};
use hubbub::protocol::dialect::RoomWords;
use hubbub::protocol::{Decoder, Dialect};
use hubbub::session::state::hear;

/// Bytes of a message's text.
const TEXT_BYTES: usize = 100;

fn masked(text: &str) -> Vec<u8> {
    let (len, mask) = (u8::try_from(text.len()).expect("short"), [1, 2, 3, 4]);
    let head = if len < 126 { vec![0x81, 0x80 | len] } else { vec![0x81, 0xFE, 0, len] };
    let masked = text.bytes().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key);
    head.into_iter().chain(mask).chain(masked).collect()
}

fn event(text: &str) -> Event {
    let card = UserCard { id: 7, username: "alice".into(), ..UserCard::default() };
    Event {
        id: EventId(ids::random()),
        room: RoomId(ids::random()),
        seq: 42,
        kind: EventKind::Message,
        author: Author::User(UserId(7)),
        sender: Some(Arc::new(card)),
        nick_name: None,
        content: text.into(),
        raw: None,
        target: None,
        client_id: None,
        created_at: clock::now(),
        edited_at: None,
        deleted_at: None,
    }
}

fn frames(bench: &mut Criterion) {
    let text = "x".repeat(TEXT_BYTES);
    let wire = masked(&format!(r#"{{"message":"{text}"}}"#));
    let (event, room) =
        (event(&text), RoomWords { id: RoomId(ids::random()), name: "lobby".into() });
    for dialect in [Dialect::Guest, Dialect::Chat, Dialect::ShhToken] {
        bench.bench_function(
            &format!("read one frame, encode one broadcast: {}", dialect.as_str()),
            |run| {
                run.iter(|| {
                    let mut decoder = Decoder::new(65_536);
                    decoder.take(black_box(&wire));
                    let heard = decoder.next_message().expect("a frame").expect("a whole one");
                    black_box(hear(dialect, true, heard));
                    black_box(dialect.say(black_box(&event), &room))
                });
            },
        );
    }
}

criterion_group!(benches, frames);
criterion_main!(benches);
