//! A WebSocket client of `hubbub.v1` (PROTOCOL.md). Everything it waits for is bounded, and what
//! comes while something else is awaited stays in order in a queue: no frame is lost to a test.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

pub use super::native_door::Way;
use super::shape::shape;
use super::socket::SOON;

/// The subprotocol's name.
pub const V1: &str = "hubbub.v1";
/// The answer to a join.
pub const JOINED: &str = "chat_id:uuid name:str|null kind:str epoch:str seq:int verdict:str \
                          from:int|null to:int more:bool active_users:int sessions:int me:obj";
/// A message, live or replayed.
pub const CHAT_MESSAGE: &str = "type:str id:uuid chat_id:uuid seq:int message:str \
                                sender_id:int|null sender:str nick_name:str|null created_at:time";
/// Frames that have a `seq` of their own and are in the history.
pub const DURABLE: [&str; 5] =
    ["chat_message", "message_edited", "message_deleted", "reaction", "member"];

/// Why nothing more comes: the code of the server's close, none when the connection just ended.
pub type Ended = Option<u16>;

/// What a join gave.
#[derive(Debug)]
pub struct Entry {
    /// The answer.
    pub joined: Value,
    /// What was missed.
    pub replay: Vec<Value>,
}

impl Entry {
    /// The room's UUID.
    pub fn chat(&self) -> String {
        self.joined["chat_id"].as_str().expect("a chat_id").to_owned()
    }

    /// The head at the moment of joining.
    pub fn seq(&self) -> i64 {
        seq(&self.joined)
    }

    /// The room's epoch.
    pub fn epoch(&self) -> &str {
        self.joined["epoch"].as_str().expect("an epoch")
    }
}

/// A frame's `seq`.
#[track_caller]
pub fn seq(frame: &Value) -> i64 {
    frame["seq"].as_i64().unwrap_or_else(|| panic!("no seq in {frame}"))
}

/// Whether a frame is an event of a room's history.
pub fn is_durable(frame: &Value) -> bool {
    frame["type"].as_str().is_some_and(|kind| DURABLE.contains(&kind))
}

/// An open native socket.
#[derive(Debug)]
pub struct Native {
    pub(super) stream: WebSocketStream<TcpStream>,
    pub(super) path: String,
    pub(super) hello: Value,
    pub(super) bye: Value,
    pub(super) waiting: VecDeque<Value>,
    pub(super) asked: u64,
}

impl Native {
    /// The server's first frame.
    pub fn said_hello(&self) -> &Value {
        &self.hello
    }

    /// Its last frame before a close that it chose; null before that.
    pub fn said_bye(&self) -> &Value {
        &self.bye
    }

    /// Sends a text frame as given.
    pub async fn send_text(&mut self, text: &str) {
        self.write(Message::text(text)).await.unwrap_or_else(|_| panic!("{}: gone", self.path));
    }

    /// Sends a binary frame.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        let sent = self.write(Message::binary(bytes.to_vec())).await;
        sent.unwrap_or_else(|_| panic!("{}: gone", self.path));
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends a frame, or learns that the connection has ended.
    pub async fn try_send(&mut self, frame: &Value) -> Result<(), Ended> {
        self.write(Message::text(frame.to_string())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), Ended> {
        let sent = timeout(SOON, self.stream.send(message)).await;
        sent.unwrap_or_else(|_| panic!("{}: the server does not take it", self.path))
            .map_err(|_| None)
    }

    /// The next frame off the wire, or how the connection ended.
    async fn receive(&mut self) -> Result<Value, Ended> {
        loop {
            let next = timeout(SOON, self.stream.next()).await;
            let next = next.unwrap_or_else(|_| {
                panic!("{}: nothing came; waiting: {:?}", self.path, self.waiting)
            });
            return match next {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text)
                        .unwrap_or_else(|why| panic!("{}: {why}: {text}", self.path));
                    assert!(frame["type"].is_string(), "{}: no type in {frame}", self.path);
                    if frame["type"] == "bye" {
                        self.bye = frame.clone();
                    }
                    Ok(frame)
                }
                Some(Ok(Message::Close(frame))) => Err(frame.map(|frame| frame.code.into())),
                Some(Ok(other)) => panic!("{}: {other:?}", self.path),
                Some(Err(_)) | None => Err(None),
            };
        }
    }

    #[track_caller]
    fn open<T>(&self, got: Result<T, Ended>) -> T {
        got.unwrap_or_else(|code| {
            panic!("{}: closed with {code:?}; waiting: {:?}", self.path, self.waiting)
        })
    }

    /// The next frame, or how the connection ended.
    pub async fn try_next(&mut self) -> Result<Value, Ended> {
        match self.waiting.pop_front() {
            Some(frame) => Ok(frame),
            None => self.receive().await,
        }
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        let frame = self.try_next().await;
        self.open(frame)
    }

    async fn try_next_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<Value, Ended> {
        if let Some(at) = self.waiting.iter().position(&wanted) {
            return Ok(self.waiting.remove(at).expect("it is there"));
        }
        loop {
            let frame = self.receive().await?;
            if wanted(&frame) {
                return Ok(frame);
            }
            self.waiting.push_back(frame);
        }
    }

    /// The next frame for which this holds; the others stay.
    pub async fn next_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let frame = self.try_next_where(wanted).await;
        self.open(frame)
    }

    /// The next frame of this type; the others stay.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        self.next_where(|frame| frame["type"] == kind).await
    }

    /// The next event of any room's history; the others stay.
    pub async fn next_durable(&mut self) -> Value {
        self.next_where(is_durable).await
    }

    /// Sends a frame with a fresh `ref`; what carries that `ref` back, or how the connection ended.
    pub async fn try_ask(&mut self, mut frame: Value) -> Result<Value, Ended> {
        self.asked += 1;
        let name = format!("ref {}", self.asked);
        frame["ref"] = json!(name);
        self.try_send(&frame).await?;
        self.try_next_where(|answer| answer["ref"] == name.as_str()).await
    }

    /// Sends a frame with a fresh `ref`; what carries that `ref` back.
    pub async fn ask(&mut self, frame: Value) -> Value {
        let answer = self.try_ask(frame).await;
        self.open(answer)
    }

    /// Asks for what must be answered with `ok`.
    pub async fn ok(&mut self, frame: Value) -> Value {
        let asked = frame.to_string();
        let answer = self.ask(frame).await;
        assert_eq!(answer["type"], "ok", "{}: {asked}: {answer}", self.path);
        answer
    }

    /// Asks for what must be refused with this code; the connection lives on.
    pub async fn refused(&mut self, frame: Value, code: &str) -> Value {
        let asked = frame.to_string();
        let answer = self.ask(frame).await;
        assert_eq!(answer["type"], "error", "{}: {asked}: {answer}", self.path);
        shape(&answer, "ref:str code:str detail:str");
        assert_eq!(answer["code"], code, "{}: {asked}: {answer}", self.path);
        answer
    }

    /// Joins a room with nothing known of it.
    pub async fn join(&mut self, room: &str) -> Entry {
        self.enter(json!({"type": "join", "room": room})).await
    }

    /// Joins a room, holding everything up to `after`.
    pub async fn join_after(&mut self, room: &str, after: i64, epoch: &str) -> Entry {
        let frame = json!({"type": "join", "room": room, "after": after, "epoch": epoch});
        self.enter(frame).await
    }

    /// Sends a join and takes what it gives, up to `live`.
    pub async fn enter(&mut self, join: Value) -> Entry {
        let entry = self.try_enter(join).await;
        self.open(entry)
    }

    /// Sends a join that must be granted; what it gives, or how the connection ended.
    pub async fn try_enter(&mut self, join: Value) -> Result<Entry, Ended> {
        let entry = self.try_join(join).await?;
        Ok(entry.unwrap_or_else(|refused| panic!("{}: {refused}", self.path)))
    }

    /// Sends a join; what it gives, or the `error` that refused it.
    pub async fn try_join(&mut self, join: Value) -> Result<Result<Entry, Value>, Ended> {
        let answer = self.try_ask(join).await?;
        if answer["type"] == "error" {
            return Ok(Err(answer));
        }
        assert_eq!(answer["type"], "joined", "{}: {answer}", self.path);
        self.entry(answer).await.map(Ok)
    }

    /// What follows a `joined`: the missed events and `live`, and no live event before it.
    pub(super) async fn entry(&mut self, joined: Value) -> Result<Entry, Ended> {
        shape(&joined, JOINED);
        shape(&joined["me"], "user_id:int|null nick_name:str|null role:str|null read_seq:int|null");
        let chat = joined["chat_id"].clone();
        let mut replay = Vec::new();
        loop {
            // Off the wire: what waits came before the join.
            let frame = self.receive().await?;
            let of_this_room = frame["chat_id"] == chat;
            if of_this_room && frame["type"] == "live" {
                assert_eq!(frame["seq"], joined["seq"], "{}: {frame}", self.path);
                return Ok(Entry { joined, replay });
            } else if of_this_room && is_durable(&frame) {
                assert_eq!(frame["replay"], true, "{}: live before `live`: {frame}", self.path);
                replay.push(frame);
            } else {
                self.waiting.push_back(frame);
            }
        }
    }

    /// Says something; the `ok`.
    pub async fn say(&mut self, room: &str, text: &str) -> Value {
        let ok = self.ok(json!({"type": "send", "room": room, "message": text})).await;
        shape(&ok, "id:uuid seq:int created_at:time duplicate:bool");
        ok
    }

    /// The room's events from the first to this one, page by page.
    pub async fn whole_history(&mut self, room: &str, head: i64) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        while i64::try_from(all.len()).expect("few enough") < head {
            let ask = json!({"type": "history", "room": room, "after": all.len()});
            let page = self.ask(ask).await;
            all.extend(page["events"].as_array().expect("events").iter().cloned());
        }
        for (place, event) in all.iter().enumerate() {
            assert_eq!(event["seq"].as_u64(), u64::try_from(place + 1).ok(), "{room}: no gap");
        }
        all
    }

    /// Everything that comes before the message with this text, which is taken as well.
    pub async fn until(&mut self, text: &str) -> Vec<Value> {
        let mut before = Vec::new();
        loop {
            let frame = self.next().await;
            if frame["type"] == "chat_message" && frame["message"] == text {
                return before;
            }
            before.push(frame);
        }
    }

    /// Shows that the socket is open and takes frames.
    pub async fn is_alive(&mut self) {
        let pong = self.ask(json!({"type": "ping"})).await;
        assert_eq!(pong["type"], "pong", "{}: {pong}", self.path);
    }

    /// The server's farewell with this code and then its close, whatever came before them.
    pub async fn expect_bye_and_close(mut self, code: u16) -> Value {
        let bye = self.next_of("bye").await;
        shape(&bye, "code:int reason:str retry:bool after_ms:int|null");
        assert_eq!(bye["code"], code, "{}: {bye}", self.path);
        match code {
            4000..=4099 => assert_eq!(bye["retry"], true, "{bye}"),
            4400..=4599 => assert_eq!(bye["retry"], false, "{bye}"),
            _ => {}
        }
        let end = self.receive().await;
        assert_eq!(end, Err(Some(code)), "{}: after {bye}", self.path);
        bye
    }

    /// The code of the server's close, whatever still comes before it.
    pub async fn close_code(mut self) -> Ended {
        loop {
            if let Err(code) = self.receive().await {
                return code;
            }
        }
    }

    /// Closes as a browser does, and waits for the answer.
    pub async fn close(mut self) {
        self.stream.close(None).await.expect("a close");
        while self.receive().await.is_ok() {}
    }

    /// Dies as a process that is killed: the kernel sends RST.
    pub fn reset(self) {
        let stream = self.stream.into_inner().into_std().expect("a socket");
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket option");
    }
}
