//! `hubbub load` against servers that are not this one: one of the plain contract, and ones that do
//! wrong on purpose, which it finds out to the last delivery.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::LoadTest;
use crate::support::broken_chat::{BrokenChat, Wrong};

#[tokio::test]
async fn a_server_that_is_not_ours_is_driven_alike() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/plain_chat.mjs");
    let mut node = Command::new("node").arg(script).stdout(Stdio::piped()).spawn().expect("node");
    let mut port = String::new();
    BufReader::new(node.stdout.take().expect("its stdout")).read_line(&mut port).expect("a port");
    let flags = "--rooms 3 --members 10 --senders 2 --rate 150 --duration 1s --json \
                 --fault storm,at=500ms --expect reach=1,gaps=0,doubles=0,disorders=0";
    let line = format!("ws://127.0.0.1:{} --pid {} {flags}", port.trim(), node.id());
    let done = LoadTest::run(&line).await;
    let _ = node.kill();
    let _ = node.wait();
    let report = done.report();
    assert_eq!((&report["joined"], &report["reconnects"]), (&json!(30), &json!(30)));
    assert!(report["received"].as_u64() > Some(500), "{report}");
    // The system says what the server itself does not.
    assert!(report["server"]["cpu_s"].as_f64() > Some(0.0), "{report}");
    assert!(report["server"]["rss_after_bytes"].as_u64() > Some(1 << 20), "{report}");
}

/// A run of 100 messages a second, against a server that does this wrong.
async fn found(wrong: Wrong, flags: &str) -> Value {
    let server = BrokenChat::start(wrong).await;
    let flags = format!("{} --rate 100 --settle 3s --json {flags}", server.url());
    LoadTest::run(&flags).await.report()
}

#[tokio::test]
async fn what_is_dropped_doubled_and_swapped_is_found_with_exact_counts() {
    for dialect in ["guest", "token --tokens tokens"] {
        let setup = crate::support::Setup::direct();
        std::fs::write(setup.dir().join("tokens"), "any\n").expect("a file");
        let server = BrokenChat::start(Wrong::OfEachTen).await;
        let line = format!(
            "{} --dialect {dialect} --members 7 --rate 100 --duration 1s --settle 300ms --json",
            server.url()
        );
        let report = LoadTest::run_in(&setup, &line).await.report();
        // One of each ten, for each of seven members.
        assert_eq!((&report["sent"], &report["expected"]), (&json!(100), &json!(700)));
        for wrong in ["gaps", "doubles", "disorders"] {
            assert_eq!(report[wrong], 70, "{wrong} in {report}");
        }
        assert_eq!(report["received"], 630);
        assert_eq!(report["reach"], 0.9);
    }
}

#[tokio::test]
async fn between_senders_it_is_the_fewer_who_are_wrong() {
    let report = found(Wrong::FirstMemberSwaps, "--members 5 --senders 5 --duration 1s").await;
    assert_eq!((&report["gaps"], &report["doubles"]), (&json!(0), &json!(0)), "{report}");
    // The sixth and the seventh of each ten are of two senders.
    assert_eq!(report["disorders"], 10, "{report}");
}

#[tokio::test]
async fn a_message_that_comes_into_another_room_is_strange_there() {
    let report = found(Wrong::Leaks, "--rooms 2 --members 3 --duration 1s").await;
    // Each room has 50 messages, of which five come to one member of the other room.
    assert_eq!((&report["strange"], &report["gaps"]), (&json!(10), &json!(0)), "{report}");
}

#[tokio::test]
async fn a_server_that_pauses_is_not_spared_what_was_due_meanwhile() {
    let report = found(Wrong::Stalls, "--members 2 --duration 2s").await;
    assert_eq!((&report["sent"], &report["gaps"]), (&json!(200), &json!(0)), "{report}");
    // One that waits for its answers would have seen one long latency of 200.
    let p90 = report["delivery_ms"]["p90"].as_f64().expect("a number");
    assert!(p90 > 300.0, "{report}");
    assert!(report["delivery_ms"]["max"].as_f64() > Some(900.0), "{report}");
}

#[tokio::test]
async fn a_tester_that_is_too_slow_says_so_of_itself() {
    let server = BrokenChat::start(Wrong::Deaf).await;
    // Twenty thousand that are due at once can't all leave at once.
    let flags = "--members 50 --senders 50 --rate 1 --duration 300ms --settle 100ms \
                 --fault burst,messages=20000";
    let done = LoadTest::run(&format!("{} {flags} --json", server.url())).await;
    let report = done.report();
    assert_ne!(report["tester"]["bottleneck"], json!([]), "{report}");
    assert!(report["late"].as_u64() > Some(0), "{report}");
    assert_eq!((&report["sent"], &report["skipped"]), (&json!(20_001), &json!(0)), "{report}");
    assert_eq!(report["received"], 0);
}
