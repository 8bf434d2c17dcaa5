//! `hubbub load`: flags become a scenario, the run is shown while it goes on, and its report is
//! printed, written and judged. Reads no settings of the server.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use signal_hook::consts::SIGINT;
use signal_hook::flag;

use super::progress::Progress;
use crate::load::expect::{self, Condition, Outcome};
use crate::load::fault::Fault;
use crate::load::scenario::{Dialect, Rate, Scenario};
use crate::load::span::Span;
use crate::load::{self, Report, page, table};

/// Longest scenario file, bytes.
const FILE_MAX: u64 = 1 << 20;
/// The status when an expectation was not kept.
const NOT_KEPT: u8 = 3;
/// The status of whoever is ended by Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// Flags; each wins over the same field of the scenario file.
#[derive(Args, Debug, Default)]
pub(super) struct Flags {
    /// Servers to go to, in turn [default: `ws://127.0.0.1:8000`]
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// A TOML file with the scenario; flags win over it
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Path of a room's socket [default: /ws/chat/{room}/]
    #[arg(long)]
    path: Option<String>,
    /// What the sockets speak: guest, token (any server of the plain contract), native
    #[arg(long)]
    dialect: Option<Dialect>,
    /// Rooms [default: 1]
    #[arg(long)]
    rooms: Option<usize>,
    /// Sockets in each room [default: 10]
    #[arg(long)]
    members: Option<usize>,
    /// How many of a room's sockets send [default: 1]
    #[arg(long)]
    senders: Option<usize>,
    /// What the rooms' names begin with [default: one of the run's own]
    #[arg(long, value_name = "NAME")]
    room_prefix: Option<String>,
    /// Messages a second in all, or max: each sender as fast as its messages come back [default: 10]
    #[arg(long)]
    rate: Option<Rate>,
    /// With --rate max: messages of one sender under way [default: 1]
    #[arg(long, value_name = "N")]
    in_flight: Option<usize>,
    /// Bytes of a message's text [default: 128]
    #[arg(long, value_name = "BYTES")]
    payload: Option<usize>,
    /// Time over which the sockets come; 0s: all at once [default: 0s]
    #[arg(long, value_name = "TIME")]
    ramp_up: Option<Span>,
    /// How long messages are sent [default: 10s]
    #[arg(long, value_name = "TIME")]
    duration: Option<Span>,
    /// How long the last deliveries are waited for [default: 5s]
    #[arg(long, value_name = "TIME")]
    settle: Option<Span>,
    /// From how much on a message counts as sent late [default: 10ms]
    #[arg(long, value_name = "TIME")]
    late: Option<Span>,
    /// Access tokens, one a line, as `hubbub user tokens --count N` prints them
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Accounts to make over REST; sockets share them in turn
    #[arg(long, value_name = "N")]
    accounts: Option<usize>,
    /// Addresses to connect from, in turn (each has some 28,000 ports)
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    sources: Vec<IpAddr>,
    /// Threads, each with its own rooms [default: 1]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// A socket that the server closes stays closed
    #[arg(long)]
    no_reconnect: bool,
    /// What goes wrong on purpose: stalled,sessions=10,at=2s,lasts=3s · killed,sessions=5,at=1s ·
    /// storm,at=5s · burst,at=3s,messages=500 · slow-joiners,sessions=9,lasts=2s ·
    /// expiring,sessions=9
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Fault>,
    /// What must hold, else the status is 3: p99<50ms,reach=1,gaps=0
    #[arg(long, value_name = "CONDITIONS")]
    expect: Option<String>,
    /// An admin's access token: the server's own CPU, memory and fan-out times are asked for
    #[arg(long, value_name = "TOKEN", env = "HUBBUB_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// The server's process on this machine: the system is asked for its CPU and memory
    #[arg(long = "pid", value_name = "PID")]
    pids: Vec<u32>,
    /// Prints the report as JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Writes the report as one page with plots
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Why nothing was measured: the status, and what to do.
struct Failed(u8, String);

/// Runs it.
pub(super) fn run(flags: Flags) -> ExitCode {
    match carry_out(flags) {
        Ok(status) => status,
        Err(Failed(status, why)) => super::failed(&why, status),
    }
}

/// From Ctrl-C on it is true; the second one ends the process.
fn interrupted() -> std::io::Result<Arc<AtomicBool>> {
    let cut = Arc::new(AtomicBool::new(false));
    flag::register_conditional_default(SIGINT, Arc::clone(&cut))?;
    flag::register(SIGINT, Arc::clone(&cut))?;
    Ok(cut)
}

/// Runs, tells, and answers what became of it: a run that was cut short proves nothing, so that its
/// status is never that of a success.
fn carry_out(flags: Flags) -> Result<ExitCode, Failed> {
    let (json, page_at) = (flags.json, flags.report.clone());
    let server = load::Server { admin: flags.admin_token.clone(), pids: flags.pids.clone() };
    let scenario = scenario(flags).map_err(|why| Failed(2, why))?;
    let conditions = match &scenario.expect {
        Some(text) => expect::read(text).map_err(|why| Failed(2, why))?,
        None => Vec::new(),
    };
    let cut = interrupted().map_err(|why| Failed(1, why.to_string()))?;
    let mut progress = Progress::new();
    let report = load::run(scenario, &server, &cut, &mut |step| progress.show(step));
    progress.end();
    let report = report.map_err(|why| Failed(1, why))?;
    let outcomes: Vec<Outcome> =
        conditions.iter().map(|condition: &Condition| condition.of(&report)).collect();
    if let Some(path) = page_at {
        let page = page::html(&report, &outcomes);
        fs::write(&path, page).map_err(|why| {
            Failed(1, format!("the report {} could not be written: {why}", path.display()))
        })?;
    }
    let text = if json { as_json(&report, &outcomes) } else { table::text(&report, &outcomes) };
    super::say(text.trim_end()).map_err(|why| Failed(1, why.to_string()))?;
    Ok(if report.cut_s.is_some() {
        ExitCode::from(INTERRUPTED)
    } else if outcomes.iter().all(|outcome| outcome.held) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_KEPT)
    })
}

fn as_json(report: &Report, outcomes: &[Outcome]) -> String {
    let mut value = serde_json::to_value(report).unwrap_or_default();
    value["expectations"] = serde_json::to_value(outcomes).unwrap_or_default();
    format!("{value:#}")
}

/// A flag that was given wins.
fn lay<T>(over: &mut T, flag: Option<T>) {
    if let Some(flag) = flag {
        *over = flag;
    }
}

/// The file's scenario with the flags laid over it, seen to make sense.
fn scenario(flags: Flags) -> Result<Scenario, String> {
    let mut scenario = match &flags.scenario {
        Some(path) => {
            let name = path.display();
            let failed = |why: std::io::Error| format!("the scenario {name} can't be read: {why}");
            if fs::metadata(path).map_err(failed)?.len() > FILE_MAX {
                return Err(format!("the scenario {name} is longer than {FILE_MAX} bytes"));
            }
            let text = fs::read_to_string(path).map_err(failed)?;
            Scenario::from_toml(&text).map_err(|why| format!("the scenario {name}: {why}"))?
        }
        None => Scenario::default(),
    };
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    lay(&mut scenario.urls, some(flags.urls));
    lay(&mut scenario.path, flags.path);
    lay(&mut scenario.dialect, flags.dialect);
    lay(&mut scenario.rooms, flags.rooms);
    lay(&mut scenario.members, flags.members);
    lay(&mut scenario.senders, flags.senders);
    lay(&mut scenario.room_prefix, flags.room_prefix.map(Some));
    lay(&mut scenario.rate, flags.rate);
    lay(&mut scenario.in_flight, flags.in_flight);
    lay(&mut scenario.payload, flags.payload);
    lay(&mut scenario.ramp_up, flags.ramp_up);
    lay(&mut scenario.duration, flags.duration);
    lay(&mut scenario.settle, flags.settle);
    lay(&mut scenario.late, flags.late);
    lay(&mut scenario.tokens, flags.tokens.map(Some));
    lay(&mut scenario.accounts, flags.accounts);
    lay(&mut scenario.threads, flags.threads);
    lay(&mut scenario.expect, flags.expect.map(Some));
    scenario.reconnect &= !flags.no_reconnect;
    scenario.faults.extend(flags.faults);
    if !flags.sources.is_empty() {
        scenario.sources = flags.sources;
    }
    scenario.check()?;
    Ok(scenario)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file() {
        let folder = std::env::temp_dir().join(format!("hubbub-load-{}", std::process::id()));
        fs::write(&folder, "rooms = 3\nmembers = 7\n").expect("a file");
        let flags = Flags { scenario: Some(folder.clone()), members: Some(9), ..Flags::default() };
        let scenario = scenario(flags).expect("right");
        fs::remove_file(&folder).expect("it is there");
        assert_eq!((scenario.rooms, scenario.members), (3, 9));
    }
}
