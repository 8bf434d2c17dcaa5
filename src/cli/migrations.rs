//! `hubbub migrate`: the schema without the server.

use clap::Subcommand;

use crate::config::Settings;

/// What to do with the schema.
#[derive(Debug, Subcommand)]
pub(super) enum Step {
    /// Applies what is pending (the default)
    Up,
    /// Takes back the newest migrations, and with them what is kept in their tables
    Down {
        /// How many
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// Lists them all, and which are applied
    Status,
    /// After a restored backup: tells clients that what they saw may be gone
    NewEpochs,
}

/// Does it.
pub(super) async fn run(settings: Settings, step: Option<Step>) -> anyhow::Result<()> {
    match step.unwrap_or(Step::Up) {
        Step::Up => {
            super::store(&settings).await?;
            super::say("the schema is up to date")
        }
        Step::Down { steps } => {
            super::open(&settings).await?.migrate_down(steps).await?;
            super::say(&format!("migrations taken back: {steps}"))
        }
        Step::Status => {
            for (name, applied) in super::open(&settings).await?.migration_status().await? {
                super::say(&format!("{} {name}", if applied { "applied" } else { "pending" }))?;
            }
            Ok(())
        }
        Step::NewEpochs => {
            let rooms = super::store(&settings).await?.new_epochs().await?;
            super::say(&format!("rooms with a new epoch: {rooms}"))
        }
    }
}
