//! How a server is to be started: which engine, which database, which settings. Tests get one
//! from the macros in `variants` and may add to it. Starts nothing itself but through [`Setup::start`].

use std::sync::Arc;

use tempfile::TempDir;

use super::{Proxy, Server, postgres};

/// The key that signs tokens in tests; known here, so that tests can forge every wrong kind.
pub const SECRET_KEY: &str = "a key for tests alone, 32 bytes or more of it";

/// Settings of one server.
#[derive(Clone, Debug)]
pub struct Setup {
    engine: &'static str,
    on_postgres: bool,
    env: Vec<(String, String)>,
    left_out: Vec<String>,
    wrapper: Vec<String>,
    dir: Arc<TempDir>,
}

impl Setup {
    fn new(engine: &'static str, on_postgres: bool) -> Self {
        let dir = tempfile::Builder::new().prefix("hubbub-api-").tempdir().expect("a directory");
        let (env, left_out, wrapper) = (Vec::new(), Vec::new(), Vec::new());
        Self { engine, on_postgres, env, left_out, wrapper, dir: Arc::new(dir) }
    }

    /// The direct engine on `SQLite`: what a server is by default.
    pub fn direct() -> Self {
        Self::new("direct", false)
    }

    /// The other engine, on `SQLite`.
    pub fn actix_web_actors() -> Self {
        Self::new("actix-web-actors", false)
    }

    /// The direct engine on a database of its own in `PostgreSQL`.
    pub fn on_postgres() -> Self {
        Self::new("direct", true)
    }

    /// For hundreds of clients in one test process: what ends a client that is slow to say its
    /// first words leaves them time, since here the machine is slow and not they.
    pub fn for_a_crowd(self) -> Self {
        self.env("HUBBUB__SESSION__AUTH_WITHIN_S", "120")
            .env("HUBBUB__SESSION__PING_INTERVAL_S", "60")
    }

    /// The same settings for another server, with a directory and a database of its own.
    pub fn of_its_own(&self) -> Self {
        let dir = Self::new(self.engine, self.on_postgres).dir;
        Self { dir, ..self.clone() }
    }

    /// Adds a setting; the last one of a name counts.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a setting away that tests otherwise make.
    pub fn without(mut self, name: &str) -> Self {
        self.left_out.push(name.to_owned());
        self
    }

    /// Runs the binary under another program, as `strace -o file`.
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// The directory of this server alone: database, log, working directory.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// The words to start the binary with: the wrapper's, then its own path.
    pub fn command_line(&self) -> Vec<String> {
        let mut words = self.wrapper.clone();
        words.push(env!("CARGO_BIN_EXE_hubbub").to_owned());
        words
    }

    /// The environment, complete: nothing of the caller's but `PATH` gets through.
    pub fn environment(&self) -> Vec<(String, String)> {
        let database = format!("sqlite://{}/hubbub.db", self.dir().display());
        let mut all: Vec<(String, String)> = [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("BIND", "127.0.0.1:0".to_owned()),
            ("DATABASE_URL", database),
            ("HUBBUB__SESSION__ENGINE", self.engine.to_owned()),
            ("RATE_LIMITS", "off".to_owned()),
            ("SECRET_KEY", SECRET_KEY.to_owned()),
            ("RUST_LOG", "info".to_owned()),
            // A machine that is busy with other tests may need more than the default's 5 s.
            ("HUBBUB__SERVER__HEAD_TIMEOUT_S", "60".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, value) in &self.env {
            all.retain(|(there, _)| there != name);
            all.push((name.clone(), value.clone()));
        }
        all.retain(|(name, _)| !self.left_out.contains(name));
        all
    }

    /// Starts it and waits until it listens.
    pub async fn start(mut self) -> Server {
        if self.on_postgres {
            self.on_postgres = false;
            let url = postgres::fresh_database();
            self = self.env("DATABASE_URL", &url);
        }
        Server::start(self).await
    }

    /// Starts it on `PostgreSQL`, with a proxy between the two; the database's own address comes
    /// last.
    pub async fn start_behind_a_proxy(self) -> (Server, Proxy, String) {
        let url = postgres::fresh_database();
        let (head, rest) = url.rsplit_once("127.0.0.1:").expect("a port");
        let (port, name) = rest.split_once('/').expect("a database");
        let proxy = Proxy::to(format!("127.0.0.1:{port}").parse().expect("an address")).await;
        let through = format!("{head}{}/{name}", proxy.addr());
        (self.env("DATABASE_URL", &through).start().await, proxy, url)
    }
}
