//! Figures for scrapers, in the Prometheus text format: names by its conventions, `hubbub_` in
//! front, no room's or user's name as a label. Counted by the edges; gauges are set from the
//! rooms' figures when somebody scrapes. Must not know where the figures come from.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    Encoder, Gauge, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder, core::Collector,
};

use crate::domain::figures::{Ledger, Load};

/// Media type of [`Metrics::text`].
pub const TEXT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Upper edges, in seconds, of what a request takes: from a cached answer to a time-out.
const REQUEST_EDGES: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Methods that get a label of their own; a client may invent others.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"];

/// Counts since the start that somebody else keeps, by one label.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// By the conventions: `hubbub_…_total`.
    pub name: &'a str,
    /// What is counted.
    pub help: &'a str,
    /// By what.
    pub label: &'a str,
    /// How many of each.
    pub counts: &'a [(&'static str, u64)],
}

/// The figures of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    sessions: IntGauge,
    users: IntGauge,
    guests: IntGauge,
    rooms: IntGauge,
    messages_per_s: Gauge,
    deliveries_per_s: Gauge,
    queued_bytes: IntGauge,
    slow_readers: IntGauge,
    refused: IntGauge,
    cpu_s: Gauge,
    rss_bytes: IntGauge,
    frames: IntGaugeVec,
    imbalance: IntGauge,
}

impl Metrics {
    /// An empty set.
    ///
    /// # Errors
    /// When a name is no good or taken twice: a mistake in this file.
    pub fn new(version: &str) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let whole = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let real = |name: &str, help: &str| -> prometheus::Result<Gauge> {
            let gauge = Gauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let requests = IntCounterVec::new(
            Opts::new("hubbub_http_requests_total", "Requests answered over REST."),
            &["method", "status"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        let request_seconds = HistogramVec::new(
            HistogramOpts::new(
                "hubbub_http_request_duration_seconds",
                "Time from a request's head to its answer's.",
            )
            .buckets(REQUEST_EDGES.to_vec()),
            &["method"],
        )?;
        registry.register(Box::new(request_seconds.clone()))?;
        let frames = IntGaugeVec::new(
            Opts::new(
                "hubbub_frames",
                "Frames that rooms had for sockets, by what became of them.",
            ),
            &["fate"],
        )?;
        registry.register(Box::new(frames.clone()))?;
        let build = Opts::new("hubbub_build_info", "1, with the version as a label.")
            .const_label("version", version);
        let build = IntGauge::with_opts(build)?;
        build.set(1);
        registry.register(Box::new(build))?;
        let inner = Inner {
            requests,
            request_seconds,
            sessions: whole("hubbub_sessions", "Open sockets that are in a room.")?,
            users: whole("hubbub_users", "Different users behind them.")?,
            guests: whole("hubbub_guests", "Guests behind them.")?,
            rooms: whole("hubbub_rooms", "Rooms with at least one socket.")?,
            messages_per_s: real("hubbub_messages_per_second", "Messages stored, lately.")?,
            deliveries_per_s: real("hubbub_deliveries_per_second", "Frames to sockets, lately.")?,
            queued_bytes: whole("hubbub_queued_bytes", "Bytes that wait for sockets.")?,
            slow_readers: whole("hubbub_slow_readers", "Sockets with something waiting long.")?,
            refused: whole("hubbub_refused", "Handshakes and posts refused since the start.")?,
            cpu_s: real("hubbub_cpu_seconds", "Processor time used since the start.")?,
            frames,
            imbalance: whole(
                "hubbub_ledger_imbalance",
                "Frames due to sockets that are neither written, coalesced, dropped nor pending: must be 0.",
            )?,
            rss_bytes: whole("hubbub_resident_memory_bytes", "Resident memory.")?,
            registry,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// One request was answered.
    pub fn request(&self, method: &str, status: u16, took: Duration) {
        let method = METHODS.iter().find(|known| **known == method).unwrap_or(&"other");
        let (status, seconds) = (status.to_string(), took.as_secs_f64());
        self.inner.requests.with_label_values(&[method, status.as_str()]).inc();
        self.inner.request_seconds.with_label_values(&[method]).observe(seconds);
    }

    /// Everything as text, with the rooms' figures of now and what others have counted.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn text(
        &self,
        load: &Load,
        ledger: &Ledger,
        counted: &[Counted<'_>],
    ) -> prometheus::Result<Vec<u8>> {
        let figures = &self.inner;
        for (gauge, value) in [
            (&figures.sessions, load.sessions),
            (&figures.users, load.users),
            (&figures.guests, load.guests),
            (&figures.rooms, load.rooms),
            (&figures.queued_bytes, load.queued_bytes),
            (&figures.slow_readers, load.slow_readers),
            (&figures.refused, load.refused),
            (&figures.rss_bytes, load.rss_bytes),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        for (fate, frames) in [
            ("due", ledger.due),
            ("written", ledger.written),
            ("coalesced", ledger.coalesced),
            ("dropped", ledger.dropped),
            ("pending", ledger.pending),
        ] {
            figures
                .frames
                .with_label_values(&[fate])
                .set(i64::try_from(frames).unwrap_or(i64::MAX));
        }
        figures.imbalance.set(i64::try_from(ledger.imbalance).unwrap_or(i64::MAX));
        figures.messages_per_s.set(load.messages_per_s);
        figures.deliveries_per_s.set(load.deliveries_per_s);
        figures.cpu_s.set(load.cpu_s);
        let mut all = figures.registry.gather();
        for Counted { name, help, label, counts } in counted {
            // They are kept elsewhere: a counter made for this answer can't be added to twice.
            let family = IntCounterVec::new(Opts::new(*name, *help), &[label])?;
            for (of, count) in *counts {
                family.with_label_values(&[*of]).inc_by(*count);
            }
            all.extend(family.collect());
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&all, &mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Figures of others, which reach the text as [`Counted`].
    const COUNTED: [&str; 3] =
        ["hubbub_store_queries_total", "hubbub_bus_messages_total", "hubbub_bus_bytes_total"];

    #[test]
    fn the_dashboard_and_the_alerts_ask_for_figures_that_there_are() -> prometheus::Result<()> {
        let metrics = Metrics::new("0.0.0")?;
        metrics.request("GET", 200, Duration::from_millis(3));
        let text = metrics.text(&Load::default(), &Ledger::default(), &[])?;
        let text = String::from_utf8(text).unwrap_or_default();
        let known: BTreeSet<&str> =
            text.lines().filter_map(|line| line.split(['{', ' ']).next()).chain(COUNTED).collect();
        for page in [include_str!("../../docs/grafana.json"), include_str!("../../docs/alerts.yml")]
        {
            let words = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let asked: Vec<&str> = words.filter(|word| word.starts_with("hubbub_")).collect();
            assert!(asked.len() > 5, "{asked:?}");
            for name in asked {
                assert!(known.contains(name), "{name} is not among {known:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_text_has_every_figure_under_the_servers_name() -> prometheus::Result<()> {
        let metrics = Metrics::new("0.0.0")?;
        metrics.request("GET", 200, Duration::from_millis(3));
        metrics.request("BREW", 418, Duration::from_millis(3));
        let load = Load { sessions: 7, ..Load::default() };
        let ledger = Ledger { due: 3, written: 3, ..Ledger::default() };
        let queries = Counted {
            name: "hubbub_store_queries_total",
            help: "Queries.",
            label: "kind",
            counts: &[("history", 3), ("rooms", 0)],
        };
        let text = String::from_utf8(metrics.text(&load, &ledger, &[queries])?).unwrap_or_default();
        for line in [
            "hubbub_sessions 7",
            "hubbub_frames{fate=\"written\"} 3",
            "hubbub_ledger_imbalance 0",
            "hubbub_http_requests_total{method=\"GET\",status=\"200\"} 1",
            "hubbub_http_requests_total{method=\"other\",status=\"418\"} 1",
            "hubbub_store_queries_total{kind=\"history\"} 3",
            "hubbub_store_queries_total{kind=\"rooms\"} 0",
            "hubbub_build_info{version=\"0.0.0\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(text.lines().all(|line| line.starts_with("# ") || line.starts_with("hubbub_")));
        Ok(())
    }
}
