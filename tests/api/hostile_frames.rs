//! Bytes that no honest client sends, on both engines: each ends in the right close, or in
//! nothing at all when the protocol allows it; and the server goes on for everybody else.

use std::time::Duration;

use serde_json::json;

use crate::support::raw::{CLOSE, CONTINUATION, Head, PING, PONG, TEXT, frame, header, whole};
use crate::support::{RawSocket, Setup, eventually};

const HELLO: &[u8] = br#"{"message":"hello"}"#;

/// A part of a text: the first, a middle or the last one.
const fn part(opcode: u8, fin: bool) -> Head {
    Head { fin, rsv: 0, opcode, masked: true }
}

async fn says_hello(socket: &mut RawSocket) {
    assert_eq!(socket.next_text().await, r#"{"message":"hello"}"#);
}

on_both_engines! {
    async fn an_unmasked_frame_closes_with_1002(setup: Setup) {
        let server = setup.start().await;
        let mut socket = server.raw("open").await;
        socket.write(&frame(Head { masked: false, ..whole(TEXT) }, HELLO)).await;
        socket.expect_close(1002).await;
    }

    async fn reserved_bits_close_with_1002(setup: Setup) {
        let server = setup.start().await;
        for rsv in [0x40, 0x20, 0x10] {
            let mut socket = server.raw("open").await;
            socket.write(&frame(Head { rsv, ..whole(TEXT) }, HELLO)).await;
            socket.expect_close(1002).await;
        }
    }

    async fn reserved_opcodes_close_with_1002(setup: Setup) {
        let server = setup.start().await;
        for opcode in [3, 7, 11, 15] {
            let mut socket = server.raw("open").await;
            socket.write(&frame(whole(opcode), HELLO)).await;
            socket.expect_close(1002).await;
        }
    }

    async fn a_text_in_parts_with_a_ping_between_them_is_one_text(setup: Setup) {
        let server = setup.start().await;
        let mut other = server.raw("open").await;
        let mut socket = server.raw("open").await;
        socket.write(&frame(part(TEXT, false), &HELLO[..5])).await;
        socket.write(&frame(whole(PING), b"are you there?")).await;
        let pong = socket.next().await.expect("a pong");
        assert_eq!((pong.opcode, pong.payload.as_slice()), (PONG, &b"are you there?"[..]));
        socket.write(&frame(part(CONTINUATION, false), &HELLO[5..9])).await;
        socket.write(&frame(part(CONTINUATION, false), b"")).await;
        socket.write(&frame(part(CONTINUATION, true), &HELLO[9..])).await;
        says_hello(&mut socket).await;
        says_hello(&mut other).await;
    }

    async fn a_character_cut_in_two_by_parts_is_whole_again(setup: Setup) {
        let server = setup.start().await;
        let mut socket = server.raw("open").await;
        let text = r#"{"message":"🦀"}"#.as_bytes();
        socket.write(&frame(part(TEXT, false), &text[..13])).await;
        socket.write(&frame(part(CONTINUATION, true), &text[13..])).await;
        assert_eq!(socket.next_text().await, r#"{"message":"🦀"}"#);
    }

    async fn parts_that_come_byte_by_byte_and_frames_that_come_together_are_read_alike(
        setup: Setup,
    ) {
        let server = setup.start().await;
        let mut socket = server.raw("open").await;
        for byte in frame(whole(TEXT), HELLO) {
            socket.write(&[byte]).await;
        }
        says_hello(&mut socket).await;
        let many: Vec<u8> = (0..50).flat_map(|_| frame(whole(TEXT), HELLO)).collect();
        socket.write(&many).await;
        for _ in 0..50 {
            says_hello(&mut socket).await;
        }
    }

    async fn too_long_a_frame_closes_with_1009_before_its_bytes_come(setup: Setup) {
        let server = setup.start().await;
        for len in [64 * 1024 + 1, 1 << 20, 1 << 40, u64::MAX >> 1] {
            let mut socket = server.raw("open").await;
            socket.write(&header(whole(TEXT), len)).await;
            socket.write(&[1, 2, 3, 4]).await;
            socket.expect_close(1009).await;
        }
    }

    async fn a_length_with_the_highest_bit_closes_the_socket(setup: Setup) {
        let server = setup.start().await;
        let mut socket = server.raw("open").await;
        socket.write(&header(whole(TEXT), u64::MAX)).await;
        socket.write(&[1, 2, 3, 4]).await;
        let close = socket.next_data().await.expect("a close");
        assert_eq!(close.opcode, CLOSE);
        let code = u16::from_be_bytes([close.payload[0], close.payload[1]]);
        assert!(matches!(code, 1002 | 1009), "{code}");
    }

    async fn parts_that_add_up_to_too_much_close_with_1009(setup: Setup) {
        let server = setup.start().await;
        let mut socket = server.raw("open").await;
        let chunk = vec![b'x'; 16 * 1024];
        socket.write(&frame(part(TEXT, false), &chunk)).await;
        for _ in 0..4 {
            socket.write(&frame(part(CONTINUATION, false), &chunk)).await;
        }
        socket.expect_close(1009).await;
    }

    async fn bad_utf_8_closes_with_1007(setup: Setup) {
        let server = setup.start().await;
        for bad in
            [&b"\xff\xfe"[..], b"{\"message\":\"\xc3\"}", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]
        {
            let mut socket = server.raw("open").await;
            socket.write(&frame(whole(TEXT), bad)).await;
            socket.expect_close(1007).await;
        }
        let mut socket = server.raw("open").await;
        socket.write(&frame(part(TEXT, false), b"{\"message\":\"\xf0\x9f")).await;
        socket.write(&frame(part(CONTINUATION, true), b"\"}")).await;
        socket.expect_close(1007).await;
    }

    async fn a_continuation_of_nothing_closes_with_1002(setup: Setup) {
        let server = setup.start().await;
        let mut socket = server.raw("open").await;
        socket.write(&frame(part(CONTINUATION, true), HELLO)).await;
        socket.expect_close(1002).await;
    }

    async fn a_new_text_amid_another_closes_with_1002(setup: Setup) {
        let server = setup.start().await;
        let mut socket = server.raw("open").await;
        socket.write(&frame(part(TEXT, false), &HELLO[..5])).await;
        socket.write(&frame(whole(TEXT), HELLO)).await;
        socket.expect_close(1002).await;
    }

    async fn a_control_frame_that_is_long_or_in_parts_closes_with_1002(setup: Setup) {
        let server = setup.start().await;
        for opcode in [PING, PONG, CLOSE] {
            let mut socket = server.raw("open").await;
            let mut payload = 1000_u16.to_be_bytes().to_vec();
            payload.resize(126, b'x');
            socket.write(&frame(whole(opcode), &payload)).await;
            socket.expect_close(1002).await;
            let mut socket = server.raw("open").await;
            socket.write(&frame(part(opcode, false), &payload[..10])).await;
            socket.expect_close(1002).await;
        }
    }

    async fn half_a_frame_and_then_nothing_is_closed_after_two_ping_intervals(setup: Setup) {
        let server = setup.env("HUBBUB__SESSION__PING_INTERVAL_S", "1").start().await;
        let bytes = frame(whole(TEXT), HELLO);
        for cut in [1, 2, 5, bytes.len() - 1] {
            let mut socket = server.raw("half").await;
            socket.write(&bytes[..cut]).await;
            socket.expect_end().await;
        }
        eventually("its place is free", Duration::from_secs(5), || async {
            let rooms = server.api().get("/list_rooms/").await.is(200);
            if rooms == json!([]) { Ok(()) } else { Err(rooms.to_string()) }
        })
        .await;
    }

    async fn a_close_is_answered_with_a_close(setup: Setup) {
        let server = setup.start().await;
        for payload in [&b""[..], b"\x03\xe8", b"\x03\xe9bye", b"\x0f\xa0"] {
            let mut socket = server.raw("open").await;
            socket.write(&frame(whole(CLOSE), payload)).await;
            let answer = socket.next_data().await.expect("a close");
            assert_eq!(answer.opcode, CLOSE);
            socket.expect_end().await;
        }
    }

    async fn a_frame_right_behind_the_handshake_is_not_lost(setup: Setup) {
        let server = setup.start().await;
        let mut stream = tokio::net::TcpStream::connect(server.addr()).await.expect("a connection");
        let mut bytes = format!(
            "GET /ws/chat/open/ HTTP/1.1\r\nHost: {}\r\nConnection: keep-alive, Upgrade\r\n\
             Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            server.addr()
        )
        .into_bytes();
        bytes.extend(frame(whole(TEXT), HELLO));
        tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes).await.expect("a connection");
        let mut socket = RawSocket::after_request(stream).await;
        says_hello(&mut socket).await;
    }

    async fn a_handshake_that_is_none_is_refused_and_the_server_goes_on(setup: Setup) {
        let server = setup.start().await;
        for lines in [
            "Connection: Upgrade\r\nUpgrade: websocket\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            "Connection: Upgrade\r\nUpgrade: h2c\r\n",
            "Connection: close\r\n",
        ] {
            let host = server.addr();
            let request = format!("GET /ws/chat/open/ HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n");
            let status = crate::support::raw::status_of(server.addr(), request.as_bytes()).await;
            assert!((400..500).contains(&status), "{lines}: {status}");
        }
        for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET\r\n\r\n", b"\0\0\0\0\r\n\r\n"] {
            crate::support::raw::status_of(server.addr(), garbage).await;
        }
        let connect = format!("CONNECT example.org:80 HTTP/1.1\r\nHost: {}\r\n\r\n", server.addr());
        let status = crate::support::raw::status_of(server.addr(), connect.as_bytes()).await;
        assert!((400..500).contains(&status), "{status}");
        server.room("open").open().await.is_alive_with_nothing_waiting("still here").await;
    }
}
