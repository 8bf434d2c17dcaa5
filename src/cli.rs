//! The commands of the binary `hubbub`. `main` calls [`run`]. Each command is a file of its own;
//! what it says goes to stdout, the log and what went wrong to stderr.

mod accounts;
mod acts;
mod load;
mod migrations;
mod password;
mod progress;
mod serve;

use std::future::Future;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Overrides, Settings};
use crate::store::Store;
use crate::telemetry;

/// An actor-model chat server: one order, nothing lost, nothing twice.
#[derive(Debug, Parser)]
#[command(name = "hubbub", version)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Settings that flags can give; every other one stands in files and the environment.
#[derive(Args, Debug)]
struct Flags {
    /// Address and port to listen on (also `BIND` in the environment)
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    bind: Option<String>,
    /// `sqlite://FILE` or `postgres://…` (also `DATABASE_URL` in the environment)
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server; applies pending migrations first (the default)
    Serve {
        /// Makes what comes from other nodes unreliable on purpose, to see that nothing is lost
        /// (also `HUBBUB__BUS__CHAOS`)
        #[arg(long, value_name = "drop=5%,delay=50ms,double=2%,seed=7")]
        chaos: Option<String>,
    },
    /// Tests a server under load and says whether every delivery came, once and in order
    Load(Box<load::Flags>),
    /// Migrations alone
    Migrate {
        #[command(subcommand)]
        step: Option<migrations::Step>,
    },
    /// Accounts
    #[command(subcommand)]
    User(accounts::Act),
    /// Prints the OpenAPI document
    Openapi,
    /// Prints the settings in force as TOML, secrets masked
    Config,
}

/// Reads the command line and does what it says. The status is 0 when that went well, 1 when it
/// did not, 2 when the command line or a setting is wrong; 3 when a load test found that an
/// expectation was not kept.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let command = match cli.command {
        // A client: it needs none of the server's settings.
        Some(Command::Load(flags)) => return load::run(*flags),
        command => command.unwrap_or(Command::Serve { chaos: None }),
    };
    let Flags { bind, database_url } = cli.flags;
    let mut flags = Overrides { bind, database_url, chaos: None };
    if let Command::Serve { chaos } = &command {
        flags.chaos.clone_from(chaos);
    }
    let settings = match config::load(flags) {
        Ok(settings) => settings,
        Err(why) => return failed(&why, 2),
    };
    telemetry::log::init(&settings.log.filter);
    let done = match command {
        Command::Serve { .. } => in_system(serve::run(settings)),
        Command::Load(_) => Ok(()),
        Command::Migrate { step } => in_system(migrations::run(settings, step)),
        Command::User(act) => in_system(accounts::run(settings, act)),
        Command::Openapi => openapi(),
        Command::Config => say(settings.to_string().trim_end()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(&format_args!("{why:#}"), 1),
    }
}

fn failed(why: &dyn std::fmt::Display, status: u8) -> ExitCode {
    let line = telemetry::line::harmless(&why.to_string());
    // Nothing is left to do when stderr is gone.
    let _ = writeln!(io::stderr(), "hubbub: {line}");
    ExitCode::from(status)
}

fn in_system(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    actix::System::new().block_on(command)
}

/// A line on stdout, at once. A reader who has gone is no fault: `hubbub config | head -1`.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

fn openapi() -> anyhow::Result<()> {
    say(&crate::http::docs::openapi().to_pretty_json()?)
}

/// The store as a command needs it: open, its schema up to date.
async fn store(settings: &Settings) -> anyhow::Result<Store> {
    let store = open(settings).await?;
    store.migrate().await.map_err(|why| anyhow::anyhow!("the migrations failed: {why}"))?;
    Ok(store)
}

/// The store as it is, whatever its schema.
async fn open(settings: &Settings) -> anyhow::Result<Store> {
    Store::open(&settings.store).await.map_err(|why| {
        let url = settings.masked().store.database_url;
        anyhow::anyhow!("the database {url} could not be opened: {why}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_contract_is_understood() {
        for line in [
            "hubbub",
            "hubbub serve --bind 127.0.0.1:0",
            "hubbub serve --chaos drop=5%,delay=50ms,double=2%,seed=7",
            "hubbub --database-url sqlite://x.db",
            "hubbub load",
            "hubbub load ws://a:1 ws://b:2 --rooms 2 --members 9 --rate max --fault storm,at=1s",
            "hubbub migrate",
            "hubbub migrate up",
            "hubbub migrate down",
            "hubbub migrate status",
            "hubbub migrate new-epochs",
            "hubbub user create --username alice --email a@b.example --superuser --password-stdin",
            "hubbub user list",
            "hubbub user set-password --username alice",
            "hubbub user disable --username alice",
            "hubbub user enable --username alice",
            "hubbub user tokens --count 10",
            "hubbub openapi",
            "hubbub config",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for line in [
            "hubbub fly",
            "hubbub --chaos drop=5%",
            "hubbub user create",
            "hubbub user tokens --count 0",
            "hubbub load --rate fast",
            "hubbub load --duration 5",
            "hubbub load --fault fire",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
