//! The real binary as a process: started on a free port, killed when dropped, its log shown when
//! the test that holds it fails. Made by `Setup::start`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::socket::Door;
use super::{Account, Api, RawSocket, Setup};

/// What a start may take, migrations of a cold machine included.
const START: Duration = Duration::from_mins(1);
/// What an end may take: CONTRACT section 6 says 30 s.
const END: Duration = Duration::from_secs(35);

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    addr: SocketAddr,
    setup: Setup,
}

impl Server {
    /// Starts the binary; panics with its log when it does not come to listen.
    pub async fn start(setup: Setup) -> Self {
        let log = log_of(&setup);
        let words = setup.command_line();
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .envs(setup.environment())
            .current_dir(setup.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(append(&log))
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let (ready, listening) = oneshot::channel();
        let mut ready = Some(ready);
        let mut copy = append(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = writeln!(copy, "{line}");
                if let (Some(addr), Some(ready)) = (address_in(&line), ready.take()) {
                    let _ = ready.send(addr);
                }
            }
        });
        let Ok(Ok(addr)) = timeout(START, listening).await else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the server did not come to listen:\n{}", read(&log));
        };
        Self { child, addr, setup }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, its own origin.
    pub fn origin(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Processor time that it has used, in the system's ticks (100 a second).
    pub fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // After the name in brackets the fields count from the state, the third.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Memory that it occupies, in bytes.
    pub fn rss(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that it has occupied at any time, in bytes.
    pub fn peak_rss(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// How often its store was asked for things of this kind.
    pub async fn queries(&self, kind: &str) -> u64 {
        self.metric(&format!("hubbub_store_queries_total{{kind=\"{kind}\"}}")).await
    }

    /// Messages between nodes that it counts to this fate.
    pub async fn bus_messages(&self, fate: &str) -> u64 {
        self.metric(&format!("hubbub_bus_messages_total{{fate=\"{fate}\"}}")).await
    }

    /// A whole number of `/metrics`, by its name and labels.
    pub async fn metric(&self, name: &str) -> u64 {
        let text = self.api().get("/metrics").await.text;
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{name} in {text}")).parse().expect("a count")
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A client without a credential.
    pub fn api(&self) -> Api {
        Api::new(&self.origin())
    }

    /// A new account of this name, signed in.
    pub async fn account(&self, username: &str) -> Account {
        Account::new(&self.api(), username).await
    }

    /// A socket to be opened at this path, which is given as it goes over the wire.
    pub fn door(&self, path: &str) -> Door {
        Door::new(self.addr, path)
    }

    /// A socket to be opened in this room.
    pub fn room(&self, name: &str) -> Door {
        self.door(&format!("/ws/chat/{name}/"))
    }

    /// A socket whose every byte the test writes itself, as a guest in this room.
    pub async fn raw(&self, room: &str) -> RawSocket {
        RawSocket::open(self.addr, &format!("/ws/chat/{room}/")).await
    }

    /// What it has logged until now.
    pub fn log(&self) -> String {
        read(&log_of(&self.setup))
    }

    /// Runs another subcommand of the binary with the same settings.
    pub async fn run(&self, args: &[&str], stdin: &str) -> Output {
        run(&self.setup, args, stdin).await
    }

    /// Asks it to end, and waits for that.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.pid())])
            .status()
            .expect("sh is there");
        assert!(sent.success(), "the process is gone already");
    }

    /// Waits until the process has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let wait = async {
            loop {
                if let Some(status) = self.child.try_wait().expect("a child of ours") {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(END, wait).await.expect("the server ends within its time")
    }

    /// Ends it as a power cut would, as far as the process is concerned.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it anew on the same database, killing it first if it still runs.
    pub async fn restart(mut self) -> Self {
        self.kill9();
        Self::start(self.setup.clone()).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        self.kill9();
        if std::thread::panicking() {
            let log = self.log();
            let from = log.char_indices().rev().nth(6_000).map_or(0, |(at, _)| at);
            let ended = ended.map_or_else(String::new, |how| format!(" (it had ended: {how})"));
            eprintln!("---- log of the server{ended}\n{}----", &log[from..]);
        }
    }
}

/// Runs a subcommand in the environment that a server of this set-up would get.
pub async fn run(setup: &Setup, args: &[&str], stdin: &str) -> Output {
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_hubbub"))
        .args(args)
        .env_clear()
        .envs(setup.environment())
        .current_dir(setup.dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary starts");
    let mut input = child.stdin.take().expect("stdin is piped");
    // A command that reads nothing may have closed its end already.
    let _ = input.write_all(stdin.as_bytes()).await;
    drop(input);
    let done = timeout(START, child.wait_with_output()).await;
    done.unwrap_or_else(|_| panic!("{args:?} does not end")).expect("its output")
}

fn address_in(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("hubbub listens on http://")?.strip_suffix('/')?.parse().ok()
}

fn log_of(setup: &Setup) -> PathBuf {
    setup.dir().join("log")
}

fn append(path: &PathBuf) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("a log file")
}

fn read(path: &PathBuf) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
