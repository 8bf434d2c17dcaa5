//! `hubbub migrate`: the schema without the server.

use clap::Subcommand;

use crate::config::Settings;
use crate::rooms::Act;

/// What to do with the schema.
#[derive(Debug, Subcommand)]
pub(super) enum Step {
    /// Applies what is pending (the default)
    Up,
    /// Takes back every migration: all that is kept is gone
    Down,
    /// Lists them all, and which are applied, and those of a newer release
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
        Step::Down => {
            super::open(&settings).await?.migrate_down().await?;
            super::say("every migration is taken back")
        }
        Step::Status => {
            let store = super::open(&settings).await?;
            for (name, applied) in store.migrations().await? {
                super::say(&format!("{} {name}", if applied { "applied" } else { "pending" }))?;
            }
            for name in store.newer_migrations().await? {
                super::say(&format!("newer   {name}"))?;
            }
            Ok(())
        }
        Step::NewEpochs => {
            let store = super::store(&settings).await?;
            store.new_epochs().await?;
            super::acts::record(&store, &Act::EpochsChanged).await?;
            super::say("every room has a new epoch")
        }
    }
}
