//! CONTRACT section 5, what an admin takes away and what he says.

use serde_json::json;

use crate::support::account::text;
use crate::support::admin::admin;
use crate::support::{Setup, shape};

on_both_engines! {
    async fn an_admin_takes_a_message_away_wherever_it_is(setup: Setup) {
        let server = setup.start().await;
        let (root, alice) = (admin(&server).await, server.account("alice").await);
        let group = alice.create_group("group", &[]).await;
        let mut hers = server.native_as(&alice).await;
        hers.join(&group).await;
        let said = hers.say(&group, "a secret").await;
        hers.until("a secret").await;
        let id = text(&said["id"]);
        let path = format!("/api/admin/messages/{id}/");
        let taken = root.api.delete(&path).await.is(200);
        shape(&taken, "id:uuid room_id:uuid seq:int");
        let event = hers.next_durable().await;
        assert_eq!((&event["type"], &event["id"]), (&json!("message_deleted"), &said["id"]));
        assert_eq!(event["seq"], taken["seq"]);
        let page = hers.ask(json!({"type": "history", "room": group, "after": 0})).await;
        assert_eq!((&page["events"][0]["id"], &page["events"][0]["message"]), (&said["id"], &json!("")));
        shape(&page["events"][0], "deleted_at:time");
        assert_eq!(root.api.delete(&path).await.is(200), taken, "it is away already");

        // A guest's on a plain socket: nothing comes there.
        let mut guest = server.room("open").open().await;
        guest.say("a guest's").await;
        guest.next().await;
        let history = server.api().get("/chat/history/open/").await.is(200);
        let path = format!("/api/admin/messages/{}/", text(&history[0]["id"]));
        root.api.delete(&path).await.is(200);
        guest.is_alive_with_nothing_waiting("nothing came").await;
        assert_eq!(root.api.get("/chat/history/open/").await.is(200)[1]["content"], "");

        let of_none = [uuid::Uuid::nil().to_string(), "no-id".to_owned()];
        for id in of_none {
            root.api.delete(&format!("/api/admin/messages/{id}/")).await.error(404);
        }
    }

    async fn an_announcement_reaches_native_sockets_and_no_plain_one(setup: Setup) {
        let server = setup.start().await;
        let (root, alice) = (admin(&server).await, server.account("alice").await);
        let group = alice.create_group("group", &[]).await;
        let mut plain = server.room("open").open().await;
        let mut user = server.room(&group).token(&alice.access).open().await;
        let mut here = server.native_as(&alice).await;
        here.join(&group).await;
        let mut door = server.native_room("open").bearer(&alice.access).entered().await.0;
        let mut nobody = server.native_guest().await;
        let said = root.api.post("/api/admin/announce/", json!({"message": "At noon."})).await.is(200);
        shape(&said, "message:str room_id:null at:time");
        for socket in [&mut here, &mut door, &mut nobody] {
            let frame = socket.next_of("announcement").await;
            assert_eq!((&frame["message"], &frame["at"]), (&json!("At noon."), &said["at"]));
            assert!(frame.get("chat_id").is_none(), "{frame}");
        }
        let body = json!({"message": "Here alone.", "room_id": group});
        root.api.post("/api/admin/announce/", body).await.is(200);
        let frame = here.next_of("announcement").await;
        assert_eq!((&frame["message"], &frame["chat_id"]), (&json!("Here alone."), &json!(group)));
        let body = json!({"message": "To all."});
        root.api.post("/api/admin/announce/", body).await.is(200);
        for socket in [&mut door, &mut nobody, &mut here] {
            assert_eq!(socket.next_of("announcement").await["message"], "To all.");
        }
        plain.is_alive_with_nothing_waiting("nothing came").await;
        user.say("nothing came").await;
        user.expect_text("nothing came").await;
        let history = alice.api.get(&format!("/api/chats/{group}/messages/")).await.is(200);
        assert_eq!(history.as_array().map(Vec::len), Some(1), "it is not stored");
    }
}

#[tokio::test]
async fn an_announcement_says_something_somewhere() {
    let server = Setup::direct().start().await;
    let root = admin(&server).await;
    let path = "/api/admin/announce/";
    for wrong in [json!({}), json!({"message": " "}), json!({"message": "x".repeat(9_000)})] {
        root.api.post(path, wrong).await.invalid("message");
    }
    let nil = uuid::Uuid::nil();
    root.api.post(path, json!({"message": "x", "room_id": "x"})).await.invalid("room_id");
    root.api.post(path, json!({"message": "x", "room_id": nil})).await.error(404);
}
