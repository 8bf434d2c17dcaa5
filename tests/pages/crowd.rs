//! A busy room: messages by the hundred a second, ten thousand held. Measured with no other test beside it.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::browser::{Browser, whole_stage};
use super::page::server;
use crate::support::Native;

/// The longest that the page may be busy with one thing.
const LONGEST_MS: f64 = 200.0;
const MESSAGES: usize = 5_000;
const PER_SECOND: usize = 500;
const WRITERS: usize = 5;
/// What the page may keep after ten thousand messages.
const HEAP_MAX: f64 = 64.0 * 1024.0 * 1024.0;

/// Notes every task that keeps the page from its reader, from now on.
const WATCH: &str = "globalThis.long = []; new PerformanceObserver((list) => { \
    for (const { duration, startTime } of list.getEntries()) long.push([startTime, duration]); \
    }).observe({ type: 'longtask' });";

async fn longest(page: &Browser) -> f64 {
    page.number("return Math.max(0, ...long.map(([, ms]) => ms))").await
}

/// What the page holds once it has thrown away what it can.
async fn heap(page: &Browser) -> f64 {
    page.devtools("HeapProfiler.enable", json!({})).await;
    page.devtools("HeapProfiler.collectGarbage", json!({})).await;
    let usage = page.devtools("Runtime.getHeapUsage", json!({})).await;
    usage["usedSize"].as_f64().expect("a size")
}

async fn send(writer: &mut Native, room: &str, text: &str) {
    writer.send(json!({"type": "send", "room": room, "message": text})).await;
}

/// Takes what still comes, so that nobody holds the writer for slow.
fn read_on(mut writer: Native) {
    tokio::spawn(async move { while writer.try_next().await.is_ok() {} });
}

#[tokio::test]
async fn five_thousand_messages_at_500_a_second_leave_the_page_responsive() {
    let _stage = whole_stage().await;
    let server = server().await;
    let page = Browser::open().await;
    page.enter_as_guest(&server, "Ann", "crowd").await;
    page.js(WATCH, json!([])).await;
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let mut writer = server.native_guest().await;
        writer.join("crowd").await;
        writers.push(writer);
    }
    let begun = Instant::now();
    let every = Duration::from_secs(1) / u32::try_from(PER_SECOND / WRITERS).expect("few");
    let sent = writers.into_iter().enumerate().map(|(of, mut writer)| async move {
        let mut beat = tokio::time::interval(every);
        let mut n = 0;
        while n < MESSAGES / WRITERS {
            tokio::select! {
                _ = beat.tick() => {
                    let text = format!("message {n} of writer {of}, as long as usual, with https://example.org/{n}");
                    send(&mut writer, "crowd", &text).await;
                    n += 1;
                }
                heard = writer.try_next() => assert!(heard.is_ok(), "a writer was closed"),
            }
        }
        read_on(writer);
    });
    futures_util::future::join_all(sent).await;
    let sending = begun.elapsed();
    let last = "[...document.querySelectorAll('article')].at(-1)?.dataset.seq === arguments[0]";
    page.until("the last one is there", last, json!([MESSAGES.to_string()])).await;
    let took = begun.elapsed();
    let longest = longest(&page).await;
    let rows = page.number("return document.querySelectorAll('article').length").await;
    let heap = heap(&page).await;
    println!(
        "{MESSAGES} messages sent in {sending:.1?}, shown after {took:.1?}; longest task {longest:.0} ms; \
         {rows} rows; heap {:.1} MiB",
        heap / 1_048_576.0
    );
    assert!(longest <= LONGEST_MS, "a task of {longest} ms");
    assert!(rows < 400.0, "{rows} rows");
    assert!(heap < HEAP_MAX, "{heap} bytes");
    page.is_without_faults().await;
}

#[tokio::test]
async fn ten_thousand_loaded_messages_scroll_smoothly_in_bounded_memory() {
    let _stage = whole_stage().await;
    let server = server().await;
    let page = Browser::open().await;
    page.enter_as_guest(&server, "Ann", "ten thousand").await;
    let mut writer = server.native_guest().await;
    writer.join("ten thousand").await;
    for n in 0..10_500 {
        send(&mut writer, "ten thousand", &format!("message {n} with some words in it")).await;
        while let Some(Ok(_)) = writer.try_next().now_or_never() {}
    }
    read_on(writer);
    let last = "[...document.querySelectorAll('article')].at(-1)?.dataset.seq === '10500'";
    page.until("the last one is there", last, json!([])).await;
    page.js(WATCH, json!([])).await;
    // Up as fast as a wheel can, frame by frame.
    let scroll = "const done = arguments[0]; const log = document.querySelector('.log'); const times = []; \
        let frames = 0, before = performance.now(); \
        (function step() { const now = performance.now(); times.push(now - before); before = now; \
        log.scrollTop -= 400; frames += 1; \
        if (frames < 400) requestAnimationFrame(step); \
        else { times.sort((a, b) => a - b); done({ p95: times[380], first: +document.querySelector('article').dataset.seq }); } })()";
    let scrolled: Value = page.js_done(scroll, json!([])).await;
    let longest = longest(&page).await;
    let rows = page.number("return document.querySelectorAll('article').length").await;
    let heap = heap(&page).await;
    println!(
        "scrolled to {}: p95 of a frame {:.1} ms, longest task {longest:.0} ms, {rows} rows, heap {:.1} MiB",
        scrolled["first"],
        scrolled["p95"].as_f64().unwrap_or_default(),
        heap / 1_048_576.0
    );
    assert!(scrolled["first"].as_f64().is_some_and(|first| first < 9_000.0), "{scrolled}");
    assert!(longest <= LONGEST_MS, "a task of {longest} ms");
    assert!(rows < 400.0, "{rows} rows");
    assert!(heap < HEAP_MAX, "{heap} bytes");
}
