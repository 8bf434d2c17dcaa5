//! CONTRACT section 1, what holds for every path: encodings, slashes, errors, pages, CORS.

use serde_json::{Value, json};

use crate::support::shape::MESSAGE;
use crate::support::{Account, Server, Setup, shape_all};

#[tokio::test]
async fn form_encoded_bodies_are_accepted_where_json_is() {
    let server = Setup::direct().start().await;
    let api = server.api();
    let body = "username=ann&email=ann%40example.org&password=correct+horse+battery";
    let id = api.form("/register/", body).await.is(201)["id"].clone();
    let body = "username=ann&password=correct+horse+battery";
    api.form("/login/", body).await.is(200);
    let pair = api.form("/api/token/", body).await.is(200);
    let refresh = format!("refresh={}", pair["refresh"].as_str().unwrap());
    api.form("/api/token/refresh/", &refresh).await.is(200);
    assert_eq!(api.form("/create_room/", "name=caf%C3%A9+50%25").await.is(201)["name"], "café 50%");
    let bob = server.account("bob").await;
    let body = format!("other_user_id={id}");
    let chat = bob.api.form("/api/chats/private/", &body).await.is(201);
    let path = format!("/api/chats/{}/messages/", chat["id"].as_str().unwrap());
    assert_eq!(bob.api.form(&path, "content=7+%26+8").await.is(201)["content"], "7 & 8");
    let room = bob.api.form("/rooms/create/", "chat_room_name=Lounge").await.is(201);
    let path = format!("/messages/{}/send/", room["room_id"].as_str().unwrap());
    assert_eq!(bob.api.form(&path, "message=hi").await.is(201)["message"], "hi");
}

#[tokio::test]
async fn answers_are_json_in_utf_8() {
    let server = Setup::direct().start().await;
    for path in ["/list_rooms/", "/nowhere/", "/api/me/", "/chat/history/x/"] {
        let answer = server.api().get(path).await;
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        assert!(kind.starts_with("application/json"), "{path}: {kind}");
        answer.body();
    }
}

#[tokio::test]
async fn paths_answer_with_and_without_the_trailing_slash_without_a_redirect() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let chat = alice.create_group("group", &[]).await;
    let room = alice.create_shh_room("Lounge").await;
    for path in [
        "/list_rooms".to_owned(),
        "/rooms".to_owned(),
        format!("/messages/{room}"),
        "/messages/Lounge".to_owned(),
        "/api/chats".to_owned(),
        format!("/api/chats/{chat}"),
        format!("/api/chats/{chat}/messages"),
        "/chat/history/global".to_owned(),
        "/api/users".to_owned(),
        "/api/me".to_owned(),
        "/api/online".to_owned(),
        "/api/schema".to_owned(),
        "/api/docs".to_owned(),
        "/healthz".to_owned(),
        "/readyz".to_owned(),
        "/metrics".to_owned(),
    ] {
        for slash in ["", "/"] {
            let answer = alice.api.get(&format!("{path}{slash}")).await;
            assert_eq!(answer.status, 200, "{path}{slash}: {}", answer.text);
        }
    }
    for path in [
        "/register",
        "/accounts/registration",
        "/login",
        "/api/token",
        "/accounts/login",
        "/api/token/refresh",
        "/create_room",
        "/rooms/create",
        "/room/join",
        "/api/chats/private",
        "/api/chats/group",
    ] {
        for slash in ["", "/"] {
            let answer = alice.api.post(&format!("{path}{slash}"), json!({})).await;
            assert!(matches!(answer.status, 400 | 401), "{path}{slash}: {answer:?}");
        }
    }
    server.door("/ws/chat/open").open().await.is_alive_with_nothing_waiting("no slash").await;
}

#[tokio::test]
async fn validation_errors_name_the_field() {
    let server = Setup::direct().start().await;
    let body = server.api().post("/register/", json!({})).await.invalid("password");
    assert_eq!(body["password"], json!(["This field is required."]));
}

#[tokio::test]
async fn unparsable_json_is_a_parse_error() {
    let server = Setup::direct().start().await;
    for body in ["{", "nonsense", "{\"a\":}", "[1,"] {
        let body = Some(("application/json", body.as_bytes().to_vec()));
        let body = server.api().send("POST", "/login/", body).await.error(400);
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.starts_with("JSON parse error - "), "{detail}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_with_allow() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    for (method, path, allowed) in [
        ("DELETE", "/list_rooms/", "GET"),
        ("GET", "/create_room/", "POST"),
        ("GET", "/logout/", "POST"),
        ("PUT", "/rooms/", "GET"),
        ("POST", "/api/users/", "GET"),
        ("PATCH", "/api/chats/", "GET"),
        ("POST", "/healthz", "GET"),
    ] {
        let answer = alice.api.bare(method, path).await;
        let allow = answer.header("allow").unwrap_or_default().to_owned();
        assert!(allow.split(',').any(|one| one.trim() == allowed), "{method} {path}: {allow:?}");
        answer.error(405);
    }
}

#[tokio::test]
async fn an_unknown_path_a_bad_uuid_and_a_missing_thing_are_404() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let nil = uuid::Uuid::nil();
    for path in [
        "/nowhere/",
        "/api/nowhere/",
        "/api/chats/no-id/",
        "/api/chats/7/",
        "/api/chats/%00/",
        "/messages/nowhere/",
        "/chat/history/",
        "/..%2f..%2fetc%2fpasswd",
    ] {
        alice.api.get(path).await.error(404);
    }
    alice.api.get(&format!("/api/chats/{nil}/")).await.error(404);
    alice.api.get(&format!("/messages/{nil}/")).await.error(404);
    alice.api.delete("/room/delete/no-id/").await.error(404);
    alice.api.delete(&format!("/room/delete/{nil}/")).await.error(404);
}

#[tokio::test]
async fn no_credential_and_a_bad_one_are_401_and_told_apart() {
    let server = Setup::direct().start().await;
    let none = server.api().get("/api/chats/").await;
    assert_eq!(none.header("www-authenticate"), Some("Bearer realm=\"api\""));
    let body = none.error(401);
    assert_eq!(body["detail"], "Authentication credentials were not provided.");

    let bad = server.api().bearer("nonsense").get("/api/chats/").await;
    assert_eq!(bad.header("www-authenticate"), Some("Bearer realm=\"api\""));
    let body = bad.error(401);
    assert_eq!(body["detail"], "Given token not valid for any token type");
    assert_eq!(body["code"], "token_not_valid");
    let messages = json!([{"token_class": "AccessToken", "token_type": "access",
                           "message": "Token is invalid or expired"}]);
    assert_eq!(body["messages"], messages);
}

#[tokio::test]
async fn nobody_learns_which_chats_exist() {
    let server = Setup::direct().start().await;
    let (alice, eve) = (server.account("alice").await, server.account("eve").await);
    let chat = alice.create_group("secret", &[]).await;
    let mut bodies = Vec::new();
    for id in [chat, uuid::Uuid::nil().to_string()] {
        let path = format!("/api/chats/{id}/messages/");
        let read = eve.api.get(&path).await.error(403);
        let wrote = eve.api.post(&path, json!({"content": "hi"})).await.error(403);
        assert_eq!(read["detail"], "You do not have permission to perform this action.");
        assert_eq!(wrote["detail"], read["detail"]);
        let seen = eve.api.get(&format!("/api/chats/{id}/")).await.error(404);
        bodies.push((read, wrote, seen));
    }
    assert_eq!(bodies[0], bodies[1]);
}

/// Alice, her group, and that many messages in it.
async fn group_with(server: &Server, messages: usize) -> (Account, String) {
    let alice = server.account("alice").await;
    let group = alice.create_group("long", &[]).await;
    let path = format!("/api/chats/{group}/messages/");
    let numbers: Vec<usize> = (1..=messages).collect();
    for some in numbers.chunks(50) {
        let posted = some.iter().map(|n| alice.api.post(&path, json!({"content": n})));
        for answer in futures_util::future::join_all(posted).await {
            answer.is(201);
        }
    }
    (alice, path)
}

fn seqs(page: &Value) -> Vec<i64> {
    let page = page.as_array().expect("a bare array");
    page.iter().map(|message| message["seq"].as_i64().expect("a seq")).collect()
}

#[tokio::test]
async fn a_list_is_the_latest_200_by_default_and_500_at_most() {
    let server = Setup::direct().start().await;
    let (alice, path) = group_with(&server, 510).await;
    let answer = alice.api.get(&path).await;
    assert!(answer.next().is_some(), "a cut list leads on");
    let page = answer.is(200);
    shape_all(&page, MESSAGE);
    assert_eq!(seqs(&page), (311..=510).collect::<Vec<_>>(), "the latest, oldest first");
    let page = alice.api.get(&format!("{path}?limit=100000")).await.is(200);
    assert_eq!(seqs(&page), (11..=510).collect::<Vec<_>>());
}

#[tokio::test]
async fn before_and_after_page_through_messages_and_link_leads_to_older_ones() {
    let server = Setup::direct().start().await;
    let (alice, path) = group_with(&server, 9).await;
    let get = async |query: &str| alice.api.get(&format!("{path}{query}")).await.is(200);
    assert_eq!(seqs(&get("?limit=3").await), [7, 8, 9]);
    assert_eq!(seqs(&get("?limit=3&before=7").await), [4, 5, 6]);
    assert_eq!(seqs(&get("?limit=3&after=2").await), [3, 4, 5]);
    assert_eq!(seqs(&get("?after=9").await), Vec::<i64>::new());
    assert_eq!(seqs(&get("?before=1").await), Vec::<i64>::new());

    let mut seen = Vec::new();
    let mut next = Some(format!("{path}?limit=4"));
    while let Some(page) = next {
        let answer = alice.api.get(&page).await;
        next = answer.next();
        let mut page = seqs(&answer.is(200));
        page.extend(seen);
        seen = page;
    }
    assert_eq!(seen, (1..=9).collect::<Vec<_>>());
    for wrong in ["?limit=x", "?limit=-1", "?before=x", "?after=%00"] {
        let status = alice.api.get(&format!("{path}{wrong}")).await.status;
        assert!(matches!(status, 200 | 400), "{wrong}: {status}");
    }
}

#[tokio::test]
async fn chats_and_users_page_by_an_opaque_cursor() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    for name in ["bob", "carol", "dave"] {
        server.account(name).await;
        alice.create_group(name, &[]).await;
    }
    for (list, of) in [("/api/users/", 3), ("/api/chats/", 3)] {
        let mut ids = std::collections::BTreeSet::new();
        let mut next = Some(format!("{list}?limit=1"));
        while let Some(page) = next {
            let answer = alice.api.get(&page).await;
            next = answer.next();
            let page = answer.is(200);
            assert!(page.as_array().is_some_and(|page| page.len() <= 1), "{list}: {page}");
            ids.extend(page.as_array().unwrap().iter().map(|one| one["id"].to_string()));
            assert!(ids.len() <= of, "{list} never ends");
        }
        assert_eq!(ids.len(), of, "{list}");
    }
}

#[tokio::test]
async fn cors_trusts_its_own_and_configured_origins_with_credentials_and_others_without() {
    let setup = Setup::direct().env("CORS_ALLOWED_ORIGINS", "https://chat.example.org");
    let server = setup.start().await;
    let own = server.origin();
    for trusted in ["https://chat.example.org", own.as_str()] {
        let answer = server.api().with("origin", trusted).get("/list_rooms/").await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(trusted));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    }
    let prefixed = format!("{own}.evil.example");
    for other in
        ["https://evil.example", "https://chat.example.org.evil.example", "null", &prefixed]
    {
        let answer = server.api().with("origin", other).get("/list_rooms/").await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{other}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{other}");
    }
    let asked = server
        .api()
        .with("origin", "https://chat.example.org")
        .with("access-control-request-method", "POST")
        .with("access-control-request-headers", "authorization,content-type")
        .bare("OPTIONS", "/api/chats/group/")
        .await;
    assert!(matches!(asked.status, 200 | 204), "{asked:?}");
    let methods = asked.header("access-control-allow-methods").unwrap_or_default();
    assert!(methods.contains("POST"), "{asked:?}");
    let headers = asked.header("access-control-allow-headers").unwrap_or_default().to_lowercase();
    assert!(headers.contains("authorization") && headers.contains("content-type"), "{asked:?}");
}

#[tokio::test]
async fn by_default_the_usual_development_origins_may_send_credentials() {
    let server = Setup::direct().start().await;
    for host in ["localhost", "127.0.0.1"] {
        for port in [3000, 5173] {
            let origin = format!("http://{host}:{port}");
            let answer = server.api().with("origin", &origin).get("/list_rooms/").await;
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin.as_str()));
            assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        }
    }
}

#[tokio::test]
async fn rate_limited_is_429_with_retry_after() {
    let server = Setup::direct().env("RATE_LIMITS", "on").start().await;
    let body = json!({"username": "nobody", "password": "wrong password"});
    for _ in 0..40 {
        let answer = server.api().post("/api/token/", body.clone()).await;
        if answer.status == 429 {
            let wait = answer.header("retry-after").and_then(|secs| secs.parse::<u64>().ok());
            assert!(wait.is_some_and(|secs| secs >= 1), "{answer:?}");
            assert_eq!(answer.error(429)["code"], "rate_limited");
            return;
        }
        answer.error(401);
    }
    panic!("forty wrong logins in a row were all let through");
}
