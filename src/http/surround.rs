//! What surrounds every request: the host check, CORS, the headers that hold browsers to the
//! rules, one line in the access log, and its figure. The one middleware of the App. Must not
//! know what a request is about.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

use super::caller::{OriginSays, asker, origin};
use super::error::ApiError;
use crate::protocol::gate::Gate;
use crate::telemetry::metrics::Metrics;

/// What a page may load (SECURITY, *Pages*).
pub const PAGE_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; \
    form-action 'self'";

/// Methods that any path may have, as a preflight is told.
const METHODS: &str = "GET, HEAD, POST, PATCH, DELETE, OPTIONS";
/// Response headers that scripts of another origin may read.
const EXPOSED: &str = "Link, Retry-After, WWW-Authenticate, Allow";
/// Seconds that a browser keeps a preflight's answer.
const PREFLIGHT_S: &str = "600";
/// Longest list of request headers that a preflight is echoed.
const ECHOED_MAX: usize = 1024;
/// Paths whose callers (balancers, scrapers) name no host of ours.
const HOSTLESS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The middleware; a function for `actix_web::middleware::from_fn`.
///
/// # Errors
/// None of its own: refusals are responses.
pub async fn surround<B: MessageBody + 'static>(
    gate: web::Data<Gate>,
    metrics: web::Data<Metrics>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let started = Instant::now();
    let cors = cors(&gate, request.request());
    let mut response = if !host_fits(&gate, request.request()) {
        request.into_response(ApiError::Host.error_response())
    } else if is_preflight(request.request()) {
        let answer = preflight(request.request());
        request.into_response(answer)
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    for (name, value) in cors {
        response.headers_mut().append(name, value);
    }
    dress(response.headers_mut());
    let took = started.elapsed();
    let (request, status) = (response.request(), response.status());
    metrics.request(request.method().as_str(), status.as_u16(), took);
    // The path alone: what follows `?` may hold a token.
    log::info!(
        target: "hubbub::access",
        "{} {} {} {:.1}ms {}",
        request.method(),
        request.uri().path(),
        status.as_u16(),
        took.as_secs_f64() * 1_000.0,
        asker(&gate, request).ip,
    );
    Ok(response)
}

fn host_fits(gate: &Gate, request: &HttpRequest) -> bool {
    if HOSTLESS.contains(&request.path().trim_end_matches('/')) {
        return true;
    }
    let mut hosts = request.headers().get_all(header::HOST);
    let (first, second) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
    // A request line with a whole address names a host, too.
    let named = request.uri().authority().is_none_or(|named| gate.host_allowed(named.as_str()));
    named && second.is_none() && first.is_some_and(|host| gate.host_allowed(host))
}

fn is_preflight(request: &HttpRequest) -> bool {
    *request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(request: &HttpRequest) -> HttpResponse {
    let wanted = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let echoed = wanted.filter(|list| {
        let name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_, ".contains(byte);
        list.len() <= ECHOED_MAX && list.as_bytes().iter().all(name)
    });
    let fallback = HeaderValue::from_static("Authorization, Content-Type");
    HttpResponse::build(StatusCode::NO_CONTENT)
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, echoed.cloned().unwrap_or(fallback)))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_S))
        .finish()
}

/// An allowed origin is named and may send cookies; any other gets `*`, which never does.
fn cors(gate: &Gate, request: &HttpRequest) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![(header::VARY, HeaderValue::from_static("Origin"))];
    let allowed = match origin(gate, request) {
        OriginSays::Nothing => return headers,
        OriginSays::Allowed => request.headers().get(header::ORIGIN).cloned(),
        OriginSays::Foreign => None,
    };
    if let Some(origin) = allowed {
        headers.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin));
        let yes = HeaderValue::from_static("true");
        headers.push((header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes));
    } else {
        headers.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")));
    }
    headers.push((header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED)));
    headers
}

/// The headers of every answer; a handler's own word on one of them stands.
fn dress(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, PAGE_CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn gate() -> Gate {
        Gate::new(&["localhost"], &["http://localhost:3000"], &[])
    }

    #[test]
    fn only_probes_need_no_host() {
        for (path, host, fits) in [
            ("/api/me/", Some("localhost:8000"), true),
            ("/api/me/", Some("evil.example"), false),
            ("/api/me/", None, false),
            ("/healthz", Some("10.0.0.7:8000"), true),
            ("/readyz/", None, true),
            ("/metrics", Some("evil.example"), true),
            ("/metrics/x", Some("evil.example"), false),
        ] {
            let mut request = TestRequest::with_uri(path);
            if let Some(host) = host {
                request = request.insert_header(("Host", host));
            }
            assert_eq!(host_fits(&gate(), &request.to_http_request()), fits, "{path} {host:?}");
        }
    }

    #[test]
    fn cookies_are_for_allowed_origins_and_the_rest_is_for_all() {
        for (origin, allowed, credentials) in [
            (None, None, false),
            (Some("http://localhost"), Some("http://localhost"), true),
            (Some("http://localhost:3000"), Some("http://localhost:3000"), true),
            (Some("http://localhost:3000.evil.example"), Some("*"), false),
            (Some("null"), Some("*"), false),
        ] {
            let mut request = TestRequest::default()
                .insert_header(("Host", "localhost"))
                .app_data(web::Data::new(gate()));
            if let Some(origin) = origin {
                request = request.insert_header(("Origin", origin));
            }
            let headers: HeaderMap =
                cors(&gate(), &request.to_http_request()).into_iter().collect();
            let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
            assert_eq!(text(header::ACCESS_CONTROL_ALLOW_ORIGIN), allowed, "{origin:?}");
            let cookies = text(header::ACCESS_CONTROL_ALLOW_CREDENTIALS) == Some("true");
            assert_eq!(cookies, credentials, "{origin:?}");
            assert_eq!(text(header::VARY), Some("Origin"));
        }
    }
}
