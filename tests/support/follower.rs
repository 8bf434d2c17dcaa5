//! One who follows a room through drops, lags and restarts as a client should: joins with what he
//! holds, fetches what the answer leaves out, and sees at each event that it is the next one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde_json::{Value, json};

use super::native::{Ended, Entry, Native, is_durable, seq};
use super::shape::shape;

/// What is held of one room, from its first event on.
#[derive(Debug)]
pub struct Follower {
    room: String,
    epoch: Option<String>,
    chat: Value,
    seen: Vec<u64>,
    /// Joins that resumed.
    pub resumed: usize,
    /// Times that the server said `lag`.
    pub lagged: usize,
    /// Times that the server was too busy to let it in or to read for it, and said when to ask
    /// again.
    pub turned_away: usize,
}

impl Follower {
    /// Of this room, holding nothing.
    pub fn of(room: &str) -> Self {
        let (room, chat) = (room.to_owned(), Value::Null);
        Self { room, epoch: None, chat, seen: Vec::new(), resumed: 0, lagged: 0, turned_away: 0 }
    }

    /// The `seq` of the newest event held.
    pub fn have(&self) -> i64 {
        i64::try_from(self.seen.len()).expect("few enough")
    }

    /// A short word for each event, in order: two who hold the same have the same.
    pub fn seen(&self) -> &[u64] {
        &self.seen
    }

    /// Remembers the room as this `joined` has it.
    pub fn is_in(&mut self, joined: &Value) {
        self.epoch = joined["epoch"].as_str().map(str::to_owned);
        self.chat = joined["chat_id"].clone();
    }

    /// Takes an event, which must be the next one.
    pub fn take(&mut self, event: &Value) {
        assert_eq!(seq(event), self.have() + 1, "{}: a gap or a double: {event}", self.room);
        self.seen.push(digest(event));
    }

    /// One that holds the first so many events of what this one holds.
    pub fn up_to(&self, have: usize) -> Self {
        let (room, epoch, chat) = (self.room.clone(), self.epoch.clone(), self.chat.clone());
        Self {
            room,
            epoch,
            chat,
            seen: self.seen[..have].to_vec(),
            resumed: 0,
            lagged: 0,
            turned_away: 0,
        }
    }

    /// Joins on this socket, and holds the room up to its head at that moment; the answer.
    pub async fn join(&mut self, socket: &mut Native) -> Result<Value, Ended> {
        let mut join = json!({"type": "join", "room": self.room});
        if let Some(epoch) = &self.epoch {
            join["after"] = json!(self.have());
            join["epoch"] = json!(epoch);
        }
        let Entry { joined, replay } = loop {
            match socket.try_join(join.clone()).await? {
                Ok(entry) => break entry,
                Err(refused) => {
                    assert_eq!(refused["code"], "busy", "{refused}");
                    self.is_turned_away(&refused).await;
                }
            }
        };
        let verdict = if self.epoch.is_some() { "full" } else { "fresh" };
        assert_eq!(joined["verdict"], verdict, "{joined}");
        self.resumed += usize::from(self.epoch.is_some());
        self.is_in(&joined);
        for event in &replay {
            self.take(event);
        }
        let head = seq(&joined);
        if verdict == "full" {
            assert_eq!(joined["to"], self.have(), "{joined}: what was replayed");
            assert_eq!(joined["more"], self.have() < head, "{joined}");
        }
        self.catch_up(socket, head).await?;
        Ok(joined)
    }

    async fn is_turned_away(&mut self, refused: &Value) {
        let wait = refused["retry_after_ms"].as_u64().expect("a wait");
        self.turned_away += 1;
        // The server said how long; nothing else tells.
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    /// Fetches what is missing up to this `seq`.
    async fn catch_up(&mut self, socket: &mut Native, head: i64) -> Result<(), Ended> {
        while self.have() < head {
            let ask = json!({"type": "history", "room": self.room, "after": self.have()});
            let page = socket.try_ask(ask).await?;
            if page["code"] == "busy" {
                self.is_turned_away(&page).await;
                continue;
            }
            let events = page["events"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
            assert!(!events.is_empty(), "{page} when {head} is there");
            // The page may reach past the head: what is live already comes again by itself.
            for event in events.iter().filter(|event| seq(event) <= head) {
                self.take(event);
            }
        }
        Ok(())
    }

    /// Told that it is too slow, which is so only when there is more than it holds.
    pub fn is_told_of_lag(&mut self, lag: &Value) {
        shape(lag, "chat_id:uuid seq:int unread:int");
        let unread = seq(lag) - self.have();
        assert!(unread > 0, "{}: nothing is missing: {lag}", self.room);
        assert_eq!(lag["unread"], unread, "{}: {} are held: {lag}", self.room, self.have());
        self.lagged += 1;
    }

    /// Takes a frame that came on this socket, whatever it is.
    pub async fn hear(&mut self, socket: &mut Native, frame: &Value) -> Result<(), Ended> {
        if frame["chat_id"] != self.chat {
            return Ok(());
        }
        if is_durable(frame) {
            self.take(frame);
        } else if frame["type"] == "lag" {
            self.is_told_of_lag(frame);
            self.catch_up(socket, seq(frame)).await?;
            self.join(socket).await?;
        }
        Ok(())
    }

    /// Takes frames until this event is held, or the connection ends.
    pub async fn until(&mut self, socket: &mut Native, head: i64) -> Result<(), Ended> {
        while self.have() < head {
            let frame = socket.try_next().await?;
            self.hear(socket, &frame).await?;
        }
        Ok(())
    }
}

/// What of an event is the same live and told again, as long as nobody edits.
fn digest(event: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in ["type", "id", "chat_id", "message", "sender", "emoji", "action"] {
        event[name].as_str().hash(&mut hasher);
    }
    for name in ["seq", "sender_id", "user_id"] {
        event[name].as_i64().hash(&mut hasher);
    }
    hasher.finish()
}
