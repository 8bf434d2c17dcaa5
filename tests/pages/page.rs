//! The chat page as its users know it: verbs over a browser. Knows the page's words and not its code.

use serde_json::{Value, json};

use super::browser::Browser;
use crate::support::account::PASSWORD;
use crate::support::{Server, Setup};

/// Enter, as W3C writes it.
pub const ENTER: &str = "\u{E007}";

/// A server that keeps its address over restarts.
pub async fn server() -> Server {
    setup().start().await
}

/// What such a server is made of.
pub fn setup() -> Setup {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let address = port.expect("a free port").to_string();
    Setup::direct().env("BIND", &address)
}

impl Browser {
    /// Comes to the start page as a guest of this name and enters a room.
    pub async fn enter_as_guest(&self, server: &Server, nick: &str, room: &str) {
        self.enter_at(&server.origin(), nick, room).await;
    }

    /// The same, at the address of something before the server.
    pub async fn enter_at(&self, origin: &str, nick: &str, room: &str) {
        self.goto(origin).await;
        self.fill("#field-nick", nick).await;
        self.fill("#field-room", room).await;
        self.press("Enter the room").await;
        self.sees(" here").await;
    }

    /// Registers by the form; the page comes back signed in.
    pub async fn register(&self, server: &Server, name: &str) {
        self.goto(&format!("{}/register", server.origin())).await;
        self.fill("#field-username", name).await;
        self.fill("#field-password", PASSWORD).await;
        self.press("Register").await;
        self.sees(&format!("Welcome, {name}")).await;
    }

    /// Follows a link of the list beside the room, by the name that it bears.
    pub async fn follow(&self, name: &str) {
        let find = "[...document.querySelectorAll('#side li a')].some((one) => \
            one.querySelector('bdi').textContent === arguments[0] && (one.click(), true))";
        self.until(&format!("{name:?} is in the list"), find, json!([name])).await;
    }

    /// Goes to an address of the server's.
    pub async fn follow_to(&self, server: &Server, path: &str) {
        self.goto(&format!("{}{path}", server.origin())).await;
    }

    /// Writes a message and sends it.
    pub async fn say(&self, text: &str) {
        self.write("#text", text).await;
        self.write("#text", ENTER).await;
    }

    /// The texts of the messages that are in the document, oldest first.
    pub async fn messages(&self) -> Vec<String> {
        let script =
            "return [...document.querySelectorAll('article .body')].map((one) => one.textContent)";
        let all = self.js(script, json!([])).await;
        serde_json::from_value(all).expect("texts")
    }

    /// Waits until exactly these messages stand there, in this order.
    pub async fn shows(&self, messages: &[&str]) {
        let expression = "JSON.stringify([...document.querySelectorAll('article .body')]\
            .map((one) => one.textContent)) === JSON.stringify(arguments[0])";
        self.until(&format!("the messages are {messages:?}"), expression, json!([messages])).await;
    }

    /// Presses a button of the bar that a message has under the pointer.
    pub async fn act(&self, message: &str, what: &str) {
        let expression = "[...document.querySelectorAll('article')].some((one) => \
            one.querySelector('.body')?.textContent.startsWith(arguments[0]) && (one.focus(), true))";
        self.until(&format!("{message:?} is there"), expression, json!([message])).await;
        let expression = "[...document.querySelectorAll('.acts button')].some((one) => \
            one.textContent === arguments[0] && (one.click(), true))";
        self.until(&format!("{what:?} is offered"), expression, json!([what])).await;
    }

    /// The tab's title.
    pub async fn title(&self) -> String {
        self.js("return document.title", json!([])).await.as_str().unwrap_or_default().to_owned()
    }

    /// Fails when the console holds a fault of the page's.
    pub async fn is_without_faults(&self) {
        let faults = self.faults().await;
        assert!(faults.is_empty(), "the console says {faults:#?}");
    }

    /// A number that a script's body gives.
    pub async fn number(&self, script: &str) -> f64 {
        let value: Value = self.js(script, json!([])).await;
        value.as_f64().unwrap_or_else(|| panic!("{script} gives {value}"))
    }
}
