//! REST: one file a resource, one route table (`routes`), one mapping of errors (`error`), one
//! middleware (`surround`). Called by `app`, which wires it, and by the command that prints the
//! OpenAPI document. Handlers ask for the one thing they need; must not know sea-orm or actors.
//!
//! To add an endpoint: its handler in the file of its resource with a `#[utoipa::path]`, a line in
//! `routes`, and its name in `docs`; a test holds the last two together.

mod accounts;
mod admin;
mod body;
mod caller;
mod chats;
pub mod docs;
mod error;
mod history;
mod named_rooms;
mod online;
pub mod ops;
mod pages;
mod paging;
mod refusals;
mod routes;
mod shh;
mod surround;
mod tickets;
mod tokens;
mod users;
mod views;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, Error};

use crate::auth::Auth;
use crate::auth::paces::Paces;
use crate::config::Settings;
use crate::protocol::gate::Gate;
use crate::rooms::Rooms;
use crate::stats::Stats;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;
use body::BodyLimits;
use named_rooms::Guests;
pub use surround::PAGE_CSP;

/// What REST is made of. Cheap to clone: each worker makes its App from one.
#[derive(Clone)]
pub struct Parts {
    /// What is kept.
    pub store: Store,
    /// Who somebody is.
    pub auth: Auth,
    /// How fast somebody may act; sockets share it.
    pub paces: Arc<Paces>,
    /// The rooms.
    pub rooms: Rooms,
    /// Figures added up.
    pub stats: Stats,
    /// Figures for scrapers.
    pub metrics: Metrics,
    /// Everything that is set.
    pub settings: Arc<Settings>,
    /// True once the node stops taking sockets.
    pub draining: Arc<AtomicBool>,
}

/// The whole App: data, routes, `more` (sockets, with the engine that has them here), JSON for what
/// is not there, and the middleware.
pub fn app<More: FnOnce(&mut ServiceConfig)>(
    parts: &Parts,
    more: More,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    > + use<More>,
> {
    let server = &parts.settings.server;
    let limits = BodyLimits {
        max_bytes: server.max_body_bytes,
        within: Duration::from_secs(server.body_timeout_s),
    };
    App::new()
        .app_data(Data::new(parts.store.clone()))
        .app_data(Data::new(parts.auth.clone()))
        .app_data(Data::from(Arc::clone(&parts.paces)))
        .app_data(Data::new(parts.rooms.clone()))
        .app_data(Data::new(parts.stats.clone()))
        .app_data(Data::new(parts.metrics.clone()))
        .app_data(Data::from(Arc::clone(&parts.draining)))
        .app_data(Data::new(Gate::from_settings(server)))
        .app_data(Data::new(limits))
        .app_data(Data::new(Guests { allowed: parts.settings.auth.allow_guests }))
        .app_data(Data::new(chats::GroupLimits { max_members: parts.settings.rooms.max_members }))
        .configure(routes::configure)
        .configure(more)
        .configure(routes::sockets)
        .default_service(actix_web::web::to(ops::not_found))
        .wrap(from_fn(surround::surround))
}
