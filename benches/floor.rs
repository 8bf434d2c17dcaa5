//! The least that an honest room broadcaster can do, as the line to compare a server with: one thread,
//! epoll, a room a path. Handshake, unmask, encode once, one write a member with all that is
//! pending. No JSON, no storage; with `durable` each batch is appended to a file and `fdatasync`ed before
//! it goes out. Part of `limits`, which starts it as a process of its own.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
/// Longest frame that it takes.
const FRAME_MAX: usize = 64 * 1024;

struct Member {
    stream: TcpStream,
    /// None until its request was answered.
    room: Option<usize>,
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

#[derive(Default)]
struct Room {
    members: BTreeSet<usize>,
    pending: Vec<u8>,
}

struct Floor {
    poll: Poll,
    members: slab::Slab<Member>,
    rooms: Vec<Room>,
    names: HashMap<String, usize>,
    /// Rooms with something pending.
    due: Vec<usize>,
    buffer: Vec<u8>,
    file: Option<File>,
}

/// Serves until it is killed; says first where it listens.
pub fn serve(durable: Option<File>) -> io::Result<()> {
    let std = std::net::TcpListener::bind("127.0.0.1:0")?;
    // As many may wait as the kernel allows.
    socket2::SockRef::from(&std).listen(4_096)?;
    std.set_nonblocking(true)?;
    println!("listens on {}", std.local_addr()?);
    let mut listener = TcpListener::from_std(std);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut floor = Floor {
        poll,
        members: slab::Slab::new(),
        rooms: Vec::new(),
        names: HashMap::new(),
        due: Vec::new(),
        buffer: vec![0; FRAME_MAX],
        file: durable,
    };
    let mut events = Events::with_capacity(1_024);
    loop {
        floor.poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                floor.accept(&listener)?;
                continue;
            }
            let Token(member) = event.token();
            if event.is_writable() {
                floor.flush(member);
            }
            if event.is_readable() {
                floor.read(member, event.is_read_closed());
            }
        }
        floor.send()?;
    }
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(why) => return Err(why),
            };
            stream.set_nodelay(true)?;
            let entry = self.members.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(entry.key()), interest)?;
            entry.insert(Member { stream, room: None, unread: Vec::new(), unsent: Vec::new() });
        }
    }

    fn read(&mut self, number: usize, closed: bool) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(member) = self.members.get_mut(number) {
            match member.stream.read(&mut buffer) {
                Ok(0) => self.leave(number),
                Ok(count) => {
                    self.digest(number, &mut buffer[..count]);
                    if count < buffer.len() && !closed {
                        break;
                    }
                }
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.leave(number),
            }
        }
        self.buffer = buffer;
    }

    fn leave(&mut self, number: usize) {
        if let Some(room) = self.members.try_remove(number).and_then(|member| member.room) {
            self.rooms[room].members.remove(&number);
        }
    }

    fn digest(&mut self, number: usize, bytes: &mut [u8]) {
        let mut kept = std::mem::take(&mut self.members[number].unread);
        let bytes = if kept.is_empty() {
            bytes
        } else {
            kept.extend_from_slice(bytes);
            &mut kept[..]
        };
        let mut at = 0;
        match self.members[number].room {
            None => at = self.greet(number, bytes),
            Some(room) => {
                while let Some(end) = self.frame(room, &mut bytes[at..]) {
                    at += end;
                }
            }
        }
        if at < bytes.len() {
            let rest = bytes[at..].to_vec();
            self.members[number].unread = rest;
        }
    }

    /// Answers the request; gives its length, 0 while it is not whole.
    fn greet(&mut self, number: usize, bytes: &[u8]) -> usize {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Request::new(&mut headers);
        let Ok(httparse::Status::Complete(end)) = head.parse(bytes) else { return 0 };
        let key = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case("sec-websocket-key"));
        let accept = actix_http::ws::hash_key(key.map_or(&[][..], |key| key.value));
        let mut answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Accept: "
            .to_vec();
        answer.extend_from_slice(&accept);
        answer.extend_from_slice(b"\r\n\r\n");
        let path = head.path.unwrap_or_default().to_owned();
        let next = self.rooms.len();
        let room = *self.names.entry(path).or_insert(next);
        if room == next {
            self.rooms.push(Room::default());
        }
        self.rooms[room].members.insert(number);
        self.members[number].room = Some(room);
        self.write(number, &answer);
        end
    }

    /// Unmasks a frame and puts it to what its room is sent; gives its length when it is whole.
    fn frame(&mut self, room: usize, bytes: &mut [u8]) -> Option<usize> {
        let (len, start) = match bytes.get(1)? & 0x7F {
            126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 8),
            len => (usize::from(len), 6),
        };
        let end = start + len;
        let frame = bytes.get_mut(..end)?;
        // What is no text ends a connection: its client closes anyway.
        if frame[0] != 0x81 {
            return Some(end);
        }
        let (head, payload) = frame.split_at_mut(start);
        let mask = &head[start - 4..];
        let wide: [u8; 8] = std::array::from_fn(|at| mask[at % 4]);
        for chunk in payload.chunks_mut(8) {
            for (byte, key) in chunk.iter_mut().zip(wide) {
                *byte ^= key;
            }
        }
        let pending = &mut self.rooms[room].pending;
        if pending.is_empty() {
            self.due.push(room);
        }
        match u8::try_from(len) {
            Ok(len) if len < 126 => pending.extend_from_slice(&[0x81, len]),
            _ => {
                pending.extend_from_slice(&[0x81, 126]);
                pending.extend_from_slice(&u16::try_from(len).unwrap_or(0).to_be_bytes());
            }
        }
        pending.extend_from_slice(payload);
        Some(end)
    }

    /// Stores what came in this batch, if it is to be stored, and sends it.
    fn send(&mut self) -> io::Result<()> {
        let due = std::mem::take(&mut self.due);
        if due.is_empty() {
            return Ok(());
        }
        if let Some(file) = &mut self.file {
            for room in &due {
                file.write_all(&self.rooms[*room].pending)?;
            }
            file.sync_data()?;
        }
        for room in &due {
            let pending = std::mem::take(&mut self.rooms[*room].pending);
            let members = std::mem::take(&mut self.rooms[*room].members);
            for member in &members {
                self.write(*member, &pending);
            }
            let room = &mut self.rooms[*room];
            (room.members, room.pending) = (members, pending);
            room.pending.clear();
        }
        self.due = due;
        self.due.clear();
        Ok(())
    }

    fn write(&mut self, number: usize, bytes: &[u8]) {
        let Some(member) = self.members.get_mut(number) else { return };
        let taken = if member.unsent.is_empty() {
            // A connection that is gone is found out by its read.
            member.stream.write(bytes).unwrap_or(0)
        } else {
            0
        };
        member.unsent.extend_from_slice(&bytes[taken..]);
    }

    fn flush(&mut self, number: usize) {
        let Some(member) = self.members.get_mut(number) else { return };
        if !member.unsent.is_empty() {
            let unsent = std::mem::take(&mut member.unsent);
            self.write(number, &unsent);
        }
    }
}
