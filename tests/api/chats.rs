//! Django Realtime Chat Backend's client, from its first request to its last: the token pair,
//! private chats and groups, members, REST and socket.

use serde_json::{Value, json};

use crate::support::account::{PASSWORD, text};
use crate::support::shape::{CHAT, MESSAGE, USER};
use crate::support::{Setup, shape, shape_all};

on_both_databases! {
    async fn the_chat_backends_client_walks_through(setup: Setup) {
        let server = setup.start().await;
        let api = server.api();

        // Registers, takes the pair, renews the access token again and again with one refresh token.
        let body = json!({"username": "ann", "email": "ann@example.org", "password": PASSWORD});
        shape(&api.post("/register/", body).await.is(201), "id:int username:str email:str");
        let body = json!({"username": "ann", "password": PASSWORD});
        let pair = api.post("/api/token/", body).await.is(200);
        shape(&pair, "access:str refresh:str");
        for _ in 0..3 {
            let body = json!({"refresh": pair["refresh"]});
            let renewed = api.post("/api/token/refresh/", body).await.is(200);
            shape(&renewed, "access:str");
            assert!(renewed.get("refresh").is_none(), "no rotation");
        }
        let access = text(&pair["access"]);
        let ann = api.bearer(&access);
        let (bob, eve) = (server.account("bob").await, server.account("eve").await);

        // Finds the others, opens a private chat.
        let users = ann.get("/api/users/").await.is(200);
        shape_all(&users, "id:int username:str email:str online:bool last_seen:time|null");
        let names: Vec<_> =
            users.as_array().unwrap().iter().map(|u| text(&u["username"])).collect();
        assert!(
            names.contains(&"bob".to_owned()) && !names.contains(&"ann".to_owned()),
            "{names:?}"
        );
        let body = json!({"other_user_id": bob.id});
        let private = ann.post("/api/chats/private/", body.clone()).await.is(201);
        shape(&private, CHAT);
        assert_eq!((&private["is_group"], &private["name"]), (&json!(false), &Value::Null));
        shape_all(&private["members"], USER);
        assert_eq!(private["members"].as_array().unwrap().len(), 2);
        let again = ann.post("/api/chats/private/", body).await.is(200);
        assert_eq!(again["id"], private["id"]);

        // Makes a group, adds and removes somebody.
        let body = json!({"name": "Team", "member_ids": [bob.id]});
        let group = ann.post("/api/chats/group/", body).await.is(201);
        shape(&group, CHAT);
        assert_eq!((&group["is_group"], &group["name"]), (&json!(true), &json!("Team")));
        assert_eq!(group["members"].as_array().unwrap().len(), 2, "the caller is a member");
        let id = text(&group["id"]);
        let body = json!({"user_id": eve.id});
        let path = format!("/api/chats/{id}/add-member/");
        for _ in 0..2 {
            let chat = ann.post(&path, body.clone()).await.is(200);
            assert_eq!(chat["members"].as_array().unwrap().len(), 3, "idempotent");
        }

        // Talks over the socket and over REST.
        let mut hers = server.room(&id).token(&access).open().await;
        let mut his = server.room(&id).bearer(&bob.access).open().await;
        let theirs = server.room(&id).token(&eve.access).open().await;
        hers.say("to all").await;
        let frame = hers.expect_text("to all").await;
        assert_eq!(frame["type"], "chat_message");
        assert_eq!((&frame["chat_id"], &frame["sender"]), (&json!(id), &json!("ann")));
        his.expect_text("to all").await;
        let messages = format!("/api/chats/{id}/messages/");
        let posted = ann.post(&messages, json!({"content": "  by REST  "})).await.is(201);
        shape(&posted, MESSAGE);
        shape(&posted["sender"], USER);
        assert_eq!((&posted["content"], &posted["chat"]), (&json!("by REST"), &json!(id)));
        assert_eq!(his.expect_text("by REST").await["id"], posted["id"]);
        let history = bob.api.get(&messages).await.is(200);
        shape_all(&history, MESSAGE);
        let said: Vec<_> = history.as_array().unwrap().iter().map(|m| &m["content"]).collect();
        assert_eq!(said, ["to all", "by REST"], "oldest first");

        let chat = ann.get(&format!("/api/chats/{id}/")).await.is(200);
        shape(&chat, CHAT);
        shape(&chat["last_message"], MESSAGE);
        assert_eq!(chat["last_message"]["content"], "by REST");
        let chats = ann.get("/api/chats/").await.is(200);
        shape_all(&chats, CHAT);
        assert_eq!(
            (&chats[0]["id"], &chats[1]["id"]),
            (&json!(id), &private["id"]),
            "active first"
        );

        // Eve goes, the group is renamed and deleted, Ann signs out.
        let path = format!("/api/chats/{id}/remove-member/");
        for _ in 0..2 {
            let chat = ann.post(&path, json!({"user_id": eve.id})).await.is(200);
            assert_eq!(chat["members"].as_array().unwrap().len(), 2, "idempotent");
        }
        assert_eq!(theirs.close_code().await, Some(4403));
        eve.api.get(&messages).await.error(403);
        let path = format!("/api/chats/{id}/");
        assert_eq!(ann.patch(&path, json!({"name": "Crew"})).await.is(200)["name"], "Crew");
        ann.delete(&path).await.is(204);
        assert_eq!(his.close_code().await, Some(4404));
        ann.get(&path).await.error(404);
        ann.post("/logout/", json!({})).await.is(200);
        ann.get("/api/chats/").await.error(401);
        api.post("/api/token/refresh/", json!({"refresh": pair["refresh"]})).await.is(401);
    }
}

#[tokio::test]
async fn two_private_chats_for_the_same_two_users_never_come_to_be() {
    let server = Setup::direct().start().await;
    let (alice, bob) = (server.account("alice").await, server.account("bob").await);
    let (to_bob, to_alice) = (json!({"other_user_id": bob.id}), json!({"other_user_id": alice.id}));
    let path = "/api/chats/private/";
    let asked = (0..10).map(|n| {
        let (alice, bob) = (alice.api.clone(), bob.api.clone());
        let (to_bob, to_alice) = (to_bob.clone(), to_alice.clone());
        async move {
            if n % 2 == 0 { alice.post(path, to_bob).await } else { bob.post(path, to_alice).await }
        }
    });
    let answers = futures_util::future::join_all(asked).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let found = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((made, found), (1, 9));
    let id = answers[0].body()["id"].clone();
    assert!(answers.iter().all(|answer| answer.body()["id"] == id));
}

#[tokio::test]
async fn a_private_chat_needs_somebody_else_who_is_there() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let ask = |body| alice.api.post("/api/chats/private/", body);
    ask(json!({"other_user_id": alice.id})).await.error(400);
    let body = ask(json!({"other_user_id": 999})).await.invalid("other_user_id");
    assert_eq!(body["other_user_id"], json!(["Invalid pk \"999\" - object does not exist."]));
    ask(json!({})).await.invalid("other_user_id");
    ask(json!({"other_user_id": "x"})).await.invalid("other_user_id");
}

#[tokio::test]
async fn groups_refuse_by_field_and_by_role() {
    let server = Setup::direct().start().await;
    let (alice, bob) = (server.account("alice").await, server.account("bob").await);
    let eve = server.account("eve").await;
    alice.api.post("/api/chats/group/", json!({})).await.invalid("name");
    alice.api.post("/api/chats/group/", json!({"name": " "})).await.invalid("name");
    let body = json!({"name": "x", "member_ids": [999]});
    alice.api.post("/api/chats/group/", body).await.invalid("member_ids");
    let group = alice.create_group("Team", &[&bob]).await;
    let (add, remove) =
        (format!("/api/chats/{group}/add-member/"), format!("/api/chats/{group}/remove-member/"));
    for path in [&add, &remove] {
        let body = alice.api.post(path, json!({})).await.error(400);
        assert_eq!(body["detail"], "user_id is required.");
        let body = alice.api.post(path, json!({"user_id": 999})).await.error(404);
        assert_eq!(body["detail"], "User not found.");
        let body = json!({"user_id": bob.id});
        let status = eve.api.post(path, body).await.status;
        assert!(matches!(status, 403 | 404), "a stranger changes no members: {status}");
    }
    bob.add_to_chat(&group, &eve).await;
    bob.api.post(&remove, json!({"user_id": alice.id})).await.error(403);
    bob.api.patch(&format!("/api/chats/{group}/"), json!({"name": "mine"})).await.error(403);
    bob.api.delete(&format!("/api/chats/{group}/")).await.error(403);
    bob.remove_from_chat(&group, &bob).await;
    bob.api.get(&format!("/api/chats/{group}/")).await.error(404);

    let private = alice.private_chat_with(&bob).await;
    for path in ["add-member", "remove-member"] {
        let path = format!("/api/chats/{private}/{path}/");
        alice.api.post(&path, json!({"user_id": eve.id})).await.error(400);
    }
    let path = format!("/api/chats/{private}/");
    alice.api.patch(&path, json!({"name": "x"})).await.error(405);
    alice.api.delete(&path).await.error(405);
}

#[tokio::test]
async fn the_owners_place_goes_to_the_longest_member() {
    let server = Setup::direct().start().await;
    let (alice, bob) = (server.account("alice").await, server.account("bob").await);
    let eve = server.account("eve").await;
    let group = alice.create_group("Team", &[]).await;
    alice.add_to_chat(&group, &eve).await;
    alice.add_to_chat(&group, &bob).await;
    alice.remove_from_chat(&group, &alice).await;
    let path = format!("/api/chats/{group}/");
    bob.api.patch(&path, json!({"name": "Bob's"})).await.error(403);
    eve.api.patch(&path, json!({"name": "Eve's"})).await.is(200);
    eve.remove_from_chat(&group, &bob).await;
}

#[tokio::test]
async fn the_same_client_id_again_is_the_first_message() {
    let server = Setup::direct().start().await;
    let (alice, bob) = (server.account("alice").await, server.account("bob").await);
    let group = alice.create_group("Team", &[&bob]).await;
    let path = format!("/api/chats/{group}/messages/");
    let body = json!({"content": "once", "client_id": "c-1"});
    let first = alice.api.post(&path, body.clone()).await.is(201);
    let second = alice.api.post(&path, body.clone()).await.is(200);
    assert_eq!((&second["id"], &second["seq"]), (&first["id"], &first["seq"]));
    let his = bob.api.post(&path, body).await.is(201);
    assert_ne!(his["id"], first["id"], "another author's client_id is another one");
    let answers = futures_util::future::join_all(
        (0..8).map(|_| alice.api.post(&path, json!({"content": "raced", "client_id": "c-2"}))),
    )
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let history = alice.api.get(&path).await.is(200);
    assert_eq!(history.as_array().unwrap().len(), 3, "{history}");
}

#[tokio::test]
async fn a_message_is_text_and_trimmed_and_numbers_become_text() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let group = alice.create_group("Team", &[]).await;
    let path = format!("/api/chats/{group}/messages/");
    for (sent, kept) in [(json!(7), "7"), (json!("  x "), "x"), (json!("שלום 🦀"), "שלום 🦀")]
    {
        let body = alice.api.post(&path, json!({"content": sent})).await.is(201);
        assert_eq!(body["content"], kept);
    }
    let long = "x".repeat(8 * 1024 + 1);
    for wrong in [json!(""), json!("  "), json!(null), json!({}), json!([]), json!(long)] {
        alice.api.post(&path, json!({"content": wrong})).await.invalid("content");
    }
    alice.api.post(&path, json!({})).await.invalid("content");
}
