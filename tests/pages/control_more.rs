//! The control room, the rarer things: why somebody did not get an event, bans and their end, and
//! 10,000 rooms.

use std::collections::HashSet;
use std::time::Instant;

use serde_json::json;

use super::browser::{Browser, stage};
use super::control_room::{act, enter};
use super::looks::is_accessible;
use super::page::server;
use crate::support::admin::admin;
use crate::support::many_rooms::ManyRooms;
use crate::support::native::seq;
use crate::support::nightly;

const ROOMS: usize = 10_000;
/// A task of the page that takes longer is felt.
const LONG_TASK_MS: f64 = 200.0;

#[tokio::test]
async fn why_somebody_did_not_get_an_event_is_said_in_words() {
    let _stage = stage().await;
    let server = server().await;
    admin(&server).await;
    let alice = server.account("alice").await;
    server.account("bob").await;
    let mut talker = server.native_guest().await;
    let entry = json!({"type": "join", "room": "hall", "nick_name": "Zoe"});
    let room = talker.enter(entry).await.chat();
    let mut hers = server.native_as(&alice).await;
    hers.join("hall").await;
    let first = seq(&talker.say("hall", "one").await);
    hers.until("one").await;
    let page = Browser::open().await;
    enter(&page, &server).await;
    page.press("hall").await;
    page.sees("Why did somebody not get an event?").await;
    page.sees("Zoe ").await;
    for (who, seq, words) in [
        ("alice", first, "It was written"),
        ("bob", first, "No socket of this user was in the room when it went out."),
        ("alice", 99, "There is no such event in this room."),
        ("nobody", first, "There is no user of that name, or it is you."),
    ] {
        page.fill("#field-missed-by", who).await;
        page.fill("#field-missed", &seq.to_string()).await;
        page.press("Find out").await;
        page.sees(words).await;
    }
    // Where a message's number is found.
    let reader = Browser::open().await;
    reader.enter_as_guest(&server, "Gus", "hall").await;
    reader.sees("one").await;
    let title = "document.querySelector('article time').title.endsWith(', event 1')";
    reader.until("the number", title, json!([])).await;
    // Also of a room that nobody is in.
    hers.close().await;
    talker.close().await;
    reader.goto("about:blank").await;
    page.goto(&format!("{}/admin/?room={room}", server.origin())).await;
    page.sees("Nobody is in this room now.").await;
    page.fill("#field-missed-by", "alice").await;
    page.fill("#field-missed", "1").await;
    page.press("Find out").await;
    page.sees("It was written").await;
    page.picture("control-delivery").await;
    is_accessible(&page, "delivery").await;
    page.is_without_faults().await;
}

#[tokio::test]
async fn a_ban_for_an_hour_is_listed_and_ended() {
    let _stage = stage().await;
    let server = server().await;
    admin(&server).await;
    let (page, alice) = tokio::join!(Browser::open(), Browser::open());
    alice.register(&server, "alice").await;
    alice.follow_to(&server, "/r/open").await;
    alice.sees("1 here").await;
    let mut guest = server.native_guest().await;
    guest.join("open").await;
    enter(&page, &server).await;
    page.press("open").await;
    page.sees("Nobody is banned here.").await;
    page.js("document.querySelector('#ban-lasts').value = '1'", json!([])).await;
    act(&page, "ban alice from this room").await;
    alice.sees("This room is not open to you.").await;
    let until = "[...document.querySelectorAll('[aria-label=Bans] tbody tr')].some(({ cells }) => \
        cells[0].textContent === 'alice' && /\\d/.test(cells[1].textContent))";
    page.until("the ban and its end", until, json!([])).await;
    page.picture("control-bans").await;
    act(&page, "let alice into this room again").await;
    page.sees("Nobody is banned here.").await;
    alice.reload().await;
    alice.sees("2 here").await;
    page.is_without_faults().await;
}

#[tokio::test]
async fn everybody_is_spoken_to_a_guest_put_out_and_a_user_signed_out() {
    let _stage = stage().await;
    let server = server().await;
    admin(&server).await;
    let (page, alice, guest) = tokio::join!(Browser::open(), Browser::open(), Browser::phone());
    guest.enter_as_guest(&server, "Gus", "open").await;
    alice.register(&server, "alice").await;
    alice.follow_to(&server, "/r/open").await;
    alice.sees("2 here").await;
    enter(&page, &server).await;
    page.write("#field-word", "Tea for all").await;
    act(&page, "announce this to everybody").await;
    for one in [&alice, &guest] {
        one.sees("An admin says: Tea for all").await;
    }
    page.press("open").await;
    // A guest is known by the end of his session's number.
    let session = "document.querySelector('[aria-label^=\"Kick: put Gus \"]')?.getAttribute('aria-label').slice(6)";
    let session = page.until("his session", session, json!([])).await;
    act(&page, session.as_str().expect("words")).await;
    guest.sees("This room is not open to you.").await;
    alice.sees("1 here").await;
    page.press("All rooms").await;
    page.write("input[placeholder=Search][aria-label*=user]", "alice\u{E007}").await;
    act(&page, "sign alice out everywhere").await;
    alice.sees("You were signed out.").await;
    for page in [&page, &alice, &guest] {
        page.is_without_faults().await;
    }
}

#[tokio::test]
async fn the_sessions_of_a_crowded_room_come_page_by_page_each_once() {
    const CROWD: usize = 120;
    let _stage = stage().await;
    let server = server().await;
    admin(&server).await;
    let mut crowd = Vec::new();
    for n in 0..CROWD {
        let mut guest = server.native_guest().await;
        let nick = format!("Guest {n}");
        guest.enter(json!({"type": "join", "room": "crowded", "nick_name": nick})).await;
        crowd.push(guest);
    }
    let page = Browser::open().await;
    enter(&page, &server).await;
    page.press("crowded").await;
    page.sees("120 people, 120 sessions").await;
    let shown = "(() => { const rows = [...document.querySelectorAll('[aria-label=Sessions] tbody th')]; \
        return rows.length === arguments[0] && rows.map((row) => row.textContent); })()";
    let mut seen = HashSet::new();
    for rows in [100, 20] {
        let names = page.until("a page of sessions", shown, json!([rows])).await;
        let is_new = names.as_array().expect("names").iter().map(|name| seen.insert(name.clone()));
        assert!(is_new.collect::<Vec<_>>().iter().all(|is_new| *is_new), "{names}");
        if seen.len() < CROWD {
            page.press("Next").await;
        }
    }
    assert_eq!(seen.len(), CROWD);
    page.press("Back").await;
    page.until("the first page again", shown, json!([100])).await;
    page.is_without_faults().await;
}

#[tokio::test]
async fn with_10_000_rooms_the_control_room_stays_usable() {
    // 100,100 sessions at night.
    let guests = if nightly() { 10 } else { 1 };
    let (server, url) = ManyRooms::server().await;
    admin(&server).await;
    let since = Instant::now();
    let many = ManyRooms::open(&server, &url, ROOMS, guests).await;
    let opened = since.elapsed();
    let _stage = stage().await;
    let page = Browser::open().await;
    enter(&page, &server).await;
    let watch = "globalThis.longest = 0; new PerformanceObserver((list) => { \
        for (const { duration } of list.getEntries()) longest = Math.max(longest, duration); \
        }).observe({ type: 'longtask' })";
    page.js(watch, json!([])).await;
    page.sees("10,000").await;
    let rows = "[...document.querySelectorAll('[aria-labelledby=rooms] tbody tr')]";
    let second = format!(
        "{rows}.length === arguments[1] && {rows}[1].cells[0].textContent === arguments[0]"
    );
    let are_full = format!(
        "{rows}.length === 50 && {rows}.every(({{ cells }}) => cells[2].textContent === arguments[0])"
    );
    page.until("the fullest", &are_full, json!([(guests + 1).to_string()])).await;
    page.press("Room").await;
    page.until("by name", &second, json!(["room 00001", 50])).await;
    page.press("Next").await;
    page.until("the second page", &second, json!(["room 00051", 50])).await;
    page.press("Next").await;
    page.until("the third page", &second, json!(["room 00101", 50])).await;
    page.press("Back").await;
    page.until("the second page again", &second, json!(["room 00051", 50])).await;
    page.write("input[placeholder=Search][aria-label*=room]", "0432").await;
    page.until("ten are found", &second, json!(["room 04320", 11])).await;
    page.press("room 04321").await;
    page.sees(&format!("{guests} people, {guests} sessions")).await;
    page.press("All rooms").await;
    page.until("the list again", &second, json!(["room 04320", 11])).await;
    let elements = page.number("return document.querySelectorAll('*').length").await;
    let longest = page.number("return longest").await;
    println!(
        "{ROOMS} rooms with {} sessions on {} sockets in {opened:?}: {elements} elements, longest \
         task {longest} ms",
        ROOMS * guests + ROOMS / 100,
        many.sockets()
    );
    assert!(elements < 2_000.0, "{elements} elements");
    assert!(longest < LONG_TASK_MS, "a task of {longest} ms");
    page.is_without_faults().await;
}
