//! The parts of all loops become one report. Called by `run`, once.

use std::collections::BTreeMap;

use crate::domain::{Timestamp, ids};

use super::admin::Asked;
use super::order::Verdict;
use super::plan::{Part, Plan};
use super::report::{Percentiles, Point, Report, Tester};
use super::tally::{Counts, Slice, Spans, Times, float};

/// Share of a core from which on a loop can't be relied upon.
const BUSY: f64 = 0.85;
/// Share of time that it had to wait for a core.
const WAITED: f64 = 0.10;
/// Own delay of one message in a hundred, in milliseconds, of the same.
const LAG_MS: f64 = 5.0;

/// What there is to add up.
pub(super) struct Sums<'a> {
    pub plan: &'a Plan,
    pub began: Timestamp,
    /// When the ramp began, in microseconds of the run's clock.
    pub begun_us: u64,
    pub parts: Vec<Part>,
    pub slices: BTreeMap<u64, Slice>,
    pub asked: Option<Asked>,
}

/// A random `Sec-WebSocket-Key`, and what a server answers to it.
pub(super) fn key() -> (String, Vec<u8>) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = ids::random().as_u128();
    let letter = |six: u32| char::from(LETTERS[(bits >> (122 - 6 * six) & 63) as usize]);
    // 16 bytes are 21 letters and one of two bits.
    let mut key: String = (0..21).map(letter).collect();
    key.push(char::from(LETTERS[((bits & 3) << 4) as usize]));
    key += "==";
    let accept = actix_http::ws::hash_key(key.as_bytes()).to_vec();
    (key, accept)
}

/// Adds up.
pub(super) fn report(sums: &Sums<'_>) -> Report {
    let (mut counts, mut spans, mut verdict) =
        (Counts::default(), Spans::new(), Verdict::default());
    for part in &sums.parts {
        counts.add(&part.counts);
        spans.add(&part.spans);
        verdict.add(&part.verdict);
    }
    let sum = |of: fn(&Part) -> u64| sums.parts.iter().map(of).sum::<u64>();
    let most = |of: fn(&Part) -> u64| sums.parts.iter().map(of).max().unwrap_or(0);
    let ran_s = float(most(|part| part.ran_us)) / 1e6;
    // The last deliveries are waited for after the last message: rates are of the run itself.
    let asked_s = sums.plan.scenario.duration.as_secs();
    let cut_s = sums.plan.cut_s().filter(|cut_s| *cut_s < asked_s);
    let over_s = ran_s.min(cut_s.unwrap_or(asked_s)).max(1e-6);
    let joined = sum(|part| part.joined);
    let deliveries = float(counts.deliveries);
    let tester = tester(sums, &spans, deliveries);
    let server = sums.asked.map(|asked| asked.figures(float(joined), deliveries));
    let mut report = Report {
        at: sums.began.to_string(),
        version: env!("CARGO_PKG_VERSION"),
        scenario: sums.plan.scenario.clone(),
        joined,
        sessions: sum(|part| part.sessions),
        ramp_s: float(most(|part| part.ramped_us).saturating_sub(sums.begun_us)) / 1e6,
        ran_s,
        cut_s,
        connect_ms: Percentiles::of(&spans.connect),
        join_ms: Percentiles::of(&spans.join),
        ok_ms: Percentiles::of(&spans.ok),
        delivery_ms: Percentiles::of(&spans.delivery),
        under_fault_ms: Percentiles::of(&spans.under_fault),
        sent: 0,
        late: 0,
        skipped: 0,
        sent_per_s: float(counts.sent) / over_s,
        deliveries_per_s: deliveries / over_s,
        reach: match verdict.expected {
            0 => 1.0,
            expected => float(verdict.received) / float(expected),
        },
        verdict,
        strange: 0,
        seq_jumps: 0,
        foreign: 0,
        bytes_in: 0,
        bytes_out: 0,
        failed: 0,
        reconnects: 0,
        lags: 0,
        renewed: 0,
        closes: BTreeMap::new(),
        refusals: BTreeMap::new(),
        errors: BTreeMap::new(),
        tester,
        server,
        over_time: over_time(&sums.slices, sums.plan.slice_us, ran_s),
        curve: curve(&spans.delivery),
    };
    report.count(counts);
    report
}

fn tester(sums: &Sums<'_>, spans: &Spans, deliveries: f64) -> Tester {
    let share = |ns: u64, part: &Part| float(ns) / 1e3 / float(part.ran_us.max(1));
    let most = |shares: &mut dyn Iterator<Item = f64>| shares.fold(0.0, f64::max);
    let cpu_share = most(&mut sums.parts.iter().map(|part| share(part.used.ran_ns, part)));
    let waited_share = most(&mut sums.parts.iter().map(|part| share(part.used.waited_ns, part)));
    let ran_ns: u64 = sums.parts.iter().map(|part| part.used.ran_ns).sum();
    let lag_ms = Percentiles::of(&spans.lag);
    let mut bottleneck = Vec::new();
    if lag_ms.p99 > LAG_MS {
        bottleneck.push(format!(
            "one message in a hundred left {:.1} ms or more after it was due",
            lag_ms.p99
        ));
    }
    if cpu_share > BUSY {
        bottleneck.push(format!(
            "its busiest thread used {:.0} % of a core: give it --threads, or another machine",
            cpu_share * 100.0
        ));
    }
    if waited_share > WAITED {
        bottleneck.push(format!(
            "it waited {:.0} % of the time for a core that something else had: the machine is full",
            waited_share * 100.0
        ));
    }
    let cpu_per_delivery_us = float(ran_ns) / 1e3 / deliveries.max(1.0);
    Tester { lag_ms, cpu_share, waited_share, cpu_per_delivery_us, bottleneck }
}

fn over_time(slices: &BTreeMap<u64, Slice>, slice_us: u64, ran_s: f64) -> Vec<Point> {
    let point = |(number, slice): (&u64, &Slice)| {
        // The last one ends with the run.
        let began_s = float(number * slice_us) / 1e6;
        let length_s = (float(slice_us) / 1e6).min(ran_s - began_s).max(1e-3);
        let times = Percentiles::of(&slice.delivery);
        Point {
            at_s: began_s + length_s,
            sent_per_s: float(slice.sent) / length_s,
            deliveries_per_s: float(slice.deliveries) / length_s,
            sessions: slice.sessions,
            p50: times.p50,
            p99: times.p99,
            max: times.max,
        }
    };
    slices.iter().map(point).collect()
}

/// Percentiles, closer together towards 100.
fn curve(times: &Times) -> Vec<(f64, f64)> {
    if times.is_empty() {
        return Vec::new();
    }
    let points = times.iter_quantiles(4);
    points
        .map(|at| (at.quantile_iterated_to() * 100.0, float(at.value_iterated_to()) / 1e3))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_16_bytes_in_base64() {
        let (key, accept) = key();
        assert_eq!((key.len(), accept.len()), (24, 28));
        assert!(key.ends_with("==") && "AQgw".contains(&key[21..22]));
        assert_ne!(key, super::key().0);
    }
}
