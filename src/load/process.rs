//! What a process on this machine has used, by the system's own account of it: for servers that say
//! nothing of themselves. Asked between the phases of a run. Called by `run`.

use std::fs;

/// CPU and memory of some processes together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU of all their threads that live, in seconds.
    pub cpu_s: f64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
}

/// Of these processes.
///
/// # Errors
/// One of them is not there, or not to be looked at.
pub fn of(pids: &[u32]) -> Result<Option<Usage>, String> {
    if pids.is_empty() {
        return Ok(None);
    }
    let mut sum = Usage::default();
    for pid in pids {
        let one = one(*pid).ok_or_else(|| format!("--pid {pid}: there is no such process here"))?;
        sum.cpu_s += one.cpu_s;
        sum.rss_bytes += one.rss_bytes;
    }
    Ok(Some(sum))
}

fn one(pid: u32) -> Option<Usage> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = kib.trim().trim_end_matches(" kB").parse().ok()?;
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let ran = |thread: fs::DirEntry| {
        // Nanoseconds, where ticks of a hundredth of a second would hide what is to be seen.
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    let ns: u64 = threads.filter_map(Result::ok).filter_map(ran).sum();
    Some(Usage { cpu_s: super::tally::float(ns) / 1e9, rss_bytes: kib * 1024 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something_and_none_has_used_nothing() {
        let usage = of(&[std::process::id()]).expect("it is there").expect("one");
        assert!(usage.rss_bytes > 1 << 20);
        assert!(of(&[]).is_ok_and(|usage| usage.is_none()));
        assert!(of(&[u32::MAX]).is_err_and(|why| why.contains("no such process")));
    }
}
