//! A run's report as text for a terminal: what was asked, what came of it, what to doubt. Pure.
//! `cli/load` prints it.

use std::fmt::Write;

use super::expect::Outcome;
use super::report::{Percentiles, Report};
use super::scenario::Dialect;
use super::tally::float;

/// The report as lines.
#[must_use]
pub fn text(report: &Report, outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    let _ = head(report, &mut out)
        .and_then(|()| times(report, &mut out))
        .and_then(|()| deliveries(report, &mut out))
        .and_then(|()| sockets(report, &mut out))
        .and_then(|()| tester(report, &mut out))
        .and_then(|()| verdict(outcomes, &mut out));
    out
}

/// What was asked for, in a line.
#[must_use]
pub fn layout(report: &Report) -> String {
    let scenario = &report.scenario;
    let cut = report.cut_s.map_or_else(String::new, |cut| format!(", ended after {cut:.1} s"));
    format!(
        "{} {} × {} {}, {} {} in each, {}, {} bytes, {}, for {}{cut}",
        scenario.rooms,
        if scenario.rooms == 1 { "room" } else { "rooms" },
        scenario.members,
        if scenario.members == 1 { "member" } else { "members" },
        scenario.senders,
        if scenario.senders == 1 { "sender" } else { "senders" },
        scenario.rate,
        scenario.payload,
        scenario.dialect,
        scenario.duration
    )
}

/// The rows of times, with their names.
#[must_use]
pub fn rows(report: &Report) -> Vec<(&'static str, Percentiles)> {
    let plain = report.scenario.dialect != Dialect::Native;
    let ok = if plain { "send → own copy" } else { "send → ok" };
    let mut rows = vec![
        ("connect", report.connect_ms),
        ("join", report.join_ms),
        (ok, report.ok_ms),
        ("send → delivery", report.delivery_ms),
    ];
    if report.under_fault_ms.count > 0 {
        rows.push(("… under faults", report.under_fault_ms));
    }
    rows.push(("tester's own delay", report.tester.lag_ms));
    rows
}

fn head(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(out, "{}", layout(report))?;
    let in_time = if report.ramp_s > 0.0 {
        format!("all in within {:.2} s", report.ramp_s)
    } else {
        "not all in when it began".to_owned()
    };
    writeln!(out, "{} of {} sockets, {in_time}", report.joined, report.scenario.sessions())
}

fn times(report: &Report, out: &mut String) -> std::fmt::Result {
    write!(out, "\n{:<20}{:>11}", "milliseconds", "count")?;
    for name in ["p50", "p90", "p99", "p99.9", "max"] {
        write!(out, "{name:>10}")?;
    }
    writeln!(out)?;
    for (name, times) in rows(report) {
        write!(out, "{name:<20}{:>11}", grouped(times.count))?;
        for value in [times.p50, times.p90, times.p99, times.p999, times.max] {
            write!(out, "{value:>10.2}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn deliveries(report: &Report, out: &mut String) -> std::fmt::Result {
    let verdict = &report.verdict;
    writeln!(
        out,
        "\nsent        {} messages, {:.1}/s; {} late, {} left out while their sender was away",
        grouped(report.sent),
        report.sent_per_s,
        grouped(report.late),
        grouped(report.skipped)
    )?;
    writeln!(
        out,
        "delivered   {} of {} expected, {}/s; reach {:.6}",
        grouped(verdict.received),
        grouped(verdict.expected),
        grouped(whole(report.deliveries_per_s)),
        report.reach
    )?;
    writeln!(
        out,
        "wrong       {} gaps, {} doubles, {} out of order, {} strange{}",
        grouped(verdict.gaps),
        grouped(verdict.doubles),
        grouped(verdict.disorders),
        grouped(report.strange),
        if report.seq_jumps > 0 {
            format!(", {} jumps of seq", grouped(report.seq_jumps))
        } else {
            String::new()
        }
    )?;
    let mib = |bytes: u64| float(bytes) / 1_048_576.0;
    writeln!(
        out,
        "bytes       {:.1} MiB in, {:.1} MiB out",
        mib(report.bytes_in),
        mib(report.bytes_out)
    )
}

fn sockets(report: &Report, out: &mut String) -> std::fmt::Result {
    let list = |counts: &mut dyn Iterator<Item = (String, u64)>| {
        let words: Vec<String> =
            counts.map(|(name, count)| format!("{name} × {}", grouped(count))).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    let codes = |(code, count): (&u16, &u64)| (code.to_string(), *count);
    writeln!(
        out,
        "sockets     {} in at the end, {} came back, {} connections failed",
        grouped(report.sessions),
        grouped(report.reconnects),
        grouped(report.failed)
    )?;
    writeln!(out, "closed      by code: {}", list(&mut report.closes.iter().map(codes)))?;
    if !report.refusals.is_empty() {
        writeln!(out, "refused     by status: {}", list(&mut report.refusals.iter().map(codes)))?;
    }
    if !report.errors.is_empty() {
        let words = report.errors.iter().map(|(word, count)| (word.clone(), *count));
        writeln!(out, "errors      {}", list(&mut { words }))?;
    }
    if report.lags + report.renewed + report.foreign > 0 {
        writeln!(
            out,
            "also        {} times lag, {} tokens renewed, {} frames that were not ours",
            grouped(report.lags),
            grouped(report.renewed),
            grouped(report.foreign)
        )?;
    }
    Ok(())
}

fn tester(report: &Report, out: &mut String) -> std::fmt::Result {
    let tester = &report.tester;
    writeln!(
        out,
        "tester      {:.0} % of a core, {:.2} µs a delivery; waited for a core {:.1} % of the time",
        tester.cpu_share * 100.0,
        tester.cpu_per_delivery_us,
        tester.waited_share * 100.0
    )?;
    if let Some(server) = &report.server {
        writeln!(
            out,
            "server      {:.2} s CPU, {:.2} µs a delivery, {:.1} µs a join; {:.2} KiB a socket over \
             {:.1} MiB{}",
            server.cpu_s,
            server.cpu_per_delivery_us,
            server.cpu_per_join_us,
            server.rss_per_session_bytes / 1024.0,
            float(server.rss_empty_bytes) / 1_048_576.0,
            server.fanout_ms.map_or_else(String::new, |fanout| format!(
                "; fan-out p50 {:.2} ms, p99 {:.2} ms",
                fanout.p50, fanout.p99
            ))
        )?;
    }
    for why in &tester.bottleneck {
        writeln!(out, "CAREFUL     the tester may be what was measured: {why}")?;
    }
    Ok(())
}

fn verdict(outcomes: &[Outcome], out: &mut String) -> std::fmt::Result {
    for outcome in outcomes {
        let word = if outcome.held { "kept" } else { "NOT KEPT" };
        writeln!(
            out,
            "expected    {:<24} was {:<12} {word}",
            outcome.condition,
            short(outcome.was)
        )?;
    }
    Ok(())
}

/// A number with as many places as say something, six at most.
#[must_use]
pub fn short(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The nearest whole number.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates: 0 and more")]
pub const fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// A number with commas between its thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_short() {
        assert_eq!([grouped(0), grouped(999), grouped(1_234_567)], ["0", "999", "1,234,567"]);
        assert_eq!((short(3.0), short(0.5)), ("3".to_owned(), "0.5".to_owned()));
    }
}
