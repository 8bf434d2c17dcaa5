//! Everything without a pointer, and what a screen reader is told.

use serde_json::json;

use super::browser::{Browser, stage};
use super::page::{ENTER, server};

const TAB: &str = "\u{E004}";
const UP: &str = "\u{E013}";
const ESCAPE: &str = "\u{E00C}";

/// Presses Tab until the element in focus is this one.
async fn tab_to(page: &Browser, css: &str) {
    for _ in 0..60 {
        page.keys(TAB).await;
        let there =
            page.js("return document.activeElement.matches(arguments[0])", json!([css])).await;
        if there == json!(true) {
            return;
        }
    }
    panic!("{css} can't be reached by Tab");
}

async fn focus_is(page: &Browser, css: &str) {
    page.until(css, "document.activeElement.matches(arguments[0])", json!([css])).await;
}

#[tokio::test]
async fn a_room_is_entered_talked_in_and_left_by_keys_alone() {
    let _stage = stage().await;
    let server = server().await;
    let page = Browser::open().await;
    page.goto(&server.origin()).await;
    page.sees("Chat as a guest").await;
    tab_to(&page, ".skip").await;
    tab_to(&page, "#field-nick").await;
    page.keys("Ann").await;
    tab_to(&page, "#field-room").await;
    page.keys(ENTER).await;
    focus_is(&page, "#text").await;
    page.sees("1 here").await;
    for text in ["first", "second"] {
        page.keys(text).await;
        page.keys(ENTER).await;
        page.sees(text).await;
    }
    // What is not stored yet can't be changed.
    page.until("both are stored", "!document.querySelector('.waiting')", json!([])).await;
    // Up in the empty field changes one's last message; Escape leaves it as it was.
    page.keys(UP).await;
    page.sees("Editing: second").await;
    page.keys(ESCAPE).await;
    page.sees_no("Editing").await;
    page.keys(UP).await;
    page.keys("!").await;
    page.keys(ENTER).await;
    page.sees("second! (edited)").await;
    // The list: one stop, then arrows from message to message, Tab to what can be done with one.
    tab_to(&page, ".log").await;
    page.keys(UP).await;
    page.keys(UP).await;
    focus_is(&page, "article:first-child").await;
    page.keys(TAB).await;
    focus_is(&page, ".acts button").await;
    page.keys(ENTER).await;
    page.until("the reaction", "document.querySelector('.tally')", json!([])).await;
    page.js("document.querySelector('article').focus()", json!([])).await;
    page.keys("r").await;
    focus_is(&page, "#text").await;
    page.sees("Answering Ann").await;
    page.keys("third").await;
    page.keys(ENTER).await;
    page.sees("third").await;
    page.is_without_faults().await;
    tab_to(&page, ".count").await;
    page.keys(ENTER).await;
    page.sees("Here now").await;
    page.keys(ESCAPE).await;
    focus_is(&page, ".count").await;
    tab_to(&page, "#side h1 a").await;
    page.keys(ENTER).await;
    page.sees("Chat as a guest").await;
}

#[tokio::test]
async fn new_messages_are_spoken_and_a_burst_is_summed_up() {
    let _stage = stage().await;
    let server = server().await;
    let page = Browser::open().await;
    page.enter_as_guest(&server, "Ann", "spoken").await;
    let mut ben = server.native_guest().await;
    ben.enter(json!({"type": "join", "room": "spoken", "nick_name": "Ben"})).await;
    ben.say("spoken", "hello").await;
    let spoken = "document.getElementById('spoken').textContent === arguments[0]";
    page.until("it is spoken", spoken, json!(["Ben: hello"])).await;
    for n in 0..20 {
        ben.say("spoken", &n.to_string()).await;
    }
    let summed = "/^\\d+ new messages$/.test(document.getElementById('spoken').textContent)";
    page.until("they are summed up", summed, json!([])).await;
}
