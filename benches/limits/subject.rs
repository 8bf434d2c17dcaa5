//! What is measured: the two floors and the server, each a process of its own, driven by
//! `hubbub load`. Started and ended row by row, so that no row pays for the one before.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::floor;
use crate::rows::Row;

const HUBBUB: &str = env!("CARGO_BIN_EXE_hubbub");

/// A process that uses no CPU for so long has made itself ready.
const RESTS_FOR: Duration = Duration::from_millis(500);
/// So many looks.
const RESTS_WITHIN: usize = 60;

/// What the command line asks for.
pub struct Options {
    /// Length of a row.
    pub seconds: u32,
    /// The server's engine.
    pub engine: String,
    /// What the sockets speak to the server; to the floors always as guests.
    pub dialect: String,
    rows: Vec<String>,
}

impl Options {
    /// Reads it.
    pub fn read(words: &[String]) -> Result<Self, String> {
        let mut options = Self {
            seconds: 10,
            engine: "direct".to_owned(),
            dialect: "guest".to_owned(),
            rows: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--seconds" => {
                    options.seconds = value()?.parse().map_err(|_| "--seconds takes a number")?;
                }
                "--engine" => options.engine = value()?,
                "--dialect" => options.dialect = value()?,
                name if name.starts_with("--") => return Err(format!("{name} is unknown")),
                name => options.rows.push(name.to_owned()),
            }
        }
        Ok(options)
    }

    /// Whether this row is asked for: by its name, or the first word of it.
    pub fn wants(&self, name: &str) -> bool {
        self.rows.is_empty()
            || self.rows.iter().any(|row| name == row || name.starts_with(&format!("{row}-")))
    }
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Plain,
    Durable,
    Server,
}

impl Subject {
    /// In the order of the table.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Durable, Self::Server];

    /// As the table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "floor a",
            Self::Durable => "floor b",
            Self::Server => "hubbub",
        }
    }
}

/// What came of it.
pub struct Driven {
    /// Who it was.
    pub subject: Subject,
    /// The load tester's report.
    pub report: Value,
}

impl Driven {
    /// What makes the figures doubtful.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        for wrong in ["gaps", "doubles", "disorders", "strange", "failed"] {
            if self.report[wrong].as_u64() != Some(0) {
                doubts.push(format!("{wrong}: {}", self.report[wrong]));
            }
        }
        let slow = self.report["tester"]["bottleneck"].as_array();
        let words = slow.into_iter().flatten().filter_map(Value::as_str);
        doubts.extend(words.map(|why| format!("the tester: {why}")));
        doubts
    }
}

/// The process that is this program again, as one of the floors.
pub fn be_the_floor(mode: &str) -> ExitCode {
    let file = (mode != "plain").then(|| std::fs::File::create(mode).expect("the floor's file"));
    match floor::serve(file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("the floor: {why}");
            ExitCode::FAILURE
        }
    }
}

/// A process that ends with its holder.
struct Running {
    child: Child,
    url: String,
    _place: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(subject: Subject, options: &Options) -> Running {
    // Beside the build, not in memory: `fdatasync` is to mean something.
    let place = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut command = if subject == Subject::Server {
        let mut command = Command::new(HUBBUB);
        command.env_clear().envs([
            ("BIND", "127.0.0.1:0"),
            ("RATE_LIMITS", "off"),
            ("RUST_LOG", "warn"),
            ("HUBBUB__SESSION__ENGINE", options.engine.as_str()),
        ]);
        command
    } else {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let file = place.path().join("messages").display().to_string();
        let mode = if subject == Subject::Durable { file } else { "plain".to_owned() };
        command.arg(format!("--floor={mode}"));
        command
    };
    let mut child = command
        .current_dir(place.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
    let listens = lines.map_while(Result::ok).find_map(|line| {
        let (_, at) = line.split_once("listens on ")?;
        Some(at.trim_start_matches("http://").trim_end_matches('/').to_owned())
    });
    let url = format!("ws://{}", listens.expect("it says where it listens"));
    let running = Running { child, url, _place: place };
    rest(running.child.id());
    running
}

/// Waits until a process that has started does nothing: what it makes ready after it listens is
/// not of the sockets that come.
#[expect(clippy::disallowed_methods, reason = "another process rests; nothing waits here")]
fn rest(pid: u32) {
    let stat = format!("/proc/{pid}/stat");
    // Its 14th and 15th field: ticks of CPU as a user and as the system; the 2nd is its name.
    let ticks = || -> Vec<u64> {
        let stat = std::fs::read_to_string(&stat).expect("it runs");
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        fields.split_whitespace().skip(11).take(2).map(|n| n.parse().expect("ticks")).collect()
    };
    let mut before = ticks();
    for _ in 0..RESTS_WITHIN {
        std::thread::sleep(RESTS_FOR);
        let now = ticks();
        if std::mem::replace(&mut before, now.clone()) == now {
            return;
        }
    }
    panic!("it never rests");
}

fn load(running: &Running, flags: &str) -> Command {
    let mut command = Command::new(HUBBUB);
    command.args(["load", &running.url, "--json"]).args(flags.split_whitespace());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Measures one row of one of them.
pub fn drive(subject: Subject, row: &Row, options: &Options) -> Driven {
    let running = start(subject, options);
    let mut flags = format!("{} --pid {}", row.flags, running.child.id());
    if !row.flags.contains("--duration") {
        flags.extend([" --duration ", &options.seconds.to_string(), "s"]);
    }
    if subject == Subject::Server {
        flags.extend([" --dialect ", &options.dialect]);
    }
    let holder = (row.live_rooms > 0).then(|| {
        flags.push_str(" --room-prefix live");
        hold(&running, row.live_rooms)
    });
    let done = load(&running, &flags).output().expect("the load tester");
    if let Some(mut holder) = holder {
        let _ = holder.kill();
        let _ = holder.wait();
    }
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{} {}: {said}", subject.name(), row.name);
    Driven { subject, report: serde_json::from_slice(&done.stdout).expect("a report") }
}

/// Rooms that live while others come: one socket in each.
fn hold(running: &Running, rooms: usize) -> Child {
    let flags = format!(
        "--rooms {rooms} --members 1 --senders 0 --rate 0 --duration 1h --room-prefix live"
    );
    let mut holder = load(running, &flags).spawn().expect("the load tester");
    let lines = BufReader::new(holder.stderr.take().expect("its stderr")).lines();
    // All are in when the run itself begins.
    let begun = lines.map_while(Result::ok).any(|line| line.starts_with("run: "));
    assert!(begun, "the rooms could not be held");
    holder
}
