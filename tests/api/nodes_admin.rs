//! CONTRACT section 5, *at once on every node*: what an admin does on one node reaches the sockets
//! of the other.

use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::account::text;
use crate::support::admin::admin;
use crate::support::nodes::nodes;
use crate::support::redis_server::RedisServer;
use crate::support::{Account, Native, eventually};

/// What the issue gives a message without Redis; with it an act needs no more.
const AT_ONCE: Duration = Duration::from_secs(2);

async fn at_once<T>(what: &str, coming: impl Future<Output = T>) -> T {
    timeout(AT_ONCE, coming).await.unwrap_or_else(|_| panic!("{what}: not within {AT_ONCE:?}"))
}

/// Does something to a room.
async fn act(boss: &Account, room: &str, what: &str, body: Value) -> Value {
    boss.api.post(&format!("/api/admin/rooms/{room}/{what}/"), body).await.is(200)
}

/// The session of the one guest on a plain socket, wherever he is.
async fn plain_guest(boss: &Account, room: &str) -> Value {
    eventually("the socket is seen", Duration::from_secs(15), || async {
        let found = boss.api.get(&format!("/api/admin/rooms/{room}/")).await;
        if found.status != 200 {
            return Err(found.text);
        }
        let detail = found.is(200);
        let rows = detail["session_list"].as_array().expect("a list");
        let plain = rows.iter().find(|row| row["guest"].is_string() && row["dialect"] != "native");
        plain.map(|row| row["session"].clone()).ok_or_else(|| detail.to_string())
    })
    .await
}

/// That a native socket on `/ws/` lost this room and no other.
async fn lost(socket: &mut Native, room: &str, code: &str) {
    let error = at_once("the room is lost", socket.next_of("error")).await;
    assert_eq!((&error["code"], &error["chat_id"]), (&json!(code), &json!(room)), "{error}");
    socket.refused(json!({"type": "send", "room": room, "message": "x"}), "not_joined").await;
}

#[tokio::test]
async fn a_kick_reaches_the_sockets_of_the_other_node() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let (boss, alice) = (admin(&a).await, a.account("alice").await);
    let guest = b.room("open").open().await;
    let mut many = b.native_as(&alice).await;
    let id = many.join("open").await.chat();
    act(&boss, &id, "kick", json!({"user_id": alice.id})).await;
    lost(&mut many, &id, "forbidden").await;
    many.join("open").await;
    let session = plain_guest(&boss, &id).await;
    act(&boss, &id, "kick", json!({"session": session})).await;
    at_once("he is kicked", guest.expect_close(4403)).await;
}

#[tokio::test]
async fn a_ban_reaches_the_sockets_of_the_other_node_and_holds_at_its_door() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let (boss, alice) = (admin(&a).await, a.account("alice").await);
    let guest = b.room("open").open().await;
    let mut many = b.native_as(&alice).await;
    let id = many.join("open").await.chat();
    let mut here = a.native_as(&boss).await;
    here.join("open").await;
    act(&boss, &id, "ban", json!({"user_id": alice.id})).await;
    lost(&mut many, &id, "forbidden").await;
    many.refused(json!({"type": "join", "room": "open"}), "forbidden").await;
    let session = plain_guest(&boss, &id).await;
    let banned = act(&boss, &id, "ban", json!({"session": session})).await;
    assert_eq!(banned["subject"], "ip:127.0.0.1", "as the node that has his socket knows him");
    at_once("he is banned", guest.expect_close(4403)).await;
    b.room("open").accepted_then_closed(4403).await;
    act(&boss, &id, "unban", json!({"user_id": alice.id})).await;
    eventually("he may come again", AT_ONCE, || async {
        let mut anew = b.native_as(&alice).await;
        let answer = anew.ask(json!({"type": "join", "room": "open"})).await;
        if answer["type"] == "joined" { Ok(()) } else { Err(answer.to_string()) }
    })
    .await;
    here.say("open", "still here").await;
}

#[tokio::test]
async fn a_room_that_is_closed_on_one_node_is_closed_on_the_other_and_its_name_is_free() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let boss = admin(&a).await;
    let mut many = b.native_guest().await;
    let id = many.join("open").await.chat();
    let guest = b.room("open").open().await;
    act(&boss, &id, "close", json!({})).await;
    at_once("it is closed", guest.expect_close(4404)).await;
    lost(&mut many, &id, "not_found").await;
    let anew = b.native_guest().await.join("open").await;
    assert_ne!(anew.chat(), id, "a room of the same name is another one");
}

#[tokio::test]
async fn an_announcement_reaches_native_sockets_of_every_node_once_without_redis_too() {
    let mut redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let boss = admin(&a).await;
    let (mut here, mut there) = (a.native_guest().await, b.native_guest().await);
    let mut nobody = b.native_guest().await;
    let id = here.join("hall").await.chat();
    there.join("hall").await;
    let say = |message: &'static str, room: Option<String>| {
        let body = json!({"message": message, "room_id": room});
        let api = boss.api.clone();
        async move { api.post("/api/admin/announce/", body).await.is(200) }
    };
    let said = say("At noon.", None).await;
    for socket in [&mut here, &mut there, &mut nobody] {
        let frame = at_once("it is said", socket.next_of("announcement")).await;
        assert_eq!((&frame["message"], &frame["at"]), (&json!("At noon."), &said["at"]));
    }
    say("In the hall.", Some(id.clone())).await;
    for socket in [&mut here, &mut there] {
        let frame = at_once("it is said", socket.next_of("announcement")).await;
        assert_eq!(
            (text(&frame["message"]), text(&frame["chat_id"])),
            ("In the hall.".into(), id.clone())
        );
    }
    redis.kill();
    say("To all.", None).await;
    for socket in [&mut here, &mut there, &mut nobody] {
        let frame = socket.next_of("announcement").await;
        assert_eq!(frame["message"], "To all.", "each is said once: {frame}");
    }
}
