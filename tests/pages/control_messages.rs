//! The control room's look at what was said in a room, and how an admin takes a message away.

use serde_json::{Value, json};

use super::browser::{Browser, stage};
use super::control_room::{act, enter};
use super::looks::{THEMES, WIDER, WIDTHS, is_accessible, theme};
use super::page::{ENTER, server};
use crate::support::account::{Account, text};
use crate::support::admin::admin;
use crate::support::native::seq;

/// The numbers of the messages on show, in their order.
const NUMBERS: &str = "JSON.stringify([...document.querySelectorAll('.said [data-seq]')]\
    .map((one) => Number(one.dataset.seq))) === JSON.stringify(arguments[0])";

async fn shows(page: &Browser, seqs: impl Iterator<Item = i64>) {
    let seqs: Vec<i64> = seqs.collect();
    page.until("these messages", NUMBERS, json!([seqs])).await;
}

/// What the record has of messages taken away.
async fn deletions(root: &Account) -> Vec<Value> {
    let record = root.api.get("/api/admin/audit/").await.is(200);
    let rows = record.as_array().cloned().expect("rows");
    rows.into_iter().filter(|row| row["action"] == "message.delete").collect()
}

#[tokio::test]
async fn messages_are_read_page_by_page_and_one_is_taken_away() {
    let _stage = stage().await;
    let server = server().await;
    let root = admin(&server).await;
    let (page, ann) = tokio::join!(Browser::open(), Browser::open());
    ann.enter_as_guest(&server, "Ann", "hall").await;
    let mut foe = server.native_guest().await;
    let name = "<img src=x onerror=document.title='owned'>\u{202e}dlrow";
    foe.enter(json!({"type": "join", "room": "hall", "nick_name": name})).await;
    let long = "x".repeat(8_000);
    for n in 1..=22 {
        foe.say("hall", &format!("word {n}")).await;
    }
    for text in ["<script>document.title='owned'</script>\u{202e}txet desrever", &long, "a secret"]
    {
        foe.say("hall", text).await;
    }
    ann.sees("a secret").await;
    enter(&page, &server).await;
    page.press("hall").await;
    shows(&page, (6..=25).rev()).await;
    let inert = "!document.querySelector('.said :is(script, img)') && \
        getComputedStyle(document.querySelector('.said .who')).unicodeBidi === 'isolate'";
    page.until("they are text", inert, json!([])).await;
    let alone = "[...document.querySelectorAll('[aria-label=Sessions] bdi')].some((one) => \
        one.textContent === arguments[0])";
    page.until("the name ends before the session's number", alone, json!([name])).await;
    for (width_name, width, height) in WIDTHS {
        page.resize(width, height, width < 500).await;
        page.js("document.querySelector('.said').scrollIntoView()", json!([])).await;
        for theme_name in THEMES {
            theme(&page, theme_name).await;
            page.picture(&format!("control-messages-{width_name}-{theme_name}")).await;
            if width_name != "tablet" {
                is_accessible(&page, &format!("messages {width_name} {theme_name}")).await;
            }
        }
        let over = "return Math.max(...[document.documentElement, document.querySelector('[aria-label=Messages]')]\
            .map((one) => one.scrollWidth - one.clientWidth))";
        for (what, wider) in [("the page", WIDER), ("the list", over)] {
            assert!(page.number(wider).await <= 0.0, "{what} is wider than a {width_name}");
        }
    }
    page.press("Older messages").await;
    shows(&page, (1..=5).rev()).await;
    page.sees("word 1\n").await;
    page.press("Latest messages").await;
    shows(&page, (6..=25).rev()).await;
    // By keys alone, and asked back once.
    let to_button = "document.querySelector('[data-seq=\"25\"] button').focus()";
    page.js(to_button, json!([])).await;
    page.keys(ENTER).await;
    page.sees("Really delete?").await;
    ann.sees("a secret").await;
    page.keys(ENTER).await;
    page.sees("Done: delete message 25.").await;
    let there = "document.activeElement.dataset.seq === '25' && \
        document.activeElement.textContent.includes('It has no text, or none any more.') && \
        !document.activeElement.querySelector('button')";
    page.until("the keys are where it was", there, json!([])).await;
    ann.sees_no("a secret").await;
    ann.sees("word 22").await;
    let spoken = "document.querySelector('#spoken').textContent === 'Done: delete message 25.'";
    page.until("it is spoken", spoken, json!([])).await;
    let history = server.api().get("/chat/history/hall/?limit=1").await.is(200);
    assert_eq!((&history[0]["seq"], &history[0]["content"]), (&json!(25), &json!("")));
    let deletions = deletions(&root).await;
    assert_eq!(deletions.len(), 1, "{deletions:#?}");
    assert!(!json!(deletions).to_string().contains("secret"), "{deletions:#?}");
    page.press("All rooms").await;
    page.sees("message.delete").await;
    for page in [&page, &ann] {
        assert!(!page.title().await.contains("owned"));
        page.is_without_faults().await;
    }
}

#[tokio::test]
async fn what_only_members_read_is_not_shown_and_goes_by_its_number() {
    let _stage = stage().await;
    let server = server().await;
    let root = admin(&server).await;
    let alice = server.account("alice").await;
    let group = alice.create_group("group", &[]).await;
    let mut hers = server.native_as(&alice).await;
    hers.join(&group).await;
    let said = hers.say(&group, "a secret").await;
    let page = Browser::phone().await;
    enter(&page, &server).await;
    page.goto(&format!("{}/admin/?room={group}", server.origin())).await;
    page.sees("Nothing to read here").await;
    page.fill("#field-delete", "99").await;
    act_is_refused(&page, "There is no such event in this room.").await;
    page.fill("#field-delete", &seq(&said).to_string()).await;
    act(&page, "delete the message of this number").await;
    let event = hers.next_of("message_deleted").await;
    assert_eq!(event["id"], said["id"]);
    // The deletion has a number, too, and is no message.
    page.fill("#field-delete", &seq(&event).to_string()).await;
    act_is_refused(&page, "That event is no message.").await;
    page.sees_no("a secret").await;
    let deletions = deletions(&root).await;
    assert_eq!(deletions.len(), 1, "{deletions:#?}");
    assert_eq!(text(&deletions[0]["actor_name"]), "root");
    page.is_without_faults().await;
}

async fn act_is_refused(page: &Browser, why: &str) {
    for label in ["Delete", "Really delete?"] {
        let press = "[...document.querySelectorAll('#field-delete ~ button')].some((one) => \
            one.textContent === arguments[0] && (one.click(), true))";
        page.until(label, press, json!([label])).await;
    }
    page.sees(why).await;
}
