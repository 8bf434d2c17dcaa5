//! Frames that come in: bytes in, messages out. Every length is checked in the frame's head,
//! before its bytes are there, so that memory is bounded whatever a client claims (RFC 6455,
//! sections 5 and 7.4.1). Both engines read through this.

use bytes::Bytes;

use super::{CloseCode, close};

/// What a client said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole text message, put together from its fragments.
    Text(String),
    /// A whole binary message; nobody wants its content.
    Binary,
    /// To be answered with a pong of the same payload.
    Ping(Bytes),
    /// An answer to our ping.
    Pong,
    /// The client wants to end.
    Close,
}

/// What a client may not do; the connection ends with [`Violation::close`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Reserved bits, unknown opcodes, missing masks, control frames that are long or cut up,
    /// continuations of nothing.
    Broken,
    /// A frame, or a message put together from several, over the limit.
    TooBig,
    /// Text that is no UTF-8.
    NotUtf8,
}

impl Violation {
    /// How the connection ends.
    #[must_use]
    pub const fn close(self) -> CloseCode {
        match self {
            Self::Broken => close::PROTOCOL_ERROR,
            Self::TooBig => close::TOO_BIG,
            Self::NotUtf8 => close::BAD_UTF8,
        }
    }
}

/// A message whose last fragment has not come yet.
#[derive(Debug)]
struct Unfinished {
    is_text: bool,
    payload: Vec<u8>,
}

/// What came and is not handed on yet.
#[derive(Debug, Default)]
struct Held {
    unread: Vec<u8>,
    /// So much of it is read by now.
    read: usize,
    unfinished: Option<Unfinished>,
}

/// Reads one connection's frames. Holds no memory between messages.
#[derive(Debug)]
pub struct Decoder {
    held: Option<Box<Held>>,
    max_bytes: usize,
}

struct Head {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    len: usize,
    size: usize,
}

impl Decoder {
    /// A message may be `max_bytes` long.
    #[must_use]
    pub const fn new(max_bytes: usize) -> Self {
        Self { held: None, max_bytes }
    }

    /// Takes bytes as they came. The caller calls [`Decoder::next_message`] until it gives none before
    /// it takes more; what is held is at most one frame and one read.
    pub fn take(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let held = self.held.get_or_insert_default();
        held.unread.drain(..std::mem::take(&mut held.read));
        held.unread.extend_from_slice(bytes);
    }

    /// The next message, none when more bytes are needed.
    ///
    /// # Errors
    /// What the client did wrong; nothing can be read after that.
    pub fn next_message(&mut self) -> Result<Option<Incoming>, Violation> {
        let message = match &mut self.held {
            Some(held) => held.next_message(self.max_bytes)?,
            None => None,
        };
        self.held.take_if(|held| message.is_none() && held.is_empty());
        Ok(message)
    }
}

impl Held {
    fn next_message(&mut self, max_bytes: usize) -> Result<Option<Incoming>, Violation> {
        loop {
            let Some(head) = self.head(max_bytes)? else {
                if self.read == self.unread.len() {
                    (self.unread, self.read) = (Vec::new(), 0);
                }
                return Ok(None);
            };
            let from = self.read + head.size;
            let Some(payload) = self.unread.get_mut(from..from + head.len) else {
                return Ok(None);
            };
            unmask(payload, head.mask);
            let message = message(&mut self.unfinished, &head, payload)?;
            self.read += head.size + head.len;
            if message.is_some() {
                return Ok(message);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.unread.is_empty() && self.unfinished.is_none()
    }

    fn head(&self, max_bytes: usize) -> Result<Option<Head>, Violation> {
        let unread = &self.unread[self.read..];
        let [first, second, rest @ ..] = unread else { return Ok(None) };
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0F);
        let is_control = opcode & 0x8 != 0;
        if first & 0x70 != 0
            || second & 0x80 == 0
            || !matches!(opcode, 0..=2 | 8..=10)
            || (is_control && (!fin || second & 0x7F > 125))
        {
            return Err(Violation::Broken);
        }
        let (len, extra) = match second & 0x7F {
            126 => match rest {
                [a, b, ..] => (u64::from(u16::from_be_bytes([*a, *b])), 2),
                _ => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(bytes) => (u64::from_be_bytes(*bytes), 8),
                None => return Ok(None),
            },
            len => (u64::from(len), 0),
        };
        let so_far = match &self.unfinished {
            Some(message) if !is_control => message.payload.len(),
            _ => 0,
        };
        let len = usize::try_from(len).map_err(|_| Violation::TooBig)?;
        if !is_control && len.saturating_add(so_far) > max_bytes {
            return Err(Violation::TooBig);
        }
        let Some(mask) = rest.get(extra..).and_then(|rest| rest.first_chunk::<4>()) else {
            return Ok(None);
        };
        Ok(Some(Head { fin, opcode, mask: *mask, len, size: 2 + extra + 4 }))
    }
}

/// What a frame completes.
fn message(
    unfinished: &mut Option<Unfinished>,
    head: &Head,
    payload: &[u8],
) -> Result<Option<Incoming>, Violation> {
    match (head.opcode, unfinished.is_some()) {
        (8, _) => return goodbye(payload).map(Some),
        (9, _) => return Ok(Some(Incoming::Ping(Bytes::copy_from_slice(payload)))),
        (10, _) => return Ok(Some(Incoming::Pong)),
        (0, false) | (1 | 2, true) => return Err(Violation::Broken),
        _ => {}
    }
    if head.fin && head.opcode != 0 {
        return whole(head.opcode == 1, payload.to_vec()).map(Some);
    }
    let message = unfinished
        .get_or_insert_with(|| Unfinished { is_text: head.opcode == 1, payload: Vec::new() });
    message.payload.extend_from_slice(payload);
    if !head.fin {
        return Ok(None);
    }
    match unfinished.take() {
        Some(message) => whole(message.is_text, message.payload).map(Some),
        None => Ok(None),
    }
}

/// A close frame: nothing, or a code that may be sent and a reason (RFC 6455, section 7.4).
fn goodbye(payload: &[u8]) -> Result<Incoming, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(Incoming::Close) } else { Err(Violation::Broken) };
    };
    match u16::from_be_bytes(*code) {
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err(Violation::Broken),
    }
    std::str::from_utf8(reason).map(|_| Incoming::Close).map_err(|_| Violation::NotUtf8)
}

fn whole(is_text: bool, payload: Vec<u8>) -> Result<Incoming, Violation> {
    if is_text {
        String::from_utf8(payload).map(Incoming::Text).map_err(|_| Violation::NotUtf8)
    } else {
        Ok(Incoming::Binary)
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut eight = [0; 8];
        eight.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(eight) ^ wide).to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A client's frame, masked.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            len @ 0..=125 => out.push(0x80 | u8::try_from(len).unwrap_or(0)),
            len @ 126..=65_535 => {
                out.push(0x80 | 0x7E);
                out.extend(u16::try_from(len).unwrap_or(0).to_be_bytes());
            }
            len => {
                out.push(0x80 | 0x7F);
                out.extend((len as u64).to_be_bytes());
            }
        }
        let mask = [1, 2, 3, 4];
        out.extend(mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        out
    }

    /// The bytes that are not read, and those of fragments.
    fn held(decoder: &Decoder) -> (usize, usize) {
        let Some(held) = &decoder.held else { return (0, 0) };
        let put_by = held.unfinished.as_ref().map_or(0, |message| message.payload.len());
        (held.unread.len(), put_by)
    }

    fn read(bytes: &[u8]) -> Result<Vec<Incoming>, Violation> {
        let mut decoder = Decoder::new(1_000);
        decoder.take(bytes);
        let mut seen = Vec::new();
        while let Some(message) = decoder.next_message()? {
            seen.push(message);
        }
        Ok(seen)
    }

    #[test]
    fn fragments_are_put_together_around_control_frames() {
        let bytes =
            [frame(0x01, b"he"), frame(0x89, b"p"), frame(0x00, b"l"), frame(0x80, b"lo")].concat();
        assert_eq!(
            read(&bytes),
            Ok(vec![Incoming::Ping(Bytes::from_static(b"p")), Incoming::Text("hello".into())])
        );
    }

    #[test]
    fn what_may_not_be_is_refused_by_its_head_alone() {
        let unmasked = vec![0x81, 0x02, b'h', b'i'];
        let long_ping = vec![0x89, 0x80 | 0x7E];
        let huge = vec![0x81, 0x80 | 0x7F, 0, 0, 0, 1, 0, 0, 0, 0];
        for (bytes, why) in [
            (unmasked, Violation::Broken),
            (long_ping, Violation::Broken),
            (huge, Violation::TooBig),
            (vec![0xC1, 0x80], Violation::Broken),
            (vec![0x83, 0x80], Violation::Broken),
            (vec![0x09, 0x80], Violation::Broken),
            (frame(0x80, b"x"), Violation::Broken),
            ([frame(0x01, b"x"), frame(0x81, b"y")].concat(), Violation::Broken),
            (frame(0x88, b"x"), Violation::Broken),
            (frame(0x88, &[0x03, 0xED]), Violation::Broken),
            (frame(0x88, &[0x03, 0xE8, 0xFF]), Violation::NotUtf8),
            (frame(0x81, &[0xFF]), Violation::NotUtf8),
            (vec![0x81, 0x80 | 0x7E, 0x03, 0xE9], Violation::TooBig),
            (
                [frame(0x01, &[b'x'; 600]), vec![0x80, 0x80 | 0x7E, 0x01, 0x91]].concat(),
                Violation::TooBig,
            ),
        ] {
            assert_eq!(read(&bytes), Err(why), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn however_bytes_are_cut_the_same_messages_come_out(
            texts in prop::collection::vec("[a-zé]{0,300}", 1..6),
            cuts in prop::collection::vec(1usize..40, 1..20),
        ) {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(0x81, text.as_bytes())).collect();
            let mut decoder = Decoder::new(1_000);
            let (mut seen, mut at, mut turn) = (Vec::new(), 0, 0);
            while at < bytes.len() {
                let end = (at + cuts[turn % cuts.len()]).min(bytes.len());
                decoder.take(&bytes[at..end]);
                while let Some(message) = decoder.next_message().expect("all of it is right") {
                    seen.push(message);
                }
                (at, turn) = (end, turn + 1);
            }
            let want: Vec<_> = texts.into_iter().map(Incoming::Text).collect();
            prop_assert_eq!(seen, want);
            prop_assert!(decoder.held.is_none());
        }

        #[test]
        fn no_bytes_make_it_panic_or_hold_more_than_a_message(bytes in prop::collection::vec(any::<u8>(), 0..4_000)) {
            let mut decoder = Decoder::new(1_000);
            for chunk in bytes.chunks(64) {
                decoder.take(chunk);
                loop {
                    match decoder.next_message() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => return Ok(()),
                    }
                }
                prop_assert!(held(&decoder).0 < 1_000 + 14 + 64);
            }
        }

        #[test]
        fn no_row_of_fragments_makes_it_hold_more_than_a_message(
            frames in prop::collection::vec((any::<bool>(), 0u8..11, 0usize..700), 1..60),
            cut in 1usize..300,
        ) {
            let mut decoder = Decoder::new(1_000);
            let frames = frames.into_iter().map(|(fin, opcode, len)| {
                let len = if opcode >= 8 { len % 126 } else { len };
                frame(if fin { 0x80 | opcode } else { opcode }, &vec![b'x'; len])
            });
            let bytes: Vec<u8> = frames.flatten().collect();
            for chunk in bytes.chunks(cut) {
                decoder.take(chunk);
                loop {
                    match decoder.next_message() {
                        Ok(Some(Incoming::Text(text))) => prop_assert!(text.len() <= 1_000),
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => return Ok(()),
                    }
                }
                let (unread, put_by) = held(&decoder);
                prop_assert!(unread < 1_000 + 14 + cut && put_by <= 1_000);
            }
        }
    }
}
