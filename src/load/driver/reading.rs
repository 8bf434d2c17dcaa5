//! Bytes become frames where they lie, in the loop's one buffer; only what is cut off by its end is
//! kept with the socket.

use std::io::{ErrorKind, Read};

use super::Driver;
use crate::load::peer::Stage;
use crate::load::wire::{self, CLOSE, FRAME_MAX, PING};

impl Driver {
    /// Reads what there is. A read that does not fill the buffer took all, so that no second one
    /// asks in vain; unless the other side has closed, which only a read tells.
    pub(super) fn read(&mut self, number: usize, closed: bool) {
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            let peer = &mut self.peers[number];
            let kept = peer.unread.len();
            buffer[..kept].copy_from_slice(&peer.unread);
            let Some(stream) = &mut peer.stream else { break };
            match stream.read(&mut buffer[kept..]) {
                Ok(0) => {
                    self.lost(number, 1006);
                    break;
                }
                Ok(count) => {
                    self.counts.bytes_in += count as u64;
                    let end = kept + count;
                    self.digest(number, &buffer[..end]);
                    if end < buffer.len() && !closed {
                        break;
                    }
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.lost(number, 1006);
                    break;
                }
            }
        }
        self.buffer = buffer;
    }

    fn digest(&mut self, number: usize, bytes: &[u8]) {
        let now = self.now_us();
        let mut at = 0;
        if self.peers[number].stage == Stage::Greeting {
            match self.greeted(number, bytes) {
                Some(end) => at = end,
                None => return self.keep(number, bytes),
            }
        }
        loop {
            let rest = &bytes[at..];
            match wire::head(rest) {
                Ok(Some(head)) => {
                    self.frame(number, &head, &rest[head.start..head.end], now);
                    at += head.end;
                }
                Ok(None) => return self.keep(number, rest),
                Err(wire::Broken) => return self.lost(number, 1002),
            }
        }
    }

    /// Keeps the beginning of a frame for the next read, if the socket is still there.
    fn keep(&mut self, number: usize, rest: &[u8]) {
        let peer = &mut self.peers[number];
        peer.unread.clear();
        if peer.stream.is_some() && !rest.is_empty() {
            peer.unread.extend_from_slice(rest);
        }
    }

    fn frame(&mut self, number: usize, head: &wire::Head, payload: &[u8], now: u64) {
        if self.peers[number].stream.is_none() {
            return;
        }
        match (head.opcode, head.fin) {
            (CLOSE, _) => {
                let code = wire::close_code(payload);
                self.say(number, CLOSE, payload.get(..2).unwrap_or_default());
                self.lost(number, code);
            }
            (PING, _) => self.say(number, wire::PONG, payload),
            (wire::PONG, _) => {}
            (0, fin) => {
                let mut parts = std::mem::take(&mut self.peers[number].parts);
                parts.extend_from_slice(payload);
                if parts.len() > FRAME_MAX {
                    self.lost(number, 1009);
                } else if fin {
                    self.text(number, &parts, now);
                } else {
                    self.peers[number].parts = parts;
                }
            }
            (_, true) => self.text(number, payload, now),
            (_, false) => self.peers[number].parts = payload.to_vec(),
        }
    }
}
