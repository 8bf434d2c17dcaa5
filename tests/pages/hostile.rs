//! Names and texts that would like to be more than text do nothing.

use serde_json::json;

use super::browser::{Browser, stage};
use super::looks::WIDER;
use super::page::server;

#[tokio::test]
async fn hostile_names_and_messages_stay_text() {
    let _stage = stage().await;
    let server = server().await;
    let page = Browser::phone().await;
    page.enter_as_guest(&server, "Ann", "hostile").await;
    let mut foe = server.native_guest().await;
    let name = "<img src=x onerror=document.title='owned'>\u{202e}dlrow";
    foe.enter(json!({"type": "join", "room": "hostile", "nick_name": name})).await;
    let long = "x".repeat(8_000);
    let texts = [
        "<script>document.title='owned'</script>",
        "<img src=x onerror=\"document.title='owned'\">",
        "\u{202e}txet desrever \u{2066}unclosed",
        "javascript:document.title='owned'",
        "[click](javascript:document.title='owned') data:text/html,<b>x</b>",
        "https://example.org/\"onmouseover=\"document.title='owned'",
        "```\n</code></pre><script>document.title='owned'</script>\n```",
        &long,
        "the last one",
    ];
    for text in texts {
        foe.say("hostile", text).await;
    }
    page.sees("the last one").await;
    let none =
        "document.querySelectorAll('main script, main img, main iframe, main b').length === 0";
    page.until("no element came of it", none, json!([])).await;
    let links = "return [...document.querySelectorAll('main .body a')].map((one) => one.href + ' ' + one.rel)";
    let links = page.js(links, json!([])).await;
    let only = json!(["https://example.org/ noopener noreferrer nofollow"]);
    assert_eq!(links, only);
    assert!(page.number(WIDER).await <= 0.0, "the long word makes something wider");
    page.sees_no("Newest").await;
    // The name's override ends with the name: the time beside it still runs from left to right.
    let isolated = "return getComputedStyle(document.querySelector('article .who')).unicodeBidi";
    assert_eq!(page.js(isolated, json!([])).await, json!("isolate"));
    assert_eq!(page.title().await, "hostile · Hubbub");
    page.picture("hostile").await;
    // In a room's name, and in an address.
    let origin = server.origin();
    let bad = "%3Cimg%20src%3Dx%20onerror%3Ddocument.title%3D'owned'%3E";
    page.goto(&format!("{origin}/r/{bad}")).await;
    page.sees("1 here").await;
    page.goto(&format!("{origin}/login?next=javascript:document.title='owned'")).await;
    page.sees("Sign in").await;
    page.goto(&format!("{origin}/r/%ff%fe")).await;
    page.sees("Chat as a guest").await;
    page.is_without_faults().await;
}
