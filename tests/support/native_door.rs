//! The ways into `hubbub.v1`: both doors, each way to say who one is, and being turned away.

use std::collections::VecDeque;

use serde_json::Value;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::native::{Entry, Native, V1};
use super::shape::shape;
use super::socket::{Door, HandshakeAnswer, Opened};
use super::{Account, Server};

/// What the server says first.
const HELLO: &str = "protocol:str session:str node:str auth_within_ms:int \
                     ping_interval_ms:int max_frame_bytes:int user:obj|null";

/// How one may say who he is.
#[derive(Clone, Copy, Debug)]
pub enum Way<'a> {
    /// `Authorization: Bearer`.
    Bearer(&'a str),
    /// The subprotocol `hubbub.token.…`.
    Subprotocol(&'a str),
    /// `?ticket=`.
    Ticket(&'a str),
    /// `?token=`.
    Query(&'a str),
    /// The cookie, from the server's own origin.
    Cookie(&'a str),
    /// Not at all: the first frame decides.
    Nothing,
}

impl Server {
    /// A native socket to be opened at this path.
    pub fn native(&self, path: &str) -> Door {
        self.door(path).subprotocols(V1)
    }

    /// A native socket to be opened at this room's own door.
    pub fn native_room(&self, room: &str) -> Door {
        self.room(room).subprotocols(V1)
    }

    /// A native socket of this user at `/ws/`.
    pub async fn native_as(&self, account: &Account) -> Native {
        self.native("/ws/").bearer(&account.access).hello().await
    }

    /// A native socket of nobody yet at `/ws/`.
    pub async fn native_guest(&self) -> Native {
        self.native("/ws/").hello().await
    }
}

impl Door {
    /// Says who one is.
    pub fn way(self, way: Way<'_>) -> Self {
        match way {
            Way::Bearer(access) => self.bearer(access),
            Way::Subprotocol(access) => self.subprotocols(&format!("{V1}, hubbub.token.{access}")),
            Way::Ticket(ticket) => self.query("ticket", ticket),
            Way::Query(access) => self.token(access),
            Way::Cookie(access) => self.cookie(access),
            Way::Nothing => self,
        }
    }

    /// Opens it, sees that `hubbub.v1` alone is echoed, and keeps the server's first frame.
    pub async fn hello(self) -> Native {
        let mut native = self.native().await;
        let hello = native.next().await;
        native.greeted(hello);
        native
    }

    /// The same; none when the server is gone, or goes meanwhile, or takes nobody for now.
    pub async fn try_hello(&self) -> Option<Native> {
        let opened = self.try_shake().await?;
        if opened.as_ref().is_err_and(|refused| refused.status().is_server_error()) {
            return None;
        }
        let mut native = self.opened(opened);
        let hello = native.try_next().await.ok()?;
        native.greeted(hello);
        Some(native)
    }

    /// Opens it at a room's own door with a proof; the answer to the join that the URL stands for.
    pub async fn entered(self) -> (Native, Entry) {
        let mut native = self.hello().await;
        let joined = native.next_of("joined").await;
        let entry = native.entry(joined).await.expect("the socket stays open");
        (native, entry)
    }

    /// Opens it: the server accepts, since a page could not read a refusal, and closes with this
    /// code. Nothing but `hello` may come before the `bye`.
    pub async fn turned_away(self, code: u16) {
        let mut native = self.native().await;
        let mut frame = native.next().await;
        if frame["type"] == "hello" {
            frame = native.next().await;
        }
        assert_eq!(frame["type"], "bye", "{}: {frame}", native.path);
        native.waiting.push_front(frame);
        native.expect_bye_and_close(code).await;
    }

    async fn native(&self) -> Native {
        let opened = self.shake().await;
        self.opened(opened)
    }

    fn opened(&self, opened: Result<Opened, HandshakeAnswer>) -> Native {
        let (stream, answer) = opened.unwrap_or_else(|answer| {
            panic!("{} was refused: {answer:?}", self.path());
        });
        let echoed = answer.headers().get_all("sec-websocket-protocol");
        let echoed: Vec<&[u8]> = echoed.iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(echoed, [V1.as_bytes()], "{}: the subprotocol alone is echoed", self.path());
        let (path, waiting) = (self.path().to_owned(), VecDeque::new());
        Native { stream, path, hello: Value::Null, bye: Value::Null, waiting, asked: 0 }
    }
}

impl Native {
    /// Keeps the server's first frame, once it is seen to be right.
    fn greeted(&mut self, hello: Value) {
        assert_eq!(hello["type"], "hello", "{}: it comes first", self.path);
        shape(&hello, HELLO);
        assert_eq!(hello["protocol"], V1);
        self.hello = hello;
    }
}
