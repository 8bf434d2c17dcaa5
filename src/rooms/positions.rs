//! The position check: what no hint told is found by comparing all live rooms with the database,
//! in one query for many (DESIGN, *The position check*). Part of the registry; only where there are
//! several nodes.

use std::time::{Duration, Instant};

use actix::prelude::*;

use crate::bus::Health;
use crate::domain::RoomId;
use crate::domain::nodes::Hint;
use crate::store::{POSITIONS_AT_A_TIME, Position, StoreError};

use super::nodes::Heard;
use super::registry::{CloseNow, Registry};
use super::room::RoomHandle;

/// How often it is looked whether the rooms are to be compared.
const LOOK: Duration = Duration::from_millis(100);
/// Between two checks while hints come.
const WHILE_CONNECTED: Duration = Duration::from_secs(5);
/// Between two checks while none can come.
const WHILE_DOWN: Duration = Duration::from_millis(500);

/// When the rooms were compared.
#[derive(Debug, Default)]
pub(super) struct Checks {
    last: Option<Instant>,
    /// The bus's count of what may have been missed, as of then.
    resync: u64,
    is_under_way: bool,
}

impl Registry {
    /// Compares now and then from now on.
    pub(super) fn check_positions(&self, ctx: &mut Context<Self>) {
        if !self.bus.is_alone() {
            ctx.run_interval(LOOK, Self::look);
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        let state = *self.bus.watch().borrow();
        let pause = if state.health == Health::Down { WHILE_DOWN } else { WHILE_CONNECTED };
        let missed = state.resync != self.checks.resync;
        let is_due = missed || self.checks.last.is_none_or(|last| last.elapsed() >= pause);
        if !is_due || self.checks.is_under_way {
            return;
        }
        self.checks =
            Checks { last: Some(Instant::now()), resync: state.resync, is_under_way: true };
        let rooms = self.directory.handles();
        if missed {
            for room in &rooms {
                Self::hint(room, Heard::Presence);
            }
        }
        let store = self.store.clone();
        let comparing = async move {
            let mut behind = Vec::new();
            for some in rooms.chunks(POSITIONS_AT_A_TIME) {
                let ids: Vec<_> = some.iter().map(|room| room.id).collect();
                behind.extend(store.positions(&ids).await?);
            }
            Ok(behind)
        };
        ctx.spawn(comparing.into_actor(self).map(|found: Result<_, StoreError>, registry, ctx| {
            registry.checks.is_under_way = false;
            match found {
                Ok(positions) => registry.compare(&positions, ctx),
                Err(error) => log::warn!("rooms could not be compared with the database: {error}"),
            }
        }));
    }

    #[expect(clippy::disallowed_methods, reason = "one an act")]
    fn compare(&self, positions: &[Position], ctx: &mut Context<Self>) {
        for at in positions {
            if at.is_closed {
                ctx.address().do_send(CloseNow(at.room));
                continue;
            }
            self.with(at.room, |room| {
                if at.member_rev > room.gauge.member_rev() {
                    Self::hint(room, Heard::Hint(Hint::Reload));
                }
                if at.last_seq > room.gauge.head() {
                    Self::hint(room, Heard::MaybeBehind);
                }
            });
        }
    }

    fn with(&self, room: RoomId, tell: impl FnOnce(&RoomHandle)) {
        self.directory.send(room, |handle| {
            tell(handle);
            false
        });
    }

    /// A room with a full mailbox is told next time.
    fn hint(room: &RoomHandle, heard: Heard) {
        drop(room.addr.try_send(heard));
    }
}
