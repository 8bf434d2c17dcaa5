//! A timer to the microsecond, as one more thing that a loop waits for: the system's own wait for
//! sockets knows whole milliseconds only, and half of one would stand in every latency. Linux's.

use std::io;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// Wakes its loop at a time. It needs no reading: whenever it is set anew it is new.
#[derive(Debug)]
pub struct Timer {
    fd: OwnedFd,
    set_us: u64,
}

impl Timer {
    /// One that is not set.
    ///
    /// # Errors
    /// The system has none to give.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { fd, set_us: 0 })
    }

    /// Sets it, unless it is set to that time already.
    ///
    /// # Errors
    /// The system refuses.
    pub fn set(&mut self, at_us: u64, now_us: u64) -> io::Result<()> {
        if self.set_us == at_us {
            return Ok(());
        }
        self.set_us = at_us;
        let wait = Duration::from_micros(at_us.saturating_sub(now_us).max(1));
        let it_value = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Itimerspec { it_interval, it_value };
        Ok(timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &value).map(drop)?)
    }
}
