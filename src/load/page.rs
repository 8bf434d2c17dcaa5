//! A run's report as one page that needs nothing else: no script, no font, no address. Pure.
//! `cli/load` writes it where `--report` says.

use std::fmt::Write;

use super::expect::Outcome;
use super::plots;
use super::report::Report;
use super::table::{self, grouped, short, whole};
use super::tally::float;

const STYLE: &str = "
:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;color:#0f172a;background:#f8fafc;margin:0}
main{max-width:1080px;margin:0 auto;padding:28px 24px 40px}
h1{font-size:22px;margin:0 0 2px}h2{font-size:14px;margin:0 0 8px;color:#334155;font-weight:600}
p.what{margin:0 0 20px;color:#475569}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(215px,1fr));gap:12px;margin:0 0 16px}
.card{background:#fff;border:1px solid #e2e8f0;border-radius:10px;padding:14px 16px}
.tile b{display:block;font-size:23px;font-weight:650;font-variant-numeric:tabular-nums;letter-spacing:-.01em}
.tile span{color:#64748b;font-size:13px}
.bad b,.bad{color:#b91c1c}.good{color:#15803d}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:16px;margin:0 0 16px}
.key{margin-left:10px;font-weight:500}
.wide{margin:0 0 16px;overflow-x:auto}
svg{width:100%;height:auto;display:block}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}
th{text-align:right;color:#64748b;font-weight:500;padding:3px 10px}
td{text-align:right;padding:4px 10px;border-top:1px solid #f1f5f9}
th:first-child,td:first-child{text-align:left;padding-left:0}
table.pairs td{text-align:left}table.pairs td:first-child{color:#64748b;width:11em;vertical-align:top}
.careful{background:#fef3c7;border-color:#fcd34d;margin:0 0 16px}
footer{color:#94a3b8;font-size:13px}
@media print{body{background:#fff}}
";

/// The plot of several lines, with their names in their colours.
const OVER_TIME: &str = "Send → delivery, over time <span class=\"key\" style=\"color:#2563eb\">p50</span>\
    <span class=\"key\" style=\"color:#dc2626\">p99</span>\
    <span class=\"key\" style=\"color:#94a3b8\">max</span>";

/// The page.
#[must_use]
pub fn html(report: &Report, outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    let _ = page(report, outcomes, &mut out);
    out
}

/// Text that stands for itself in HTML.
fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

fn page(report: &Report, outcomes: &[Outcome], out: &mut String) -> std::fmt::Result {
    let layout = safe(&table::layout(report));
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>Load test: {layout}</title><style>{STYLE}</style></head><body><main>\n\
         <h1>Load test</h1><p class=\"what\">{layout} · {} · {}</p>\n",
        safe(&report.scenario.urls.join(", ")),
        safe(report.at.split('.').next().unwrap_or_default())
    )?;
    tiles(report, out)?;
    expectations(outcomes, out)?;
    if !report.tester.bottleneck.is_empty() {
        let why = safe(&report.tester.bottleneck.join("; "));
        writeln!(
            out,
            "<div class=\"card careful\">The tester may be what was measured: {why}.</div>"
        )?;
    }
    times(report, out)?;
    writeln!(out, "<div class=\"grid\">")?;
    for (name, plot) in [
        ("Send → delivery, by percentile", plots::by_percentile(report)),
        (OVER_TIME, plots::over_time(report)),
        ("Deliveries a second", plots::rate(report)),
        ("Sockets in their rooms", plots::sessions(report)),
    ] {
        writeln!(out, "<div class=\"card\"><h2>{name}</h2>{plot}</div>")?;
    }
    writeln!(out, "</div>")?;
    rest(report, out)?;
    writeln!(
        out,
        "<footer>hubbub load {}. Latencies count from when a message was due, not from when it \
         was sent.</footer></main></body></html>",
        report.version
    )
}

fn tiles(report: &Report, out: &mut String) -> std::fmt::Result {
    let verdict = &report.verdict;
    let wrong = verdict.gaps + verdict.doubles + verdict.disorders + report.strange;
    let mut tiles = vec![
        (milliseconds(report.delivery_ms.p50), "p50, send → delivery", false),
        (milliseconds(report.delivery_ms.p99), "p99", false),
        (grouped(whole(report.deliveries_per_s)), "deliveries/s", false),
        (reach(report.reach), "reach", verdict.gaps > 0),
        (grouped(wrong), "gaps, doubles, out of order", wrong > 0),
        (grouped(report.joined), "sockets", report.joined < report.scenario.sessions() as u64),
    ];
    if let Some(server) = &report.server {
        let cpu = format!("{:.2} µs", server.cpu_per_delivery_us);
        tiles.push((cpu, "server CPU a delivery", false));
        let memory = format!("{:.2} KiB", server.rss_per_session_bytes / 1024.0);
        tiles.push((memory, "server memory a socket", false));
    }
    write!(out, "<div class=\"tiles\">")?;
    for (value, name, bad) in tiles {
        let bad = if bad { " bad" } else { "" };
        write!(out, "<div class=\"card tile{bad}\"><b>{value}</b><span>{name}</span></div>")?;
    }
    writeln!(out, "</div>")
}

/// Three digits, where there are as many.
fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 9.995 => format!("{ms:.2} ms"),
        ms if ms < 99.95 => format!("{ms:.1} ms"),
        ms => format!("{ms:.0} ms"),
    }
}

/// 100 % only when nothing is missing.
fn reach(reach: f64) -> String {
    if reach >= 1.0 { "100 %".to_owned() } else { format!("{:.4} %", (reach * 1e6).floor() / 1e4) }
}

fn expectations(outcomes: &[Outcome], out: &mut String) -> std::fmt::Result {
    if outcomes.is_empty() {
        return Ok(());
    }
    write!(out, "<div class=\"card wide\"><h2>Expected</h2><table>")?;
    for outcome in outcomes {
        let (class, word) = if outcome.held { ("good", "kept") } else { ("bad", "not kept") };
        write!(
            out,
            "<tr><td>{}</td><td>was {}</td><td class=\"{class}\">{word}</td></tr>",
            safe(&outcome.condition),
            short(outcome.was)
        )?;
    }
    writeln!(out, "</table></div>")
}

fn times(report: &Report, out: &mut String) -> std::fmt::Result {
    write!(
        out,
        "<div class=\"card wide\"><table><tr><th>milliseconds</th><th>count</th><th>p50</th>\
         <th>p90</th><th>p99</th><th>p99.9</th><th>max</th></tr>"
    )?;
    for (name, times) in table::rows(report) {
        write!(out, "<tr><td>{name}</td><td>{}</td>", grouped(times.count))?;
        for value in [times.p50, times.p90, times.p99, times.p999, times.max] {
            write!(out, "<td>{value:.2}</td>")?;
        }
        write!(out, "</tr>")?;
    }
    writeln!(out, "</table></div>")
}

fn rest(report: &Report, out: &mut String) -> std::fmt::Result {
    let verdict = &report.verdict;
    let codes = |(code, count): (&u16, &u64)| format!("{code} × {}", grouped(*count));
    let closes: Vec<String> = report.closes.iter().map(codes).collect();
    let refusals: Vec<String> = report.refusals.iter().map(codes).collect();
    let errors: Vec<String> =
        report.errors.iter().map(|(word, count)| format!("{word} × {}", grouped(*count))).collect();
    let list = |words: Vec<String>| if words.is_empty() { "none".into() } else { words.join(", ") };
    let faults: Vec<String> = report
        .scenario
        .faults
        .iter()
        .map(|fault| format!("{:?} at {}", fault.kind, fault.at))
        .collect();
    let mib = |bytes: u64| float(bytes) / 1_048_576.0;
    let mut pairs = vec![
        (
            "sent",
            format!(
                "{} messages, {:.1}/s; {} late, {} left out while their sender was away",
                grouped(report.sent),
                report.sent_per_s,
                grouped(report.late),
                grouped(report.skipped)
            ),
        ),
        (
            "delivered",
            format!("{} of {} expected", grouped(verdict.received), grouped(verdict.expected)),
        ),
        (
            "wrong",
            format!(
                "{} gaps, {} doubles, {} out of order, {} strange, {} jumps of seq",
                grouped(verdict.gaps),
                grouped(verdict.doubles),
                grouped(verdict.disorders),
                grouped(report.strange),
                grouped(report.seq_jumps)
            ),
        ),
        (
            "bytes",
            format!("{:.1} MiB in, {:.1} MiB out", mib(report.bytes_in), mib(report.bytes_out)),
        ),
        (
            "sockets",
            format!(
                "{} in at the end, {} came back, {} connections failed, {} times lag",
                grouped(report.sessions),
                grouped(report.reconnects),
                grouped(report.failed),
                grouped(report.lags)
            ),
        ),
        ("closed by the server", list(closes)),
        ("upgrades refused", list(refusals)),
        ("messages refused", list(errors)),
        ("faults", list(faults)),
        (
            "tester",
            format!(
                "{:.0} % of a core, {:.2} µs a delivery, waited for a core {:.1} % of the time",
                report.tester.cpu_share * 100.0,
                report.tester.cpu_per_delivery_us,
                report.tester.waited_share * 100.0
            ),
        ),
    ];
    if let Some(server) = &report.server {
        let mut text = format!(
            "{:.2} s CPU, {:.1} µs a join; {:.1} MiB empty, {:.1} MiB with all in, {:.1} MiB after",
            server.cpu_s,
            server.cpu_per_join_us,
            mib(server.rss_empty_bytes),
            mib(server.rss_joined_bytes),
            mib(server.rss_after_bytes)
        );
        for (name, times) in [("fan-out", server.fanout_ms), ("store", server.store_ms)] {
            if let Some(times) = times {
                let _ = write!(text, "; {name} p50 {:.2} ms, p99 {:.2} ms", times.p50, times.p99);
            }
        }
        pairs.push(("server", text));
    }
    write!(out, "<div class=\"card wide\"><table class=\"pairs\">")?;
    for (name, text) in pairs {
        write!(out, "<tr><td>{name}</td><td>{}</td></tr>", safe(&text))?;
    }
    writeln!(out, "</table></div>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_is_never_rounded_up_and_text_is_text() {
        assert_eq!([5.0, 12.34, 1_070.1].map(milliseconds), ["5.00 ms", "12.3 ms", "1070 ms"]);
        assert_eq!(reach(1.0), "100 %");
        assert_eq!(reach(0.999_999_99), "99.9999 %");
        assert_eq!(safe("<b a=\"&\">"), "&lt;b a=&quot;&amp;&quot;&gt;");
    }
}
