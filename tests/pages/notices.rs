//! What reaches somebody who looks elsewhere: the number in the tab's title, and notifications where they
//! are allowed.

use serde_json::json;

use super::browser::{Browser, stage};
use super::page::server;

#[tokio::test]
async fn a_message_to_a_tab_behind_another_is_counted_in_its_title_and_notified() {
    let _stage = stage().await;
    let server = server().await;
    let ann = Browser::open().await;
    let grant = json!({"origin": server.origin(), "permissions": ["notifications"]});
    ann.devtools("Browser.grantPermissions", grant).await;
    ann.enter_as_guest(&server, "Ann", "tea").await;
    let keep = "const Real = Notification; globalThis.told = []; \
        globalThis.Notification = class extends Real { constructor(title, options) { super(title, options); \
        told.push([title, options.body, Real.permission]); this.onshow = () => told.push('shown'); } }";
    ann.js(keep, json!([])).await;
    let mut ben = server.native_guest().await;
    let entry = ben.enter(json!({"type": "join", "room": "tea", "nick_name": "Ben"})).await;
    // Before one's eyes it needs no telling.
    ben.say("tea", "one").await;
    ann.sees("one").await;
    assert_eq!(ann.title().await, "tea · Hubbub");
    ann.goes_behind(true).await;
    for word in ["two", "three"] {
        ben.say("tea", word).await;
    }
    ann.until("two are counted", "document.title === '(2) tea · Hubbub'", json!([])).await;
    let told = "told.filter((one) => one !== 'shown').length === 2 && told";
    let told = ann.until("both are told", told, json!([])).await;
    let of = |text: &str| json!(["Ben · tea", text, "granted"]);
    let told: Vec<_> =
        told.as_array().expect("a list").iter().filter(|one| one.is_array()).collect();
    assert_eq!(told, [&of("two"), &of("three")]);
    ann.until("they were shown", "told.includes('shown')", json!([])).await;
    // Looked at again, nothing is unread.
    ann.goes_behind(false).await;
    ann.until("the title is bare", "document.title === 'tea · Hubbub'", json!([])).await;
    drop(entry);
    ann.is_without_faults().await;
}

#[tokio::test]
async fn nobody_is_asked_for_leave_unless_he_presses_and_without_it_the_title_counts() {
    let _stage = stage().await;
    let server = server().await;
    let ann = Browser::open().await;
    ann.goto(&server.origin()).await;
    let keep = "globalThis.asked = 0; Notification.requestPermission = async () => { asked += 1; return 'denied'; }";
    ann.js(keep, json!([])).await;
    ann.fill("#field-nick", "Ann").await;
    ann.press("Enter the room").await;
    ann.sees("1 here").await;
    let state = ann.js("return Notification.permission", json!([])).await;
    let mut ben = server.native_guest().await;
    ben.join("lobby").await;
    ann.goes_behind(true).await;
    ben.say("lobby", "psst").await;
    ann.until("one is counted", "document.title === '(1) lobby · Hubbub'", json!([])).await;
    assert_eq!(ann.js("return asked", json!([])).await, 0);
    if state == "default" {
        ann.goes_behind(false).await;
        ann.press("Notify me").await;
        ann.until("it is asked once", "asked === 1", json!([])).await;
    }
    ann.is_without_faults().await;
}
