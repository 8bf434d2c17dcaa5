//! How a room learns that it is its turn to give back some of its window of recent events: the room
//! that found them too many says so to the registry, which knows the way to the others.

use actix::prelude::*;

use crate::domain::{RoomId, Timestamp};

use super::registry::Registry;
use super::room::{Room, RoomHandle};

/// These rooms owe some of their windows' bytes.
#[derive(Message)]
#[rtype(result = "()")]
pub struct TellToShed(pub Vec<RoomId>);

impl Handler<TellToShed> for Registry {
    type Result = ();

    #[expect(clippy::disallowed_methods, reason = "one a room until it has given back")]
    fn handle(&mut self, TellToShed(rooms): TellToShed, _: &mut Self::Context) {
        for room in rooms {
            // Not an errand: a room that is retired first gives back all it has.
            self.directory.send(room, |handle: &RoomHandle| {
                handle.addr.do_send(Shed);
                false
            });
        }
    }
}

/// The room owes some of its window's bytes.
#[derive(Message)]
#[rtype(result = "()")]
struct Shed;

impl Handler<Shed> for Room {
    type Result = ();

    fn handle(&mut self, _: Shed, _: &mut Self::Context) {
        self.trim_window();
    }
}

/// What is older is past keeping: no room shows it any longer.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Forget(pub Timestamp);

impl Handler<Forget> for Room {
    type Result = ();

    fn handle(&mut self, Forget(before): Forget, _: &mut Self::Context) {
        self.state.window.forget(before);
    }
}

impl Room {
    /// Brings the window back within its bounds, but for what somebody waits for; has others told,
    /// when all windows together are over theirs.
    #[expect(clippy::disallowed_methods, reason = "one a round of giving back")]
    pub(super) fn trim_window(&mut self) {
        let others = self.state.window.others_to_tell();
        let keep_after = self.opening.values().map(|readers| readers.head).min();
        self.state.window.trim(keep_after.unwrap_or(i64::MAX));
        if !others.is_empty() {
            self.registry.do_send(TellToShed(others));
        }
    }
}
