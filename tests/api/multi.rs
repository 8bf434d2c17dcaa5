//! Multi-Room Chat's client, from its first request to its last: registration, JWT, rooms by URL
//! with the token in the query, stored history, `OpenAPI`.

use serde_json::json;

use crate::support::account::{PASSWORD, text};
use crate::support::shape::HISTORY;
use crate::support::{Setup, shape, shape_all};

on_both_databases! {
    async fn the_multi_room_chats_client_walks_through(setup: Setup) {
        let server = setup.start().await;
        let api = server.api();

        // Registers and signs in at its own paths.
        let body = json!({"username": "ann", "password": PASSWORD});
        let registered = api.post("/accounts/registration/", body.clone()).await.is(201);
        assert_eq!(registered["username"], "ann");
        let pair = api.post("/accounts/login/", body).await.is(200);
        shape(&pair, "access:str refresh:str");
        let access = text(&pair["access"]);
        let ann = api.bearer(&access);
        let bob = server.account("bob").await;

        // The room is made by her connection; nothing comes on connect.
        assert_eq!(ann.get("/chat/history/global/").await.is(200), json!([]));
        let mut hers = server.room("global").token(&access).open().await;
        let mut his = server.room("global").token(&bob.access).open().await;
        hers.say("first").await;
        for socket in [&mut hers, &mut his] {
            let frame = socket.expect_text("first").await;
            assert_eq!(frame["type"], "chat_message");
            assert_eq!((&frame["sender"], &frame["user"]), (&json!("ann"), &json!("ann")));
            assert_eq!(frame["room"], "global");
        }
        his.send_json(&json!({"type": "chat_message", "content": "second"})).await;
        assert_eq!(hers.expect_text("second").await["sender"], "bob");

        // It is kept, newest first, for those with a token.
        let history = ann.get("/chat/history/global/").await.is(200);
        shape_all(&history, HISTORY);
        assert_eq!(
            (&history[0]["content"], &history[0]["sender"]),
            (&json!("second"), &json!("bob"))
        );
        assert_eq!(
            (&history[1]["content"], &history[1]["room"]),
            (&json!("first"), &json!("global"))
        );
        api.get("/chat/history/global/").await.error(401);
        api.bearer("wrong").get("/chat/history/global/").await.error(401);

        // It is still there after a restart; the client renews its token and goes on.
        let server = server.restart().await;
        let api = server.api();
        let body = json!({"refresh": pair["refresh"]});
        let renewed = text(&api.post("/api/token/refresh/", body).await.is(200)["access"]);
        let ann = api.bearer(&renewed);
        assert_eq!(ann.get("/chat/history/global/").await.is(200), history);
        let mut hers = server.room("global").token(&renewed).open().await;
        hers.say("third").await;
        assert_eq!(hers.expect_text("third").await["seq"], 3);

        let document = api.get("/api/schema/?format=json").await.is(200);
        assert!(
            document["paths"]["/chat/history/{room_name}/"].is_object(),
            "the document lists it"
        );
        assert_eq!(api.get("/api/docs/").await.status, 200);
        ann.post("/logout/", json!({})).await.is(200);
        assert_eq!(hers.close_code().await, Some(4001));
        ann.get("/chat/history/global/").await.error(401);
    }
}

#[tokio::test]
async fn history_of_an_unknown_room_is_empty_but_a_wrong_token_is_401_always() {
    let server = Setup::direct().start().await;
    assert_eq!(server.api().get("/chat/history/nowhere/").await.is(200), json!([]));
    server.api().bearer("wrong").get("/chat/history/nowhere/").await.error(401);
    let mut guest = server.room("open").open().await;
    guest.is_alive_with_nothing_waiting("hi").await;
    let history = server.api().get("/chat/history/open/").await.is(200);
    shape_all(&history, HISTORY);
    assert_eq!(history[0]["sender"], "anonymous");
    server.api().bearer("wrong").get("/chat/history/open/").await.error(401);
}

#[tokio::test]
async fn history_pages_lead_to_older_messages_newest_first() {
    let server = Setup::direct().start().await;
    let mut guest = server.room("open").open().await;
    for number in 1..=5 {
        guest.is_alive_with_nothing_waiting(&format!("message {number}")).await;
    }
    let api = server.api();
    let answer = api.get("/chat/history/open/?limit=2").await;
    let next = answer.next().expect("a cut list leads on");
    let seqs = |body: serde_json::Value| -> Vec<i64> {
        body.as_array().unwrap().iter().map(|m| m["seq"].as_i64().unwrap()).collect()
    };
    assert_eq!(seqs(answer.is(200)), [5, 4]);
    let answer = api.get(&next).await;
    let next = answer.next().expect("there is more");
    assert_eq!(seqs(answer.is(200)), [3, 2]);
    let answer = api.get(&next).await;
    assert_eq!(answer.next(), None);
    assert_eq!(seqs(answer.is(200)), [1]);
}
