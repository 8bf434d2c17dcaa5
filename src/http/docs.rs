//! The OpenAPI document, made from the handlers' own words, and Swagger UI over it, which loads
//! nothing from another host. Handlers for `routes`; the command `openapi` prints [`openapi`].

use std::sync::{Arc, LazyLock};

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::Config;

use super::error::ApiError;
use super::paging::Query;
use super::{
    accounts, admin, chats, history, named_rooms, online, ops, refusals, shh, tickets, tokens,
    users,
};

/// What Swagger UI may load: as every page, plus the one style that its script writes into the
/// page, by its hash (the browser's console names the new one after an update).
const SWAGGER_CSP: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; connect-src 'self'; \
    img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hubbub",
        description = "A chat server: accounts, rooms, messages. Errors are \
            `{\"detail\", \"error\", \"code\"}`; wrong fields are keys of their own.",
    ),
    paths(
        accounts::register, accounts::registration, accounts::me, accounts::password,
        tokens::login, tokens::pair, tokens::accounts_login, tokens::refresh,
        tokens::refresh_cookies, tokens::logout, tickets::mint, users::list,
        named_rooms::list, named_rooms::create, history::named, online::list,
        shh::list, shh::create, shh::join, shh::delete, shh::history, shh::send,
        chats::list, chats::one, chats::private, chats::group, chats::rename, chats::delete,
        chats::traffic::add_member, chats::traffic::remove_member, chats::traffic::history,
        chats::traffic::send,
        admin::stats, admin::stream::stream, admin::rooms, admin::room, admin::audit::audit,
        admin::delivery::delivery,
        admin::rooms::close, admin::rooms::kick, admin::rooms::ban, admin::rooms::bans,
        admin::rooms::unban,
        admin::words::delete_message, admin::words::announce,
        admin::users::disable, admin::users::enable, admin::users::sign_out,
        ops::healthz, ops::readyz, ops::metrics, schema,
    ),
    components(schemas(refusals::Problem)),
    modifiers(&Credentials, &Names),
    tags(
        (name = "accounts", description = "Accounts and users."),
        (name = "tokens", description = "Logging in, renewing, logging out."),
        (name = "random", description = "Public rooms by name; no account."),
        (name = "multi", description = "Stored history of public rooms."),
        (name = "pair", description = "Who is online."),
        (name = "shh", description = "Invited rooms."),
        (name = "chats", description = "Private and group chats."),
        (name = "admin", description = "Live figures and acts, for admins."),
        (name = "operators", description = "For probes, scrapers and programs."),
    )
)]
struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let cookie = |name: &str| SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(name)));
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme("cookie", cookie("access_token"));
        components.add_security_scheme("refresh_cookie", cookie("refresh_token"));
    }
}

/// Names each operation by its resource, too: handlers of several resources are called `list`.
struct Names;

impl Modify for Names {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for item in document.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                let tag = operation.tags.as_ref().and_then(|tags| tags.first());
                if let (Some(tag), Some(name)) = (tag, &operation.operation_id) {
                    operation.operation_id = Some(format!("{tag}_{name}"));
                }
            }
        }
    }
}

/// The OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The document as JSON and as YAML: it never changes while the process runs.
static TEXTS: LazyLock<Result<(String, String), String>> = LazyLock::new(|| {
    let document = openapi();
    let json = document.to_pretty_json().map_err(|error| error.to_string())?;
    let yaml = document.to_yaml().map_err(|error| error.to_string())?;
    Ok((json, yaml))
});

/// This document.
#[utoipa::path(get, path = "/api/schema/", tag = "operators",
    params(("format" = Option<String>, Query, description = "`json` (when missing) or `yaml`.")),
    responses((status = 200, description = "OpenAPI 3.1.", body = Object), refusals::BadInput))]
#[expect(clippy::missing_errors_doc, reason = "the text is the OpenAPI document's")]
pub async fn schema(query: Query, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let (json, yaml) = TEXTS.as_ref().map_err(|error| {
        log::error!("the OpenAPI document could not be written: {error}");
        ApiError::Internal
    })?;
    let accepts = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let wants_yaml = accepts.is_some_and(|accept| accept.contains("yaml"));
    let (text, kind) = match query.get("format").unwrap_or(if wants_yaml { "yaml" } else { "json" })
    {
        "json" => (json, "application/json"),
        "yaml" => (yaml, "application/yaml"),
        _ => return Err(ApiError::field("format", "Choose one of json, yaml.")),
    };
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, kind)).body(text.as_str()))
}

/// Swagger UI.
///
/// # Errors
/// When its page is not built in.
pub async fn index() -> Result<HttpResponse, ApiError> {
    swagger("index.html")
}

/// A file of Swagger UI.
///
/// # Errors
/// There is no such file.
pub async fn file(path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    swagger(&path)
}

fn swagger(name: &str) -> Result<HttpResponse, ApiError> {
    let config = Arc::new(Config::from("/api/schema/?format=json"));
    let file = utoipa_swagger_ui::serve(name, config).map_err(|error| {
        log::error!("Swagger UI could not be configured: {error}");
        ApiError::Internal
    })?;
    let file = file.ok_or(ApiError::NOT_FOUND)?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, file.content_type))
        .insert_header((CONTENT_SECURITY_POLICY, SWAGGER_CSP))
        .insert_header((CACHE_CONTROL, "no-cache"));
    if name == "index.html" {
        // The page answers without its trailing slash, too, where relative addresses would miss.
        let page = String::from_utf8_lossy(&file.bytes);
        let page = page
            .replace("=\"./", "=\"/api/docs/")
            .replace("=\"index.css", "=\"/api/docs/index.css");
        return Ok(response.body(page));
    }
    Ok(response.body(file.bytes.into_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Paths for people: the document is of what programs ask.
    const PAGES: [&str; 10] = [
        "/",
        "/admin/",
        "/r/{name}/",
        "/chat/{username}/",
        "/hubbub.js",
        "/hubbub-room.js",
        "/assets/{release}/{file}",
        "/api/docs/",
        "/api/docs/{file}",
        "/ws/chat/{name}/",
    ];
    /// Paths that are a page for GET alone.
    const FORMS: [&str; 2] = ["/login/", "/register/"];

    /// The route table as it is written: paths with their methods.
    fn routes() -> BTreeSet<(String, String)> {
        let table = include_str!("routes.rs");
        let table = table.split("/// A path with its methods").next().unwrap_or_default();
        let mut routes = BTreeSet::new();
        for entry in table.split("at(\"").skip(1) {
            let (path, rest) = entry.split_once('"').unwrap_or_default();
            let chain = rest.split(".into(").next().unwrap_or_default();
            for method in ["get", "post", "patch", "delete"] {
                if chain.contains(&format!(".{method}(")) {
                    routes.insert((path.to_owned(), method.to_owned()));
                }
            }
        }
        routes
    }

    #[test]
    fn every_route_is_documented_with_what_it_may_answer() {
        let document = serde_json::to_value(openapi()).unwrap_or_default();
        let (mut documented, mut names) = (BTreeSet::new(), BTreeSet::new());
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                documented.insert((path.clone(), method.clone()));
                assert!(names.insert(operation["operationId"].to_string()), "{method} {path}");
                let answers = operation["responses"].as_object();
                let has = |start: &str| {
                    answers.is_some_and(|all| all.keys().any(|status| status.starts_with(start)))
                };
                assert!(has("2"), "{method} {path} never succeeds");
                let secured = operation["security"].as_array().is_some_and(|s| !s.is_empty());
                assert!(!secured || has("4"), "{method} {path} never refuses");
                let body = operation.get("requestBody").is_some();
                assert!(!body || has("400"), "{method} {path} takes any body");
            }
        }
        let mut routes = routes();
        routes.retain(|(path, method)| {
            let is_page = PAGES.contains(&path.as_str());
            !is_page && (method != "get" || !FORMS.contains(&path.as_str()))
        });
        assert!(routes.len() > 30, "the table is read wrongly: {routes:?}");
        assert_eq!(documented, routes);
    }

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        let text = openapi().to_json().unwrap_or_default();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap_or_default();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn swagger_ui_is_whole_and_asks_no_other_host() {
        let page = utoipa_swagger_ui::serve("index.html", Arc::new(Config::from("/"))).ok();
        let page = page.flatten().map(|file| file.bytes.into_owned()).unwrap_or_default();
        let page = String::from_utf8(page).unwrap_or_default();
        let addresses = page.split("src=\"").chain(page.split("href=\"")).skip(1);
        for address in addresses.filter_map(|rest| rest.split('"').next()) {
            assert!(!address.starts_with("http") && !address.starts_with("//"), "{address}");
        }
        assert!(swagger("swagger-ui-bundle.js").is_ok() && swagger("nope.js").is_err());
    }
}
