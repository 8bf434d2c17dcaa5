//! CONTRACT section 5 with 10,000 rooms: lists are sorted, searched and paged by the server, and the
//! rooms are asked once a second, whoever looks and however many.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::account::text;
use crate::support::admin::admin;
use crate::support::many_rooms::{ManyRooms, name};
use crate::support::{Account, Server, eventually, nightly};

const ROOMS: usize = 10_000;
/// Admins who look at the same time.
const ADMINS: usize = 8;
/// For so long.
const LOOKING: Duration = Duration::from_secs(4);

async fn readings(server: &Server, of: &str) -> u64 {
    server.metric(&format!("hubbub_figures_read_total{{of=\"{of}\"}}")).await
}

/// Looks at lists, at one room and at the totals until the time is up; how often.
async fn look(boss: Account, room: String, turn: usize) -> u64 {
    let sort = ["active_users", "messages_per_s", "name"][turn % 3];
    let limit = 20 + turn;
    let (since, mut looks) = (Instant::now(), 0);
    while since.elapsed() < LOOKING {
        let list = format!("/api/admin/rooms/?sort={sort}&limit={limit}");
        let page = boss.api.get(&list).await.is(200);
        assert_eq!(page["rooms"].as_array().map(Vec::len), Some(limit), "{sort}");
        boss.api.get(&format!("/api/admin/rooms/{room}/?limit={limit}")).await.is(200);
        boss.api.get("/api/admin/stats/").await.is(200);
        looks += 1;
    }
    looks
}

#[tokio::test]
async fn with_10_000_rooms_lists_come_by_pages_and_rooms_are_asked_once_a_second() {
    let guests = if nightly() { 10 } else { 1 };
    let (server, url) = ManyRooms::server().await;
    let boss = admin(&server).await;
    let since = Instant::now();
    let many = ManyRooms::open(&server, &url, ROOMS, guests).await;
    let sessions = ROOMS * guests + ROOMS / 100;
    let opened = since.elapsed();
    eventually("all are counted", Duration::from_secs(30), || async {
        let stats = boss.api.get("/api/admin/stats/").await.is(200);
        let seen = json!([stats["totals"]["rooms"], stats["totals"]["sessions"]]);
        if seen == json!([ROOMS, sessions]) { Ok(()) } else { Err(stats.to_string()) }
    })
    .await;

    // Page by page it is all of them, the fullest first.
    let (mut seen, mut after, mut bytes) = (HashSet::new(), String::new(), 0);
    let mut first = Value::Null;
    loop {
        let page = boss.api.get(&format!("/api/admin/rooms/?limit=500{after}")).await;
        bytes = bytes.max(page.text.len());
        let page = page.is(200);
        let rooms = page["rooms"].as_array().expect("rooms");
        assert!(rooms.len() <= 500);
        if first.is_null() {
            first = rooms[0].clone();
        }
        seen.extend(rooms.iter().map(|room| text(&room["room_id"])));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!((seen.len(), &first["active_users"]), (ROOMS, &json!(guests + 1)));
    let found = boss.api.get("/api/admin/rooms/?q=room%2004321").await.is(200);
    assert_eq!(found["rooms"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found["rooms"][0]["name"], name(4_321));

    // Many look, and the rooms don't notice.
    let room = text(&first["room_id"]);
    let before = (readings(&server, "all").await, readings(&server, "one").await);
    let since = Instant::now();
    let mut admins = JoinSet::new();
    for turn in 0..ADMINS {
        admins.spawn(look(boss.at(&server), room.clone(), turn));
    }
    let looks: u64 = admins.join_all().await.iter().sum();
    let all = readings(&server, "all").await - before.0;
    let one = readings(&server, "one").await - before.1;
    let most = since.elapsed().as_secs() + 2;
    assert!(looks > most, "{looks} looks are too few to show it");
    assert!(all <= most && one <= most, "{all} and {one} readings in {:?}", since.elapsed());
    println!(
        "{ROOMS} rooms, {sessions} sessions on {} sockets in {opened:?}; a page of 500: {} KiB; \
         {looks} looks of {ADMINS} admins in {:?}: {all} readings of all, {one} of one; {} MiB",
        many.sockets(),
        bytes / 1024,
        since.elapsed(),
        server.rss() >> 20,
    );
}
