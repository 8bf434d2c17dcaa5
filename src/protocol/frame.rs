//! Frames that go out: encoded once, then shared by everybody who gets them (RFC 6455, section 5).

use bytes::{BufMut, Bytes, BytesMut};

use super::CloseCode;

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const FIN: u8 = 0x80;

/// A whole frame, head and payload in one piece of shared memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    wire: Bytes,
    head: u8,
}

impl Frame {
    /// A text frame.
    #[must_use]
    pub fn text(payload: &str) -> Self {
        Self::encode(TEXT, payload.as_bytes())
    }

    /// A ping without payload.
    #[must_use]
    pub fn ping() -> Self {
        Self { wire: Bytes::from_static(&[FIN | PING, 0]), head: 2 }
    }

    /// The answer to a ping, with its payload (at most 125 bytes, as the decoder saw to).
    #[must_use]
    pub fn pong(payload: &[u8]) -> Self {
        Self::encode(PONG, payload)
    }

    /// A close frame, as plain sockets number it.
    #[must_use]
    pub fn close(close: CloseCode) -> Self {
        Self::goodbye(close.plain, close.reason)
    }

    /// A close frame, as `hubbub.v1` sockets number it.
    #[must_use]
    pub fn close_native(close: CloseCode) -> Self {
        Self::goodbye(close.native, close.reason)
    }

    fn goodbye(code: u16, reason: &str) -> Self {
        let mut payload = Vec::with_capacity(2 + reason.len());
        payload.put_u16(code);
        payload.extend_from_slice(reason.as_bytes());
        Self::encode(CLOSE, &payload)
    }

    fn encode(opcode: u8, payload: &[u8]) -> Self {
        let mut wire = BytesMut::with_capacity(10 + payload.len());
        wire.put_u8(FIN | opcode);
        match payload.len() {
            len @ 0..=125 => wire.put_u8(u8::try_from(len).unwrap_or(125)),
            len @ 126..=0xFFFF => {
                wire.put_u8(126);
                wire.put_u16(u16::try_from(len).unwrap_or(u16::MAX));
            }
            len => {
                wire.put_u8(127);
                wire.put_u64(len as u64);
            }
        }
        let head = u8::try_from(wire.len()).unwrap_or(10);
        wire.put_slice(payload);
        Self { wire: wire.freeze(), head }
    }

    /// Head and payload, as they go over the wire.
    #[must_use]
    pub fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// The payload alone, sharing the frame's memory.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.wire.slice(usize::from(self.head)..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_has_the_shortest_length_that_fits() {
        for (len, head) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let text = "x".repeat(len);
            let frame = Frame::text(&text);
            assert_eq!(frame.wire().len(), head + len);
            assert_eq!(frame.payload(), text.as_bytes());
        }
        assert_eq!(&Frame::text("hi").wire()[..], b"\x81\x02hi");
        assert_eq!(&Frame::ping().wire()[..], b"\x89\x00");
        let close = Frame::close(super::super::close::BUSY);
        assert_eq!(&close.wire()[..4], &[0x88, 27, 3, 245]);
        let close = Frame::close_native(super::super::close::BUSY);
        assert_eq!(&close.wire()[..4], &[0x88, 27, 15, 160]);
    }
}
