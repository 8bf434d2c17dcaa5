//! The log: one line an event on stderr. Set up once by `cli`; everybody else calls the macros of
//! the `log` crate. Never holds a query string, a token or a message's text.

use std::fmt::Write as _;
use std::io::Write as _;
use std::panic;

use env_logger::{Builder, Target};
use log::kv::{Key, Value, VisitSource};
use log::{LevelFilter, Record};

use super::line;
use crate::domain::clock;

/// Starts the log with levels by module, as `RUST_LOG` has them. A second call does nothing.
/// A panic becomes a line of its own, too.
pub fn init(filter: &str) {
    let started = Builder::new()
        // It says at each start that there is nothing to do.
        .filter_module("sea_orm_migration", LevelFilter::Warn)
        .parse_filters(filter)
        // Statements would be a second log, in a form that nobody reads.
        .filter_module("sqlx::query", LevelFilter::Off)
        .target(Target::Stderr)
        .format(|out, record| writeln!(out, "{}", text(record)))
        .try_init();
    if started.is_ok() {
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let why = panic.payload_as_str().unwrap_or("no text");
            log::error!("panic at {place}: {why}");
        }));
    }
}

/// A record as a line, without its end.
fn text(record: &Record<'_>) -> String {
    let mut said = record.args().to_string();
    let _ = record.key_values().visit(&mut Pairs(&mut said));
    format!("{} {:<5} {} {}", clock::now(), record.level(), record.target(), line::harmless(&said))
}

/// Adds ` key=value` for each of a record's pairs.
struct Pairs<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        write!(self.0, " {key}={value}").map_err(log::kv::Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_with_its_pairs() {
        let record = Record::builder()
            .args(format_args!("refused\n/x?token=hush"))
            .level(log::Level::Warn)
            .target("hubbub::http")
            .key_values(&[("status", 403)])
            .build();
        let line = text(&record);
        assert!(line.ends_with("Z WARN  hubbub::http refused\\n/x?… status=403"), "{line}");
    }
}
