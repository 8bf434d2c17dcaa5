//! Which rooms are live, for everybody to read. The registry alone writes it. Who sends a live
//! room something that is not from one of its own sockets does so through [`Directory::send`],
//! which counts it: a room is never retired with such an errand on the way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::{RoomId, RoomKind, RoomName, RoomRow};

use super::LiveRoom;
use super::room::RoomHandle;

/// A live room.
struct Live {
    handle: Arc<RoomHandle>,
    kind: RoomKind,
    name: Option<String>,
    by_guest: bool,
    generation: u64,
    errands: Arc<AtomicU64>,
}

#[derive(Default)]
struct Index {
    by_id: HashMap<RoomId, Live>,
    named: HashMap<String, RoomId>,
}

/// The live rooms.
#[derive(Default)]
pub struct Directory {
    index: RwLock<Index>,
    stopped: AtomicBool,
}

impl Directory {
    fn read<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        change(&mut self.index.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `send` with a live room's handle. `send` must hand over exactly one errand, and at
    /// once; when it answers `false`, it handed over none.
    pub fn send(
        &self,
        room: RoomId,
        send: impl FnOnce(&RoomHandle) -> bool,
    ) -> Option<Arc<RoomHandle>> {
        self.read(|index| {
            let live = index.by_id.get(&room).filter(|live| live.handle.addr.connected())?;
            if send(&live.handle) {
                live.errands.fetch_add(1, Ordering::Relaxed);
            }
            Some(live.handle.clone())
        })
    }

    /// A live named room: its id, and whether a guest made it.
    #[must_use]
    pub fn named(&self, name: &RoomName) -> Option<(RoomId, bool)> {
        self.read(|index| {
            let live = index.by_id.get(index.named.get(name.as_str())?)?;
            Some((live.handle.id, live.by_guest))
        })
    }

    /// All rooms with a socket.
    #[must_use]
    pub fn list(&self) -> Vec<LiveRoom> {
        let mut list: Vec<_> = self.read(|index| {
            let rooms = index.by_id.values().map(|live| LiveRoom {
                id: live.handle.id,
                kind: live.kind,
                name: live.name.clone(),
                by_guest: live.by_guest,
                active_users: live.handle.gauge.people(),
                sessions: live.handle.gauge.sessions(),
            });
            rooms.filter(|room| room.sessions > 0).collect()
        });
        list.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        list
    }

    /// The handles of all live rooms.
    #[must_use]
    pub fn handles(&self) -> Vec<Arc<RoomHandle>> {
        self.read(|index| index.by_id.values().map(|live| live.handle.clone()).collect())
    }

    /// A room started.
    pub(super) fn insert(&self, row: &RoomRow, handle: Arc<RoomHandle>, generation: u64) {
        self.write(|index| {
            if let (RoomKind::Named, Some(name)) = (row.kind, &row.name) {
                index.named.insert(name.clone(), row.id);
            }
            let live = Live {
                handle,
                kind: row.kind,
                name: row.name.clone(),
                by_guest: row.by_guest,
                generation,
                errands: Arc::default(),
            };
            index.by_id.insert(row.id, live);
        });
    }

    /// Takes out the room of that generation, if `errands` have all arrived there.
    pub(super) fn retire(
        &self,
        room: RoomId,
        generation: u64,
        errands: u64,
    ) -> Option<Arc<RoomHandle>> {
        self.write(|index| {
            let live = index.by_id.get(&room)?;
            let is_quiet =
                live.generation == generation && live.errands.load(Ordering::Relaxed) == errands;
            if is_quiet { index.remove(room) } else { None }
        })
    }

    /// The node stops: rooms that end from now on stay away.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Takes out a room whose actor died and that is to be made anew: unless it has a later one
    /// already, or the node stops.
    pub(super) fn bury(&self, room: RoomId, generation: u64) -> bool {
        if self.stopped.load(Ordering::Relaxed) {
            return false;
        }
        self.write(|index| match index.by_id.get(&room) {
            Some(live) if live.generation == generation => index.remove(room).is_some(),
            _ => false,
        })
    }

    /// A closed room gives its name free.
    pub(super) fn release_name(&self, room: RoomId) {
        self.write(|index| index.named.retain(|_, id| *id != room));
    }
}

impl Index {
    fn remove(&mut self, room: RoomId) -> Option<Arc<RoomHandle>> {
        let live = self.by_id.remove(&room)?;
        if let Some(name) = live.name.filter(|name| self.named.get(name) == Some(&room)) {
            self.named.remove(&name);
        }
        Some(live.handle)
    }
}
