//! Shapes: which keys a JSON object must hold, and of which types. More keys are fine, fewer are
//! not, as the contract says.

use serde_json::Value;

/// Checks an object against words like `id:int name:str|null created_at:time`.
#[track_caller]
pub fn shape(value: &Value, words: &str) {
    assert!(value.is_object(), "not an object: {value}");
    for word in words.split_whitespace() {
        let (key, kinds) = word.split_once(':').expect("key:type");
        let found = value.get(key).unwrap_or_else(|| panic!("no {key} in {value}"));
        assert!(kinds.split('|').any(|kind| is(found, kind)), "{key} is no {kinds} in {value}");
    }
}

/// Checks every element of a list that must not be empty.
#[track_caller]
pub fn shape_all(list: &Value, words: &str) {
    let list = list.as_array().unwrap_or_else(|| panic!("not a list: {list}"));
    assert!(!list.is_empty(), "an empty list shows no shape");
    for value in list {
        shape(value, words);
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "int" => value.is_i64() || value.is_u64(),
        "num" => value.is_number(),
        "str" => value.is_string(),
        "bool" => value.is_boolean(),
        "obj" => value.is_object(),
        "arr" => value.is_array(),
        "null" => value.is_null(),
        "uuid" => value.as_str().is_some_and(|text| uuid::Uuid::try_parse(text).is_ok()),
        "time" => value.as_str().is_some_and(is_time),
        other => panic!("no type is called {other}"),
    }
}

/// `2025-01-01T12:00:00.000000Z`, to the letter.
fn is_time(text: &str) -> bool {
    let pattern = "dddd-dd-ddTdd:dd:dd.ddddddZ";
    text.len() == pattern.len()
        && text.chars().zip(pattern.chars()).all(|(c, wanted)| match wanted {
            'd' => c.is_ascii_digit(),
            _ => c == wanted,
        })
}

/// A user as chats shows him.
pub const USER: &str = "id:int username:str email:str";
/// A chat.
pub const CHAT: &str = "id:uuid is_group:bool name:str|null created_at:time members:arr \
                        last_message:obj|null unread:int";
/// A chat's message.
pub const MESSAGE: &str = "id:uuid seq:int chat:uuid sender:obj|null content:str created_at:time";
/// An shh room in a list.
pub const SHH_ROOM: &str = "room_name:str room_id:uuid created_at:time created_by:obj";
/// An shh room's message over REST.
pub const SHH_MESSAGE: &str = "id:uuid seq:int user:obj message:str timestamp:time";
/// Who wrote an shh message.
pub const SHH_USER: &str = "id:int|str email:str first_name:str last_name:str username:str";
/// A frame that every one of the five systems' clients can read.
pub const SUPERSET: &str = "type:str id:uuid seq:int message:str content:str sender_id:int|null \
                            sender:str username:str user:str chat_id:uuid room:str|null \
                            created_at:time timestamp:time";
/// One line of a named room's history.
pub const HISTORY: &str = "id:uuid seq:int sender:str content:str timestamp:time room:str";
/// What a node carries.
pub const LOAD: &str = "sessions:int users:int guests:int rooms:int messages_per_s:num \
                        deliveries_per_s:num fanout_ms:obj store_ms:obj queued_bytes:int \
                        slow_readers:int refused:int cpu_s:num rss_bytes:int";
/// A live room's figures.
pub const ROOM_LOAD: &str = "room_id:uuid name:str|null kind:str active_users:int sessions:int \
                             seq:int messages_per_s:num deliveries_per_s:num fanout_ms:obj \
                             mailbox_depth:int queued_bytes:int slow_readers:int nodes:arr";
