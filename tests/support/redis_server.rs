//! A Redis of the test's own on a free port, without a file, gone when the test is, however it
//! ends. Can be stopped, continued, killed and started again under the same port.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A running server. Its guard is a shell that reads a pipe which only this process holds: the
/// pipe's end is the process's end, after a `kill -9` too.
pub struct RedisServer {
    port: u16,
    arguments: Vec<String>,
    process: Child,
    guard: Child,
}

impl RedisServer {
    /// Starts one, and waits until it takes connections.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same with more arguments; `PORT` in them is the port, `--tls-port PORT` leaves no other.
    pub fn with(more: &[&str]) -> Self {
        let port = free_port();
        let plain = if more.contains(&"--tls-port") { "0".into() } else { port.to_string() };
        let fixed = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &plain];
        let arguments: Vec<String> = fixed
            .iter()
            .chain(more)
            .map(|argument| if *argument == "PORT" { port.to_string() } else { (*argument).into() })
            .collect();
        let (process, guard) = spawn(&arguments);
        Self { port, arguments, process, guard }
    }

    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What `redis-cli` says to this.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let done = Command::new("redis-cli")
            .args(["-p", &port])
            .args(arguments)
            .output()
            .expect("redis-cli runs");
        String::from_utf8(done.stdout).expect("UTF-8").trim().to_owned()
    }

    /// SIGSTOP: connections stay, nothing answers.
    pub fn stop(&self) {
        signal("-STOP", &self.process);
    }

    /// SIGCONT.
    pub fn go_on(&self) {
        signal("-CONT", &self.process);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().expect("it is there");
        self.process.wait().expect("it ends");
    }

    /// After [`RedisServer::kill`]: another one, which knows nothing, under the same port.
    pub fn start_again(&mut self) {
        end(&mut self.guard);
        (self.process, self.guard) = spawn(&self.arguments);
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        end(&mut self.guard);
    }
}

fn spawn(arguments: &[String]) -> (Child, Child) {
    let mut process = Command::new("redis-server")
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("redis-server is needed: apt install redis-server");
    let guard = Command::new("sh")
        .args(["-c", "cat >/dev/null; kill -KILL \"$0\"", &process.id().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh starts");
    let said = BufReader::new(process.stdout.take().expect("its stdout"));
    let mut lines = said.lines().map(|line| line.expect("UTF-8"));
    let ready = lines.any(|line| line.contains("Ready to accept connections"));
    assert!(ready, "redis-server did not start: {arguments:?}");
    // It says little from now on, and nobody listens: it does not mind.
    (process, guard)
}

/// The guard must not outlive its server: another process may get that id.
fn end(guard: &mut Child) {
    let _ = guard.kill();
    let _ = guard.wait();
}

fn signal(name: &str, process: &Child) {
    let done = Command::new("kill").args([name, &process.id().to_string()]).status();
    assert!(done.is_ok_and(|status| status.success()), "kill {name}");
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}
