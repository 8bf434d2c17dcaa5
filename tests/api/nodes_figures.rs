//! CONTRACT section 5 with several nodes: any of them answers for all, everybody counts once, and
//! a node that says nothing is named.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::account::text;
use crate::support::admin::admin;
use crate::support::nodes::nodes;
use crate::support::redis_server::RedisServer;
use crate::support::shape::{LOAD, ROOM_LOAD};
use crate::support::{eventually, shape, shape_all};

/// What the issue gives presence.
const WITHIN: Duration = Duration::from_secs(15);

#[tokio::test]
async fn any_node_answers_for_all_of_them_and_everybody_counts_once() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let (root, alice) = (admin(&a).await, a.account("alice").await);
    let (mut here, mut there) = (a.native_as(&alice).await, b.native_as(&alice).await);
    let mut guest = b.native_guest().await;
    let hall = guest.join("hall").await.chat();
    for socket in [&mut here, &mut there] {
        socket.join("hall").await;
    }
    guest.join("corner").await;
    for node in [&a, &b] {
        let boss = root.at(node);
        let stats = eventually("all figures", WITHIN, || async {
            let stats = boss.api.get("/api/admin/stats/").await.is(200);
            let of = |name: &str| stats["totals"][name].clone();
            let seen = json!([of("sessions"), of("users"), of("guests"), of("rooms")]);
            let are_two = stats["nodes"].as_array().map(Vec::len) == Some(2);
            if are_two && seen == json!([4, 1, 2, 2]) { Ok(stats) } else { Err(stats.to_string()) }
        })
        .await;
        shape(&stats["totals"], LOAD);
        shape_all(&stats["nodes"], LOAD);
        assert!(stats.get("missing").is_none(), "{stats}");
        let each = stats["nodes"].as_array().expect("a list");
        assert!(each.iter().all(|node| node["bus"] == "connected"), "{stats}");
        assert!(each.iter().all(|node| node["users"] == 1), "{stats}");
        let sum: u64 = each.iter().filter_map(|node| node["rss_bytes"].as_u64()).sum();
        assert_eq!(stats["totals"]["rss_bytes"], sum);

        let list = eventually("all rooms", WITHIN, || async {
            let list = boss.api.get("/api/admin/rooms/").await.is(200);
            let (first, rooms) = (&list["rooms"][0], list["rooms"].as_array().map(Vec::len));
            let seen = json!([first["name"], first["active_users"], first["sessions"], rooms]);
            if seen == json!(["hall", 2, 3, 2]) { Ok(list) } else { Err(list.to_string()) }
        })
        .await;
        shape_all(&list["rooms"], ROOM_LOAD);
        assert_eq!(list["rooms"].as_array().map(Vec::len), Some(2), "{list}");
        assert_eq!(list["rooms"][0]["nodes"].as_array().map(Vec::len), Some(2), "{list}");
        assert_eq!(list["rooms"][1]["nodes"].as_array().map(Vec::len), Some(1), "{list}");

        let path = format!("/api/admin/rooms/{hall}/");
        let detail = boss.api.get(&path).await.is(200);
        shape(&detail, ROOM_LOAD);
        let users = json!([{"id": alice.id, "username": "alice", "sessions": 2}]);
        assert_eq!((&detail["users"], &detail["active_users"]), (&users, &json!(2)), "{detail}");
        let sockets = detail["session_list"].as_array().expect("a list");
        let mut names: Vec<&Value> = sockets.iter().map(|socket| &socket["node"]).collect();
        names.sort_by_key(|name| name.as_str());
        names.dedup();
        assert_eq!((sockets.len(), names.len()), (3, 2), "{detail}");
        let mut seen = Vec::new();
        let mut after = String::new();
        while let page = boss.api.get(&format!("{path}?limit=1{after}")).await.is(200)
            && let Some(socket) = page["session_list"].get(0)
        {
            seen.push(text(&socket["session"]));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 3, "page by page it is the same");
    }
}

#[tokio::test]
async fn messages_are_counted_by_the_node_that_stored_them() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let root = admin(&a).await;
    let (mut here, mut there) = (a.native_guest().await, b.native_guest().await);
    let (name, _) = (text(&here.said_hello()["node"]), here.join("hall").await);
    there.join("hall").await;
    for n in 0..20 {
        here.say("hall", &n.to_string()).await;
    }
    there.until("19").await;
    let rate = |load: &Value| load["messages_per_s"].as_f64().unwrap_or(0.0);
    let stats = eventually("the rates", WITHIN, || async {
        let stats = root.api.get("/api/admin/stats/").await.is(200);
        if rate(&stats["totals"]) > 0.0 { Ok(stats) } else { Err(stats.to_string()) }
    })
    .await;
    for node in stats["nodes"].as_array().expect("a list") {
        assert_eq!(rate(node) > 0.0, node["node"] == name.as_str(), "{stats}");
    }
    let rooms = root.api.get("/api/admin/rooms/").await.is(200);
    assert!(rate(&rooms["rooms"][0]) <= 4.0 + 1e-6, "both saw the same: {rooms}");
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_named() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    let root = admin(&a).await;
    let mut guest = b.native_guest().await;
    let hall = guest.join("hall").await.chat();
    let name = text(&guest.said_hello()["node"]);
    let path = format!("/api/admin/rooms/{hall}/");
    eventually("the room is seen from the other node", WITHIN, || async {
        let found = root.api.get(&path).await;
        if found.status == 200 { Ok(()) } else { Err(found.text) }
    })
    .await;
    b.signal("STOP");
    for path in ["/api/admin/stats/", "/api/admin/rooms/"] {
        let said = eventually("somebody is missing", Duration::from_secs(9), || async {
            let said = root.api.get(path).await.is(200);
            if said.get("missing").is_some() { Ok(said) } else { Err(said.to_string()) }
        })
        .await;
        assert_eq!(said["missing"], json!([name]), "{path}");
    }
    b.signal("CONT");
    eventually("it answers again", WITHIN, || async {
        let said = root.api.get("/api/admin/stats/").await.is(200);
        let all = said["nodes"].as_array().map(Vec::len) == Some(2);
        if all && said.get("missing").is_none() { Ok(()) } else { Err(said.to_string()) }
    })
    .await;
}
