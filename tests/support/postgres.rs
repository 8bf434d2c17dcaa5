//! A PostgreSQL of the tests' own: one cluster a test process, one database a test, gone when
//! the process is, however it ends. Called by every test binary that runs on PostgreSQL
//! (`#[path]`-included). Must not touch a server that it did not start, nor turn `fsync` off.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

/// A running cluster. Its guard is a shell that reads a pipe which only this process holds: the
/// pipe's end is the process's end, after a panic or a `kill -9` too. (A parent-death signal
/// would not do: it follows the thread that started the child, and tests' threads end early.)
pub(super) struct Cluster {
    programs: PathBuf,
    port: u16,
    databases: AtomicU32,
    _guard: Mutex<Child>,
}

/// Makes an empty database in this process's cluster, which the first call starts.
///
/// # Panics
/// When there is no PostgreSQL on this machine or it does not start; the text says why.
pub fn fresh_database() -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start_in(&home())).fresh_database()
}

/// A directory for a cluster.
pub(super) fn home() -> PathBuf {
    let home = tempfile::Builder::new().prefix("hubbub-pg-").tempdir().expect("a directory");
    // The guard removes it: a destructor would not run after a kill.
    home.keep()
}

impl Cluster {
    /// Makes an empty database.
    pub(super) fn fresh_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("hubbub_{number}");
        let port = self.port.to_string();
        run(Command::new(self.programs.join("createdb")).args([
            "--host",
            "127.0.0.1",
            "--port",
            &port,
            "--username",
            "postgres",
            &name,
        ]));
        format!("postgres://postgres@127.0.0.1:{port}/{name}")
    }

    /// Starts one whose files lie there.
    pub(super) fn start_in(home: &Path) -> Self {
        let programs = programs();
        let guard = guard(home);
        run(Command::new("chmod").arg("755").arg(home));
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(home));
        }
        let data = home.join("data");
        run(as_postgres(&programs.join("initdb"))
            .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"])
            .args(["--locale=C", "--pgdata"])
            .arg(&data));
        let port = free_port();
        let settings = format!(
            "port={port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{home}'\n\
             fsync=on\nmax_connections=400\nshared_buffers=128MB\n",
            home = home.display()
        );
        std::fs::write(data.join("postgresql.auto.conf"), settings).expect("a file");
        go(home);
        Self { programs, port, databases: AtomicU32::new(0), _guard: Mutex::new(guard) }
    }
}

/// Starts the server whose files lie there.
pub(super) fn go(home: &Path) {
    run(as_postgres(&programs().join("pg_ctl"))
        .args(["start", "--wait", "--silent", "--timeout=60", "--pgdata"])
        .arg(home.join("data"))
        .arg("--log")
        .arg(home.join("log")));
}

/// Stops the server and removes `home` once this process has gone.
fn guard(home: &Path) -> Child {
    let script = "cat >/dev/null; cd \"$0/data\" && read pid <postmaster.pid && kill -QUIT \"$pid\" \
                  && while [ -e postmaster.pid ]; do sleep 0.1; done; rm -rf \"$0\"";
    Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh starts")
}

/// Where PostgreSQL's programs are: `PG_BIN`, or the newest that Debian's packages installed.
pub(super) fn programs() -> PathBuf {
    if let Some(path) = std::env::var_os("PG_BIN") {
        return PathBuf::from(path);
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is needed: apt install postgresql, or set PG_BIN to its programs")
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|path| path.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("no initdb below /usr/lib/postgresql: apt install postgresql")
}

/// A command that runs as `postgres` when the tests run as root, which initdb refuses.
pub(super) fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

/// Runs to its end. Output goes to a file-less null: a server that inherits a pipe keeps it open.
pub(super) fn run(command: &mut Command) {
    let errors = tempfile::tempfile().expect("a file");
    let status = command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors.try_clone().expect("a file"))
        .status();
    if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
        let mut said = String::new();
        let mut errors = errors;
        let _ = std::io::Seek::rewind(&mut errors);
        let _ = std::io::Read::read_to_string(&mut errors, &mut said);
        panic!("{command:?}: {status:?}: {said}");
    }
}
