//! The `OpenAPI` document and its pages: every route of the contract is listed with its errors,
//! every example is valid under its schema, and nothing needs another host.

use serde_json::Value;

use crate::support::Setup;

const ROUTES: &[(&str, &str)] = &[
    ("post", "/register/"),
    ("post", "/accounts/registration/"),
    ("post", "/login/"),
    ("post", "/api/token/"),
    ("post", "/accounts/login/"),
    ("post", "/api/token/refresh/"),
    ("post", "/refresh/"),
    ("post", "/logout/"),
    ("post", "/api/ws-ticket/"),
    ("get", "/api/users/"),
    ("get", "/api/me/"),
    ("post", "/api/me/password/"),
    ("get", "/list_rooms/"),
    ("post", "/create_room/"),
    ("get", "/rooms/"),
    ("post", "/rooms/create/"),
    ("post", "/room/join/"),
    ("delete", "/room/delete/{room_id}/"),
    ("get", "/messages/{room}/"),
    ("post", "/messages/{room}/send/"),
    ("get", "/api/chats/"),
    ("get", "/api/chats/{id}/"),
    ("post", "/api/chats/private/"),
    ("post", "/api/chats/group/"),
    ("post", "/api/chats/{id}/add-member/"),
    ("post", "/api/chats/{id}/remove-member/"),
    ("get", "/api/chats/{id}/messages/"),
    ("post", "/api/chats/{id}/messages/"),
    ("patch", "/api/chats/{id}/"),
    ("delete", "/api/chats/{id}/"),
    ("get", "/chat/history/{room_name}/"),
    ("get", "/api/online/"),
    ("get", "/api/admin/stats/"),
    ("get", "/api/admin/rooms/"),
    ("get", "/api/admin/rooms/{id}/"),
    ("post", "/api/admin/rooms/{id}/close/"),
    ("post", "/api/admin/rooms/{id}/kick/"),
    ("post", "/api/admin/rooms/{id}/ban/"),
    ("post", "/api/admin/rooms/{id}/unban/"),
    ("delete", "/api/admin/messages/{id}/"),
    ("post", "/api/admin/announce/"),
    ("post", "/api/admin/users/{id}/disable/"),
    ("post", "/api/admin/users/{id}/enable/"),
    ("post", "/api/admin/users/{id}/sign-out/"),
    ("get", "/api/admin/audit/"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
];

async fn document() -> Value {
    let server = Setup::direct().start().await;
    server.api().get("/api/schema/?format=json").await.is(200)
}

/// A path without its slashes' and parameters' names.
fn plain(path: &str) -> String {
    let words = path.trim_matches('/').split('/');
    words.map(|word| if word.starts_with('{') { "{}" } else { word }).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_is_listed_with_its_successes_and_errors() {
    let document = document().await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    let paths = document["paths"].as_object().expect("paths");
    for &(method, wanted) in ROUTES {
        let found = paths
            .iter()
            .find(|(path, item)| plain(path) == plain(wanted) && item[method].is_object());
        let operation =
            &found.unwrap_or_else(|| panic!("{method} {wanted} is not listed")).1[method];
        let answers = operation["responses"].as_object().expect("responses");
        assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {wanted}");
        let ops = ["/healthz", "/metrics"].contains(&wanted);
        let errors = answers.keys().any(|status| status.starts_with(['4', '5']));
        assert!(ops || errors || wanted == "/list_rooms/", "{method} {wanted} has no errors");
        assert!(operation["operationId"].is_string(), "{method} {wanted}");
    }
}

#[tokio::test]
async fn every_example_is_valid_under_its_schema() {
    let document = document().await;
    let mut seen = 0;
    visit(&document, &document, "#", &mut seen);
    assert!(seen > 20, "{seen} examples");
}

/// Every place that has a schema and examples side by side.
fn visit(document: &Value, here: &Value, at: &str, seen: &mut usize) {
    if let Some(schema) = here.get("schema") {
        let one = here.get("example").into_iter();
        let many = here.get("examples").and_then(Value::as_object);
        let many = many.into_iter().flat_map(|all| all.values().filter_map(|e| e.get("value")));
        for example in one.chain(many) {
            if let Err(why) = check(document, schema, example) {
                panic!("{at}: {why} in {example}");
            }
            *seen += 1;
        }
    }
    let children: Vec<(String, &Value)> = match here {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(n, v)| (n.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in children {
        visit(document, value, &format!("{at}/{key}"), seen);
    }
}

/// The part of JSON Schema that says what is missing or of the wrong type.
fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.trim_start_matches('#'));
        return check(document, target.ok_or_else(|| format!("{name} leads nowhere"))?, value);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check(document, part, value)?;
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array()
            && !choices.iter().any(|one| check(document, one, value).is_ok())
        {
            return Err(format!("none of {choice}"));
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(value, kind)) {
        return Err(format!("{value} is no {kinds:?}"));
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        return Err(format!("{value} is none of {values:?}"));
    }
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if !fields.contains_key(name) {
                return Err(format!("no {name}"));
            }
        }
        for (name, field) in fields {
            if let Some(schema) = schema["properties"].get(name) {
                check(document, schema, field).map_err(|why| format!("{name}: {why}"))?;
            }
        }
    }
    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
        if schema["items"].is_object() {
            check(document, &schema["items"], item).map_err(|why| format!("{place}: {why}"))?;
        }
    }
    Ok(())
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_operations_are_named_once() {
    let document = document().await;
    let mut names = std::collections::HashSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            if let Some(name) = operation["operationId"].as_str() {
                assert!(names.insert(name.to_owned()), "{name} twice: {method} {path}");
            }
        }
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let target = reference.split('"').next().unwrap_or_default();
        assert!(document.pointer(target).is_some(), "{target}");
    }
}

#[tokio::test]
async fn the_document_comes_as_json_and_as_yaml() {
    let server = Setup::direct().start().await;
    let json = server.api().get("/api/schema/?format=json").await;
    assert!(json.header("content-type").is_some_and(|kind| kind.contains("json")), "{json:?}");
    json.is(200);
    let yaml = server.api().get("/api/schema/?format=yaml").await;
    assert_eq!(yaml.status, 200);
    let kind = yaml.header("content-type").unwrap_or_default().to_owned();
    assert!(kind.contains("yaml") || kind.starts_with("application/vnd.oai.openapi"), "{kind}");
    assert!(yaml.text.lines().any(|line| line.starts_with("openapi:")));
    assert_eq!(server.api().get("/api/schema/").await.status, 200);
}

#[tokio::test]
async fn swagger_ui_works_with_no_other_host() {
    let server = Setup::direct().start().await;
    let page = server.api().get("/api/docs/").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap_or_default().to_owned();
    assert!(policy.contains("default-src") && !policy.contains("http"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    let mut assets = 0;
    for attribute in ["src=\"", "href=\""] {
        for rest in page.text.split(attribute).skip(1) {
            let target = rest.split('"').next().unwrap_or_default();
            assert!(!target.contains("//"), "{target} is another host's");
            let path = match target.strip_prefix("./") {
                Some(relative) => format!("/api/docs/{relative}"),
                None if target.starts_with('/') => target.to_owned(),
                None => format!("/api/docs/{target}"),
            };
            let asset = server.api().get(&path).await;
            assert_eq!(asset.status, 200, "{path}");
            assets += 1;
            if path.ends_with("initializer.js") {
                assert!(!asset.text.contains("petstore"), "{}", asset.text);
                assert!(asset.text.contains("/api/schema/"), "{}", asset.text);
            }
        }
    }
    assert!(assets >= 3, "{}", page.text);
}
