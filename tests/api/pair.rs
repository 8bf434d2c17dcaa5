//! Real-Time Chat Application's client, from its first request to its last: a session cookie,
//! one-to-one chats by user name, who is online, the page.

use std::time::Duration;

use serde_json::json;

use crate::support::account::{PASSWORD, text};
use crate::support::{Setup, eventually, shape_all};

on_both_databases! {
    async fn the_pair_chats_client_walks_through(setup: Setup) {
        let server = setup.start().await;
        let page = server.api().get("/").await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));

        let origin = server.origin();
        let api = server.api().with("origin", &origin);
        let form = format!("username=ann&email=ann%40example.org&password={PASSWORD}");
        api.form("/register/", &form.replace(' ', "+")).await.is(201);
        let bob = server.account("bob").await;
        let body = format!("username=ann&password={PASSWORD}").replace(' ', "+");
        let login = api.form("/login/", &body).await;
        let cookie = login.cookie("access_token").expect("a cookie").to_owned();
        login.is(200);
        let ann = api.cookie(&cookie);
        assert_eq!(ann.get("/api/me/").await.is(200)["username"], "ann");

        // She opens the chat with Bob by his name; he opens it by both names.
        let mut hers = server.room("bob").cookie(&cookie).open().await;
        hers.say("hi Bob").await;
        let frame = hers.expect_text("hi Bob").await;
        assert_eq!((&frame["type"], &frame["sender"]), (&json!("chat_message"), &json!("ann")));
        assert!(frame.get("history").is_none(), "live frames are no history: {frame}");
        let mut his = server.room("ann_bob").token(&bob.access).open().await;
        let old = his.expect_text("hi Bob").await;
        assert_eq!((&old["history"], &old["id"]), (&json!(true), &frame["id"]));
        his.say("hi Ann").await;
        hers.expect_text("hi Ann").await;
        his.expect_text("hi Ann").await;

        let online = ann.get("/api/online/").await.is(200);
        shape_all(&online, "id:int username:str since:time");
        let mut names: Vec<_> =
            online.as_array().unwrap().iter().map(|user| text(&user["username"])).collect();
        names.sort();
        assert_eq!(names, ["ann", "bob"]);
        server.api().get("/api/online/").await.error(401);

        // The thread is the same one over REST, and survives a restart.
        let chats = bob.api.get("/api/chats/").await.is(200);
        assert_eq!(chats[0]["last_message"]["content"], "hi Ann");
        assert_eq!(chats[0]["id"], frame["chat_id"]);
        his.close().await;
        eventually("Bob is away", Duration::from_secs(5), || async {
            let online = ann.get("/api/online/").await.is(200);
            if online.as_array().is_some_and(|all| all.len() == 1) {
                Ok(())
            } else {
                Err(online.to_string())
            }
        })
        .await;
        let users = ann.get("/api/users/").await.is(200);
        let bobs = users.as_array().unwrap().iter().find(|user| user["username"] == "bob").unwrap();
        assert_eq!(bobs["online"], false);
        assert!(bobs["last_seen"].is_string(), "{bobs}");

        let server = server.restart().await;
        let mut hers = server.room("bob").cookie(&cookie).open().await;
        for said in ["hi Bob", "hi Ann"] {
            assert_eq!(hers.expect_text(said).await["history"], true);
        }
        let origin = server.origin();
        let ann = server.api().with("origin", &origin).cookie(&cookie);
        let out = ann.post("/logout/", json!({})).await;
        assert!(out.set_cookie("access_token").is_some(), "the cookie is cleared");
        out.is(200);
        hers.expect_close(4001).await;
        assert_eq!(server.room("bob").cookie(&cookie).refused().await, 403);
    }
}

#[tokio::test]
async fn one_tabs_close_leaves_a_user_online_who_has_another() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let watcher = server.account("watcher").await;
    let first = server.room("lobby").token(&alice.access).open().await;
    let mut second = server.room("lobby").token(&alice.access).open().await;
    first.close().await;
    second.is_alive_with_nothing_waiting("still here").await;
    let online = watcher.api.get("/api/online/").await.is(200);
    assert_eq!(online[0]["username"], "alice");
    let users = watcher.api.get("/api/users/").await.is(200);
    assert_eq!((&users[0]["username"], &users[0]["online"]), (&json!("alice"), &json!(true)));
}
