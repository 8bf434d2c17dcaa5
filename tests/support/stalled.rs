//! A reader that joins natively and then reads nothing until told to: what it finds then.

use serde_json::{Value, json};

use super::native::{Native, V1, is_durable, seq};
use super::raw::{CLOSE, RawSocket, Received, TEXT, frame, whole};
use super::{Follower, Server};

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Told that it lags; the socket is open.
    Lagged,
    /// Closed with 4002, or cut off.
    Closed,
}

/// The reader, and what it holds.
#[derive(Debug)]
pub struct Stalled {
    socket: RawSocket,
    follower: Follower,
}

impl Stalled {
    /// A guest in this room, whose window of the network is small.
    pub async fn guest_in(server: &Server, room: &str) -> Self {
        Self::with(server, room, "").await
    }

    /// The same with an account.
    pub async fn user_in(server: &Server, room: &str, access: &str) -> Self {
        Self::with(server, room, &format!("Authorization: Bearer {access}\r\n")).await
    }

    async fn with(server: &Server, room: &str, more: &str) -> Self {
        let line = format!("Sec-WebSocket-Protocol: {V1}\r\n{more}");
        let mut socket = RawSocket::open_with(server.addr(), "/ws/", &line, Some(4_096)).await;
        let join = json!({"type": "join", "room": room}).to_string();
        socket.write(&frame(whole(TEXT), join.as_bytes())).await;
        let mut follower = Follower::of(room);
        loop {
            let said: Value = serde_json::from_str(&socket.next_text().await).expect("JSON");
            match said["type"].as_str() {
                Some("joined") => {
                    assert_eq!(seq(&said), 0, "it begins with the room");
                    follower.is_in(&said);
                }
                Some("live") => return Self { socket, follower },
                _ => {}
            }
        }
    }

    /// Reads at last: events in order without a gap, then `lag`, or the farewell with 4002, or
    /// both; nothing live after `lag`.
    pub async fn reads_at_last(&mut self) -> Fate {
        let mut lagged = false;
        while let Some(Received { opcode, payload }) = self.socket.next_data().await {
            if opcode == CLOSE {
                assert_eq!(payload.get(..2), Some(&4002_u16.to_be_bytes()[..]));
                return Fate::Closed;
            }
            let said: Value = serde_json::from_slice(&payload).expect("whole frames");
            match said["type"].as_str() {
                Some("lag") => {
                    self.follower.is_told_of_lag(&said);
                    lagged = true;
                    // Whoever reads again may stay; the answer shows that nothing else waits.
                    self.socket.write(&frame(whole(TEXT), b"{\"type\":\"ping\"}")).await;
                }
                Some("pong") if lagged => return Fate::Lagged,
                Some("bye") => assert_eq!(said["code"], 4002, "{said}"),
                _ if is_durable(&said) => {
                    assert!(!lagged, "live after `lag`: {said}");
                    self.follower.take(&said);
                }
                _ => {}
            }
        }
        Fate::Closed
    }

    /// Comes back on another socket with what it holds, and follows up to this event.
    pub async fn resumes(mut self, mut socket: Native, head: i64) -> Follower {
        self.follower.join(&mut socket).await.expect("it stays");
        self.follower.until(&mut socket, head).await.expect("it stays");
        self.follower
    }

    /// What it holds.
    pub fn holds(&self) -> &Follower {
        &self.follower
    }
}
