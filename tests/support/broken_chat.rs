//! A tiny chat server of the plain contract that does wrong on purpose, and always the same: so that
//! a test knows exactly what a load test must find. Rooms by path; every message to all of its room.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// What it does wrong. Deliveries are counted from 0, for each member of his own.
#[derive(Clone, Copy, Debug)]
pub enum Wrong {
    /// Of each ten one is dropped, one doubled, and two change places.
    OfEachTen,
    /// The first member of a room gets the sixth and the seventh of each ten turned around.
    FirstMemberSwaps,
    /// Every tenth goes to all other rooms, too.
    Leaks,
    /// Everything from the fiftieth on waits for a second.
    Stalls,
    /// It reads nothing.
    Deaf,
}

/// Messages that a member may have waiting.
const WAITING: usize = 100_000;

#[derive(Debug)]
struct Member {
    room: String,
    place: usize,
    got: usize,
    held: Option<String>,
    send: mpsc::Sender<String>,
}

type Members = Arc<Mutex<Vec<Member>>>;

/// The server, for as long as it is held.
#[derive(Debug)]
pub struct BrokenChat {
    addr: SocketAddr,
    accepts: tokio::task::JoinHandle<()>,
}

impl BrokenChat {
    /// Starts it.
    pub async fn start(wrong: Wrong) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let members = Members::default();
        let accepts = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, wrong, Arc::clone(&members)));
            }
        });
        Self { addr, accepts }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("ws://{}", self.addr)
    }
}

impl Drop for BrokenChat {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn serve(stream: TcpStream, wrong: Wrong, members: Members) {
    let mut room = String::new();
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let keep = |request: &Request, response: Response| {
        request.uri().path().clone_into(&mut room);
        Ok(response)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, keep).await else { return };
    let (mut write, mut read) = socket.split();
    let (send, mut due) = mpsc::channel::<String>(WAITING);
    {
        let mut members = members.lock().expect("the members");
        let place = members.iter().filter(|member| member.room == room).count();
        members.push(Member { room: room.clone(), place, got: 0, held: None, send });
    }
    let writes = tokio::spawn(async move {
        while let Some(text) = due.recv().await {
            if write.send(Message::text(text)).await.is_err() {
                return;
            }
        }
    });
    if matches!(wrong, Wrong::Deaf) {
        let _ = writes.await;
        return;
    }
    let mut heard = 0;
    while let Some(Ok(message)) = read.next().await {
        if let Message::Text(text) = message {
            if matches!(wrong, Wrong::Stalls) && heard == 50 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            heard += 1;
            deliver(&members, &room, &text, wrong);
        }
    }
}

fn deliver(members: &Members, room: &str, text: &str, wrong: Wrong) {
    let mut members = members.lock().expect("the members");
    let mut leaks = false;
    for member in members.iter_mut().filter(|member| member.room == room) {
        let (number, text) = (member.got % 10, text.to_owned());
        member.got += 1;
        leaks |= matches!(wrong, Wrong::Leaks) && number == 9 && member.place == 0;
        let copies = match (wrong, number) {
            (Wrong::OfEachTen, 2) => vec![],
            (Wrong::OfEachTen, 4) => vec![text.clone(), text],
            (Wrong::OfEachTen, 6) => {
                member.held = Some(text);
                vec![]
            }
            (Wrong::FirstMemberSwaps, 5) if member.place == 0 => {
                member.held = Some(text);
                vec![]
            }
            _ => [Some(text), member.held.take()].into_iter().flatten().collect(),
        };
        for copy in copies {
            member.send.try_send(copy).expect("few messages");
        }
    }
    let mut strangers: HashMap<&str, &Member> = HashMap::new();
    for member in members.iter().filter(|member| leaks && member.room != room) {
        strangers.insert(&member.room, member);
    }
    for stranger in strangers.values() {
        stranger.send.try_send(text.to_owned()).expect("few messages");
    }
}
