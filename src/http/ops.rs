//! For operators: is the process there, can it serve, what does it count. Handlers for `routes`,
//! the answer to paths that are not there, and the App for `METRICS_BIND`. No credentials and no
//! host check; `/metrics` is for local scrapers or an address of its own.

use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{App, Error, HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::Parts;
use super::error::ApiError;
use super::refusals::Missing;
use super::routes::at;
use crate::stats::Stats;
use crate::store::Store;
use crate::telemetry::metrics::{Counted, Metrics, TEXT_TYPE};

/// The process answers.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "operators",
    responses((status = 200, description = "It does.", body = Health)))]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// What the node can do.
#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// `ok`, or why not.
    #[schema(example = "ok")]
    database: &'static str,
    /// `local`: the node runs alone.
    #[schema(example = "local")]
    bus: &'static str,
    /// It takes no new sockets.
    draining: bool,
}

/// Whether the node can serve: the database answers and it does not drain.
#[utoipa::path(get, path = "/readyz", tag = "operators",
    responses((status = 200, description = "It can.", body = Readiness),
        (status = 503, description = "It can't.", body = Readiness,
            example = json!({"database": "unavailable", "bus": "local", "draining": false}))))]
pub async fn readyz(
    store: web::Data<Store>,
    stats: web::Data<Stats>,
    draining: web::Data<AtomicBool>,
) -> HttpResponse {
    let database = match store.ping().await {
        Ok(()) => "ok",
        Err(error) => {
            log::warn!("the database does not answer: {error}");
            "unavailable"
        }
    };
    let draining = draining.load(Ordering::Relaxed);
    let ready = database == "ok" && !draining;
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(Readiness { database, bus: stats.bus(), draining })
}

/// Figures for scrapers, to local callers without a proxy between; others find nothing here.
#[utoipa::path(get, path = "/metrics", tag = "operators",
    responses((status = 200, description = "Prometheus text.", body = String,
        content_type = "text/plain"), Missing))]
#[expect(clippy::missing_errors_doc, reason = "the text is the OpenAPI document's")]
pub async fn metrics(
    request: HttpRequest,
    stats: web::Data<Stats>,
    store: web::Data<Store>,
    metrics: web::Data<Metrics>,
) -> Result<HttpResponse, ApiError> {
    let local = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    let proxied = request.headers().keys().any(|name| name.as_str().starts_with("x-forwarded-"));
    if !local || proxied {
        return Err(ApiError::NOT_FOUND);
    }
    scrape(stats, store, metrics).await
}

async fn scrape(
    stats: web::Data<Stats>,
    store: web::Data<Store>,
    metrics: web::Data<Metrics>,
) -> Result<HttpResponse, ApiError> {
    let (load, ledger) = (stats.own().await.1.load, stats.ledger().await);
    let (queries, bus, readings) = (store.queries(), stats.bus_figures(), stats.readings());
    let counted = [
        Counted {
            name: "hubbub_figures_read_total",
            help: "Rounds of asking rooms for their figures: all of them, or one with its people.",
            label: "of",
            counts: &readings,
        },
        Counted {
            name: "hubbub_store_queries_total",
            help: "Queries that read the database.",
            label: "kind",
            counts: &queries,
        },
        Counted {
            name: "hubbub_bus_messages_total",
            help: "Messages between nodes: published, received, and left out on the way out \
                   (lost), on the way in (lagged) or as of a later version (unknown).",
            label: "fate",
            counts: &[
                ("published", bus.published),
                ("lost", bus.lost),
                ("received", bus.received),
                ("lagged", bus.lagged),
                ("unknown", bus.unknown),
            ],
        },
        Counted {
            name: "hubbub_bus_bytes_total",
            help: "Bytes of messages between nodes.",
            label: "fate",
            counts: &[("published", bus.published_bytes), ("received", bus.received_bytes)],
        },
    ];
    let text = metrics.text(&load, &ledger, &counted).map_err(|error| {
        log::error!("the figures could not be written: {error}");
        ApiError::Internal
    })?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, TEXT_TYPE)).body(text))
}

/// What a path that is not there answers.
///
/// # Errors
/// Always.
pub async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NOT_FOUND)
}

/// What an address of sockets answers without an upgrade.
///
/// # Errors
/// Always.
pub async fn upgrade_required() -> Result<HttpResponse, ApiError> {
    Err(ApiError::Upgrade)
}

/// The App behind `METRICS_BIND`: `/metrics` alone, for whoever reaches that address.
pub fn metrics_app(
    parts: &Parts,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    App::new()
        .app_data(web::Data::new(parts.stats.clone()))
        .app_data(web::Data::new(parts.store.clone()))
        .app_data(web::Data::new(parts.metrics.clone()))
        .configure(|config| at("/metrics").get(scrape).into(config))
        .default_service(web::to(not_found))
}
