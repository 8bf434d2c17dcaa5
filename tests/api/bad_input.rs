//! Bad input of every kind against every route: a 4xx with the contract's body, never a 500,
//! never a hang, and nothing of it a secret in the log.

use serde_json::{Value, json};

use crate::support::{Account, Answer, Server, Setup};

/// Routes that take a body, with what they take; `{…}` is filled in.
const WITH_BODY: &[(&str, &str, &[&str])] = &[
    ("POST", "/register/", &["username", "email", "password", "first_name", "last_name"]),
    ("POST", "/accounts/registration/", &["username", "password"]),
    ("POST", "/login/", &["username", "email", "password"]),
    ("POST", "/api/token/", &["username", "password"]),
    ("POST", "/accounts/login/", &["username", "password"]),
    ("POST", "/api/token/refresh/", &["refresh"]),
    ("POST", "/api/me/password/", &["old_password", "new_password"]),
    ("POST", "/create_room/", &["name"]),
    ("POST", "/rooms/create/", &["chat_room_name"]),
    ("POST", "/room/join/", &["room_id"]),
    ("POST", "/messages/{room}/send/", &["message"]),
    ("POST", "/api/chats/private/", &["other_user_id"]),
    ("POST", "/api/chats/group/", &["name"]),
    ("POST", "/api/chats/{chat}/add-member/", &["user_id"]),
    ("POST", "/api/chats/{chat}/remove-member/", &["user_id"]),
    ("POST", "/api/chats/{chat}/messages/", &["content"]),
    ("PATCH", "/api/chats/{chat}/", &["name"]),
];

/// Routes that name something in the path.
const WITH_NAME: &[(&str, &str)] = &[
    ("GET", "/messages/{}/"),
    ("POST", "/messages/{}/send/"),
    ("DELETE", "/room/delete/{}/"),
    ("GET", "/api/chats/{}/"),
    ("PATCH", "/api/chats/{}/"),
    ("DELETE", "/api/chats/{}/"),
    ("GET", "/api/chats/{}/messages/"),
    ("POST", "/api/chats/{}/messages/"),
    ("POST", "/api/chats/{}/add-member/"),
    ("POST", "/api/chats/{}/remove-member/"),
    ("GET", "/chat/history/{}/"),
    ("GET", "/api/admin/rooms/{}/"),
];

struct House {
    server: Server,
    alice: Account,
    chat: String,
    room: String,
}

impl House {
    async fn new() -> Self {
        let server = Setup::direct().start().await;
        let alice = server.account("alice").await;
        let chat = alice.create_group("group", &[]).await;
        let room = alice.create_shh_room("Lounge").await;
        Self { server, alice, chat, room }
    }

    fn path(&self, path: &str) -> String {
        path.replace("{chat}", &self.chat).replace("{room}", &self.room)
    }

    async fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        let path = self.path(path);
        self.alice.api.send(method, &path, Some((kind, body.to_vec()))).await
    }

    async fn goes_on(&self) {
        self.alice.post_to_chat(&self.chat, "and on").await;
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{log}");
        assert!(!log.contains("hunter2 secret"), "{log}");
    }
}

/// A refusal in the contract's shape; `what` tells the test's reader which one.
#[track_caller]
fn refused(answer: Answer, what: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
    let status = answer.status;
    answer.error(status);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_a_400() {
    let house = House::new().await;
    let deep = |n: usize| format!("{{\"name\":{}1{}}}", "[".repeat(n), "]".repeat(n));
    for (method, path, _) in WITH_BODY {
        for body in
            ["nonsense", "{", "{\"a\":1,}", "[]", "7", "null", "\"text\"", "\u{feff}{}", "{} {}"]
        {
            let answer = house.send(method, path, "application/json", body.as_bytes()).await;
            assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text);
            refused(answer, path);
        }
        for bytes in [&b"\xff\xfe\x00"[..], b"{\"name\":\"\xff\"}", b"\0", b"{\"name\":\"\0\"}"] {
            let answer = house.send(method, path, "application/json", bytes).await;
            refused(answer, &format!("{path} {bytes:?}"));
        }
        for depth in [20, 1_000, 100_000] {
            let answer = house.send(method, path, "application/json", deep(depth).as_bytes()).await;
            refused(answer, &format!("{path} {depth} deep"));
        }
        let answer = house.send(method, path, "application/json", &vec![b' '; 1 << 20]).await;
        refused(answer, &format!("{path} 1 MB"));
    }
    house.goes_on().await;
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_a_400_that_names_the_field() {
    let house = House::new().await;
    for (method, path, fields) in WITH_BODY {
        for field in *fields {
            for wrong in [json!([]), json!({}), json!([1]), json!({"a": 1}), json!(true)] {
                let mut body = json!({});
                for other in *fields {
                    let secret = other.contains("password") || *other == "refresh";
                    body[*other] = json!(if secret { "hunter2 secret" } else { "some text" });
                }
                body[*field] = wrong.clone();
                let answer = house.alice.api.json(method, &house.path(path), &body).await;
                refused(answer, &format!("{method} {path} {field}={wrong}"));
            }
        }
    }
    house.goes_on().await;
}

#[tokio::test]
async fn odd_texts_and_numbers_are_refused_or_kept_and_never_a_500() {
    let house = House::new().await;
    let long = "x".repeat(100_000);
    let odd: Vec<Value> = vec![
        json!("a\u{0}b"),
        json!("\u{1}\u{7f}"),
        json!("a/b"),
        json!("🦀"),
        json!("שלום"),
        json!("\u{202e}"),
        json!("' OR 1=1 --"),
        json!("%00"),
        json!(""),
        json!(" "),
        json!(long),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(1.5),
        json!(null),
        json!("9999999999999999999999"),
        json!("\u{feff}"),
        json!("../../etc/passwd"),
    ];
    for (method, path, fields) in WITH_BODY {
        // The password of whoever this test signs in as stays what it is.
        for value in &odd {
            let mut body = json!({});
            for field in *fields {
                body[*field] = value.clone();
            }
            let answer = house.alice.api.json(method, &house.path(path), &body).await;
            assert!(answer.status < 500, "{method} {path} {value}: {answer:?}");
            if answer.status >= 400 {
                refused(answer, path);
            }
        }
    }
    let half = br#"{"content":"\ud800"}"#;
    let answer = house.send("POST", "/api/chats/{chat}/messages/", "application/json", half).await;
    refused(answer, "a lone surrogate");
    house.goes_on().await;
}

#[tokio::test]
async fn a_wrong_content_type_is_a_4xx() {
    let house = House::new().await;
    for (method, path, _) in WITH_BODY {
        for kind in ["text/plain", "application/xml", "nonsense", "multipart/form-data"] {
            let answer = house.send(method, path, kind, b"{\"name\":\"x\"}").await;
            assert!(matches!(answer.status, 400 | 415), "{path} {kind}: {answer:?}");
            refused(answer, path);
        }
        let answer = house.send(method, path, "application/json; charset=utf-8", b"[").await;
        assert_eq!(answer.status, 400, "{path}");
        let form = "application/x-www-form-urlencoded";
        let answer = house.send(method, path, form, b"%ff=%fe&=&&a=%zz").await;
        refused(answer, &format!("{path} form"));
    }
    house.goes_on().await;
}

#[tokio::test]
async fn a_body_of_nothing_is_told_what_is_missing() {
    let house = House::new().await;
    for (method, path, _) in WITH_BODY {
        let answer = house.alice.api.bare(method, &house.path(path)).await;
        refused(answer, &format!("{method} {path} without a body"));
        let answer = house.send(method, path, "application/json", b"{}").await;
        refused(answer, &format!("{method} {path} with an empty object"));
    }
}

#[tokio::test]
async fn odd_names_in_paths_are_4xx_or_empty_and_never_a_500() {
    let house = House::new().await;
    let long = "x".repeat(5_000);
    let names = [
        "%00",
        "%FF",
        "%2F",
        "a%2Fb",
        "%F0%9F%A6%80",
        "%E2%80%AE",
        "%0A",
        "' OR 1=1 --",
        "0",
        "-1",
        "99999999999999999999",
        "null",
        "undefined",
        "%",
        "%zz",
        "%C3",
        "00000000-0000-0000-0000-000000000000",
        "{00000000-0000-0000-0000-000000000000}",
        "urn:uuid:00000000-0000-0000-0000-000000000000",
        &long,
    ];
    for (method, path) in WITH_NAME {
        for name in names {
            let path = path.replace("{}", &name.replace(' ', "%20").replace('\'', "%27"));
            let answer = match *method {
                "GET" | "DELETE" => house.alice.api.bare(method, &path).await,
                _ => {
                    house
                        .alice
                        .api
                        .json(
                            method,
                            &path,
                            &json!({"name": "x", "content": "x",
                        "message": "x", "user_id": 1}),
                        )
                        .await
                }
            };
            assert!(answer.status < 500, "{method} {path}: {answer:?}");
            if !path.starts_with("/chat/history/") {
                refused(answer, &path);
            }
        }
    }
    house.goes_on().await;
}

#[tokio::test]
async fn odd_queries_are_refused_or_ignored_and_never_a_500() {
    let house = House::new().await;
    for path in [
        "/list_rooms/",
        "/api/users/",
        "/api/chats/",
        "/rooms/",
        "/api/online/",
        "/chat/history/lobby/",
        "/messages/{room}/",
        "/api/chats/{chat}/messages/",
    ] {
        for query in [
            "limit=x",
            "limit=-1",
            "limit=0",
            "limit=99999999999999999999",
            "limit=",
            "limit=1.5",
            "before=x",
            "before=-1",
            "before=%00",
            "before=%FF",
            "after=99999999999999999999",
            "before=1&after=1",
            "limit=1&limit=2",
            "=",
            "&&&",
            "%zz=1",
            "a[]=1",
        ] {
            let answer = house.alice.api.get(&house.path(&format!("{path}?{query}"))).await;
            assert!(matches!(answer.status, 200 | 400 | 404), "{path}?{query}: {answer:?}");
            answer.body();
        }
        let long = house.path(&format!("{path}?x={}", "y".repeat(20_000)));
        let status = house.alice.api.get(&long).await.status;
        assert!(status < 500, "{path} with a long query: {status}");
    }
    house.goes_on().await;
}

#[tokio::test]
async fn odd_methods_and_headers_are_4xx() {
    let house = House::new().await;
    for method in ["TRACE", "PUT", "BREW", "PROPFIND"] {
        for path in ["/list_rooms/", "/login/", "/api/chats/", "/nowhere/"] {
            let answer = house.alice.api.bare(method, path).await;
            assert!(matches!(answer.status, 404 | 405 | 501), "{method} {path}: {answer:?}");
        }
    }
    let api = house.server.api();
    for (name, value) in [
        ("authorization", "Bearer \u{e9}"),
        ("authorization", &format!("Bearer {}", "x".repeat(6_000))),
        ("cookie", "access_token"),
        ("cookie", "=;;;access_token=%FF%00;"),
        ("accept", "nonsense"),
        ("origin", "\u{e9}"),
        ("if-none-match", "\"\""),
        ("range", "bytes=9-1"),
    ] {
        let answer = api.with(name, value).get("/api/me/").await;
        assert!((400..500).contains(&answer.status), "{name}: {value}: {answer:?}");
    }
    house.goes_on().await;
}
