//! One who sends, flat out with twenty in flight or at a pace, through drops and restarts as a
//! client should: what was not answered is sent again with the same `client_id`, by the same
//! sender. It opens no socket and joins nothing; `chatter` does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

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
    pace: Option<Duration>,
    next: usize,
    open: BTreeSet<usize>,
    /// What is to be sent again, and not before when.
    put_off: BTreeMap<usize, Instant>,
    answered: BTreeMap<usize, (String, i64)>,
    /// Answers that said `duplicate`.
    pub duplicates: usize,
    /// Answers after which it was to be sent again: `busy`, and a commit of unknown outcome.
    pub refused: usize,
    /// Those of them that were of unknown outcome.
    pub unknown: usize,
}

impl Sender {
    /// Of this name, to this room; each message is so long.
    pub fn new(name: &str, room: &str, len: usize) -> Self {
        Self {
            name: name.to_owned(),
            room: room.to_owned(),
            padding: "x".repeat(len),
            guest_token: None,
            pace: None,
            next: 0,
            open: BTreeSet::new(),
            put_off: BTreeMap::new(),
            answered: BTreeMap::new(),
            duplicates: 0,
            refused: 0,
            unknown: 0,
        }
    }

    /// Takes a turn only so often, and waits with what is refused for as long as the server says.
    pub fn at_a_pace(self, every: Duration) -> Self {
        Self { pace: Some(every), ..self }
    }

    /// How often it takes a turn; none when it sends flat out.
    pub fn pace(&self) -> Option<Duration> {
        self.pace
    }

    /// A turn of one at a pace: sends what was put off until now, and one more if it is to.
    pub async fn turn(&mut self, socket: &mut Native, one_more: bool) -> Result<(), Ended> {
        let now = Instant::now();
        let due: Vec<usize> =
            self.put_off.iter().filter(|(_, due)| **due <= now).map(|(n, _)| *n).collect();
        for n in due {
            self.put_off.remove(&n);
            self.send(socket, n).await?;
        }
        if one_more && self.open.len() < IN_FLIGHT {
            self.next += 1;
            self.send(socket, self.next).await?;
        }
        Ok(())
    }

    /// Before it joins on a fresh socket: a guest is the same one as before.
    pub async fn prove(&self, socket: &mut Native) -> Result<(), Ended> {
        if socket.said_hello()["user"].is_null()
            && let Some(token) = &self.guest_token
        {
            let ok = socket.try_ask(json!({"type": "auth", "guest_token": token})).await?;
            assert_eq!(ok["type"], "ok", "{ok}");
        }
        Ok(())
    }

    /// After it has joined: sends again what has no answer.
    pub async fn resend(&mut self, socket: &mut Native, joined: &Value) -> Result<(), Ended> {
        if let Some(token) = joined["guest_token"].as_str() {
            self.guest_token = Some(token.to_owned());
        }
        self.put_off.clear();
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

    /// Sends until as many are in flight as may be.
    pub async fn fill(&mut self, socket: &mut Native) -> Result<(), Ended> {
        while self.open.len() < IN_FLIGHT {
            self.next += 1;
            self.send(socket, self.next).await?;
        }
        Ok(())
    }

    /// Takes a frame, whatever it is; whether it is the `ok` to something sent.
    pub async fn hear(&mut self, socket: &mut Native, frame: &Value) -> Result<bool, Ended> {
        let Some(n) = frame["ref"].as_str().and_then(|name| name.parse().ok()) else {
            return Ok(false);
        };
        match (frame["type"].as_str(), frame["code"].as_str()) {
            (Some("ok"), _) => {
                self.answered(n, frame);
                Ok(true)
            }
            (_, Some(code @ ("busy" | "unknown_outcome"))) => {
                self.refused += 1;
                self.unknown += usize::from(code == "unknown_outcome");
                if self.pace.is_some() {
                    let wait = frame["retry_after_ms"].as_u64().unwrap_or_default();
                    self.put_off.insert(n, Instant::now() + Duration::from_millis(wait));
                } else {
                    self.send(socket, n).await?;
                }
                Ok(false)
            }
            _ => panic!("{}: {frame}", self.name),
        }
    }

    fn answered(&mut self, n: usize, ok: &Value) {
        let id = ok["id"].as_str().expect("an id").to_owned();
        let place = (id, seq(ok));
        self.duplicates += usize::from(ok["duplicate"] == true);
        self.open.remove(&n);
        if let Some(before) = self.answered.insert(n, place.clone()) {
            assert_eq!(before, place, "{} {n}: answered twice, the same way", self.name);
        }
    }

    /// Whether everything was answered.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
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
            // What was refused went out again behind what had been sent after it.
            assert!(*at > before || self.refused > 0, "{} {n}: out of order", self.name);
            before = *at;
        }
        let prefix = format!("{} ", self.name);
        let mine = |event: &&Value| {
            event["message"].as_str().is_some_and(|said| said.starts_with(&prefix))
        };
        assert_eq!(history.iter().filter(mine).count(), self.answered.len(), "{}", self.name);
    }
}
