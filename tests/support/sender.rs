//! One who sends flat out, twenty in flight, through drops and restarts as a client should: what
//! was not answered is sent again with the same `client_id`, by the same sender.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::native::{Ended, Native, seq};

/// What the server lets one socket have in flight.
const IN_FLIGHT: usize = 20;

/// A sender to one room, and what was answered.
#[derive(Debug)]
pub struct Sender {
    name: String,
    room: String,
    padding: String,
    guest_token: Option<String>,
    next: usize,
    open: BTreeSet<usize>,
    answered: BTreeMap<usize, (String, i64)>,
}

impl Sender {
    /// Of this name, to this room; each message is so long.
    pub fn new(name: &str, room: &str, len: usize) -> Self {
        let (name, room) = (name.to_owned(), room.to_owned());
        let padding = "x".repeat(len);
        let (open, answered) = (BTreeSet::new(), BTreeMap::new());
        Self { name, room, padding, guest_token: None, next: 0, open, answered }
    }

    /// Joins on a fresh socket, a guest as the same one as before, and sends what is open again.
    pub async fn begin(&mut self, socket: &mut Native) -> Result<(), Ended> {
        if socket.said_hello()["user"].is_null()
            && let Some(token) = &self.guest_token
        {
            let ok = socket.try_ask(json!({"type": "auth", "guest_token": token})).await?;
            assert_eq!(ok["type"], "ok", "{ok}");
        }
        let join = json!({"type": "join", "room": self.room});
        let entry = socket.try_enter(join).await?;
        if let Some(token) = entry.joined["guest_token"].as_str() {
            self.guest_token = Some(token.to_owned());
        }
        for n in self.open.clone() {
            self.send(socket, n).await?;
        }
        Ok(())
    }

    async fn send(&mut self, socket: &mut Native, n: usize) -> Result<(), Ended> {
        self.open.insert(n);
        let text = self.text(n);
        let message = format!("{text} {}", self.padding);
        let frame = json!({"type": "send", "room": self.room, "message": message,
                           "client_id": text, "ref": n.to_string()});
        socket.try_send(&frame).await
    }

    fn text(&self, n: usize) -> String {
        format!("{} {n}", self.name)
    }

    /// Sends until there is enough, and until everything is answered then.
    pub async fn run(
        &mut self,
        socket: &mut Native,
        enough: &watch::Receiver<bool>,
        count: &watch::Sender<usize>,
    ) -> Result<(), Ended> {
        loop {
            while self.open.len() < IN_FLIGHT && !*enough.borrow() {
                self.send(socket, self.next).await?;
                self.next += 1;
            }
            if self.open.is_empty() {
                return Ok(());
            }
            let answer = socket.try_next().await?;
            let Some(n) = answer["ref"].as_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match (answer["type"].as_str(), answer["code"].as_str()) {
                (Some("ok"), _) => {
                    self.answered(n, &answer);
                    count.send_modify(|count| *count += 1);
                }
                (_, Some("busy" | "unknown_outcome")) => self.send(socket, n).await?,
                _ => panic!("{}: {answer}", self.name),
            }
        }
    }

    fn answered(&mut self, n: usize, ok: &Value) {
        let id = ok["id"].as_str().expect("an id").to_owned();
        let place = (id, seq(ok));
        self.open.remove(&n);
        if let Some(before) = self.answered.insert(n, place.clone()) {
            assert_eq!(before, place, "{} {n}: answered twice, the same way", self.name);
        }
    }

    /// How many were answered with `ok`.
    pub fn sent(&self) -> usize {
        self.answered.len()
    }

    /// Compares what was answered with the room's history, by `seq` from 1 on: each is there once,
    /// where its `ok` said, in the order of sending; and nothing else of this sender's is.
    pub fn is_kept_in(&self, history: &[Value]) {
        let mut before = 0;
        for (n, (id, at)) in &self.answered {
            let place = usize::try_from(at - 1).expect("a seq");
            let event = history.get(place).unwrap_or_else(|| panic!("{at} is lost"));
            assert_eq!((event["id"].as_str(), seq(event)), (Some(id.as_str()), *at), "{event}");
            let said = event["message"].as_str().expect("a message");
            assert!(said.starts_with(&format!("{} ", self.text(*n))), "{event}");
            assert!(*at > before, "{} {n}: out of order", self.name);
            before = *at;
        }
        let prefix = format!("{} ", self.name);
        let mine = |event: &&Value| {
            event["message"].as_str().is_some_and(|said| said.starts_with(&prefix))
        };
        assert_eq!(history.iter().filter(mine).count(), self.answered.len(), "{}", self.name);
    }
}
