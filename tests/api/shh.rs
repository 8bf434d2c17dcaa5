//! SHH Chatroom's client, from its first request to its last: an account by email, cookies,
//! invited rooms, history over REST and on the socket, typing, refresh, logout.

use serde_json::json;

use crate::support::account::{PASSWORD, text};
use crate::support::shape::{SHH_MESSAGE, SHH_ROOM, SHH_USER};
use crate::support::{Setup, shape, shape_all};

const HISTORY_LINE: &str = "user:str username:str message:str timestamp:time";

on_both_databases! {
    async fn shhs_client_walks_through(setup: Setup) {
        let server = setup.start().await;
        let origin = server.origin();
        let api = server.api().with("origin", &origin);

        // Registers with an address alone, and signs in with it.
        let names = json!({"email": "ann@example.org", "password": PASSWORD,
                           "first_name": "Ann", "last_name": "Onym"});
        let registered = api.post("/register/", names).await.is(201);
        shape(
            &registered,
            "id:int username:str email:str first_name:str last_name:str user:obj \
                            message:str",
        );
        assert_eq!(registered["message"], "Registration successful");
        assert_eq!(registered["username"], "ann", "made from the address");
        let body = json!({"email": "ann@example.org", "password": PASSWORD});
        let login = api.post("/login/", body).await;
        let (access, refresh) = (login.cookie("access_token"), login.cookie("refresh_token"));
        let (access, refresh) = (access.unwrap().to_owned(), refresh.unwrap().to_owned());
        let body = login.is(200);
        shape(&body, "message:str token:str access:str refresh:str user:obj");
        shape(&body["user"], "id:int|str username:str email:str");
        assert_eq!(body["message"], "Login successful");
        let ann = api.cookie(&access);

        // Makes a room, which is in her list.
        let room = ann.post("/rooms/create/", json!({"chat_room_name": "Lounge"})).await.is(201);
        shape(&room, "room_id:uuid chat_room_name:str created_by:obj created_at:time");
        let id = text(&room["room_id"]);
        let rooms = ann.get("/rooms/").await.is(200);
        shape(&rooms, "rooms:arr count:int message:str");
        shape_all(&rooms["rooms"], SHH_ROOM);
        shape(&rooms["rooms"][0]["created_by"], "id:str email:str username:str");
        assert_eq!((&rooms["count"], &rooms["rooms"][0]["room_id"]), (&json!(1), &json!(id)));

        // Somebody else joins it.
        let bob = server.account("bob").await;
        let joined = bob.join_shh_room(&id).await;
        shape(&joined, "message:str room:obj user:obj");
        shape(&joined["room"], "room_id:uuid room_name:str created_at:time");
        assert_eq!(joined["message"], "Joined room Lounge");
        assert_eq!(bob.join_shh_room(&id).await["message"], "Already in room Lounge");

        // Both are in it, one with a cookie, one with a token; each gets the history first.
        bob.post_to_shh(&id, "before").await;
        let mut hers = server.room(&id).cookie(&access).open().await;
        let mut his = server.room(&id).token(&bob.access).open().await;
        for socket in [&mut hers, &mut his] {
            let history = socket.next().await;
            assert_eq!(history["type"], "message_history");
            shape_all(&history["messages"], HISTORY_LINE);
            assert_eq!(history["messages"][0]["message"], "before");
            assert_eq!(history["messages"][0]["user"], bob.email);
        }

        // They talk and type; the cookie's frames are of type `message`, the token's `chat_message`.
        hers.say("hello").await;
        let frame = hers.expect_text("hello").await;
        assert_eq!(
            (&frame["type"], &frame["user"]),
            (&json!("message"), &json!("ann@example.org"))
        );
        let frame = his.expect_text("hello").await;
        assert_eq!(frame["type"], "chat_message");
        assert_eq!((&frame["chat_id"], &frame["username"]), (&json!(id), &json!("ann")));
        his.say("typing").await;
        let typing = hers.next().await;
        shape(&typing, "type:str user:str username:str");
        assert_eq!((&typing["type"], &typing["username"]), (&json!("typing"), &json!("bob")));

        // A message over REST reaches them; all of it is in the history, by id and by name.
        let path = format!("/messages/{id}/send/");
        let sent = ann.post(&path, json!({"message": "by REST"})).await.is(201);
        shape(&sent, SHH_MESSAGE);
        shape(&sent, "chat_room:str|obj|int");
        shape(&sent["user"], SHH_USER);
        assert_eq!(hers.expect_text("by REST").await["id"], sent["id"]);
        for room in [id.as_str(), "Lounge"] {
            let history = ann.get(&format!("/messages/{room}/")).await.is(200);
            shape(&history, "type:str messages:arr");
            assert_eq!(history["type"], "message_history");
            shape_all(&history["messages"], SHH_MESSAGE);
            shape(&history["messages"][0]["user"], SHH_USER);
            let said: Vec<_> =
                history["messages"].as_array().unwrap().iter().map(|m| &m["message"]).collect();
            assert_eq!(said, ["before", "hello", "by REST"], "oldest first");
        }

        // Her cookies are refreshed, the room is deleted, she signs out.
        let refreshed = api
            .with("cookie", &format!("refresh_token={refresh}"))
            .post("/refresh/", json!({}))
            .await;
        let access = refreshed.cookie("access_token").expect("a new cookie").to_owned();
        assert!(refreshed.cookie("refresh_token").is_some_and(|new| new != refresh));
        let body = refreshed.is(200);
        shape(&body, "message:str user_id:int");
        assert_eq!(body["message"], "Token refreshed successfully");
        let ann = api.cookie(&access);
        let deleted = ann.delete(&format!("/room/delete/{id}/")).await.is(200);
        assert_eq!(deleted["message"], "Room deleted successfully");
        shape(&deleted["deleted_room"], "room_id:uuid deleted_by:str|obj|int");
        hers.expect_close(4404).await;
        let out = ann.post("/logout/", json!({})).await;
        assert!(
            out.set_cookie("access_token")
                .is_some_and(|line| line.contains("Max-Age=0") || line.contains("1970"))
        );
        assert_eq!(out.is(200)["message"], "Logged out");
        ann.get("/rooms/").await.is(401);
    }
}

#[tokio::test]
async fn shh_rooms_refuse_what_their_client_knows_how_to_read() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let bob = server.account("bob").await;
    let says = |body: serde_json::Value| text(&body["error"]);

    let answer = alice.api.post("/rooms/create/", json!({})).await.error(400);
    assert_eq!(says(answer), "Chat room name is required");
    let room = alice.create_shh_room("Lounge").await;
    let answer = bob.api.post("/rooms/create/", json!({"chat_room_name": "Lounge"})).await;
    assert_eq!(says(answer.error(400)), "A room with this name already exists");
    let answer = bob.api.post("/room/join/", json!({})).await.error(400);
    assert_eq!(says(answer), "Room ID is required");
    for nowhere in [uuid::Uuid::nil().to_string(), "no-id".to_owned()] {
        let answer = bob.api.post("/room/join/", json!({"room_id": nowhere})).await.error(404);
        assert_eq!(says(answer), "Room not found");
    }
    bob.api.delete(&format!("/room/delete/{room}/")).await.error(403);
    bob.join_shh_room(&room).await;
    bob.api.delete(&format!("/room/delete/{room}/")).await.error(403);
    alice.api.delete(&format!("/room/delete/{}/", uuid::Uuid::nil())).await.error(404);
    let answer = bob.api.post(&format!("/messages/{room}/send/"), json!({})).await.error(400);
    assert_eq!(says(answer), "Message field is required");
    let eve = server.account("eve").await;
    eve.api.get(&format!("/messages/{room}/")).await.error(403);
    eve.api.get("/messages/Lounge/").await.error(403);
    eve.api.post(&format!("/messages/{room}/send/"), json!({"message": "hi"})).await.error(403);
    eve.api.get("/messages/nowhere/").await.error(404);
    for (method, path) in [("GET", "/rooms/"), ("POST", "/rooms/create/"), ("POST", "/room/join/")]
    {
        server.api().json(method, path, &json!({})).await.error(401);
    }
}

#[tokio::test]
async fn a_chats_uuid_names_no_shh_room() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let group = alice.create_group("group", &[]).await;
    alice.api.get(&format!("/messages/{group}/")).await.error(404);
    let path = format!("/messages/{group}/send/");
    alice.api.post(&path, json!({"message": "hi"})).await.error(404);
    alice.api.get(&format!("/messages/{}/", uuid::Uuid::nil())).await.error(404);
}

#[tokio::test]
async fn an_admin_deletes_rooms_that_are_not_his() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let id = alice.create_shh_room("Lounge").await;
    let root = crate::support::admin::admin(&server).await;
    root.api.delete(&format!("/room/delete/{id}/")).await.is(200);
    alice.api.get(&format!("/messages/{id}/")).await.error(404);
    assert_eq!(alice.api.get("/rooms/").await.is(200)["count"], 0);
    alice.create_shh_room("Lounge").await;
}
