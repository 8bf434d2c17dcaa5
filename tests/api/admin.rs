//! CONTRACT section 5, what is live: statistics, rooms, one room. The acts stand in `admin_users`,
//! `admin_rooms` and `admin_words`, their records in `audit`; the stream follows with the pages.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::account::text;
use crate::support::admin::admin;
use crate::support::shape::{LOAD, ROOM_LOAD};
use crate::support::{Setup, eventually, shape, shape_all};

const PERCENTILES: &str = "p50:num p95:num p99:num";

#[tokio::test]
async fn admin_paths_are_for_superusers_alone() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let root = admin(&server).await;
    let nil = uuid::Uuid::nil();
    for path in ["/api/admin/stats/", "/api/admin/rooms/", &format!("/api/admin/rooms/{nil}/")] {
        server.api().get(path).await.error(401);
        server.api().bearer("wrong").get(path).await.error(401);
        alice.api.get(path).await.error(403);
    }
    root.api.get("/api/admin/stats/").await.is(200);
    root.api.get("/api/admin/rooms/").await.is(200);
    root.api.get(&format!("/api/admin/rooms/{nil}/")).await.error(404);
    root.api.get("/api/admin/rooms/no-id/").await.error(404);
}

on_both_engines! {
    async fn stats_say_what_the_node_carries(setup: Setup) {
        let server = setup.start().await;
        let root = admin(&server).await;
        let alice = server.account("alice").await;
        let idle = root.api.get("/api/admin/stats/").await.is(200);
        shape(&idle, "as_of:time totals:obj nodes:arr");
        shape(&idle["totals"], LOAD);
        shape_all(&idle["nodes"], LOAD);
        shape_all(&idle["nodes"], "node:str version:str started_at:time bus:str");
        assert_eq!(
            (&idle["nodes"][0]["bus"], &idle["totals"]["sessions"]),
            (&json!("local"), &json!(0))
        );
        for spread in ["fanout_ms", "store_ms"] {
            shape(&idle["totals"][spread], PERCENTILES);
        }
        assert!(idle["totals"]["rss_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20));
        assert!(idle["totals"]["cpu_s"].as_f64().is_some_and(|secs| secs > 0.0));

        let mut hers = server.room("lobby").token(&alice.access).open().await;
        let _other = server.room("lobby").token(&alice.access).open().await;
        let _guest = server.room("open").open().await;
        for n in 0..20 {
            hers.say(&n.to_string()).await;
            hers.next().await;
        }
        let busy = eventually("the figures", Duration::from_secs(5), || async {
            let stats = root.api.get("/api/admin/stats/").await.is(200);
            let totals = &stats["totals"];
            let seen =
                json!([totals["sessions"], totals["users"], totals["guests"], totals["rooms"]]);
            let rate = |name: &str| totals[name].as_f64().unwrap_or(0.0) > 0.0;
            let rates = rate("messages_per_s") && rate("deliveries_per_s");
            if seen == json!([3, 1, 1, 2]) && rates { Ok(stats) } else { Err(stats.to_string()) }
        })
        .await;
        let node = &busy["nodes"][0];
        assert!(busy["totals"]["fanout_ms"]["p50"].as_f64().is_some_and(|ms| ms > 0.0), "{busy}");
        assert!(node["store_ms"]["p99"].as_f64().is_some_and(|ms| ms > 0.0), "{busy}");
        server.room("lobby").refused().await;
        let refused = root.api.get("/api/admin/stats/").await.is(200)["totals"]["refused"].clone();
        let before = busy["totals"]["refused"].as_u64();
        eventually("the refused handshake", Duration::from_secs(5), || async {
            let stats = root.api.get("/api/admin/stats/").await.is(200);
            if stats["totals"]["refused"].as_u64() > before {
                Ok(())
            } else {
                Err(refused.to_string())
            }
        })
        .await;
    }

    async fn a_live_rooms_detail_names_its_people_and_sockets(setup: Setup) {
        let server = setup.start().await;
        let root = admin(&server).await;
        let alice = server.account("alice").await;
        let mut hers = server.room("mixed").open().await;
        let mut user = server.room("mixed").token(&alice.access).open().await;
        let _again = server.room("mixed").cookie(&alice.access).open().await;
        user.say("hi").await;
        let id = text(&user.expect_text("hi").await["chat_id"]);
        hers.next().await;
        let path = format!("/api/admin/rooms/{id}/");
        let detail = root.api.get(&path).await.is(200);
        shape(&detail, ROOM_LOAD);
        shape(&detail["fanout_ms"], PERCENTILES);
        assert_eq!(
            (&detail["name"], &detail["kind"], &detail["seq"]),
            (&json!("mixed"), &json!("named"), &json!(1))
        );
        assert_eq!((&detail["active_users"], &detail["sessions"]), (&json!(2), &json!(3)));
        assert_eq!(detail["nodes"].as_array().map(Vec::len), Some(1));
        let users = json!([{"id": alice.id, "username": "alice", "sessions": 2}]);
        assert_eq!(detail["users"], users);
        shape_all(
            &detail["session_list"],
            "session:uuid user_id:int|null guest:uuid|null ip:str \
            node:str since:time dialect:str queued_bytes:int last_seen:time",
        );
        let sockets = detail["session_list"].as_array().unwrap();
        assert_eq!(sockets.len(), 3);
        assert!(sockets.iter().all(|socket| socket["ip"] == "127.0.0.1"), "{detail}");
        assert_eq!(sockets.iter().filter(|socket| socket["user_id"].is_null()).count(), 1);
        let cut = root.api.get(&format!("{path}?limit=1")).await.is(200);
        assert_eq!(cut["session_list"].as_array().map(Vec::len), Some(1));
        shape(&cut, "next:str|int|obj");
    }

    async fn live_rooms_are_sorted_searched_and_paged(setup: Setup) {
        let server = setup.start().await;
        let root = admin(&server).await;
        assert_eq!(root.api.get("/api/admin/rooms/").await.is(200)["rooms"], json!([]));
        let mut sockets = Vec::new();
        for (name, number) in [("beta", 3), ("alpha", 1), ("gamma", 2)] {
            for _ in 0..number {
                sockets.push(server.room(name).open().await);
            }
        }
        server.api().post("/create_room/", json!({"name": "empty"})).await.is(201);
        let rooms = eventually("all rooms", Duration::from_secs(5), || async {
            let body = root.api.get("/api/admin/rooms/?sort=active_users").await.is(200);
            if names(&body).len() == 3 { Ok(body) } else { Err(body.to_string()) }
        })
        .await;
        shape(&rooms, "as_of:time rooms:arr next:null");
        shape_all(&rooms["rooms"], ROOM_LOAD);
        assert_eq!(names(&rooms), ["beta", "gamma", "alpha"], "live ones alone, most people first");
        let by_name = root.api.get("/api/admin/rooms/?sort=name").await.is(200);
        assert_eq!(names(&by_name), ["alpha", "beta", "gamma"]);
        let by_rate = root.api.get("/api/admin/rooms/?sort=messages_per_s").await.is(200);
        assert_eq!(names(&by_rate).len(), 3);
        let found = root.api.get("/api/admin/rooms/?q=amm").await.is(200);
        assert_eq!(names(&found), ["gamma"]);
        let wrong = root.api.get("/api/admin/rooms/?sort=nonsense").await.status;
        assert!(matches!(wrong, 200 | 400), "{wrong}");

        for sort in ["name", "active_users", "messages_per_s"] {
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let path = format!("/api/admin/rooms/?sort={sort}&limit=1{after}");
                let page = root.api.get(&path).await.is(200);
                seen.extend(names(&page));
                let Some(next) = page["next"].as_str() else { break };
                after = format!("&after={next}");
                assert!(seen.len() <= 3, "{sort} never ends");
            }
            seen.sort();
            assert_eq!(seen, ["alpha", "beta", "gamma"], "{sort}");
        }
    }
}

fn names(body: &Value) -> Vec<String> {
    body["rooms"].as_array().unwrap().iter().map(|room| text(&room["name"])).collect()
}
