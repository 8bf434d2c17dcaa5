//! `PostgreSQL` under several nodes: gone for a while and back, and empty when all of them start.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::native::seq;
use crate::support::nodes::{connected, nodes_on};
use crate::support::own_postgres::OwnPostgres;
use crate::support::postgres::fresh_database;
use crate::support::redis_server::RedisServer;
use crate::support::{Native, Setup, eventually, shape};

fn post(room: &str, n: usize) -> Value {
    json!({"type": "send", "room": room, "message": n.to_string(), "client_id": n.to_string()})
}

/// Posts until one is refused, which must be with `busy`; the number of the one refused.
async fn post_until_refused(socket: &mut Native, room: &str) -> usize {
    for n in 0..18 {
        let mut frame = post(room, n);
        frame["ref"] = json!(n.to_string());
        socket.send(frame).await;
        // What is taken is answered once the database is back: nothing comes for it.
        let soon = Duration::from_millis(500);
        if let Ok(refused) = timeout(soon, socket.next_of("error")).await {
            assert_eq!(
                (&refused["code"], &refused["ref"]),
                (&json!("busy"), &json!(n.to_string()))
            );
            shape(&refused, "ref:str code:str detail:str retry_after_ms:int");
            return n;
        }
    }
    panic!("nothing was refused");
}

/// Posts it again as long as it is refused with `busy`, after the time that it says.
async fn post_until_taken(socket: &mut Native, room: &str, n: usize) -> Value {
    loop {
        let answer = socket.ask(post(room, n)).await;
        if answer["type"] == "ok" {
            return answer;
        }
        assert_eq!(answer["code"], "busy", "{answer}");
        let wait = answer["retry_after_ms"].as_u64().expect("a wait");
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

#[tokio::test]
async fn while_postgresql_is_away_posts_are_busy_sockets_stay_and_then_it_goes_on() {
    let (redis, postgres) = (RedisServer::start(), OwnPostgres::start());
    let [a, b] = nodes_on(&postgres.fresh_database(), &redis, |setup| setup).await;
    let (alice, bob) = (a.account("alice").await, a.account("bob").await);
    let group = alice.create_group("group", &[&bob]).await;
    let mut hers = a.native_as(&alice).await;
    let mut his = b.native_as(&bob).await;
    let mut plain = b.room(&group).token(&bob.access).open().await;
    hers.join(&group).await;
    his.join(&group).await;
    hers.say(&group, "before").await;
    his.until("before").await;
    plain.expect_text("before").await;

    postgres.stop();
    let refused = post_until_refused(&mut hers, &group).await;
    let path = format!("/api/chats/{group}/messages/");
    let answer = alice.api.post(&path, json!({"content": "over REST"})).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert_eq!(answer.error(503)["code"], "busy");
    let ready = a.api().get("/readyz").await;
    assert_eq!((ready.status, &ready.body()["database"]), (503, &json!("unavailable")));
    for socket in [&mut hers, &mut his] {
        socket.is_alive().await;
    }
    plain.say("plain waits").await;

    postgres.start_again();
    let last = post_until_taken(&mut hers, &group, refused).await;
    // Hers may come first.
    while plain.next().await["message"] != "plain waits" {}
    post_until_taken(&mut his, &group, refused + 1).await;
    alice.post_to_chat(&group, "over REST").await;
    for socket in [&mut hers, &mut his] {
        let before = socket.until("over REST").await;
        let messages = before.iter().filter(|frame| frame["type"] == "chat_message");
        let places: Vec<i64> = messages.map(seq).collect();
        let first = places.first().copied().expect("some");
        let all: Vec<i64> = (first..first + i64::try_from(places.len()).expect("few")).collect();
        assert_eq!(places, all, "gapless, and nothing twice");
    }
    let history = alice.api.get(&path).await.is(200);
    let texts: Vec<&str> = history
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| row["content"].as_str())
        .collect();
    // `before`, each number once, the plain one, the one over REST.
    assert_eq!(texts.len(), 1 + refused + 2 + 2, "{texts:?}");
    assert!(seq(&last) > 1);
}

#[tokio::test]
async fn three_nodes_started_at_once_on_an_empty_database_all_come_up() {
    let redis = RedisServer::start();
    let (url, redis) = (fresh_database(), format!("redis://{}", redis.addr()));
    let start = || Setup::direct().env("DATABASE_URL", &url).env("REDIS_URL", &redis).start();
    let (a, b, c) = tokio::join!(start(), start(), start());
    connected(&[&a, &b, &c]).await;
    let mut first = a.native_guest().await;
    first.join("hall").await;
    for node in [&b, &c] {
        let mut other = node.native_guest().await;
        other.join("hall").await;
        other.say("hall", "from there").await;
        first.until("from there").await;
    }
    eventually("everybody is counted", Duration::from_secs(15), || async {
        let rooms = c.api().get("/list_rooms/").await.body();
        if rooms[0]["active_members"] == 1 { Ok(()) } else { Err(rooms.to_string()) }
    })
    .await;
}
