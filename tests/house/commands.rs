//! The commands of the binary, run as an operator runs them: in an empty folder, with nothing in
//! the environment but what a test sets.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder of its own to run commands in.
struct Place(TempDir);

/// What a command did.
struct Done {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder for the test"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, line: &str) -> Done {
        self.run_with(line, &[], "")
    }

    fn run_with(&self, line: &str, environment: &[(&str, &str)], input: &str) -> Done {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hubbub"))
            .args(line.split_whitespace())
            .env_clear()
            .envs(environment.iter().copied())
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let mut stdin = child.stdin.take().expect("its stdin");
        stdin.write_all(input.as_bytes()).expect("the input");
        drop(stdin);
        let Output { status, stdout, stderr } = child.wait_with_output().expect("its output");
        Done {
            status: status.code(),
            out: String::from_utf8(stdout).expect("UTF-8"),
            err: String::from_utf8(stderr).expect("UTF-8"),
        }
    }

    fn create(&self, flags: &str) -> Done {
        let line = format!("user create {flags} --password-stdin");
        self.run_with(&line, &[], "down the rabbit hole\n")
    }
}

impl Done {
    /// What it said, when it went well.
    fn ok(self) -> String {
        assert_eq!(self.status, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// The one line that it ended with, when it did not.
    fn refused(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{}{}", self.out, self.err);
        assert!(self.out.is_empty(), "{}", self.out);
        let lines: Vec<&str> = self.err.lines().filter(|l| l.starts_with("hubbub: ")).collect();
        assert_eq!(lines.len(), 1, "{}", self.err);
        lines[0].to_owned()
    }
}

#[test]
fn config_shows_what_is_in_force_and_no_secret() {
    let place = Place::new();
    fs::create_dir(place.path().join("config")).expect("a folder");
    let write = |name: &str, text: &str| fs::write(place.path().join(name), text).expect("a file");
    write("config/default.toml", "[rooms]\npermits = 7\nlinger_s = 7\n");
    write("config/staging.toml", "[rooms]\nlinger_s = 8\nmax_members = 8\n");
    write(".env", "HUBBUB_ENV=staging\nHUBBUB__ROOMS__MAX_MEMBERS=9\nSECRET_KEY='hush hush'\n");
    let environment = [("DATABASE_URL", "postgres://u:hush@localhost/db"), ("BIND", "[::1]:0")];
    let done = place.run_with("config --bind 127.0.0.1:5", &environment, "");
    assert_eq!(done.err, "");
    let out = done.ok();
    for line in [
        "permits = 7",
        "linger_s = 8",
        "max_members = 9",
        "bind = \"127.0.0.1:5\"",
        "secret_key = \"***\"",
        "database_url = \"postgres://u:***@localhost/db\"",
    ] {
        assert!(out.lines().any(|shown| shown == line), "{line} is missing in\n{out}");
    }
    assert!(!out.contains("hush"), "{out}");
}

#[test]
fn a_bad_setting_stops_the_start_with_one_line() {
    for (name, value, said) in [
        ("BIND", "everywhere", "BIND: server.bind is \"everywhere\"; it may be an address"),
        ("BIND", "0.0.0.0:0", "SECRET_KEY (auth.secret_key) is empty; in production"),
        ("HUBBUB_ENV", "production", "SECRET_KEY (auth.secret_key) is empty; in production"),
        ("HUBBUB_ENV", "../secrets", "HUBBUB_ENV: the environment's name is \"../secrets\""),
        ("HUBBUB__SERVER__BINDING", "x", "there is no setting server.binding"),
    ] {
        let done = Place::new().run_with("serve", &[(name, value)], "");
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
        let line = done.refused(2);
        assert!(line.contains(said), "{line}");
    }
    let several = [("DATABASE_URL", "postgres://localhost/db"), ("REDIS_URL", "redis://localhost")];
    let line = Place::new().run_with("", &several, "").refused(2);
    assert!(line.contains("SECRET_KEY") && line.contains("several nodes"), "{line}");
}

#[test]
fn a_bad_dotenv_is_refused_without_showing_what_stands_in_it() {
    let place = Place::new();
    fs::write(place.path().join(".env"), "SECRET_KEY=hush hush\n").expect("a file");
    let line = place.run("config").refused(2);
    assert!(line.contains(".env") && !line.contains("hush"), "{line}");
}

#[test]
fn a_database_that_does_not_answer_is_named_without_its_password() {
    let environment = [("DATABASE_URL", "postgres://u:hush@127.0.0.1:1/db")];
    let done = Place::new().run_with("migrate", &environment, "");
    assert!(!done.err.contains("hush"), "{}", done.err);
    let line = done.refused(1);
    assert!(line.contains("postgres://u:***@127.0.0.1:1/db"), "{line}");
}

#[test]
fn migrations_go_up_and_down_and_say_so() {
    let place = Place::new();
    assert!(place.run("migrate status").ok().starts_with("pending "));
    assert_eq!(place.run("migrate").ok(), "the schema is up to date\n");
    assert_eq!(place.run("migrate up").ok(), "the schema is up to date\n");
    assert!(place.run("migrate status").ok().lines().all(|line| line.starts_with("applied ")));
    assert_eq!(place.run("migrate new-epochs").ok(), "every room has a new epoch\n");
    place.run("migrate down").ok();
    assert!(place.run("migrate status").ok().lines().all(|line| line.starts_with("pending ")));
}

#[test]
fn accounts_are_made_listed_and_turned_off() {
    let place = Place::new();
    assert_eq!(place.create("--username root --superuser").ok(), "user root has the id 1\n");
    place.create("--username alice --email alice@wonder.land").ok();
    let line = place.create("--username Alice").refused(1);
    assert!(line.contains("username: A user with that username already exists."), "{line}");
    let line = place.run_with("user create --username x --password-stdin", &[], "short").refused(1);
    assert!(line.contains("password: "), "{line}");
    let line = place.run("user create --username x").refused(1);
    assert!(line.contains("--password-stdin"), "{line}");
    let expected = "1\troot\t\tsuperuser\n2\talice\talice@wonder.land\tuser\n";
    assert_eq!(place.run("user list").ok(), expected);

    assert_eq!(place.run("user disable --username alice").ok(), "user alice is off\n");
    assert!(place.run("user list").ok().contains("alice\talice@wonder.land\toff since 20"));
    assert_eq!(place.run("user enable --username alice").ok(), "user alice is on\n");
    assert_eq!(place.run("user list").ok(), expected);
    let line = place.run("user disable --username nobody").refused(1);
    assert!(line.contains("there is no user nobody"), "{line}");
}

#[test]
fn tokens_are_made_for_accounts_that_are_made_once() {
    let place = Place::new();
    let first = place.run("user tokens --count 3").ok();
    let second = place.run("user tokens --count 4 --prefix load").ok();
    let fields = |lines: &str| -> Vec<Vec<String>> {
        lines.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    };
    let (first, second) = (fields(&first), fields(&second));
    assert_eq!((first.len(), second.len()), (3, 4));
    for (one, again) in first.iter().zip(&second) {
        assert_eq!(one[..2], again[..2], "the same account");
        assert_eq!(again[2].split('.').count(), 3, "a token");
        assert_ne!(one[2], again[2], "a login of its own");
    }
    let renewed = place.run_with(
        "user set-password --username load-1 --password-stdin",
        &[],
        "another rabbit hole",
    );
    assert_eq!(renewed.ok(), "user load-1 has a new password; logins ended: 2\n");
}

#[test]
fn openapi_prints_a_document() {
    let out = Place::new().run("openapi").ok();
    let document: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    assert!(document["paths"].as_object().is_some_and(|paths| !paths.is_empty()));
}
