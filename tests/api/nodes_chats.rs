//! PROTOCOL.md, `chats` and `people` with several nodes: they reach a user's native sockets on
//! whichever node, also where the chat does not live.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::native::seq;
use crate::support::nodes::nodes;
use crate::support::redis_server::RedisServer;
use crate::support::{Account, Native, Server, eventually};

/// What the issue gives presence.
const WITHIN: Duration = Duration::from_secs(15);

/// The next word about this chat; the others stay.
async fn told(socket: &mut Native, chat: &str, action: &str) -> Value {
    let of_it = |frame: &Value| {
        frame["type"] == "chats" && frame["chat_id"] == chat && frame["action"] == action
    };
    socket.next_where(of_it).await
}

/// Until a node knows that somebody is online, on whichever node.
async fn knows(node: &Server, asker: &Account, who: &Account, is_there: bool) {
    eventually("it is known who is online", WITHIN, || async {
        let online = asker.at(node).api.get("/api/online/").await.is(200);
        let rows = online.as_array().expect("a list");
        let found = rows.iter().any(|row| row["id"] == who.id);
        if found == is_there { Ok(()) } else { Err(online.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn activity_and_members_reach_sockets_on_nodes_where_the_chat_does_not_live() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let (alice, bob) = (a.account("alice").await, a.account("bob").await);
    let mut his = b.native_as(&bob).await;
    knows(&a, &alice, &bob, true).await;
    let first = alice.create_group("first", &[&bob]).await;
    told(&mut his, &first, "added").await;
    let group = alice.create_group("group", &[]).await;
    alice.add_to_chat(&group, &bob).await;
    told(&mut his, &group, "added").await;
    let mut last = Value::Null;
    for n in 0..3 {
        last = alice.post_to_chat(&group, &n.to_string()).await;
    }
    loop {
        let activity = told(&mut his, &group, "activity").await;
        if activity["seq"] == last["seq"] {
            assert_eq!(activity["unread"], 3, "{activity}");
            break;
        }
    }
    alice.remove_from_chat(&group, &bob).await;
    told(&mut his, &group, "removed").await;
    alice.api.delete(&format!("/api/chats/{first}/")).await.is(204);
    told(&mut his, &first, "removed").await;
    let other = alice.create_group("other", &[&bob]).await;
    let next = his.next_of("chats").await;
    let words = (&next["chat_id"], &next["action"]);
    assert_eq!(words, (&json!(other), &json!("added")), "each is said once: {next}");
}

#[tokio::test]
async fn where_the_chat_lives_on_both_nodes_each_word_comes_once() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let (alice, bob) = (a.account("alice").await, a.account("bob").await);
    let carol = a.account("carol").await;
    let group = alice.create_group("group", &[&bob]).await;
    let mut hers = a.native_as(&alice).await;
    let mut his = b.native_as(&bob).await;
    let mut theirs = b.native_as(&carol).await;
    hers.join(&group).await;
    his.join(&group).await;
    knows(&a, &alice, &carol, true).await;
    alice.add_to_chat(&group, &carol).await;
    told(&mut theirs, &group, "added").await;
    let said = hers.say(&group, "one").await;
    for socket in [&mut his, &mut theirs] {
        let activity = told(socket, &group, "activity").await;
        assert_eq!((seq(&activity), &activity["unread"]), (seq(&said), &json!(1)), "{activity}");
    }
    alice.remove_from_chat(&group, &carol).await;
    let next = theirs.next_of("chats").await;
    assert_eq!(next["action"], "removed", "each is said once: {next}");
}

#[tokio::test]
async fn people_are_those_of_all_nodes_in_a_room_or_not() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let (alice, bob) = (a.account("alice").await, a.account("bob").await);
    let mut hers = a.native_as(&alice).await;
    hers.ok(json!({"type": "watch", "people": true})).await;
    let his = b.native_as(&bob).await;
    let is_bob = |one: &Value| one["id"] == bob.id && one["username"] == "bob";
    let names_bob =
        |frame: &Value| frame["online"].as_array().is_some_and(|o| o.iter().any(is_bob));
    hers.next_where(|frame| frame["type"] == "people" && names_bob(frame)).await;
    knows(&a, &alice, &bob, true).await;
    his.close().await;
    let says_gone = |frame: &Value| {
        frame["offline"].as_array().is_some_and(|ids| ids.iter().any(|id| *id == bob.id))
    };
    hers.next_where(|frame| frame["type"] == "people" && says_gone(frame)).await;
    knows(&a, &alice, &bob, false).await;
}
