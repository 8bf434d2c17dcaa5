//! The one place that wires the layers together, sinks first: store, rooms, figures, then the
//! server. `main` and nobody else builds one; tests start the same binary.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_http::HttpService;
use actix_server::{Server, ServerHandle};
use actix_service::{fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::web::{self, Data};
use anyhow::Context;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::signal::unix::{SignalKind, signal};

use crate::auth::Auth;
use crate::auth::paces::Paces;
use crate::config::{Engine, ServerSettings, Settings};
use crate::domain::{clock, ids};
use crate::http::{self, Parts};
use crate::protocol::{Gate, close};
use crate::rooms::Rooms;
use crate::session::newcomer::Host;
use crate::session::upgrade::FrontFactory;
use crate::session::{Porter, capacity, web_actors};
use crate::stats::{Node, Stats};
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;

/// Connections that the kernel holds for us before they are accepted.
const BACKLOG: i32 = 4_096;
/// Open REST connections may end their request in this time while the server stops.
const REST_STOPS_IN_S: u64 = 5;
/// A client that was answered for the last time has this long to hang up.
const DISCONNECTS_IN: Duration = Duration::from_secs(1);
/// Of the drain's time, the store gets this much to write the last of what was accepted.
const STORE_CLOSES_IN: Duration = Duration::from_secs(5);
/// How often a drain looks whether everything was stored.
const DRAIN_LOOK: Duration = Duration::from_millis(20);
/// How often what may be forgotten is.
const UPKEEP_EVERY: Duration = Duration::from_hours(1);
/// A guests' room is forgotten this long after the last one left.
const FORGET_AFTER_S: i64 = 24 * 3_600;

/// The server.
pub struct App {
    server: Server,
    port: u16,
    store: Store,
    rooms: Rooms,
    draining: Arc<AtomicBool>,
    drain_limit: Duration,
}

impl App {
    /// Opens the store, brings its tables up to date and starts everything; connections are
    /// accepted from then on.
    ///
    /// # Errors
    /// Whatever keeps the server from starting, in one line.
    pub async fn build(settings: Settings) -> anyhow::Result<Self> {
        let settings = Arc::new(settings);
        // Before anything is touched that whoever has the address may be using.
        let server = &settings.server;
        let address = Address::bind("BIND", server.bind)?;
        let figures = server.metrics_bind.map(|at| Address::bind("METRICS_BIND", at));
        let figures = figures.transpose()?;
        let store = Store::open(&settings.store).await?;
        store.migrate().await.context("the tables could not be brought up to date")?;
        store.open_readers().await.context("the database can't be read")?;
        log::info!("the database says: {}", store.durability().await?);
        for step in store.newer_migrations().await? {
            log::warn!("the database has {step} of a newer release, which this one goes without");
        }
        if !settings.has_other_nodes() {
            store.nobody_is_in(clock::now()).await?;
        }

        let secret = signing_key(&settings, &store).await?;
        let auth = Auth::new(store.clone(), settings.auth.clone(), &secret);
        let node = ids::random().simple().to_string()[..8].to_owned();
        let rooms = Rooms::start(store.clone(), &settings, &node).await?;
        actix_web::rt::spawn(upkeep(store.clone(), rooms.clone(), settings.store.keep_days));
        let stats = Stats::new(rooms.clone(), Node { name: node, started_at: clock::now() });
        actix_web::rt::spawn(stats.clone().answer_others());
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"))?;
        let draining = Arc::new(AtomicBool::new(false));
        let max_sockets = capacity::sockets(&settings.session);
        log::info!("this node takes {max_sockets} sockets");
        let paces = Paces::new(&settings.paces, settings.auth.rate_limits, max_sockets);
        let paces = Arc::new(paces);
        let parts = Parts {
            store: store.clone(),
            auth: auth.clone(),
            paces: Arc::clone(&paces),
            rooms: rooms.clone(),
            stats,
            metrics,
            settings: Arc::clone(&settings),
            draining: Arc::clone(&draining),
        };
        let porter = Porter::new(
            auth,
            store.clone(),
            rooms.clone(),
            paces,
            settings.auth.allow_guests,
            Arc::clone(&draining),
        );

        let listener = address.listen()?;
        let port = listener.local_addr()?.port();
        let server = serve(&parts, porter, listener, figures)?;
        let drain_limit = Duration::from_secs(settings.server.drain_s);
        Ok(Self { server, port, store, rooms, draining, drain_limit })
    }

    /// The port that was bound: the one asked for, or, for 0, the one that was free.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Serves until SIGTERM or SIGINT, then drains: no new sockets, goodbye to the others, what
    /// was accepted is stored.
    ///
    /// # Errors
    /// When the server itself fails.
    pub async fn run_until_stopped(self) -> anyhow::Result<()> {
        let handle = self.server.handle();
        let mut server = actix_web::rt::spawn(self.server);
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            ended = &mut server => return Ok(ended??),
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        log::info!("draining: no new sockets, what was accepted is stored");
        self.draining.store(true, Ordering::Relaxed);
        let drained = drain(&self.store, &self.rooms, &handle);
        let limit = self.drain_limit.saturating_sub(STORE_CLOSES_IN);
        if actix_web::rt::time::timeout(limit, drained).await.is_err() {
            log::warn!("the drain took longer than drain_s; some clients were cut off");
        }
        if actix_web::rt::time::timeout(STORE_CLOSES_IN, self.store.close()).await.is_err() {
            log::error!("the database did not answer to the end; what it had not answered is lost");
        }
        log::info!("stopped");
        Ok(())
    }
}

async fn drain(store: &Store, rooms: &Rooms, server: &ServerHandle) {
    rooms.close_all(close::GOING_AWAY);
    while rooms.has_sockets_here() || store.writer().figures().waiting > 0 {
        actix_web::rt::time::sleep(DRAIN_LOOK).await;
        // Whoever was on his way in when it began is told as soon as he is there.
        rooms.close_all(close::GOING_AWAY);
    }
    rooms.stop().await;
    rooms.bus().close().await;
    server.stop(true).await;
}

/// An address that is ours, on which nobody gets in yet.
struct Address {
    setting: &'static str,
    at: SocketAddr,
    socket: Socket,
}

impl Address {
    /// Takes it; it may be had again at once after a restart.
    fn bind(setting: &'static str, at: SocketAddr) -> anyhow::Result<Self> {
        let bind = || {
            let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.bind(&at.into())?;
            std::io::Result::Ok(socket)
        };
        let socket = bind().with_context(|| refusal(setting, at))?;
        Ok(Self { setting, at, socket })
    }

    /// From here on connections wait until they are accepted. Of two processes that began at once, or
    /// two settings, both may have bound it: the second one hears of it here.
    fn listen(self) -> anyhow::Result<TcpListener> {
        self.socket.listen(BACKLOG).with_context(|| refusal(self.setting, self.at))?;
        Ok(self.socket.into())
    }
}

fn refusal(setting: &str, at: SocketAddr) -> String {
    format!("{setting}: can't listen on {at}; choose another address or port")
}

/// Starts the workers. With the `direct` engine, upgrade requests never reach the App.
fn serve(
    parts: &Parts,
    porter: Porter,
    listener: TcpListener,
    figures: Option<Address>,
) -> anyhow::Result<Server> {
    let server = &parts.settings.server;
    let workers = match server.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        some => some,
    };
    let builder =
        Server::build().workers(workers).disable_signals().shutdown_timeout(REST_STOPS_IN_S);
    let builder = match parts.settings.session.engine {
        Engine::Direct => {
            let (parts, head_timeout) = (parts.clone(), head_timeout(server));
            builder.listen("hubbub", listener, move || {
                start_shard(&parts);
                let host = Arc::new(Host {
                    porter: porter.clone(),
                    gate: Gate::from_settings(&parts.settings.server),
                    settings: Arc::new(parts.settings.session.clone()),
                });
                let app = http::app(&parts, |_| {});
                let hosting = Arc::clone(&host);
                let http = HttpService::build()
                    .client_request_timeout(head_timeout)
                    .client_disconnect_timeout(DISCONNECTS_IN)
                    .tcp_nodelay(true)
                    .upgrade(fn_service(move |(request, framed)| {
                        let serving = Arc::clone(&hosting).serve(request, framed);
                        async {
                            serving.await;
                            Ok::<(), actix_web::Error>(())
                        }
                    }))
                    .finish(map_config(app, |()| AppConfig::default()))
                    .tcp();
                FrontFactory { http, host, head_timeout }
            })?
        }
        Engine::ActixWebActors => {
            let (parts, head_timeout) = (parts.clone(), head_timeout(server));
            builder.listen("hubbub", listener, move || {
                start_shard(&parts);
                let session = parts.settings.session.clone();
                let data = (Data::new(porter.clone()), Data::new(Arc::new(session.clone())));
                let app = http::app(&parts, |config| {
                    config
                        .app_data(data.0)
                        .app_data(data.1)
                        .service(web::resource(["/ws", "/ws/{path:.*}"]).to(web_actors::serve));
                });
                HttpService::build()
                    .client_request_timeout(head_timeout)
                    .client_disconnect_timeout(DISCONNECTS_IN)
                    .on_connect_ext(move |io, data| web_actors::on_connect(io, data, &session))
                    .finish(map_config(app, |()| AppConfig::default()))
                    .tcp()
            })?
        }
    };
    let builder = match figures {
        Some(address) => {
            let parts = parts.clone();
            builder.listen("metrics", address.listen()?, move || {
                let app = http::ops::metrics_app(&parts);
                HttpService::build().finish(map_config(app, |()| AppConfig::default())).tcp()
            })?
        }
        None => builder,
    };
    Ok(builder.run())
}

fn start_shard(parts: &Parts) {
    parts.rooms.start_shard(&parts.settings.session);
}

fn head_timeout(server: &ServerSettings) -> Duration {
    Duration::from_secs(server.head_timeout_s)
}

/// What signs tokens: the setting, or what was made at the first start and is kept since.
///
/// # Errors
/// When the database does not answer.
pub async fn signing_key(settings: &Settings, store: &Store) -> Result<String, StoreError> {
    if !settings.auth.secret_key.is_empty() {
        return Ok(settings.auth.secret_key.clone());
    }
    let candidate = format!("{}{}", ids::random().simple(), ids::random().simple());
    store.secret("secret_key", &candidate).await
}

/// Forgets what may be forgotten: guests' rooms that nobody uses, events past their retention.
async fn upkeep(store: Store, rooms: Rooms, keep_days: u32) {
    loop {
        let now = clock::now();
        // Nothing is forgotten before it is known who is here.
        let live: Vec<_> = rooms.live_here().iter().map(|room| room.id).collect();
        let forgotten = match store.somebody_is_in(live, now).await {
            Ok(()) => store.forget_idle_rooms(now.plus_secs(-FORGET_AFTER_S)).await,
            Err(error) => Err(error),
        };
        match forgotten {
            Ok(0) => {}
            Ok(rooms) => log::info!("{rooms} rooms of guests were forgotten"),
            Err(error) => {
                log::warn!("guests' rooms could not be forgotten, again in an hour: {error}");
            }
        }
        if keep_days > 0 {
            let before = now.plus_secs(-i64::from(keep_days) * 24 * 3_600);
            match store.forget_events(before).await {
                Ok(0) => {}
                Ok(events) => {
                    rooms.forget(before);
                    log::info!("{events} events were past store.keep_days and are gone");
                }
                Err(error) => {
                    log::warn!("old events could not be deleted, again in an hour: {error}");
                }
            }
        }
        actix_web::rt::time::sleep(UPKEEP_EVERY).await;
    }
}
