//! What the page costs: bytes, requests, time to the first message, and that nothing jumps about.

use serde_json::{Value, json};

use super::browser::{Browser, whole_stage};
use super::page::server;

/// All that a first visit may fetch, as it goes over the wire.
const WIRE_MAX: u64 = 60 * 1024;
/// Shifts of what stands there, summed up: what is good, by the Web Vitals.
const SHIFT_MAX: f64 = 0.01;

const COUNT: &str = "const all = [performance.getEntriesByType('navigation')[0], \
    ...performance.getEntriesByType('resource')]; \
    return { files: all.filter(({ name }) => !name.includes('/list_rooms')).length, \
    hosts: [...new Set(all.map(({ name }) => new URL(name).host))], \
    bytes: all.reduce((sum, { transferSize }) => sum + transferSize, 0), \
    paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime }";

#[tokio::test]
async fn a_first_visit_is_light_and_a_second_one_lighter() {
    let _stage = whole_stage().await;
    let server = server().await;
    let mut ben = server.native_guest().await;
    ben.join("facts").await;
    ben.say("facts", "the first message").await;
    let page = Browser::open().await;
    page.goto(&server.origin()).await;
    page.sees("Chat as a guest").await;
    let first: Value = page.js(COUNT, json!([])).await;
    page.fill("#field-nick", "Ann").await;
    page.press("Enter the room").await;
    page.sees("1 here").await;
    let noted = "document.addEventListener('DOMContentLoaded', () => new MutationObserver(() => { \
        if (!globalThis.shown && document.querySelector('article')) shown = performance.now(); }) \
        .observe(document.body, { childList: true, subtree: true })); globalThis.shown = 0; \
        globalThis.shift = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) \
        if (!one.hadRecentInput) shift += one.value; }).observe({ type: 'layout-shift', buffered: true });";
    page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": noted})).await;
    page.goto(&format!("{}/r/facts", server.origin())).await;
    page.sees("the first message").await;
    let second: Value = page.js(COUNT, json!([])).await;
    let shown = page.number("return shown").await;
    for n in 0..100 {
        ben.say("facts", &format!("message {n}, {}", "and more words ".repeat(n % 9))).await;
    }
    page.sees("message 99").await;
    let shift = page.number("return shift").await;
    println!(
        "first visit {first}, second {second}; first message after {shown:.0} ms; layout shift {shift:.4}"
    );
    assert_eq!(first["hosts"], json!([server.addr().to_string()]), "another host is asked");
    assert!(first["bytes"].as_u64().is_some_and(|bytes| bytes < WIRE_MAX), "{first}");
    assert!(second["bytes"].as_u64() < first["bytes"].as_u64().map(|bytes| bytes / 4), "{second}");
    assert!(shift < SHIFT_MAX, "things moved by {shift}");
    page.is_without_faults().await;
}

#[tokio::test]
async fn files_are_compressed_and_kept_under_their_hash() {
    let server = server().await;
    let page = server.api().get("/r/any%20room/").await;
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-cache")));
    let (_, rest) = page.text.split_once("/assets/").expect("a file");
    let (release, _) = rest.split_once('/').expect("its release");
    let name = |release: &str| format!("/assets/{release}/app.js");
    let own = server.api().get(&name(release)).await;
    assert_eq!(own.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(own.header("content-encoding"), None);
    let zipped = server.api().with("accept-encoding", "br, gzip").get(&name(release)).await;
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    assert_ne!(zipped.header("etag"), own.header("etag"));
    // While nodes are upgraded one by one: no page breaks, and nobody keeps it.
    let other = server.api().get(&name("0123456789abcdef")).await;
    assert_eq!((other.status, other.header("cache-control")), (200, Some("no-cache")));
    assert_eq!(other.text, own.text);
    for path in ["/hubbub.js", "/hubbub-room.js"] {
        let script = server.api().get(path).await;
        let etag = script.header("etag").expect("an etag").to_owned();
        assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
        let again = server.api().with("if-none-match", &etag).get(path).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""));
        let foreign = server.api().with("origin", "https://elsewhere.example").get(path).await;
        assert_eq!(foreign.header("access-control-allow-origin"), Some("*"));
    }
    server.api().get("/assets/x/none.js").await.error(404);
    server.api().get("/assets/x/..%2Fmod.rs").await.error(404);
}
