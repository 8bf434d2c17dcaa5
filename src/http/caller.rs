//! Who is asking: extractors for a caller who must be signed in, one who may be, an admin, and the
//! address behind a request. Handlers only. A Bearer token counts always; the cookie
//! `access_token` counts on unsafe methods only with an allowed `Origin`.

use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::error::ApiError;
use crate::auth::Auth;
use crate::domain::{Deed, SignedIn, UserId, clock};
use crate::protocol::gate::{Asker, Gate};

/// Name of the cookie with the access token.
pub const ACCESS_COOKIE: &str = "access_token";
/// Name of the cookie with the refresh token that rotates.
pub const REFRESH_COOKIE: &str = "refresh_token";

/// A credential as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// `Authorization: Bearer`; empty when nothing follows.
    Bearer(String),
    /// The cookie, where it counts.
    Cookie(String),
}

/// The signed-in caller; without one the request is refused with 401.
#[derive(Clone, Debug)]
pub struct Caller(pub SignedIn);

impl Caller {
    /// His row id.
    #[must_use]
    pub fn id(&self) -> UserId {
        UserId(self.0.card.id)
    }
}

/// The caller, if he is signed in. A wrong token is 401; a wrong cookie counts as none, since a
/// browser sends it whether its user means it or not.
#[derive(Clone, Debug)]
pub struct MaybeCaller(pub Option<SignedIn>);

/// A signed-in admin; others are refused with 403.
#[derive(Clone, Debug)]
pub struct Admin(pub SignedIn);

/// An admin who acts, as the audit has him; others are refused with 403.
#[derive(Clone, Debug)]
pub struct Acting {
    /// The admin.
    pub admin: SignedIn,
    /// Who, from where, when.
    pub deed: Deed,
}

impl Acting {
    /// The admin's row id.
    #[must_use]
    pub fn user(&self) -> UserId {
        UserId(self.admin.card.id)
    }
}

/// Where the request comes from.
#[derive(Clone, Copy, Debug)]
pub struct From(pub Asker);

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            match credential(&request) {
                None => Err(ApiError::NoCredential),
                Some(Credential::Bearer(token) | Credential::Cookie(token)) => {
                    Ok(Self(auth(&request)?.identify(&token).await?))
                }
            }
        })
    }
}

impl FromRequest for MaybeCaller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            Ok(Self(match credential(&request) {
                None => None,
                Some(Credential::Bearer(token)) => Some(auth(&request)?.identify(&token).await?),
                Some(Credential::Cookie(token)) => auth(&request)?.identify(&token).await.ok(),
            }))
        })
    }
}

impl FromRequest for Admin {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        Box::pin(async move {
            let Caller(signed_in) = caller.await?;
            if signed_in.is_superuser { Ok(Self(signed_in)) } else { Err(ApiError::Forbidden) }
        })
    }
}

impl FromRequest for Acting {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let admin = Admin::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let Admin(admin) = admin.await?;
            let ip = asker(gate(&request)?, &request).ip;
            let by = UserId(admin.card.id);
            Ok(Self { admin, deed: Deed { by: Some(by), ip: Some(ip), at: clock::now() } })
        })
    }
}

impl FromRequest for From {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(gate(request).map(|gate| Self(asker(gate, request))))
    }
}

fn auth(request: &HttpRequest) -> Result<&Auth, ApiError> {
    request.app_data::<web::Data<Auth>>().map(web::Data::get_ref).ok_or(ApiError::Internal)
}

fn gate(request: &HttpRequest) -> Result<&Gate, ApiError> {
    request.app_data::<web::Data<Gate>>().map(web::Data::get_ref).ok_or(ApiError::Internal)
}

/// Who is behind a request, as the gate sees it.
#[must_use]
pub fn asker(gate: &Gate, request: &HttpRequest) -> Asker {
    // A test's request has no peer; the address that stands in can't be a client's.
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let header = |name: &'static str| {
        let values = request.headers().get_all(HeaderName::from_static(name));
        let texts: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        (!texts.is_empty()).then(|| texts.join(","))
    };
    let (forwarded_for, proto) = (header("x-forwarded-for"), header("x-forwarded-proto"));
    gate.asker(peer, forwarded_for.as_deref(), proto.as_deref())
}

/// What the `Origin` of a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginSays {
    /// There is none: no browser sends such a request with an unsafe method.
    Nothing,
    /// The server's own or a configured one.
    Allowed,
    /// Any other.
    Foreign,
}

/// What the `Origin` of a request says.
#[must_use]
pub fn origin(gate: &Gate, request: &HttpRequest) -> OriginSays {
    let Some(origin) = request.headers().get(ORIGIN) else {
        return OriginSays::Nothing;
    };
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let allowed = origin
        .to_str()
        .is_ok_and(|origin| gate.origin_allowed(origin, host, asker(gate, request).https));
    if allowed { OriginSays::Allowed } else { OriginSays::Foreign }
}

/// Whether a page of an origin that is not allowed sent this.
#[must_use]
pub fn is_foreign(request: &HttpRequest) -> bool {
    gate(request).is_ok_and(|gate| origin(gate, request) == OriginSays::Foreign)
}

/// The value of a cookie, where cookies may count at all: not when the request comes from a
/// foreign origin. Who changes something by a cookie alone asks [`origin`] for more.
#[must_use]
pub fn cookie(request: &HttpRequest, name: &str) -> Option<String> {
    if is_foreign(request) && !request.method().is_safe() {
        return None;
    }
    request.cookie(name).map(|cookie| cookie.value().to_owned()).filter(|value| !value.is_empty())
}

/// The credential of a request. Another scheme than Bearer is none of ours.
#[must_use]
pub fn credential(request: &HttpRequest) -> Option<Credential> {
    if let Some(header) = request.headers().get(AUTHORIZATION) {
        let text = header.to_str().unwrap_or("Bearer");
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Credential::Bearer(token.trim().to_owned()));
        }
    }
    let counts =
        request.method().is_safe() || origin(gate(request).ok()?, request) == OriginSays::Allowed;
    if counts { cookie(request, ACCESS_COOKIE).map(Credential::Cookie) } else { None }
}

#[cfg(test)]
mod tests {
    use actix_web::cookie::Cookie;
    use actix_web::http::Method;
    use actix_web::test::TestRequest;

    use super::*;

    fn gate() -> Gate {
        Gate::new(&["localhost"], &["http://localhost:3000"], &[])
    }

    #[test]
    fn a_token_counts_always_and_a_cookie_where_its_origin_does() {
        let bearer = Some(Credential::Bearer("t".to_owned()));
        let cookie = Some(Credential::Cookie("c".to_owned()));
        for (method, authorization, origin, wanted) in [
            (Method::GET, None, None, &cookie),
            (Method::GET, None, Some("http://evil.example"), &cookie),
            (Method::POST, None, None, &None),
            (Method::POST, None, Some("http://evil.example"), &None),
            (Method::POST, None, Some("null"), &None),
            (Method::POST, None, Some("http://localhost:3000"), &cookie),
            (Method::POST, None, Some("http://localhost"), &cookie),
            (Method::DELETE, None, Some("http://localhost:8001"), &None),
            (Method::POST, Some("Bearer t"), Some("http://evil.example"), &bearer),
            (Method::POST, Some("bearer  t "), None, &bearer),
            (Method::GET, Some("Basic dTpw"), None, &cookie),
            (Method::GET, Some("Bearer"), None, &Some(Credential::Bearer(String::new()))),
        ] {
            let mut request = TestRequest::default()
                .method(method.clone())
                .insert_header(("Host", "localhost"))
                .cookie(Cookie::new(ACCESS_COOKIE, "c"))
                .app_data(web::Data::new(gate()));
            if let Some(value) = authorization {
                request = request.insert_header(("Authorization", value));
            }
            if let Some(value) = origin {
                request = request.insert_header(("Origin", value));
            }
            let read = credential(&request.to_http_request());
            assert_eq!(&read, wanted, "{method} {authorization:?} {origin:?}");
        }
    }
}
