//! (being built)
use crate::config::Settings;
use crate::store::Store;

/// The server.
#[derive(Debug)]
pub struct App {
    _p: (),
}

#[allow(missing_docs, clippy::all, clippy::pedantic, unused)]
impl App {
    pub async fn build(settings: Settings) -> anyhow::Result<Self> {
        anyhow::bail!("being built")
    }
    pub fn port(&self) -> u16 {
        0
    }
    pub async fn run_until_stopped(self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// What signs tokens: the setting, or what was made at the first start and is kept since.
///
/// # Errors
/// When the database does not answer.
pub async fn signing_key(settings: &Settings, store: &Store) -> anyhow::Result<String> {
    if !settings.auth.secret_key.is_empty() {
        return Ok(settings.auth.secret_key.clone());
    }
    let candidate = format!(
        "{}{}",
        crate::domain::ids::random().simple(),
        crate::domain::ids::random().simple()
    );
    Ok(store.secret("secret_key", &candidate).await?)
}
