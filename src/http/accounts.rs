//! Accounts: registration, the caller himself, his password. Handlers for `routes` only.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Body, Fields, Problems};
use super::caller::{Caller, From};
use super::error::ApiError;
use super::refusals::{BadInput, Busy, Throttled, Unauthorized};
use super::tokens::tell_rooms;
use super::views::Person;
use crate::auth::{Auth, Registration};
use crate::rooms::Rooms;

/// A registration: user name or e-mail may be missing, but not both.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct RegisterBody {
    /// Made from the e-mail's local part when missing.
    #[schema(example = "alice")]
    username: Option<String>,
    /// May be missing when there is a user name.
    #[schema(example = "alice@example.org")]
    email: Option<String>,
    /// At least 8 characters, none of the common ones.
    #[schema(example = "down the rabbit hole")]
    password: String,
    /// May be missing.
    #[schema(example = "Alice")]
    first_name: Option<String>,
    /// May be missing.
    #[schema(example = "Liddell")]
    last_name: Option<String>,
}

/// A new account.
#[derive(Serialize, ToSchema)]
pub struct Registered {
    /// The account.
    #[serde(flatten)]
    person: Person,
    /// The same.
    user: Person,
    /// For people.
    #[schema(example = "Registration successful")]
    message: &'static str,
}

/// Makes an account by user name or e-mail.
#[utoipa::path(post, path = "/register/", tag = "accounts", request_body = RegisterBody,
    responses((status = 201, description = "Made.", body = Registered), BadInput, Throttled, Busy))]
pub async fn register(
    auth: web::Data<Auth>,
    from: From,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    create(&auth, from, &body.fields().await?, false).await
}

/// Makes an account by user name.
#[utoipa::path(post, path = "/accounts/registration/", tag = "accounts",
    request_body = RegisterBody,
    responses((status = 201, description = "Made.", body = Registered), BadInput, Throttled, Busy))]
pub async fn registration(
    auth: web::Data<Auth>,
    from: From,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    create(&auth, from, &body.fields().await?, true).await
}

async fn create(
    auth: &Auth,
    From(asker): From,
    fields: &Fields,
    by_name: bool,
) -> Result<HttpResponse, ApiError> {
    let mut problems = Problems::default();
    let form = Registration {
        username: if by_name {
            problems.take("username", fields.required("username").map(Some))
        } else {
            problems.take("username", fields.text("username"))
        },
        email: problems.take("email", fields.text("email")),
        password: problems.take("password", fields.required("password")),
        first_name: problems.take("first_name", fields.text("first_name")).unwrap_or_default(),
        last_name: problems.take("last_name", fields.text("last_name")).unwrap_or_default(),
        is_superuser: false,
    };
    problems.done()?;
    let user = auth.register(form, Some(asker.ip)).await?;
    let person = Person::from(user.card.as_ref());
    Ok(HttpResponse::Created().json(Registered {
        user: person.clone(),
        person,
        message: "Registration successful",
    }))
}

/// The caller.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// Who.
    #[serde(flatten)]
    person: Person,
    /// An admin.
    is_superuser: bool,
}

/// Who the caller is.
#[utoipa::path(get, path = "/api/me/", tag = "accounts", security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The caller.", body = Me), Unauthorized))]
pub async fn me(Caller(user): Caller) -> HttpResponse {
    let person = Person::from(user.card.as_ref());
    HttpResponse::Ok().json(Me { person, is_superuser: user.is_superuser })
}

/// A change of password.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct PasswordBody {
    /// The one in force.
    #[schema(example = "down the rabbit hole")]
    old_password: String,
    /// At least 8 characters, none of the common ones.
    #[schema(example = "through the looking-glass")]
    new_password: String,
}

/// A sentence for people.
#[derive(Serialize, ToSchema)]
pub struct Said {
    /// What happened.
    #[schema(example = "Password changed")]
    pub message: &'static str,
}

/// Changes the caller's password and ends his other logins.
#[utoipa::path(post, path = "/api/me/password/", tag = "accounts", request_body = PasswordBody,
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Changed.", body = Said),
        BadInput, Unauthorized, Throttled, Busy))]
pub async fn password(
    auth: web::Data<Auth>,
    rooms: web::Data<Rooms>,
    caller: Caller,
    From(asker): From,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = body.fields().await?;
    let mut problems = Problems::default();
    let old = problems.take("old_password", fields.required("old_password"));
    let new = problems.take("new_password", fields.required("new_password"));
    problems.done()?;
    let ended = auth.change_password(&caller.0, &old, new, asker.ip).await?;
    tell_rooms(&rooms, caller.id(), ended).await;
    Ok(HttpResponse::Ok().json(Said { message: "Password changed" }))
}
