//! How many sockets a node takes: what is set, or what the process may hold open. Called by `app`,
//! once; `auth/paces` counts.

use crate::config::{Engine, SessionSettings};

/// Descriptors kept for what is no socket: the log, listeners, workers, the database.
const RESERVE: u64 = 128;
/// And one in so many of all, for REST and for handshakes that are refused.
const RESERVE_SHARE: u64 = 16;

/// Sockets that this node takes.
#[must_use]
pub fn sockets(settings: &SessionSettings) -> u32 {
    if settings.max_sockets > 0 {
        return settings.max_sockets;
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let each = match settings.engine {
        Engine::Direct => 1,
        // It holds a second handle on each connection.
        Engine::ActixWebActors => 2,
    };
    open_files(&limits).map_or(u32::MAX, |limit| fit(limit, each))
}

/// The soft limit of open files; none when there is no such limit, or no such system.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn fit(limit: u64, each: u64) -> u32 {
    let free = limit.saturating_sub(RESERVE + limit / RESERVE_SHARE);
    u32::try_from(free / each).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_leave_room_for_what_else_is_open() {
        let limits = "Limit       Soft Limit  Hard Limit  Units\n\
                      Max processes   128196   128196   processes\n\
                      Max open files   1024   524288   files\n";
        assert_eq!(open_files(limits), Some(1_024));
        assert_eq!(open_files("Max open files unlimited unlimited files"), None);
        assert_eq!(open_files(""), None);
        assert_eq!((fit(1_024, 1), fit(1_024, 2)), (832, 416));
        assert_eq!((fit(65_536, 1), fit(64, 1)), (61_312, 1));
    }
}
