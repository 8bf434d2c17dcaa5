//! What this process has used of the machine, as the kernel tells it. Called by `stats` alone. On a
//! system without `/proc` both figures are 0.

/// Ticks of a second in `/proc`, which Linux shows to programs as 100 whatever it counts itself.
const TICKS: f64 = 100.0;

/// Seconds of processor time since the start, and bytes of resident memory.
pub(super) fn used() -> (f64, u64) {
    let read = |name| std::fs::read_to_string(name).unwrap_or_default();
    (cpu_s(&read("/proc/self/stat")), rss_bytes(&read("/proc/self/status")))
}

/// User and system time: fields 14 and 15 of `stat`, counted behind the program's name, which may
/// hold blanks and brackets.
fn cpu_s(stat: &str) -> f64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// `VmRSS` of `status`, which is in KiB.
fn rss_bytes(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 99 0 0 0 150 50 0 0 20 0 9 0 1 2 3";
        assert!((cpu_s(stat) - 2.0).abs() < f64::EPSILON);
        assert_eq!(rss_bytes("VmPeak:\t 9 kB\nVmRSS:\t  2048 kB\n"), 2 * 1024 * 1024);
        assert_eq!((cpu_s("") + cpu_s("7 (x"), rss_bytes("")), (0.0, 0));
    }
}
