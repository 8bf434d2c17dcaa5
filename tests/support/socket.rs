//! A WebSocket client of the plain dialects. Everything it waits for is bounded; nothing sleeps.
//! That nothing came is shown by a marker: another socket says something, and it is what comes next.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::http::{Request, Response};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// The longest that an event of a healthy server is waited for.
pub const SOON: Duration = Duration::from_mins(1);

/// A connection, and the answer that opened it.
pub(super) type Opened = (WebSocketStream<TcpStream>, HandshakeAnswer);
/// What a server says to a handshake.
pub(super) type HandshakeAnswer = Response<Option<Vec<u8>>>;

/// A socket that is not open yet: what its handshake says.
#[derive(Clone, Debug)]
pub struct Door {
    addr: SocketAddr,
    path: String,
    headers: Vec<(String, String)>,
}

impl Door {
    /// At this path of this server, without a credential.
    pub fn new(addr: SocketAddr, path: &str) -> Self {
        Self { addr, path: path.to_owned(), headers: Vec::new() }
    }

    /// `?token=`, as given.
    pub fn token(self, token: &str) -> Self {
        self.query("token", token)
    }

    /// A word of the query, as given.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let mark = if self.path.contains('?') { '&' } else { '?' };
        self.path = format!("{}{mark}{name}={value}", self.path);
        self
    }

    /// `Sec-WebSocket-Protocol`, instead of what it was.
    pub fn subprotocols(mut self, offered: &str) -> Self {
        self.headers.retain(|(name, _)| name != "sec-websocket-protocol");
        self.header("sec-websocket-protocol", offered)
    }

    /// `Authorization: Bearer`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// The cookie `access_token`, from the server's own origin unless another one is given.
    pub fn cookie(self, token: &str) -> Self {
        let own = format!("http://{}", self.addr);
        let cookie = format!("access_token={token}");
        let this = if self.headers.iter().any(|(name, _)| name == "origin") {
            self
        } else {
            self.origin(&own)
        };
        this.header("cookie", &cookie)
    }

    /// `Origin`.
    pub fn origin(mut self, origin: &str) -> Self {
        self.headers.retain(|(name, _)| name != "origin");
        self.header("origin", origin)
    }

    /// The same without any `Origin`.
    pub fn no_origin(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "origin");
        self
    }

    /// Any header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn request(&self) -> Request<()> {
        let mut request = Request::builder()
            .uri(format!("ws://{}{}", self.addr, self.path))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key());
        if !self.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("Host", self.addr.to_string());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(()).expect("a request")
    }

    /// Shakes hands: the connection and the answer, or the answer that refused it; none when
    /// nobody is there to answer.
    pub(super) async fn try_shake(&self) -> Option<Result<Opened, HandshakeAnswer>> {
        let stream = TcpStream::connect(self.addr).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let opened = timeout(SOON, client_async(self.request(), stream)).await;
        match opened.unwrap_or_else(|_| panic!("{}: no answer to the handshake", self.path)) {
            Ok(opened) => Some(Ok(opened)),
            Err(tungstenite::Error::Http(response)) => Some(Err(*response)),
            Err(
                tungstenite::Error::Io(_)
                | tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete),
            ) => None,
            Err(why) => panic!("{}: {why}", self.path),
        }
    }

    pub(super) async fn shake(&self) -> Result<Opened, HandshakeAnswer> {
        let Some(answered) = self.try_shake().await else {
            panic!("{}: nobody is there", self.path)
        };
        answered
    }

    async fn knock(&self) -> Result<Socket, HandshakeAnswer> {
        let (stream, _) = self.shake().await?;
        Ok(Socket { stream, path: self.path.clone() })
    }

    /// Where it leads.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Opens it; panics when it is refused.
    pub async fn open(self) -> Socket {
        match self.knock().await {
            Ok(socket) => socket,
            Err(response) => panic!("{} was refused: {response:?}", self.path),
        }
    }

    /// The status with which it is refused; panics when it opens.
    pub async fn refused(self) -> u16 {
        match self.knock().await {
            Ok(_) => panic!("{} was accepted", self.path),
            Err(response) => response.status().as_u16(),
        }
    }

    /// Opens it, or the status with which it is refused.
    pub async fn open_or_status(self) -> Result<Socket, u16> {
        self.knock().await.map_err(|response| response.status().as_u16())
    }

    /// Opens it, or none when it is refused with 403.
    pub async fn try_open(self) -> Option<Socket> {
        match self.knock().await {
            Ok(socket) => Some(socket),
            Err(response) => {
                assert_eq!(response.status().as_u16(), 403, "{}", self.path);
                None
            }
        }
    }

    /// Opens it and expects the server to close it with this code before anything else comes.
    pub async fn accepted_then_closed(self, code: u16) {
        self.open().await.expect_close(code).await;
    }
}

/// An open socket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    path: String,
}

impl Socket {
    /// Sends a text frame as given.
    pub async fn send_text(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// Sends JSON.
    pub async fn send_json(&mut self, value: &Value) {
        self.send_text(&value.to_string()).await;
    }

    /// Sends `{"message": text}`.
    pub async fn say(&mut self, text: &str) {
        self.send_json(&json!({"message": text})).await;
    }

    /// Sends a binary frame.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.send(Message::binary(bytes.to_vec())).await;
    }

    async fn send(&mut self, message: Message) {
        let sent = timeout(SOON, self.stream.send(message)).await;
        sent.expect("the server takes it").unwrap_or_else(|why| panic!("{}: {why}", self.path));
    }

    /// Sends without minding whether the other side still listens.
    pub async fn try_say(&mut self, text: &str) -> bool {
        let message = Message::text(json!({"message": text}).to_string());
        matches!(timeout(SOON, self.stream.send(message)).await, Ok(Ok(())))
    }

    async fn next_message(&mut self) -> Option<Message> {
        loop {
            let next = timeout(SOON, self.stream.next()).await;
            match next.unwrap_or_else(|_| panic!("{}: nothing came", self.path)) {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Reads and answers pings, as an idle page does, for as long as the connection lives.
    pub async fn stay(&mut self) {
        while let Some(Ok(_)) = self.stream.next().await {}
    }

    /// The next text frame as it came.
    pub async fn next_text(&mut self) -> String {
        match self.next_message().await {
            Some(Message::Text(text)) => text.to_string(),
            other => panic!("{}: a text was expected, not {other:?}", self.path),
        }
    }

    /// The next frame as JSON.
    pub async fn next(&mut self) -> Value {
        let text = self.next_text().await;
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}: {text}", self.path))
    }

    /// The next frame, which must say exactly this to a guest.
    pub async fn expect_value(&mut self, value: &Value) {
        assert_eq!(self.next().await, json!({"message": value}), "{}", self.path);
    }

    /// The next frame, a superset frame whose text is this.
    pub async fn expect_text(&mut self, text: &str) -> Value {
        let frame = self.next().await;
        super::shape(&frame, super::shape::SUPERSET);
        assert_eq!(frame["message"], text, "{}: {frame}", self.path);
        assert_eq!(frame["content"], frame["message"], "{}: {frame}", self.path);
        assert_eq!(frame["timestamp"], frame["created_at"], "{}: {frame}", self.path);
        frame
    }

    /// The next frame, an error of an shh socket.
    pub async fn expect_error(&mut self) -> Value {
        let frame = self.next().await;
        super::shape(&frame, "type:str message:str");
        assert_eq!(frame["type"], "error", "{}: {frame}", self.path);
        frame
    }

    /// Shows that the socket is open and has said all that it had to say: what it sends comes
    /// back to it as the next frame.
    pub async fn is_alive_with_nothing_waiting(&mut self, marker: &str) {
        self.say(marker).await;
        let frame = self.next().await;
        assert_eq!(frame["message"], marker, "{}: {frame}", self.path);
    }

    /// The server's close, whose code must be this; nothing else may come before it.
    pub async fn expect_close(mut self, code: u16) {
        match self.next_message().await {
            Some(Message::Close(frame)) => {
                let found = frame.as_ref().map(|frame| u16::from(frame.code));
                assert_eq!(found, Some(code), "{}: {frame:?}", self.path);
            }
            other => panic!("{}: a close with {code} was expected, not {other:?}", self.path),
        }
    }

    /// The next frame, or the code with which the server closed.
    pub async fn next_or_close(&mut self) -> Result<Value, Option<u16>> {
        match self.next_message().await {
            Some(Message::Text(text)) => Ok(serde_json::from_str(&text).expect("JSON")),
            Some(Message::Close(frame)) => Err(frame.map(|frame| frame.code.into())),
            other => panic!("{}: a text or a close was expected, not {other:?}", self.path),
        }
    }

    /// The code of the server's close, whatever still comes before it.
    pub async fn close_code(mut self) -> Option<u16> {
        loop {
            match self.next_message().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(_) => {}
                None => return None,
            }
        }
    }

    /// Closes as a browser does, and waits for the answer.
    pub async fn close(mut self) {
        self.stream.close(None).await.expect("a close");
        while self.next_message().await.is_some() {}
    }

    /// Dies as a process that is killed: the kernel sends RST.
    pub fn reset(self) {
        let stream = self.stream.into_inner().into_std().expect("a socket");
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket option");
    }
}
