//! Frames as a client has them: a server's are found in the bytes that came, without copying them;
//! a client's are masked into a buffer that is used again. Pure (RFC 6455, section 5). What a server
//! reads and writes is in `protocol`.

/// A text frame.
pub const TEXT: u8 = 0x1;
/// The end of a connection.
pub const CLOSE: u8 = 0x8;
/// To be answered with [`PONG`].
pub const PING: u8 = 0x9;
/// The answer.
pub const PONG: u8 = 0xA;

/// Longest frame that is taken from a server: a page of history and some more.
pub const FRAME_MAX: usize = 384 * 1024;

/// Where a frame's payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What kind of frame.
    pub opcode: u8,
    /// The last one of its message.
    pub fin: bool,
    /// First byte of the payload.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
}

/// A server may not send this: reserved bits, a mask, a frame over [`FRAME_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// The frame that these bytes begin with; none when not all of it is there.
///
/// # Errors
/// What no server may send.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, Broken> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 || second & 0x80 != 0 {
        return Err(Broken);
    }
    let (len, start) = match second {
        126 => match rest {
            [a, b, ..] => (u64::from(u16::from_be_bytes([*a, *b])), 4),
            _ => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 10),
            None => return Ok(None),
        },
        len => (u64::from(*len), 2),
    };
    let len = usize::try_from(len).ok().filter(|len| *len <= FRAME_MAX).ok_or(Broken)?;
    let head = Head { opcode: first & 0x0F, fin: first & 0x80 != 0, start, end: start + len };
    Ok((bytes.len() >= head.end).then_some(head))
}

/// Appends a whole frame, masked.
pub fn masked(opcode: u8, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | u8::try_from(len).unwrap_or(125)),
        len @ 126..=0xFFFF => {
            out.push(0x80 | 0x7E);
            out.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
        }
        len => {
            out.push(0x80 | 0x7F);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    for (byte, key) in out[start..].iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// The code of a close frame: 1005 when it has none.
#[must_use]
pub fn close_code(payload: &[u8]) -> u16 {
    payload.first_chunk::<2>().map_or(1005, |code| u16::from_be_bytes(*code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Decoder, Frame, Incoming};

    #[test]
    fn what_the_server_writes_is_found_in_place() {
        for len in [0, 125, 126, 65_535, 65_536] {
            let frame = Frame::text(&"x".repeat(len));
            let wire = frame.wire();
            let found = head(wire).expect("right").expect("whole");
            assert_eq!((found.opcode, found.fin, found.end), (TEXT, true, wire.len()));
            assert_eq!(wire[found.start..found.end], frame.payload());
            for cut in [0, 1, 2, 3, 9, wire.len() - 1] {
                assert_eq!(head(&wire[..cut.min(wire.len() - 1)]), Ok(None));
            }
        }
    }

    #[test]
    fn what_no_server_may_send_is_refused() {
        let huge = [0x81, 127, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
        for bytes in [&[0xC1, 0][..], &[0x81, 0x80], &huge] {
            assert_eq!(head(bytes), Err(Broken));
        }
    }

    #[test]
    fn what_the_client_masks_the_server_reads() {
        for len in [0, 125, 126, 65_536] {
            let (text, mut wire) = ("y".repeat(len), Vec::new());
            masked(TEXT, text.as_bytes(), [1, 2, 3, 4], &mut wire);
            let mut server = Decoder::new(100_000);
            server.take(&wire);
            assert_eq!(server.next_message(), Ok(Some(Incoming::Text(text))));
        }
        assert_eq!(close_code(&Frame::close(crate::protocol::close::BUSY).payload()), 1013);
        assert_eq!(close_code(b""), 1005);
    }
}
