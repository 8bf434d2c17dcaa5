//! Nothing is missed and nothing written is lost: over a restart of the server, a lost network, a reload.

use std::time::Duration;

use serde_json::json;

use super::browser::{Browser, stage};
use super::looks::is_accessible;
use super::page::{ENTER, server, setup};
use crate::support::postgres::fresh_database;
use crate::support::psql::psql;
use crate::support::{Native, Proxy, Server, eventually};

const WAITING: &str = "document.querySelectorAll('.waiting').length === arguments[0]";

/// Between the server and Ann's page, which is in a room: a network that can fall silent. Ben is there
/// without it, and has said *before*.
async fn network(server: &Server, ann: &Browser, room: &str) -> (Proxy, Native) {
    let network = Proxy::to(server.addr()).await;
    ann.enter_at(&format!("http://{}", network.addr()), "Ann", room).await;
    let mut ben = server.native_guest().await;
    ben.join(room).await;
    ben.say(room, "before").await;
    ann.sees("before").await;
    (network, ben)
}

#[tokio::test]
async fn a_server_that_restarts_in_mid_sentence_loses_nobody_a_word() {
    let _stage = stage().await;
    let mut server = server().await;
    let (ann, ben) = tokio::join!(Browser::open(), Browser::open());
    ann.enter_as_guest(&server, "Ann", "restart").await;
    ben.enter_as_guest(&server, "Ben", "restart").await;
    ann.say("one").await;
    ben.sees("one").await;
    ann.write("#text", "half a sen").await;
    server.stop().await;
    ann.sees("No connection").await;
    ben.write("input[placeholder='New room']", &format!("other{ENTER}")).await;
    ben.sees("The server can't be reached just now.").await;
    is_accessible(&ben, "without a server").await;
    ann.write("#text", "tence").await;
    ann.say("").await;
    ann.say("three").await;
    ann.until("two wait", WAITING, json!([2])).await;
    let server = server.restart().await;
    for page in [&ann, &ben] {
        page.shows(&["one", "half a sentence", "three"]).await;
        page.sees_no("No connection").await;
    }
    ann.until("none waits", WAITING, json!([0])).await;
    ben.say("four").await;
    ann.sees("four").await;
    let history = server.api().get("/chat/history/restart/").await.is(200);
    assert_eq!(history.as_array().map(Vec::len), Some(4), "{history}");
    for page in [&ann, &ben] {
        page.is_without_faults().await;
    }
}

#[tokio::test]
async fn a_network_that_went_and_came_leaves_nothing_out() {
    let _stage = stage().await;
    let server = server().await;
    // The driver tells the page that it is offline and refuses it requests, but leaves open sockets
    // alone; a proxy that falls silent is what happens to those.
    let ann = Browser::phone().await;
    let (network, mut ben) = network(&server, &ann, "offline").await;
    network.silence();
    ann.offline(true).await;
    ann.sees("No connection").await;
    for n in 1..=60 {
        ben.say("offline", &format!("missed {n}")).await;
    }
    ann.say("written in a tunnel").await;
    ann.until("it waits", WAITING, json!([1])).await;
    network.heal();
    ann.offline(false).await;
    ann.sees("written in a tunnel").await;
    ann.until("it is sent", WAITING, json!([0])).await;
    let texts = ann.messages().await;
    let mut wanted = vec!["before".to_owned()];
    wanted.extend((1..=60).map(|n| format!("missed {n}")));
    wanted.push("written in a tunnel".to_owned());
    assert_eq!(texts, wanted);
    ben.until("written in a tunnel").await;
    ann.is_without_faults().await;
}

#[tokio::test]
async fn a_laptop_that_slept_has_everything_when_it_wakes() {
    let _stage = stage().await;
    let server = server().await;
    // Asleep, a page runs nothing, and what is sent to it goes nowhere.
    let ann = Browser::open().await;
    let (network, mut ben) = network(&server, &ann, "asleep").await;
    network.silence();
    ann.sleeps(true);
    let mut wanted = vec!["before".to_owned()];
    for n in 1..=40 {
        ben.say("asleep", &format!("in the night {n}")).await;
        wanted.push(format!("in the night {n}"));
    }
    ann.sleeps(false);
    network.heal();
    ann.sees("in the night 40").await;
    assert_eq!(ann.messages().await, wanted);
    ann.say("good morning").await;
    ben.until("good morning").await;
    ann.is_without_faults().await;
}

#[tokio::test]
async fn drafts_and_unsent_messages_survive_a_reload_and_are_sent_once() {
    let _stage = stage().await;
    let mut server = server().await;
    let ann = Browser::open().await;
    ann.enter_as_guest(&server, "Ann", "reload").await;
    ann.say("said").await;
    ann.sees("said").await;
    server.stop().await;
    ann.sees("No connection").await;
    ann.say("unsent").await;
    ann.write("#text", "a draft").await;
    let kept = "localStorage.getItem('hubbub.drafts')?.includes('a draft') && \
        localStorage.getItem('hubbub.outbox').includes('unsent')";
    ann.until("both are kept", kept, json!([])).await;
    let server = server.restart().await;
    // Elsewhere first: what waits for another room goes out all the same.
    ann.goto(&server.origin()).await;
    let gone = "localStorage.getItem('hubbub.outbox') === '[]'";
    ann.until("it is sent", gone, json!([])).await;
    ann.goto(&format!("{}/r/reload", server.origin())).await;
    ann.shows(&["said", "unsent"]).await;
    ann.reload().await;
    ann.shows(&["said", "unsent"]).await;
    ann.until("the draft", "document.querySelector('#text').value === 'a draft'", json!([])).await;
    // Still one's own, and so to be changed.
    ann.act("unsent", "Edit").await;
    ann.is_without_faults().await;
}

#[tokio::test]
async fn what_was_missed_and_is_no_longer_kept_is_said() {
    let _stage = stage().await;
    let url = fresh_database();
    let kept = setup().env("DATABASE_URL", &url).env("HUBBUB__STORE__KEEP_DAYS", "1");
    let server = kept.start().await;
    let ann = Browser::open().await;
    let (network, mut ben) = network(&server, &ann, "long ago").await;
    network.silence();
    ann.offline(true).await;
    ann.sees("No connection").await;
    for n in 2..=12 {
        ben.say("long ago", &format!("message {n}")).await;
    }
    psql(&url, "UPDATE event SET created_at = created_at - 259200000000 WHERE seq <= 10");
    // What is past keeping goes at the start.
    let server = server.restart().await;
    eventually("the old ones are gone", Duration::from_secs(20), || async {
        let history = server.api().get("/chat/history/long%20ago/").await.is(200);
        if history.as_array().is_some_and(|rows| rows.len() == 2) {
            Ok(())
        } else {
            Err(history.to_string())
        }
    })
    .await;
    network.heal();
    ann.offline(false).await;
    ann.sees("9 older events are no longer kept by the server and can't be shown.").await;
    ann.shows(&["before", "message 11", "message 12"]).await;
    is_accessible(&ann, "with a hole").await;
    ann.is_without_faults().await;
}

#[tokio::test]
async fn what_the_server_no_longer_has_is_said() {
    let _stage = stage().await;
    let server = server().await;
    let ann = Browser::open().await;
    ann.enter_as_guest(&server, "Ann", "reset").await;
    ann.say("of another life").await;
    ann.sees("of another life").await;
    server.run(&["migrate", "new-epochs"], "").await;
    ann.sees("This room began anew on the server.").await;
    ann.say("and on we go").await;
    ann.sees("and on we go").await;
    ann.is_without_faults().await;
}
