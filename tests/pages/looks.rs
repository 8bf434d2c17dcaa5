//! How it looks: every page in three widths and three themes as a picture to look at, each held against
//! axe-core, and the picture that the README opens with.

use serde_json::{Value, json};

use super::browser::{Browser, stage};
use super::node::packages;
use super::page::server;
use crate::support::Server;

/// Names, widths and heights.
pub const WIDTHS: [(&str, u32, u32); 3] =
    [("phone", 390, 844), ("tablet", 820, 1180), ("desk", 1280, 800)];
/// All that there are.
pub const THEMES: [&str; 3] = ["light", "dark", "terminal"];

/// By how much something that holds others is wider than it may be: nobody should scroll sideways.
pub const WIDER: &str = "return Math.max(...[document.documentElement, ...document.querySelectorAll( \
    'main, nav, .log, .bar')].map((one) => one.scrollWidth - one.clientWidth))";

/// Fails on what axe-core calls serious or critical.
pub async fn is_accessible(page: &Browser, what: &str) {
    let axe = std::fs::read_to_string(packages().join("node_modules/axe-core/axe.min.js"));
    page.js(&axe.expect("axe-core"), json!([])).await;
    let run = "const done = arguments[0]; axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => \
        done(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, impact, nodes }) => \
        ({ id, impact, nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => [html, failureSummary]) }))), \
        (error) => done([String(error)]))";
    let found: Value = page.js_done(run, json!([])).await;
    assert_eq!(found, json!([]), "{what}: {found:#}");
}

/// Puts a theme on.
pub async fn theme(page: &Browser, theme: &str) {
    let choose = "document.documentElement.dataset.theme = arguments[0]; \
        localStorage.setItem('hubbub.theme', arguments[0])";
    page.js(choose, json!([theme])).await;
    // Colours fade into one another; what is judged is where they end.
    let still = "document.getAnimations().every(({ playState }) => playState !== 'running')";
    page.until("the colours stand", still, json!([])).await;
}

/// A conversation as it may be had, with everything in it that a message can have.
async fn talk(server: &Server) {
    let mut ann = server.native_guest().await;
    let join = |nick: &str| json!({"type": "join", "room": "tea room", "nick_name": nick});
    ann.enter(join("Ann")).await;
    let mut ben = server.native_guest().await;
    ben.enter(join("Ben")).await;
    let asked = ann
        .say("tea room", "Has anybody seen the blue kettle? It was beside the window yesterday.")
        .await;
    ann.say(
        "tea room",
        "The recipe stands on https://example.org/recipes/tea, third from the top.",
    )
    .await;
    let found = "Behind the biscuits, as always ☕";
    let answer =
        json!({"type": "send", "room": "tea room", "message": found, "reply_to": asked["id"]});
    let answer = ben.ok(answer).await;
    ann.ok(json!({"type": "react", "room": "tea room", "id": answer["id"], "emoji": "❤"})).await;
    ben.ok(json!({"type": "react", "room": "tea room", "id": answer["id"], "emoji": "❤"})).await;
    ben.say(
        "tea room",
        "This tells you when it is ready:\n```js\nif (water.celsius > 96) pour(\"tea\");\n```",
    )
    .await;
    let teh = ben.say("tea room", "Two minutes, then it is yuors.").await;
    let edit = "Two minutes, then it is yours.";
    ben.ok(json!({"type": "edit", "room": "tea room", "id": teh["id"], "message": edit})).await;
}

#[tokio::test]
async fn every_page_is_accessible_and_pleasant_in_three_widths_and_three_themes() {
    let _stage = stage().await;
    let server = server().await;
    talk(&server).await;
    let page = Browser::open().await;
    let cleo = "cleo, with rather a long name that goes on";
    server.account("dora").await;
    page.register(&server, "cleo").await;
    let root = server.account(&cleo.replace([' ', ','], "-")).await;
    let mut root = server.native_as(&root).await;
    root.join("gardening").await;
    let origin = server.origin();
    for (path, name, words) in [
        ("/r/tea%20room", "room", "is yours"),
        ("/chat/dora", "private", "1 here"),
        ("/", "home", "Welcome, cleo"),
        ("/login", "login", "No account yet?"),
        ("/register", "register", "none of the common ones"),
        ("/chat/nobody", "nobody", "Nobody of that name"),
    ] {
        page.goto(&format!("{origin}{path}")).await;
        page.sees(words).await;
        page.sees("never here").await;
        if name == "room" {
            page.say("Coming!").await;
            page.sees("Coming!").await;
        }
        for (width_name, width, height) in WIDTHS {
            page.resize(width, height, width < 500).await;
            for theme_name in THEMES {
                theme(&page, theme_name).await;
                page.picture(&format!("{name}-{width_name}-{theme_name}")).await;
                if width_name != "tablet" {
                    is_accessible(&page, &format!("{path} {width_name} {theme_name}")).await;
                }
            }
            let over = page.number(WIDER).await;
            assert!(over <= 0.0, "{path} is wider than a {width_name}");
        }
    }
    page.is_without_faults().await;
    theme(&page, "light").await;
    page.goto(&format!("{origin}/r/tea%20room")).await;
    page.sees("Coming!").await;
    page.click(".count").await;
    page.sees("Here now").await;
    is_accessible(&page, "the people").await;
    page.picture("people").await;
    page.press("✕").await;
    page.act("Coming!", "Answer").await;
    page.click("[aria-label=Emoji]").await;
    is_accessible(&page, "the emoji").await;
    page.picture("emoji").await;
    page.is_without_faults().await;
}

#[tokio::test]
async fn colours_and_motion_are_as_the_system_wishes() {
    let _stage = stage().await;
    let server = server().await;
    let page = Browser::open().await;
    page.goto(&server.origin()).await;
    page.sees("Chat as a guest").await;
    let moves = "[...document.querySelectorAll('*')].some((one) => { const { transitionDuration, animationName, \
        scrollBehavior } = getComputedStyle(one); return transitionDuration !== '0s' || animationName !== 'none' || \
        scrollBehavior === 'smooth'; }) === arguments[0]";
    let ground = "getComputedStyle(document.body).backgroundColor === arguments[0]";
    for (colours, motion, is_moving, paint) in [
        ("light", "no-preference", true, "rgb(251, 249, 246)"),
        ("dark", "reduce", false, "rgb(23, 20, 18)"),
    ] {
        let wishes = json!({"features": [
            {"name": "prefers-color-scheme", "value": colours},
            {"name": "prefers-reduced-motion", "value": motion},
        ]});
        page.devtools("Emulation.setEmulatedMedia", wishes).await;
        page.until(colours, ground, json!([paint])).await;
        page.until(motion, moves, json!([is_moving])).await;
    }
}

#[tokio::test]
async fn the_readme_opens_with_what_the_page_looks_like() {
    let _stage = stage().await;
    let server = server().await;
    talk(&server).await;
    let mut others = Vec::new();
    for (room, nicks) in [
        ("tea room", &["Ann", "Ben"][..]),
        ("gardening", &["Dora"]),
        ("late night", &["Emil", "Fay", "Gus"]),
    ] {
        for nick in nicks {
            let mut guest = server.native_guest().await;
            guest.enter(json!({"type": "join", "room": room, "nick_name": nick})).await;
            others.push(guest);
        }
    }
    let page = Browser::open().await;
    page.resize(1100, 720, false).await;
    page.goto(&server.origin()).await;
    theme(&page, "light").await;
    page.enter_as_guest(&server, "Cleo", "tea room").await;
    page.say("Coming, with scones!").await;
    let ready = "document.querySelector('#side').innerText.includes('late night') && \
        !document.querySelector('.waiting')";
    page.until("it is all there", ready, json!([])).await;
    page.js("document.activeElement.blur()", json!([])).await;
    let new = page.picture("chat").await;
    // The README's is one that this test made: the same size, whatever the clock showed.
    let kept = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images/chat.png");
    let kept = std::fs::read(kept).expect("docs/images/chat.png");
    assert_eq!(kept[16..24], new[16..24], "copy target/tmp/pages/chat.png to docs/images/");
    drop(others);
}
