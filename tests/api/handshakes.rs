//! A request for an upgrade however its bytes come: in pieces, with frames right behind it, after
//! other requests on the same connection, with a head of many lines. All are one handshake.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::raw::{CLOSE, TEXT, frame, whole};
use crate::support::socket::SOON;
use crate::support::{RawSocket, Server, Setup};

const HELLO: &[u8] = br#"{"message":"hello"}"#;

fn request(server: &Server, path: &str, lines: &str) -> String {
    let addr = server.addr();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: keep-alive, Upgrade\r\n\
         upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
    )
}

async fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.addr()).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket option");
    stream
}

/// The status and the body of an answer that says its length.
async fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(SOON, stream.read_u8()).await.expect("an answer");
        head.push(byte.expect("a whole head"));
    }
    let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
    let status = head[9..12].parse().expect("a status");
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    timeout(SOON, stream.read_exact(&mut body)).await.expect("a body").expect("a whole body");
    (status, String::from_utf8(body).expect("text"))
}

/// The socket is in: what is said comes back.
async fn chats(mut socket: RawSocket) {
    socket.write(&frame(whole(TEXT), HELLO)).await;
    assert_eq!(socket.next_text().await, r#"{"message":"hello"}"#);
}

on_both_engines! {
    async fn a_head_that_comes_in_pieces_is_a_handshake_like_any_other(setup: Setup) {
        let server = setup.start().await;
        let request = request(&server, "/ws/chat/open/", "");
        for pieces in [1, 2, 40] {
            let mut stream = connect(&server).await;
            for piece in request.as_bytes().chunks(request.len().div_ceil(pieces)) {
                stream.write_all(piece).await.expect("a piece");
                // Answered only when the piece before has been seen: the server has its turn.
                server.api().get("/healthz").await.is(200);
            }
            chats(RawSocket::after_request(stream).await).await;
        }
    }

    async fn frames_right_behind_the_head_are_heard(setup: Setup) {
        let server = setup.start().await;
        let mut stream = connect(&server).await;
        let mut bytes = request(&server, "/ws/chat/open/", "").into_bytes();
        bytes.extend(frame(whole(TEXT), HELLO));
        bytes.extend(&frame(whole(TEXT), HELLO)[..9]);
        stream.write_all(&bytes).await.expect("all of it");
        let mut socket = RawSocket::after_request(stream).await;
        assert_eq!(socket.next_text().await, r#"{"message":"hello"}"#);
        socket.write(&frame(whole(TEXT), HELLO)[9..]).await;
        assert_eq!(socket.next_text().await, r#"{"message":"hello"}"#);
        chats(socket).await;
    }

    async fn a_connection_that_asked_for_something_else_before_may_still_upgrade(setup: Setup) {
        let server = setup.start().await;
        let mut stream = connect(&server).await;
        let first = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.addr());
        stream.write_all(first.as_bytes()).await.expect("a request");
        assert_eq!(answer(&mut stream).await.0, 200);
        let second = request(&server, "/ws/chat/open/", "");
        stream.write_all(second.as_bytes()).await.expect("a request");
        chats(RawSocket::after_request(stream).await).await;
    }

    async fn a_long_head_and_a_name_in_other_letters_are_fine(setup: Setup) {
        let server = setup.start().await;
        let value = "x".repeat(200);
        let lines: Vec<_> = (0..60).map(|n| format!("X-Line-{n}: {value}\r\n")).collect();
        for lines in [String::new(), lines.concat()] {
            let mut stream = connect(&server).await;
            let request = request(&server, "/ws/chat/caf%C3%A9%20%F0%9F%A6%80/?x=y", &lines);
            stream.write_all(request.as_bytes()).await.expect("a request");
            chats(RawSocket::after_request(stream).await).await;
        }
    }

    async fn whoever_is_turned_away_at_once_gets_the_answer_first(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let _hers = server.room("hers").token(&alice.access).open().await;
        let native = "Sec-WebSocket-Protocol: hubbub.v1\r\n";
        for _ in 0..10 {
            let mut all = Vec::new();
            for _ in 0..20 {
                let mut stream = connect(&server).await;
                let request = request(&server, "/ws/chat/hers/", native);
                stream.write_all(request.as_bytes()).await.expect("a request");
                all.push(stream);
            }
            for stream in all {
                let mut socket = RawSocket::after_request(stream).await;
                while socket.next().await.is_some_and(|frame| frame.opcode != CLOSE) {}
            }
        }
    }

    async fn what_is_no_request_for_a_socket_is_answered_as_http(setup: Setup) {
        let server = setup.start().await;
        let plain = |lines: &str| {
            format!("GET /ws/chat/open/ HTTP/1.1\r\nHost: {}\r\n{lines}\r\n", server.addr())
        };
        let websocket = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
        for (request, status) in [
            (plain(""), 426),
            (plain("Upgrade: h2c\r\nConnection: Upgrade\r\n"), 426),
            (plain(websocket), 426),
            (plain(&format!("{websocket}Sec-WebSocket-Version: 13\r\n")), 400),
            (request(&server, "/ws/chat/open/", "").replacen("GET", "POST", 1), 405),
            (request(&server, "/ws/elsewhere/", ""), 404),
            (request(&server, "/ws/chat/a%FFb/", ""), 400),
        ] {
            let mut stream = connect(&server).await;
            stream.write_all(request.as_bytes()).await.expect("a request");
            let (answered, body) = answer(&mut stream).await;
            assert_eq!(answered, status, "{request}{body}");
        }
        // The server goes on.
        chats(server.raw("open").await).await;
    }
}
