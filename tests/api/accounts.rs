//! CONTRACT section 1, *Accounts and tokens*: registration, login, the user's own data, refresh
//! and logout.

use serde_json::{Value, json};

use crate::support::account::{PASSWORD, text};
use crate::support::tokens::claims;
use crate::support::{Setup, shape, shape_all};

const REGISTERED: &str =
    "id:int username:str email:str first_name:str last_name:str user:obj message:str";

#[tokio::test]
async fn both_registrations_answer_the_same_superset() {
    let server = Setup::direct().start().await;
    for (path, name) in [("/register/", "ann"), ("/accounts/registration/", "bob")] {
        let body = json!({"username": name, "password": PASSWORD});
        let body = server.api().post(path, body).await.is(201);
        shape(&body, REGISTERED);
        shape(&body["user"], "id:int|str username:str email:str");
        assert_eq!((&body["username"], &body["user"]["username"]), (&json!(name), &json!(name)));
        assert_eq!(body["message"], "Registration successful");
        assert!(!body.to_string().contains("password"), "{body}");
    }
}

#[tokio::test]
async fn without_a_username_one_is_made_from_the_address_and_is_unique() {
    let server = Setup::direct().start().await;
    let mut names = std::collections::HashSet::new();
    for host in ["example.org", "example.net", "example.com"] {
        let body = json!({"email": format!("ann@{host}"), "password": PASSWORD});
        let body = server.api().post("/register/", body).await.is(201);
        let name = text(&body["username"]);
        assert!(name.starts_with("ann"), "{name}");
        assert!(names.insert(name), "taken twice: {body}");
    }
    assert!(names.contains("ann"));
}

#[tokio::test]
async fn registration_refuses_by_field() {
    let server = Setup::direct().start().await;
    let api = server.api();
    let register = |body: Value| api.post("/register/", body);
    let body = json!({"username": "ann", "email": "ann@example.org", "password": PASSWORD});
    register(body).await.is(201);
    for (field, body) in [
        ("username", json!({"username": "ann", "password": PASSWORD})),
        ("username", json!({"username": "ANN", "password": PASSWORD})),
        ("email", json!({"username": "b", "email": "ann@example.org", "password": PASSWORD})),
        ("email", json!({"username": "b", "email": "Ann@Example.org", "password": PASSWORD})),
        ("email", json!({"username": "b", "email": "no address", "password": PASSWORD})),
        ("username", json!({"username": "a b", "password": PASSWORD})),
        ("username", json!({"username": "a/b", "password": PASSWORD})),
        ("username", json!({"username": "a\u{0}b", "password": PASSWORD})),
        ("username", json!({"username": "a".repeat(151), "password": PASSWORD})),
        ("username", json!({"username": uuid::Uuid::nil().to_string(), "password": PASSWORD})),
        ("password", json!({"username": "b"})),
        ("password", json!({"username": "b", "password": "short7!"})),
        ("password", json!({"username": "b", "password": "password"})),
        ("password", json!({"username": "b", "password": 7})),
    ] {
        register(body.clone()).await.invalid(field);
    }
    let body = server.api().post("/register/", json!({"password": PASSWORD})).await.error(400);
    assert!(body["username"].is_array() || body["email"].is_array(), "{body}");
    server.api().post("/accounts/registration/", json!({})).await.invalid("username");
}

#[tokio::test]
async fn login_takes_a_name_or_an_address_and_sets_both_cookies() {
    let server = Setup::direct().start().await;
    server.account("alice").await;
    for who in [json!({"username": "alice"}), json!({"email": "alice@example.org"})] {
        let mut body = who;
        body["password"] = json!(PASSWORD);
        let answer = server.api().post("/login/", body).await;
        for (name, life) in [("access_token", 3_600), ("refresh_token", 604_800)] {
            let line = answer.set_cookie(name).expect("a cookie");
            let has = |wanted: &str| line.split("; ").any(|part| part.eq_ignore_ascii_case(wanted));
            for wanted in ["HttpOnly", "SameSite=Lax", "Path=/", &format!("Max-Age={life}")] {
                assert!(has(wanted), "{wanted} is missing in {line}");
            }
            assert!(!has("Secure"), "plain HTTP: {line}");
        }
        let access = answer.cookie("access_token").unwrap().to_owned();
        let body = answer.is(200);
        shape(&body, "message:str token:str access:str refresh:str user:obj");
        shape(&body["user"], "id:int|str username:str email:str");
        assert_eq!(
            (&body["token"], &body["message"]),
            (&body["access"], &json!("Login successful"))
        );
        assert_eq!(claims(&access)["token_type"], "access");
    }
}

#[tokio::test]
async fn cookies_are_secure_when_a_listed_proxy_says_https_and_nobody_else() {
    let setup = Setup::direct().env("HUBBUB__SERVER__TRUSTED_PROXIES", "127.0.0.1");
    let (behind, alone) = (setup.start().await, Setup::direct().start().await);
    for (server, wanted) in [(&behind, true), (&alone, false)] {
        server.account("alice").await;
        let body = json!({"username": "alice", "password": PASSWORD});
        let api = server.api().with("x-forwarded-proto", "https");
        let answer = api.post("/login/", body).await;
        let line = answer.set_cookie("access_token").expect("a cookie");
        assert_eq!(line.contains("Secure"), wanted, "{line}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_told_the_same() {
    let server = Setup::direct().start().await;
    server.account("alice").await;
    let mut bodies = Vec::new();
    for name in ["alice", "nobody"] {
        let wrong = json!({"username": name, "password": "not the password"});
        let login = server.api().post("/login/", wrong.clone()).await.error(400);
        assert_eq!(login["non_field_errors"], json!(["Invalid email or password"]));
        let pair = server.api().post("/api/token/", wrong.clone()).await.error(401);
        assert_eq!(pair["detail"], "No active account found with the given credentials");
        assert_eq!(pair["code"], "no_active_account");
        assert_eq!(server.api().post("/accounts/login/", wrong).await.error(401), pair);
        bodies.push((login, pair));
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn tokens_hold_the_claims_that_clients_read() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    for (token, kind, life) in
        [(&alice.access, "access", 3_600), (&alice.refresh, "refresh", 604_800)]
    {
        let found = claims(token);
        shape(
            &found,
            "iss:str sid:uuid user_id:str id:int|str token_type:str type:str jti:str \
                       iat:int exp:int",
        );
        assert_eq!((&found["token_type"], &found["type"]), (&json!(kind), &json!(kind)));
        assert_eq!(found["user_id"], alice.id.to_string());
        assert_eq!(found["exp"].as_i64().unwrap() - found["iat"].as_i64().unwrap(), life);
        let head = jsonwebtoken::decode_header(token).expect("a header");
        assert_eq!(head.alg, jsonwebtoken::Algorithm::HS256);
    }
    assert_eq!(claims(&alice.access)["sid"], claims(&alice.refresh)["sid"]);
}

#[tokio::test]
async fn every_logins_token_works_on_every_path() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let group = alice.create_group("group", &[]).await;
    for path in ["/login/", "/api/token/", "/accounts/login/"] {
        let access = text(&server.api().post(path, body.clone()).await.is(200)["access"]);
        let api = server.api().bearer(&access);
        for path in ["/rooms/", "/api/chats/", "/api/online/", "/chat/history/x/", "/api/me/"] {
            api.get(path).await.is(200);
        }
        server.room(&group).token(&access).open().await;
        server.room("named").token(&access).open().await;
    }
}

#[tokio::test]
async fn a_body_refresh_does_not_rotate_unless_the_setting_says_so() {
    let setup = Setup::direct().env("HUBBUB__AUTH__ROTATE_REFRESH", "true");
    let (rotating, plain) = (setup.start().await, Setup::direct().start().await);
    for (server, rotates) in [(&rotating, true), (&plain, false)] {
        let alice = server.account("alice").await;
        let body = json!({"refresh": alice.refresh});
        let body = server.api().post("/api/token/refresh/", body).await.is(200);
        server.api().bearer(&text(&body["access"])).get("/api/me/").await.is(200);
        assert_eq!(body.get("refresh").is_some(), rotates, "{body}");
    }
}

#[tokio::test]
async fn a_wrong_refresh_token_is_401() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    for wrong in ["nonsense", &alice.access, &crate::support::tokens::expired(&alice.refresh)] {
        let body = json!({"refresh": wrong});
        let body = server.api().post("/api/token/refresh/", body).await.error(401);
        assert_eq!(
            (&body["detail"], &body["code"]),
            (&json!("Token is invalid"), &json!("token_not_valid"))
        );
    }
    server.api().post("/api/token/refresh/", json!({})).await.invalid("refresh");
}

#[tokio::test]
async fn two_tabs_that_refresh_at_once_get_the_same_successor() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let login = server.api().post("/login/", body).await;
    let cookie = format!("refresh_token={}", login.cookie("refresh_token").expect("a cookie"));
    let api = server.api().with("origin", &server.origin());
    let refresh = |cookie: &str| {
        let api = api.with("cookie", cookie);
        async move { api.post("/refresh/", json!({})).await }
    };
    let (one, two) = tokio::join!(refresh(&cookie), refresh(&cookie));
    assert_eq!(one.cookie("refresh_token"), two.cookie("refresh_token"));
    let successor = one.cookie("refresh_token").expect("a cookie").to_owned();
    let body = one.is(200);
    shape(&body, "message:str user_id:int");
    assert_eq!(
        (&body["user_id"], &body["message"]),
        (&json!(alice.id), &json!("Token refreshed successfully"))
    );
    let third = refresh(&format!("refresh_token={successor}")).await;
    assert_ne!(third.cookie("refresh_token"), Some(successor.as_str()));
    third.is(200);
}

#[tokio::test]
async fn a_cookie_refresh_token_used_again_after_its_grace_revokes_the_login() {
    let setup = Setup::direct().env("HUBBUB__AUTH__REFRESH_GRACE_S", "0");
    let server = setup.start().await;
    server.account("alice").await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let login = server.api().post("/login/", body).await;
    let cookie = format!("refresh_token={}", login.cookie("refresh_token").expect("a cookie"));
    let api = server.api().with("origin", &server.origin());
    let socket =
        server.room("lobby").token(login.cookie("access_token").expect("a cookie")).open().await;
    let first = api.with("cookie", &cookie).post("/refresh/", json!({})).await;
    let access = first.cookie("access_token").expect("a cookie").to_owned();
    first.is(200);
    api.with("cookie", &cookie).post("/refresh/", json!({})).await.error(401);
    server.api().bearer(&access).get("/api/me/").await.error(401);
    socket.expect_close(4001).await;
}

#[tokio::test]
async fn a_refresh_without_a_cookie_is_400() {
    let server = Setup::direct().start().await;
    let body = server.api().post("/refresh/", json!({})).await.error(400);
    assert_eq!(body["detail"], "No refresh token");
    let api =
        server.api().with("cookie", "refresh_token=nonsense").with("origin", &server.origin());
    api.post("/refresh/", json!({})).await.error(401);
}

#[tokio::test]
async fn logout_ends_that_login_and_no_other() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let other = alice.again().await;
    let gone = server.room("lobby").token(&alice.access).open().await;
    let mut stays = server.room("lobby").token(&other.access).open().await;
    let answer = alice.api.post("/logout/", json!({})).await;
    for name in ["access_token", "refresh_token"] {
        let line = answer.set_cookie(name).expect("it is cleared");
        assert!(line.contains("Max-Age=0") || line.contains("1970"), "{line}");
    }
    assert_eq!(answer.is(200)["message"], "Logged out");
    gone.expect_close(4001).await;
    alice.api.get("/api/me/").await.error(401);
    assert_eq!(server.room("lobby").token(&alice.access).refused().await, 403);
    let body = json!({"refresh": alice.refresh});
    server.api().post("/api/token/refresh/", body).await.error(401);
    other.api.get("/api/me/").await.is(200);
    stays.is_alive_with_nothing_waiting("still here").await;
}

#[tokio::test]
async fn users_are_all_but_the_caller() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    server.account("bob").await;
    let users = alice.api.get("/api/users/").await.is(200);
    shape_all(
        &users,
        "id:int username:str email:str first_name:str last_name:str online:bool \
                       last_seen:time|null",
    );
    assert_eq!(users.as_array().unwrap().len(), 1);
    assert_eq!((&users[0]["username"], &users[0]["online"]), (&json!("bob"), &json!(false)));
    server.api().get("/api/users/").await.error(401);
    let me = alice.api.get("/api/me/").await.is(200);
    shape(&me, "id:int username:str email:str");
    assert_eq!((&me["id"], &me["email"]), (&json!(alice.id), &json!("alice@example.org")));
    server.api().get("/api/me/").await.error(401);
}

#[tokio::test]
async fn a_new_password_ends_every_other_login() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let other = alice.again().await;
    let (kept, gone) = (
        server.room("lobby").token(&alice.access).open().await,
        server.room("lobby").token(&other.access).open().await,
    );
    let path = "/api/me/password/";
    let new = "another good password";
    let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});
    alice.api.post(path, change("wrong one", new)).await.error(400);
    alice.api.post(path, change(PASSWORD, "short")).await.invalid("new_password");
    server.api().post(path, change(PASSWORD, new)).await.error(401);
    alice.api.post(path, change(PASSWORD, new)).await.is(200);
    other.api.get("/api/me/").await.error(401);
    gone.expect_close(4001).await;
    alice.api.get("/api/me/").await.is(200);
    let mut kept = kept;
    kept.is_alive_with_nothing_waiting("still here").await;
    let login = |password: &str| json!({"username": "alice", "password": password});
    server.api().post("/api/token/", login(PASSWORD)).await.error(401);
    server.api().post("/api/token/", login(new)).await.is(200);
}
