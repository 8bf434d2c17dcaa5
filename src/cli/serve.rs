//! `hubbub serve`: the server until it is told to stop. Wires nothing itself: `app` does.

use std::net::SocketAddr;

use crate::app::App;
use crate::config::Settings;

/// Serves. Says one line on stdout once it listens, which scripts wait for.
pub(super) async fn run(settings: Settings) -> anyhow::Result<()> {
    for warning in settings.warnings() {
        log::warn!("{warning}");
    }
    let shown = settings.masked();
    log::info!("hubbub {} keeps {}", env!("CARGO_PKG_VERSION"), shown.store.database_url);
    let ip = settings.server.bind.ip();
    let app = App::build(settings).await?;
    super::say(&format!("hubbub listens on http://{}/", SocketAddr::new(ip, app.port())))?;
    app.run_until_stopped().await
}
