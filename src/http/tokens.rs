//! Tokens: logging in (with cookies or a bare pair), renewing, logging out. Handlers for `routes`
//! only. The cookies' refresh token and the body's are two, each with its own way to be renewed.

use std::time::Duration;

use actix_web::cookie::time::Duration as CookieAge;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accounts::Said;
use super::body::{Body, Fields, Problems, REQUIRED};
use super::caller::{
    ACCESS_COOKIE, Credential, From, REFRESH_COOKIE, cookie, credential, is_foreign,
};
use super::error::ApiError;
use super::refusals::{BadInput, BadRefresh, Busy, NoAccount, Throttled, Unauthorized};
use super::views::UserRef;
use crate::auth::{Auth, AuthError};
use crate::domain::{LoginId, UserId};
use crate::rooms::{Act, Rooms};

/// How often the rooms are told again of ended logins when they are busy, one second apart: as
/// long as the store may be away before it gives up itself.
const TELLS: usize = 30;

/// Name or address, and password.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct LoginBody {
    /// A user name.
    #[schema(example = "alice")]
    username: Option<String>,
    /// Instead of the name.
    #[schema(example = "alice@example.org")]
    email: Option<String>,
    /// In the clear.
    #[schema(example = "down the rabbit hole")]
    password: String,
}

/// A login with its tokens.
#[derive(Serialize, ToSchema)]
pub struct LoggedIn {
    /// For people.
    #[schema(example = "Login successful")]
    message: &'static str,
    /// The access token.
    token: String,
    /// The same.
    access: String,
    /// Renews it by `/api/token/refresh/`.
    refresh: String,
    /// Who.
    user: UserRef,
}

/// Logs in and sets the cookies `access_token` and `refresh_token` (not for a foreign origin).
#[utoipa::path(post, path = "/login/", tag = "tokens", request_body = LoginBody,
    responses((status = 200, description = "Logged in.", body = LoggedIn), BadInput, Throttled, Busy))]
pub async fn login(
    auth: web::Data<Auth>,
    From(asker): From,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = body.fields().await?;
    let mut problems = Problems::default();
    let given = |text: &String| !text.trim().is_empty();
    let email = problems.take("email", fields.text("email")).filter(given);
    let name = fields.text("username");
    let name = name.and_then(|name| name.filter(given).or(email).ok_or(REQUIRED));
    let name = problems.take("username", name);
    let password = problems.take("password", fields.required("password"));
    problems.done()?;
    let user = match auth.check_password(&name, &password, asker.ip).await {
        Err(AuthError::WrongCredentials) => {
            return Err(ApiError::field("non_field_errors", "Invalid email or password"));
        }
        checked => checked?,
    };
    let id = UserId(user.card.id);
    let pair = auth.start_login(id).await?;
    let mut response = HttpResponse::Ok();
    // A form on another site must not sign somebody's browser in as somebody else.
    if !is_foreign(&request) {
        let in_cookie = auth.cookie_refresh(id, pair.login).await?;
        let (access_s, refresh_s) = auth.lives_s();
        response
            .cookie(set(ACCESS_COOKIE, pair.access.clone(), access_s, asker.https))
            .cookie(set(REFRESH_COOKIE, in_cookie, refresh_s, asker.https));
    }
    Ok(response.json(LoggedIn {
        message: "Login successful",
        token: pair.access.clone(),
        access: pair.access,
        refresh: pair.refresh,
        user: UserRef::from(user.card.as_ref()),
    }))
}

/// An access token and what renews it.
#[derive(Serialize, ToSchema)]
pub struct TokenPair {
    /// Renews the access token.
    refresh: String,
    /// The credential.
    access: String,
}

/// Logs in for a pair of tokens, without cookies.
#[utoipa::path(post, path = "/api/token/", tag = "tokens", request_body = LoginBody,
    responses((status = 200, description = "Logged in.", body = TokenPair),
        BadInput, NoAccount, Throttled, Busy))]
pub async fn pair(auth: web::Data<Auth>, from: From, body: Body) -> Result<HttpResponse, ApiError> {
    log_in(&auth, from, &body.fields().await?).await
}

/// The same as `/api/token/`.
#[utoipa::path(post, path = "/accounts/login/", tag = "tokens", request_body = LoginBody,
    responses((status = 200, description = "Logged in.", body = TokenPair),
        BadInput, NoAccount, Throttled, Busy))]
pub async fn accounts_login(
    auth: web::Data<Auth>,
    from: From,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    log_in(&auth, from, &body.fields().await?).await
}

async fn log_in(auth: &Auth, From(asker): From, fields: &Fields) -> Result<HttpResponse, ApiError> {
    let mut problems = Problems::default();
    let name = problems.take("username", fields.required("username"));
    let password = problems.take("password", fields.required("password"));
    problems.done()?;
    let user = auth.check_password(&name, &password, asker.ip).await?;
    let pair = auth.start_login(UserId(user.card.id)).await?;
    Ok(HttpResponse::Ok().json(TokenPair { refresh: pair.refresh, access: pair.access }))
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct RefreshBody {
    /// As the login's body gave it.
    refresh: String,
}

/// A new access token.
#[derive(Serialize, ToSchema)]
pub struct RenewedPair {
    /// The credential.
    access: String,
    /// The successor, when refresh tokens rotate.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
}

/// Renews an access token by the refresh token of a login's body.
#[utoipa::path(post, path = "/api/token/refresh/", tag = "tokens", request_body = RefreshBody,
    responses((status = 200, description = "Renewed.", body = RenewedPair),
        BadInput, BadRefresh, Busy))]
pub async fn refresh(
    auth: web::Data<Auth>,
    rooms: web::Data<Rooms>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = body.fields().await?;
    let mut problems = Problems::default();
    let token = problems.take("refresh", fields.required("refresh"));
    problems.done()?;
    let renewed = reuse_told(&rooms, auth.renew(&token).await).await?;
    let (access, refresh) = (renewed.access, renewed.refresh);
    Ok(HttpResponse::Ok().json(RenewedPair { access, refresh }))
}

/// The cookies were renewed.
#[derive(Serialize, ToSchema)]
pub struct CookiesRenewed {
    /// For people.
    #[schema(example = "Token refreshed successfully")]
    message: &'static str,
    /// Whose.
    #[schema(example = 1)]
    user_id: i64,
}

/// Renews both cookies by the cookie `refresh_token`.
#[utoipa::path(post, path = "/refresh/", tag = "tokens", security(("refresh_cookie" = [])),
    responses((status = 200, description = "Renewed.", body = CookiesRenewed),
        (status = 400, description = "No cookie.", body = super::refusals::Problem,
            example = json!({"detail": "No refresh token", "error": "No refresh token",
                "code": "invalid"})),
        BadRefresh, Busy))]
pub async fn refresh_cookies(
    auth: web::Data<Auth>,
    rooms: web::Data<Rooms>,
    From(asker): From,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let Some(token) = cookie(&request, REFRESH_COOKIE) else {
        return Err(ApiError::Invalid("No refresh token".to_owned()));
    };
    let pair = reuse_told(&rooms, auth.renew_cookie(&token).await).await?;
    let (access_s, refresh_s) = auth.lives_s();
    Ok(HttpResponse::Ok()
        .cookie(set(ACCESS_COOKIE, pair.access, access_s, asker.https))
        .cookie(set(REFRESH_COOKIE, pair.refresh, refresh_s, asker.https))
        .json(CookiesRenewed { message: "Token refreshed successfully", user_id: pair.user.0 }))
}

/// Ends the caller's login, if there is one, and clears the cookies. An expired token still names
/// its login.
#[utoipa::path(post, path = "/logout/", tag = "tokens",
    security((), ("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Logged out.", body = Said), Unauthorized, Busy))]
pub async fn logout(
    auth: web::Data<Auth>,
    rooms: web::Data<Rooms>,
    From(asker): From,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut ended = Vec::new();
    if let Some(Credential::Bearer(token)) = credential(&request) {
        let login = auth.sign_out(&token).await?.ok_or(ApiError::BadCredential)?;
        ended.push(login);
    }
    for name in [ACCESS_COOKIE, REFRESH_COOKIE] {
        if let Some(token) = cookie(&request, name) {
            ended.extend(auth.sign_out(&token).await?);
        }
    }
    // One browser may hold cookies of two logins.
    for (user, login) in ended {
        tell_rooms(&rooms, user, vec![login]).await;
    }
    let mut response = HttpResponse::Ok();
    if !is_foreign(&request) {
        response.cookie(set(ACCESS_COOKIE, String::new(), 0, asker.https)).cookie(set(
            REFRESH_COOKIE,
            String::new(),
            0,
            asker.https,
        ));
    }
    Ok(response.json(Said { message: "Logged out" }))
}

fn set(name: &'static str, value: String, max_age_s: u64, secure: bool) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .max_age(CookieAge::seconds(i64::try_from(max_age_s).unwrap_or(i64::MAX)))
        .finish()
}

/// Passes a renewal on; when it was a reuse, the ended login's sockets are closed first.
async fn reuse_told<T>(rooms: &Rooms, renewed: Result<T, AuthError>) -> Result<T, ApiError> {
    if let Err(AuthError::Reused(user, login)) = renewed {
        tell_rooms(rooms, user, vec![login]).await;
    }
    Ok(renewed?)
}

/// Closes the sockets of logins that have ended.
pub async fn tell_rooms(rooms: &Rooms, by: UserId, logins: Vec<LoginId>) {
    if !logins.is_empty() {
        tell_act(rooms, by, Act::LoginsEnded { logins }).await;
    }
}

/// Tells the rooms of what the store has done already, so the answer does not depend on it: while
/// they are busy they are told again from a task of its own.
pub async fn tell_act(rooms: &Rooms, by: UserId, act: Act) {
    let Err(refused) = rooms.act(by, act.clone()).await else { return };
    log::warn!("sockets learn of an act later: {refused}");
    let rooms = rooms.clone();
    actix_web::rt::spawn(async move {
        for _ in 0..TELLS {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if rooms.act(by, act.clone()).await.is_ok() {
                return;
            }
        }
        log::error!("sockets could not be told of an act");
    });
}
