//! A WebSocket client that writes bytes, not frames: for what no honest client sends, for readers
//! that stall, and for sockets by the thousand.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::socket::SOON;

/// Opcodes.
pub const CONTINUATION: u8 = 0;
/// Text.
pub const TEXT: u8 = 1;
/// Close.
pub const CLOSE: u8 = 8;
/// Ping.
pub const PING: u8 = 9;
/// Pong.
pub const PONG: u8 = 10;

/// How a frame is put together.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The last one of its message.
    pub fin: bool,
    /// Reserved bits, as they lie in the first byte: 0x40, 0x20, 0x10.
    pub rsv: u8,
    /// What it is.
    pub opcode: u8,
    /// As clients must.
    pub masked: bool,
}

/// A whole frame of this kind, as an honest client writes it.
pub const fn whole(opcode: u8) -> Head {
    Head { fin: true, rsv: 0, opcode, masked: true }
}

/// A frame's bytes.
pub fn frame(head: Head, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(head, payload.len() as u64);
    if head.masked {
        let mask = [0x5a, 0x17, 0xc3, 0x2e];
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    } else {
        bytes.extend(payload);
    }
    bytes
}

/// A text frame whose mask is zero, so that a trace of system calls shows its words.
pub fn text_in_the_clear(text: &str) -> Vec<u8> {
    let mut bytes = header(whole(TEXT), text.len() as u64);
    bytes.extend([0; 4]);
    bytes.extend(text.as_bytes());
    bytes
}

/// A frame's first bytes, up to its mask, for a payload of this length.
pub fn header(head: Head, len: u64) -> Vec<u8> {
    let masked = if head.masked { 0x80 } else { 0 };
    let first = if head.fin { 0x80 } else { 0 } | head.rsv | head.opcode;
    let mut bytes = vec![first];
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short), _) if short < 126 => bytes.push(masked | short),
        (_, Ok(middle)) => {
            bytes.push(masked | 0x7e);
            bytes.extend(middle.to_be_bytes());
        }
        _ => {
            bytes.push(masked | 0x7f);
            bytes.extend(len.to_be_bytes());
        }
    }
    bytes
}

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    /// What it is.
    pub opcode: u8,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// An open socket.
#[derive(Debug)]
pub struct RawSocket {
    stream: TcpStream,
}

impl RawSocket {
    /// Shakes hands at this path.
    pub async fn open(addr: SocketAddr, path: &str) -> Self {
        Self::open_with(addr, path, "", None).await
    }

    /// Shakes hands with further header lines (each ending in CR LF), and a receive buffer of
    /// this size, so that little is enough to stall it.
    pub async fn open_with(
        addr: SocketAddr,
        path: &str,
        lines: &str,
        receive_buffer: Option<u32>,
    ) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        if let Some(size) = receive_buffer {
            socket.set_recv_buffer_size(size).expect("a socket option");
        }
        let mut stream = socket.connect(addr).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket option");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             {lines}\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("a request");
        Self::after_request(stream).await
    }

    /// Reads the answer to a handshake that was sent already.
    pub async fn after_request(mut stream: TcpStream) -> Self {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(SOON, stream.read_u8()).await.expect("an answer");
            head.push(byte.expect("a whole answer"));
        }
        let head = String::from_utf8_lossy(&head);
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        Self { stream }
    }

    /// Writes bytes.
    pub async fn write(&mut self, bytes: &[u8]) {
        let written = timeout(SOON, self.stream.write_all(bytes)).await;
        written.expect("the server takes it").expect("a connection");
    }

    /// The next frame, pings and pongs too; none when the connection has ended.
    pub async fn next(&mut self) -> Option<Received> {
        let read = timeout(SOON, read_frame(&mut self.stream)).await;
        read.expect("something comes")
    }

    /// The next frame that is neither ping nor pong.
    pub async fn next_data(&mut self) -> Option<Received> {
        loop {
            match self.next().await {
                Some(Received { opcode: PING | PONG, .. }) => {}
                other => return other,
            }
        }
    }

    /// The next text.
    pub async fn next_text(&mut self) -> String {
        match self.next_data().await {
            Some(Received { opcode: TEXT, payload }) => String::from_utf8(payload).expect("UTF-8"),
            other => panic!("a text was expected, not {other:?}"),
        }
    }

    /// The server's close with this code, before any data, and then the end of the connection.
    pub async fn expect_close(mut self, code: u16) {
        match self.next_data().await {
            Some(Received { opcode: CLOSE, payload }) => {
                assert_eq!(payload.get(..2), Some(&code.to_be_bytes()[..]), "{payload:?}");
            }
            other => panic!("a close with {code} was expected, not {other:?}"),
        }
        self.expect_end().await;
    }

    /// The end of the connection, whatever comes before it, within what a drain may take.
    pub async fn expect_end(mut self) {
        let mut rest = Vec::new();
        // A reset is an end as well: the server may close while bytes of ours lie unread.
        let _ = timeout(Duration::from_secs(30), self.stream.read_to_end(&mut rest))
            .await
            .expect("the server ends the connection");
    }
}

async fn read_frame(stream: &mut TcpStream) -> Option<Received> {
    let first = stream.read_u8().await.ok()?;
    let second = stream.read_u8().await.ok()?;
    assert_eq!(second & 0x80, 0, "servers do not mask");
    let len = match second {
        0x7e => u64::from(stream.read_u16().await.ok()?),
        0x7f => stream.read_u64().await.ok()?,
        short => u64::from(short),
    };
    let mut payload = vec![0; usize::try_from(len).expect("a length")];
    stream.read_exact(&mut payload).await.ok()?;
    Some(Received { opcode: first & 0x0f, payload })
}

/// The status that a request made of these bytes gets; 0 when the server just hangs up.
pub async fn status_of(addr: SocketAddr, request: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(addr).await.expect("a connection");
    stream.write_all(request).await.expect("a request");
    stream.shutdown().await.expect("a connection");
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(30), stream.read_to_end(&mut answer))
        .await
        .expect("the server answers or hangs up");
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}
