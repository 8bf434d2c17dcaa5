//! How far a load test is: bars where a person looks on, a plain line now and then where none does.
//! Writes to stderr; used by `load`.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::load::Step;

/// Between two plain lines.
const LINES: Duration = Duration::from_secs(5);

/// What is shown.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    phase: &'static str,
    last: Option<Instant>,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(8));
            let style = ProgressStyle::with_template("{prefix:>9} {wide_bar:.cyan} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { bar, phase: "", last: None }
    }

    pub(super) fn show(&mut self, step: Step) {
        let (phase, at, of, text) = match step {
            Step::Accounts(done, all) => {
                ("accounts", done as u64, all as u64, format!("{done} of {all} accounts"))
            }
            Step::Ramp(joined, all) => {
                ("ramp", joined, all, format!("{joined} of {all} sockets in"))
            }
            Step::Run(at, of, sent, deliveries, sessions, p99) => {
                let text = format!(
                    "{at:.0} of {of:.0} s, {sessions} in, {sent} sent, {deliveries} delivered, p99 {p99:.1} ms"
                );
                ("run", tenths(at), tenths(of), text)
            }
            Step::Settle => ("settle", 1, 1, "the last deliveries".to_owned()),
        };
        let is_new = phase != self.phase;
        self.phase = phase;
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(phase);
                bar.set_length(of.max(1));
                bar.set_position(at);
                bar.set_message(text);
            }
            None if is_new || self.last.is_none_or(|last| last.elapsed() >= LINES) => {
                self.last = Some(Instant::now());
                // Nobody reads it: the run goes on.
                let _ = writeln!(io::stderr(), "{phase}: {text}");
            }
            None => {}
        }
    }

    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a run")]
fn tenths(seconds: f64) -> u64 {
    (seconds * 10.0) as u64
}
