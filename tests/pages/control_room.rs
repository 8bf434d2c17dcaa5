//! The control room: an admin sees what is there, acts, is asked back once, and finds it in the record.

use std::time::Duration;

use serde_json::{Value, json};

use super::browser::{Browser, stage};
use super::looks::{THEMES, WIDER, WIDTHS, is_accessible, theme};
use super::page::server;
use crate::support::Server;
use crate::support::account::PASSWORD;
use crate::support::admin::admin;

/// Signs in and comes to the control room.
pub async fn enter(page: &Browser, server: &Server) {
    page.goto(&format!("{}/admin/", server.origin())).await;
    page.sees("The control room is for admins.").await;
    page.press("Sign in").await;
    page.fill("#field-username", "root").await;
    page.fill("#field-password", PASSWORD).await;
    page.click("main form button").await;
    page.sees("Live rooms").await;
    page.sees("as of ").await;
}

/// Presses an act of this name and then the question that comes back.
pub async fn act(page: &Browser, what: &str) {
    for is_sure in [false, true] {
        let press = "[...document.querySelectorAll('button[aria-label]')].some((one) => { \
            const label = one.getAttribute('aria-label'); \
            return label.endsWith(arguments[0]) && label.startsWith('Really') === arguments[1] && \
            (one.click(), true); })";
        let which = json!([what, is_sure]);
        page.until(&format!("{what:?} can be pressed"), press, which).await;
    }
    page.sees(&format!("Done: {what}.")).await;
}

#[tokio::test]
async fn an_admin_kicks_and_the_kicked_one_sees_why_and_the_record_has_it() {
    let _stage = stage().await;
    let server = server().await;
    let root = admin(&server).await;
    let (page, alice, guest) = tokio::join!(Browser::open(), Browser::open(), Browser::phone());
    alice.register(&server, "alice").await;
    alice.follow_to(&server, "/r/crowded").await;
    alice.sees("1 here").await;
    // A token holder's room takes no guest; theirs takes both.
    guest.enter_as_guest(&server, "Gus", "open").await;
    alice.follow_to(&server, "/r/open").await;
    alice.sees("2 here").await;
    enter(&page, &server).await;
    page.press("open").await;
    page.sees("2 people, 2 sessions").await;
    act(&page, "put alice out of this room").await;
    alice.sees("This room is not open to you.").await;
    page.sees("1 people, 1 sessions").await;
    page.write("#field-room-word", "Tea is served").await;
    act(&page, "announce this in the room").await;
    guest.sees("An admin says: Tea is served").await;
    act(&page, "close this room for good").await;
    guest.sees("This room is gone.").await;
    page.press("All rooms").await;
    for action in ["room.kick", "announce", "room.close"] {
        page.sees(action).await;
    }
    page.write("input[placeholder=Search][aria-label*=user]", "alice\u{E007}").await;
    act(&page, "turn the account of alice off").await;
    page.sees("user.disable").await;
    alice.sees("You were signed out.").await;
    act(&page, "turn the account of alice on").await;
    page.sees("user.enable").await;
    let record = root.api.get("/api/admin/audit/").await.is(200);
    let acts: Vec<&Value> =
        record.as_array().expect("rows").iter().map(|row| &row["action"]).collect();
    let done = ["user.enable", "user.disable", "room.close", "announce", "room.kick"];
    assert_eq!(json!(acts), json!(done));
    page.is_without_faults().await;
}

#[tokio::test]
async fn counts_agree_with_the_list_with_who_and_with_the_metrics() {
    let _stage = stage().await;
    let server = server().await;
    admin(&server).await;
    let mut guests = Vec::new();
    for n in 0..7 {
        let mut guest = server.native_guest().await;
        guest.join(if n < 5 { "five" } else { "two" }).await;
        guests.push(guest);
    }
    let page = Browser::open().await;
    enter(&page, &server).await;
    let shown = "(() => { const rows = Object.fromEntries([...document.querySelectorAll('section')].filter((one) => \
        one.querySelector('#rooms')).flatMap((one) => [...one.querySelectorAll('tbody tr')]).map((row) => \
        [row.cells[0].textContent, row.cells[2].textContent])); \
        const total = document.querySelector('.plot dd').textContent; \
        return rows.five === '5' && rows.two === '2' && total === '7'; })()";
    page.until("five, two and seven", shown, json!([])).await;
    let list = server.api().get("/list_rooms/").await.is(200);
    assert_eq!(
        list,
        json!([{"name": "five", "active_members": 5}, {"name": "two", "active_members": 2}])
    );
    let who = guests[0].ask(json!({"type": "who", "room": "five"})).await;
    assert_eq!(who["active_users"], 5);
    let metrics = server.api().get("/metrics").await.text;
    assert!(metrics.contains("hubbub_sessions 7"), "{metrics}");
    page.write("input[placeholder=Search][aria-label*=room]", "fiv").await;
    page.until(
        "one row",
        "document.querySelectorAll('section:nth-of-type(3) tbody tr').length === 1",
        json!([]),
    )
    .await;
}

#[tokio::test]
async fn the_control_room_is_accessible_and_pleasant_and_closed_to_others() {
    let _stage = stage().await;
    let server = server().await;
    admin(&server).await;
    let (page, alice) = tokio::join!(Browser::open(), Browser::open());
    alice.register(&server, "alice").await;
    alice.goto(&format!("{}/admin/", server.origin())).await;
    alice.sees("alice is no admin here.").await;
    is_accessible(&alice, "not for everybody").await;
    alice.follow_to(&server, "/r/tea%20room").await;
    alice.sees("1 here").await;
    let (rooms, mut guests) = (["garden", "late night", "library", "workshop"], Vec::new());
    for name in rooms {
        let mut guest = server.native_guest().await;
        guest.join(name).await;
        guest.say(name, "hello").await;
        guests.push(guest);
    }
    enter(&page, &server).await;
    page.sees("late night").await;
    for (path, name) in [("/admin/", "control"), ("room", "control-room")] {
        if path == "room" {
            page.press("tea room").await;
            page.sees("1 people, 1 sessions").await;
        }
        for (width_name, width, height) in WIDTHS {
            page.resize(width, height, width < 500).await;
            for theme_name in THEMES {
                theme(&page, theme_name).await;
                page.picture(&format!("{name}-{width_name}-{theme_name}")).await;
                is_accessible(&page, &format!("{path} {width_name} {theme_name}")).await;
                // All this takes longer than somebody may be silent.
                for (guest, room) in guests.iter_mut().zip(rooms) {
                    guest.say(room, "still here").await;
                }
            }
            assert!(page.number(WIDER).await <= 0.0, "{path} is wider than a {width_name}");
        }
    }
    page.press("All rooms").await;
    theme(&page, "light").await;
    page.resize(1100, 720, false).await;
    // Some seconds of talk, now more and now less, so that the plots have something to show.
    let mut beat = tokio::time::interval(Duration::from_millis(50));
    for said in 0..200_usize {
        for _ in 0..(said / 40) % 3 {
            beat.tick().await;
        }
        beat.tick().await;
        let which = said % guests.len();
        guests[which].say(rooms[which], "and so on").await;
    }
    let new = page.picture("control").await;
    let kept = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images/control.png");
    let kept = std::fs::read(kept).expect("docs/images/control.png");
    assert_eq!(kept[16..24], new[16..24], "copy target/tmp/pages/control.png to docs/images/");
    page.is_without_faults().await;
}

#[tokio::test]
async fn a_stream_of_figures_ends_with_its_login_and_is_for_admins() {
    let server = server().await;
    let root = admin(&server).await;
    let alice = server.account("alice").await;
    let path = "/api/admin/stats/stream/";
    server.api().get(path).await.error(401);
    alice.api.get(path).await.error(403);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("{}{path}", server.origin());
    let mut stream = client.get(url).bearer_auth(&root.access).send().await.expect("an answer");
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while text.matches("data: ").count() < 2 {
        let chunk = stream.chunk().await.expect("a stream").expect("not its end");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    let first = text.split("\n\n").next().and_then(|event| event.strip_prefix("data: "));
    let first: Value = serde_json::from_str(first.expect("an event")).expect("JSON");
    assert!(
        first["totals"]["sessions"].is_u64() && first["nodes"][0]["node"].is_string(),
        "{first}"
    );
    root.log_out().await;
    let end = tokio::time::timeout(Duration::from_secs(20), async {
        while stream.chunk().await.expect("a stream").is_some() {}
    });
    assert!(end.await.is_ok(), "the stream outlives its login");
    // A drain does not wait for watchers.
    let root = admin_again(&server).await;
    let url = format!("{}{path}", server.origin());
    let mut stream = client.get(url).bearer_auth(root).send().await.expect("an answer");
    stream.chunk().await.expect("a stream").expect("figures");
    let mut server = server;
    assert!(server.stop().await.success());
}

async fn admin_again(server: &Server) -> String {
    let body = json!({"username": "root", "password": PASSWORD});
    let body = server.api().post("/api/token/", body).await.is(200);
    body["access"].as_str().expect("a token").to_owned()
}
