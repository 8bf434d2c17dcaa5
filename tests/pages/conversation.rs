//! Talking in a public room: two people, one who comes later, and everything one can do with a message.

use serde_json::json;

use super::browser::{Browser, stage};
use super::looks::is_accessible;
use super::page::server;

#[tokio::test]
async fn two_people_chat_and_one_who_comes_later_reads_it_all() {
    let _stage = stage().await;
    let server = server().await;
    let (ann, ben) = tokio::join!(Browser::open(), Browser::phone());
    ann.enter_as_guest(&server, "Ann", "tea room").await;
    ben.enter_as_guest(&server, "Ben", "tea room").await;
    ann.sees("2 here").await;
    ann.say("Is the kettle on?").await;
    ben.sees("Is the kettle on?").await;
    ben.say("It is.").await;
    ann.shows(&["Is the kettle on?", "It is."]).await;
    ben.write("#text", "and the mi").await;
    ann.sees("Ben is typing").await;
    let cleo = Browser::open().await;
    // By the link that was passed on; she has no name here yet.
    cleo.goto(&format!("{}/r/tea%20room", server.origin())).await;
    cleo.sees("You are invited to tea room").await;
    is_accessible(&cleo, "an invitation").await;
    cleo.fill("#field-nick", "Cleo").await;
    cleo.press("Enter the room").await;
    cleo.shows(&["Is the kettle on?", "It is."]).await;
    ann.sees("3 here").await;
    cleo.say("Good evening").await;
    for page in [&ann, &ben, &cleo] {
        page.shows(&["Is the kettle on?", "It is.", "Good evening"]).await;
        page.is_without_faults().await;
    }
    let rooms = "[...document.querySelectorAll('#side li')].some((one) => \
        one.textContent.startsWith('tea room3'))";
    ann.until("the list counts three", rooms, json!([])).await;
}

#[tokio::test]
async fn messages_are_answered_reacted_to_edited_and_deleted() {
    let _stage = stage().await;
    let server = server().await;
    let (ann, ben) = tokio::join!(Browser::open(), Browser::open());
    ann.enter_as_guest(&server, "Ann", "acts").await;
    ben.enter_as_guest(&server, "Ben", "acts").await;
    ann.say("See https://example.org/a_(b). And `code`:").await;
    ann.say("teh end").await;
    ben.sees("teh end").await;
    let link = "document.querySelector('.body a')?.href === 'https://example.org/a_(b)' && \
        document.querySelector('.body code').textContent === 'code'";
    ben.until("links and code", link, json!([])).await;
    ben.act("teh end", "Answer").await;
    ben.say("the, you mean").await;
    let quoted = "document.querySelector('.quote')?.textContent.includes('teh end')";
    ann.until("the answer quotes", quoted, json!([])).await;
    ben.act("teh end", "❤️").await;
    let tally = "document.querySelector('.tally button')?.textContent === arguments[0]";
    ann.until("one heart", tally, json!(["❤️ 1"])).await;
    ann.click(".tally button").await;
    ben.until("two hearts", tally, json!(["❤️ 2"])).await;
    ann.click(".tally button").await;
    ben.until("one heart again", tally, json!(["❤️ 1"])).await;
    ann.act("teh end", "Edit").await;
    ann.fill("#text", "the end").await;
    ann.say("").await;
    ben.sees("the end (edited)").await;
    ann.act("the end", "Delete").await;
    ann.press("Really delete?").await;
    ben.sees("This message was deleted.").await;
    // Somebody else's is not his to change.
    ben.act("See https", "Answer").await;
    let offered =
        "return [...document.querySelectorAll('.acts button')].map((one) => one.textContent)";
    let offered = ben.js(offered, json!([])).await.to_string();
    assert!(!offered.contains("Edit") && !offered.contains("Delete"), "{offered}");
    for page in [&ann, &ben] {
        page.is_without_faults().await;
    }
}

#[tokio::test]
async fn older_messages_come_as_one_scrolls_up_and_the_place_is_kept() {
    let _stage = stage().await;
    let server = server().await;
    let mut writer = server.native_guest().await;
    writer.join("long").await;
    for n in 1..=400 {
        writer.say("long", &format!("line {n}")).await;
    }
    let ann = Browser::open().await;
    ann.enter_as_guest(&server, "Ann", "long").await;
    ann.sees("line 400").await;
    let step = "const log = document.querySelector('.log'); const first = document.querySelector('article');\
        if (first.textContent.includes('line 1Today') || first.querySelector('.body').textContent === 'line 1') return true;\
        log.scrollTop = 0; return false;";
    let step = format!("(() => {{ {step} }})()");
    ann.until("the first line", &step, json!([])).await;
    // What comes meanwhile moves nothing under the reader's eyes.
    let place = "return document.querySelectorAll('article')[5].getBoundingClientRect().top";
    let before = ann.number(place).await;
    writer.say("long", "line 401").await;
    ann.sees("1 new below").await;
    assert!((ann.number(place).await - before).abs() < 1.0, "the place was lost");
    ann.click(".newest").await;
    ann.sees("line 401").await;
    ann.is_without_faults().await;
}

#[tokio::test]
async fn a_tab_in_the_background_counts_in_its_title() {
    let _stage = stage().await;
    let server = server().await;
    let ann = Browser::open().await;
    ann.enter_as_guest(&server, "Ann", "title").await;
    ann.goes_behind(true).await;
    let mut writer = server.native_guest().await;
    writer.join("title").await;
    for n in 0..3 {
        writer.say("title", &n.to_string()).await;
    }
    ann.until("the title counts", "document.title === '(3) title · Hubbub'", json!([])).await;
    ann.goes_behind(false).await;
    ann.until("and forgets", "document.title === 'title · Hubbub'", json!([])).await;
    assert_eq!(ann.title().await, "title · Hubbub");
}

#[tokio::test]
async fn a_room_is_made_and_shared_by_its_link() {
    let _stage = stage().await;
    let server = server().await;
    let ann = Browser::open().await;
    let permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"];
    let grant = json!({"origin": server.origin(), "permissions": permissions});
    ann.devtools("Browser.grantPermissions", grant).await;
    ann.enter_as_guest(&server, "Ann", "tea room").await;
    ann.fill("#side input[aria-label=\"Room's name\"]", "book club").await;
    ann.click("#side form button[aria-label='New room']").await;
    let is_there = "location.pathname === '/r/book%20club' && \
        document.querySelector('#room-title').textContent.includes('book club')";
    ann.until("the new room", is_there, json!([])).await;
    ann.press("Share").await;
    ann.sees("The link is copied.").await;
    let link = ann.js_done("navigator.clipboard.readText().then(arguments[0])", json!([])).await;
    let ben = Browser::open().await;
    ben.goto(link.as_str().expect("a link")).await;
    ben.sees("You are invited to book club").await;
    ben.fill("#field-nick", "Ben").await;
    ben.press("Enter the room").await;
    ben.say("What are we reading?").await;
    ann.shows(&["What are we reading?"]).await;
    for page in [&ann, &ben] {
        page.is_without_faults().await;
    }
}
