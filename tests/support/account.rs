//! A user with an account: registered and signed in over REST, with the verbs of the five
//! systems' clients. Each verb checks its status, so that a test reads as what is done.

use serde_json::{Value, json};

use super::{Api, Server};

/// Good enough for everybody in a test.
pub const PASSWORD: &str = "correct horse battery";

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Account {
    /// A client with the access token.
    pub api: Api,
    /// The user's id.
    pub id: i64,
    /// The name.
    pub username: String,
    /// The address.
    pub email: String,
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

impl Account {
    /// Registers and signs in.
    pub async fn new(api: &Api, username: &str) -> Self {
        let email = format!("{}@example.org", username.to_lowercase().replace('+', "."));
        let body = json!({"username": username, "email": email, "password": PASSWORD});
        let body = api.post("/register/", body).await.is(201);
        let id = body["id"].as_i64().expect("an id");
        let (access, refresh) = sign_in(api, username).await;
        let username = username.to_owned();
        Self { api: api.bearer(&access), id, username, email, access, refresh }
    }

    /// So many users at once, made by the command for load tests: no password opens them.
    pub async fn many(server: &Server, number: usize) -> Vec<Self> {
        let done = server.run(&["user", "tokens", "--count", &number.to_string()], "").await;
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let lines = String::from_utf8(done.stdout).expect("UTF-8");
        let all: Vec<Self> = lines.lines().map(|line| Self::of_line(&server.api(), line)).collect();
        assert_eq!(all.len(), number, "{lines}");
        all
    }

    fn of_line(api: &Api, line: &str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let [id, username, access] = fields[..] else { panic!("three fields, not {line}") };
        Self {
            api: api.bearer(access),
            id: id.parse().expect("an id"),
            username: username.to_owned(),
            email: String::new(),
            access: access.to_owned(),
            refresh: String::new(),
        }
    }

    /// The same login at the server's new address, after a restart.
    pub fn at(&self, server: &Server) -> Self {
        Self { api: server.api().bearer(&self.access), ..self.clone() }
    }

    /// Another login of the same user.
    pub async fn again(&self) -> Self {
        let (access, refresh) = sign_in(&self.api, &self.username).await;
        Self { api: self.api.bearer(&access), access, refresh, ..self.clone() }
    }

    /// Makes an shh room; its id.
    pub async fn create_shh_room(&self, name: &str) -> String {
        let body = self.api.post("/rooms/create/", json!({"chat_room_name": name})).await.is(201);
        text(&body["room_id"])
    }

    /// Joins an shh room.
    pub async fn join_shh_room(&self, room_id: &str) -> Value {
        self.api.post("/room/join/", json!({"room_id": room_id})).await.is(200)
    }

    /// Makes a group; its id.
    pub async fn create_group(&self, name: &str, members: &[&Account]) -> String {
        let ids: Vec<i64> = members.iter().map(|member| member.id).collect();
        let body = json!({"name": name, "member_ids": ids});
        text(&self.api.post("/api/chats/group/", body).await.is(201)["id"])
    }

    /// The private chat with somebody; its id.
    pub async fn private_chat_with(&self, other: &Account) -> String {
        let answer = self.api.post("/api/chats/private/", json!({"other_user_id": other.id})).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        text(&answer.body()["id"])
    }

    /// Posts to a chat; the message.
    pub async fn post_to_chat(&self, chat: &str, content: &str) -> Value {
        let path = format!("/api/chats/{chat}/messages/");
        self.api.post(&path, json!({"content": content})).await.is(201)
    }

    /// Posts to an shh room; the message.
    pub async fn post_to_shh(&self, room: &str, message: &str) -> Value {
        let path = format!("/messages/{room}/send/");
        self.api.post(&path, json!({"message": message})).await.is(201)
    }

    /// Removes somebody from a group.
    pub async fn remove_from_chat(&self, chat: &str, other: &Account) -> Value {
        let path = format!("/api/chats/{chat}/remove-member/");
        self.api.post(&path, json!({"user_id": other.id})).await.is(200)
    }

    /// Adds somebody to a group.
    pub async fn add_to_chat(&self, chat: &str, other: &Account) -> Value {
        let path = format!("/api/chats/{chat}/add-member/");
        self.api.post(&path, json!({"user_id": other.id})).await.is(200)
    }

    /// Signs this login out.
    pub async fn log_out(&self) {
        self.api.post("/logout/", json!({})).await.is(200);
    }
}

async fn sign_in(api: &Api, username: &str) -> (String, String) {
    let body = json!({"username": username, "password": PASSWORD});
    let body = api.post("/api/token/", body).await.is(200);
    (text(&body["access"]), text(&body["refresh"]))
}

/// A string out of JSON.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}
