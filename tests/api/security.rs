//! SECURITY, the lines that are due: hosts, slow clients, passwords, limits, pages, records.
//! Tokens stand in `tokens` and `accounts`, cookies in `cookies_and_origin`, bounds in `bounds`.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::account::PASSWORD;
use crate::support::{Setup, eventually};

on_both_engines! {
    async fn a_socket_to_another_host_is_refused(setup: Setup) {
        let server = setup.env("ALLOWED_HOSTS", "chat.example.org,localhost").start().await;
        for host in ["evil.example", "chat.example.org.evil.example", "xchat.example.org", ""] {
            let status = server.room("open").header("host", host).refused().await;
            assert!((400..404).contains(&status), "{host}: {status}");
        }
        for host in ["chat.example.org", "CHAT.example.org:8000", "localhost", "127.0.0.1"] {
            server.room("open").header("host", host).open().await;
        }
    }
}

#[tokio::test]
async fn a_request_to_another_host_is_a_400() {
    let server = Setup::direct().env("ALLOWED_HOSTS", "chat.example.org").start().await;
    for host in ["evil.example", "chat.example.org.evil.example", "chat.example.org@evil.example"] {
        server.api().with("host", host).get("/list_rooms/").await.error(400);
    }
    let api = server.api().with("x-forwarded-host", "chat.example.org");
    api.with("host", "evil.example").get("/list_rooms/").await.error(400);
    server.api().with("host", "chat.example.org:443").get("/list_rooms/").await.is(200);
}

#[tokio::test]
async fn a_client_that_sends_its_head_or_body_too_slowly_is_let_go() {
    let setup = Setup::direct()
        .env("HUBBUB__SERVER__HEAD_TIMEOUT_S", "1")
        .env("HUBBUB__SERVER__BODY_TIMEOUT_S", "1");
    let server = setup.start().await;
    let host = server.addr();
    for start in [
        String::new(),
        "GET /list_rooms/ HTTP/1.1\r\n".to_owned(),
        format!(
            "POST /login/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
                 Content-Length: 100\r\n\r\n{{"
        ),
    ] {
        let mut stream = TcpStream::connect(host).await.expect("a connection");
        stream.write_all(start.as_bytes()).await.expect("a connection");
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut answer));
        assert!(ended.await.is_ok(), "{start:?} is still waited for");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}

#[tokio::test]
async fn passwords_of_64_characters_and_more_are_accepted() {
    let server = Setup::direct().start().await;
    for (name, password) in
        [("ann", "žluťoučký kůň ".repeat(5)), ("ben", "four words of any kind ".repeat(5))]
    {
        let body = json!({"username": name, "password": password});
        server.api().post("/register/", body.clone()).await.is(201);
        server.api().post("/api/token/", body.clone()).await.is(200);
        let mut cut = password.clone();
        cut.pop();
        let body = json!({"username": name, "password": cut});
        server.api().post("/api/token/", body).await.is(401);
    }
}

#[tokio::test]
async fn common_passwords_and_ones_own_name_are_refused() {
    let server = Setup::direct().start().await;
    for password in ["password", "12345678", "qwertyuiop", "iloveyou", "PASSWORD1", "annamaria"] {
        let body = json!({"username": "annamaria", "password": password});
        server.api().post("/register/", body).await.invalid("password");
    }
}

/// By the processor's time, which the machine's other work doesn't blur as it does the clock's.
#[tokio::test]
async fn an_unknown_user_costs_the_time_of_a_wrong_password() {
    let server = Setup::direct().start().await;
    server.account("alice").await;
    let mut costs = [0, 0];
    for (name, cost) in ["alice", "nobody"].iter().zip(&mut costs) {
        let before = server.cpu_ticks();
        for _ in 0..11 {
            let body = json!({"username": name, "password": "a wrong password"});
            server.api().post("/api/token/", body).await.is(401);
        }
        *cost = server.cpu_ticks() - before;
    }
    let [known, unknown] = costs;
    assert!(unknown * 2 > known && known * 2 > unknown, "known {known}, unknown {unknown}");
}

#[tokio::test]
async fn a_limit_for_an_account_or_an_address_keeps_nobody_else_out() {
    let setup = Setup::direct()
        .env("RATE_LIMITS", "on")
        .env("HUBBUB__AUTH__LOGINS_PER_MINUTE_ACCOUNT", "3")
        .env("HUBBUB__AUTH__LOGINS_PER_MINUTE_IP", "1000");
    let server = setup.start().await;
    let (alice, bob) = (server.account("alice").await, server.account("bob").await);
    let wrong = json!({"username": "alice", "password": "a wrong password"});
    let mut limited = false;
    for n in 0..12 {
        // Whatever an unlisted peer says of where it comes from, it is the same address.
        let api = server.api().with("x-forwarded-for", &format!("203.0.113.{n}"));
        let status = api.post("/api/token/", wrong.clone()).await.status;
        assert!(matches!(status, 401 | 429), "{status}");
        limited |= status == 429;
    }
    assert!(limited, "twelve wrong passwords in a row");
    let body = json!({"username": "bob", "password": PASSWORD});
    server.api().post("/api/token/", body).await.is(200);
    alice.api.get("/api/me/").await.is(200);
    bob.api.get("/api/me/").await.is(200);
}

#[tokio::test]
async fn registrations_from_one_address_are_limited() {
    let setup = Setup::direct()
        .env("RATE_LIMITS", "on")
        .env("HUBBUB__AUTH__REGISTRATIONS_PER_HOUR_IP", "3");
    let server = setup.start().await;
    let mut statuses = Vec::new();
    for n in 0..6 {
        let body = json!({"username": format!("user{n}"), "password": PASSWORD});
        statuses.push(server.api().post("/register/", body).await.status);
    }
    assert_eq!(statuses[..3], [201, 201, 201]);
    assert_eq!(statuses[5], 429, "{statuses:?}");
}

#[tokio::test]
async fn the_page_is_protected_and_allows_nothing_inline() {
    let server = Setup::direct().start().await;
    let page = server.api().get("/").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").expect("a policy");
    for wanted in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ] {
        assert!(policy.split(';').any(|part| part.trim() == wanted), "{wanted}: {policy}");
    }
    assert!(policy.contains("connect-src 'self'"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let html = page.text.to_lowercase();
    for inline in ["<script>", " style=", " onclick=", " onload=", "javascript:", "<style"] {
        assert!(!html.contains(inline), "{inline}");
    }
    for attribute in ["src=\"", "href=\""] {
        for rest in html.split(attribute).skip(1) {
            let target = rest.split('"').next().unwrap_or_default();
            if target.starts_with('/') && !target.starts_with("//") {
                assert_eq!(server.api().get(target).await.status, 200, "{target}");
            }
        }
    }
    let list = server.api().get("/list_rooms/").await;
    assert_eq!(list.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn what_comes_from_outside_breaks_no_line_of_the_log() {
    let server = Setup::direct().start().await;
    server.api().get("/nowhere%0AFORGED%0D%0Aline/").await;
    server.api().with("user-agent", "x\u{85}FORGED").get("/nowhere/").await;
    let body = json!({"username": "x\nFORGED", "password": "whatever it is"});
    server.api().post("/login/", body).await;
    let status = server.room("x%0AFORGED").refused().await;
    assert!((400..500).contains(&status));
    let log = server.log();
    assert!(!log.lines().any(|line| line.starts_with("FORGED")), "{log}");
}

#[tokio::test]
async fn refused_sign_ins_are_logged_once_without_the_password() {
    let server = Setup::direct().start().await;
    server.account("alice").await;
    let before = server.log().lines().count();
    let body = json!({"username": "alice", "password": "a wrong password"});
    server.api().post("/login/", body).await.is(400);
    eventually("the line", Duration::from_secs(5), || async {
        let log = server.log();
        let new: Vec<&str> = log.lines().skip(before).collect();
        if new.is_empty() { Err(log) } else { Ok(()) }
    })
    .await;
    assert!(!server.log().contains("a wrong password"));
}

#[tokio::test]
async fn membership_is_checked_at_the_act() {
    let server = Setup::direct().start().await;
    let (alice, bob) = (server.account("alice").await, server.account("bob").await);
    let group = alice.create_group("group", &[&bob]).await;
    let path = format!("/api/chats/{group}/messages/");
    let posts = futures_util::future::join_all((0..30).map(|n| {
        let api = bob.api.clone();
        let path = path.clone();
        async move { api.post(&path, json!({"content": n})).await.status }
    }));
    let (statuses, _) = tokio::join!(posts, alice.remove_from_chat(&group, &bob));
    assert!(statuses.iter().all(|status| matches!(status, 201 | 403)), "{statuses:?}");
    let stored = statuses.iter().filter(|status| **status == 201).count();
    let history: Value = alice.api.get(&path).await.is(200);
    assert_eq!(history.as_array().map(Vec::len), Some(stored));
    bob.api.post(&path, json!({"content": "late"})).await.error(403);
}
