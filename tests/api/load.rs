//! `hubbub load` against this server, in each dialect and with everything that it can do to it: all
//! that was sent comes, once, in order, and the report says so.

use std::fs;

use serde_json::{Value, json};

use crate::support::nodes::nodes;
use crate::support::redis_server::RedisServer;
use crate::support::{LoadTest, Server, Setup};

/// What every run must find against a server that keeps its promises.
const PROMISES: &str = "--json --expect reach=1,gaps=0,doubles=0,disorders=0,strange=0,seq_jumps=0";

fn url(server: &Server) -> String {
    format!("ws://{}", server.addr())
}

/// A file of `count` tokens beside the server's database.
async fn tokens(server: &Server, setup: &Setup, count: usize) -> String {
    let done = server.run(&["user", "tokens", "--count", &count.to_string()], "").await;
    let path = setup.dir().join("tokens");
    fs::write(&path, done.stdout).expect("a file");
    path.display().to_string()
}

/// Every message came to every member.
fn is_complete(report: &Value, members: u64) {
    let sent = report["sent"].as_u64().expect("a count");
    assert!(sent > 0, "{report}");
    assert_eq!(report["expected"], sent * members, "{report}");
    assert_eq!(report["received"], sent * members, "{report}");
    assert_eq!(report["delivery_ms"]["count"], sent * members, "{report}");
    assert_eq!(report["ok_ms"]["count"], sent, "{report}");
    assert_eq!(report["closes"], json!({}), "{report}");
}

on_both_engines! {
    async fn guests_are_many_and_miss_nothing(setup: Setup) {
        let server = setup.start().await;
        let flags = "--rooms 4 --members 20 --senders 5 --rate 200 --duration 2s --ramp-up 500ms";
        let report = LoadTest::run(&format!("{} {flags} {PROMISES}", url(&server))).await.report();
        assert_eq!((&report["sent"], &report["joined"]), (&json!(400), &json!(80)));
        is_complete(&report, 20);
    }

    async fn users_with_tokens_of_a_file_miss_nothing(setup: Setup) {
        let server = setup.clone().start().await;
        let tokens = tokens(&server, &setup, 10).await;
        for dialect in ["token", "native"] {
            let flags = "--rooms 2 --members 10 --senders 10 --rate 100 --duration 1s";
            let line = format!("{} --dialect {dialect} --tokens {tokens} {flags} {PROMISES}", url(&server));
            let report = LoadTest::run(&line).await.report();
            assert_eq!(report["joined"], 20);
            is_complete(&report, 10);
        }
    }

    async fn native_guests_miss_nothing(setup: Setup) {
        let server = setup.start().await;
        let flags = "--dialect native --rooms 2 --members 10 --senders 2 --rate 100 --duration 1s";
        let report = LoadTest::run(&format!("{} {flags} {PROMISES}", url(&server))).await.report();
        is_complete(&report, 10);
    }
}

#[tokio::test]
async fn without_a_pace_senders_send_as_fast_as_their_messages_come_back() {
    let server = Setup::direct().start().await;
    let flags = "--rate max --in-flight 4 --members 10 --senders 2 --duration 1s";
    let report = LoadTest::run(&format!("{} {flags} {PROMISES}", url(&server))).await.report();
    assert!(report["sent"].as_u64() > Some(20), "{report}");
    is_complete(&report, 10);
}

#[tokio::test]
async fn a_run_ended_by_ctrl_c_waits_for_what_it_sent_and_reports_it() {
    let server = Setup::direct().start().await;
    let flags =
        format!("{} --members 10 --senders 2 --duration 1h --threads 2 --rooms 2", url(&server));
    let expected = format!("{flags} --rate 100 {PROMISES}");
    let cut = LoadTest::interrupt(&expected, "run").await;
    assert_eq!(cut.status, Some(130), "not as after a success: {}", cut.err);
    let report: Value = serde_json::from_str(&cut.out).expect("JSON");
    assert!(report["cut_s"].as_f64().is_some_and(|cut| cut > 0.0 && cut < 3_600.0), "{report}");
    is_complete(&report, 10);
    let table = LoadTest::interrupt(&format!("{flags} --rate max"), "run").await;
    assert_eq!(table.status, Some(130), "{}", table.err);
    let first = table.out.lines().next().unwrap_or_default();
    assert!(first.contains("for 3600s, ended after "), "{}", table.out);
    let silent = LoadTest::interrupt(&format!("{flags} --rate 0"), "run").await;
    assert_eq!(silent.status, Some(130), "a run without messages is one too: {}", silent.err);
    let accounts =
        LoadTest::interrupt(&format!("{flags} --dialect native --accounts 10000"), "accounts")
            .await;
    assert!(accounts.refused(1).contains("nothing was measured"), "{}", accounts.err);
    let none = LoadTest::interrupt(&format!("{flags} --ramp-up 1h"), "ramp").await;
    assert!(none.refused(1).contains("nothing was measured"), "{}", none.err);
}

#[tokio::test]
async fn accounts_are_made_and_an_admin_is_told_what_the_server_spent() {
    let server = Setup::direct().start().await;
    let root = crate::support::admin::admin(&server).await;
    let flags = "--dialect native --accounts 3 --members 6 --senders 6 --rate 60 --duration 1s";
    let line = format!("{} {flags} --admin-token {} {PROMISES}", url(&server), root.access);
    let report = LoadTest::run(&line).await.report();
    is_complete(&report, 6);
    let figures = &report["server"];
    assert!(figures["cpu_per_delivery_us"].as_f64() > Some(0.0), "{figures}");
    assert!(figures["rss_joined_bytes"].as_u64() > Some(1 << 20), "{figures}");
    assert!(figures["fanout_ms"]["p99"].is_number(), "{figures}");
    let refused = LoadTest::run(&format!("{} --admin-token wrong", url(&server))).await;
    assert!(refused.refused(1).contains("--superuser"), "{}", refused.err);
}

#[tokio::test]
async fn whatever_is_done_to_native_sockets_they_end_with_everything() {
    let server = Setup::direct().start().await;
    let faults = "--fault storm,at=1800ms --fault killed,sessions=5,at=2200ms,lasts=300ms \
                  --fault stalled,sessions=5,at=500ms,lasts=1s --fault burst,at=2500ms,messages=300 \
                  --fault slow-joiners,sessions=3,lasts=700ms";
    let flags = "--dialect native --rooms 2 --members 20 --senders 2 --rate 100 --duration 3s";
    let line = format!("{} {flags} {faults} {PROMISES}", url(&server));
    let report = LoadTest::run(&line).await.report();
    // All of them once; five of them twice, unless they were still away when they were to be killed.
    assert!((40..=45).contains(&report["reconnects"].as_u64().expect("a count")), "{report}");
    assert_eq!((&report["joined"], &report["sessions"]), (&json!(40), &json!(40)));
    assert!(report["sent"].as_u64() > Some(500), "{report}");
    assert!(report["under_fault_ms"]["max"].as_f64() > Some(300.0), "{report}");
    assert_eq!(report["closes"], json!({}));
}

#[tokio::test]
async fn guests_are_not_owed_what_was_said_in_their_absence() {
    let server = Setup::direct().start().await;
    let faults = "--fault storm,at=500ms,lasts=200ms --fault killed,sessions=9,at=1500ms,lasts=300ms \
                  --fault slow-joiners,sessions=4,lasts=600ms";
    let flags = "--rooms 2 --members 15 --senders 3 --rate 200 --duration 3s";
    let line = format!("{} {flags} {faults} {PROMISES}", url(&server));
    let report = LoadTest::run(&line).await.report();
    assert_eq!(report["joined"], 30);
    assert!((30..=39).contains(&report["reconnects"].as_u64().expect("a count")), "{report}");
    let (sent, expected) = (report["sent"].as_u64(), report["expected"].as_u64());
    assert!(expected < sent.map(|sent| sent * 15), "{report}");
    assert!(report["skipped"].as_u64() > Some(0), "who is away sends nothing: {report}");
}

#[tokio::test]
async fn tokens_that_expire_in_a_run_are_renewed_on_the_socket_or_after_its_end() {
    let server = Setup::direct().env("HUBBUB__AUTH__ACCESS_TTL_S", "4").start().await;
    let flags = "--dialect native --accounts 4 --members 4 --senders 1 --rate 50 --duration 6s \
                 --fault expiring,sessions=2";
    let report = LoadTest::run(&format!("{} {flags} {PROMISES}", url(&server))).await.report();
    assert!(report["closes"]["4100"].as_u64() >= Some(2), "{report}");
    assert_eq!(report["closes"].as_object().map(serde_json::Map::len), Some(1), "{report}");
    assert!(report["renewed"].as_u64() >= Some(4), "{report}");
    assert_eq!(report["sessions"], 4, "{report}");
}

#[tokio::test]
async fn a_scenario_is_a_file_and_flags_win_over_it() {
    let setup = Setup::direct();
    let server = setup.clone().start().await;
    let scenario = format!(
        r#"
        urls = ["{url}", "{url}/"]
        sources = ["127.0.0.1", "127.0.0.2"]
        rooms = 3
        members = 4
        senders = 1
        rate = 60
        ramp_up = "200ms"
        duration = "30s"
        threads = 2
        expect = "gaps=0"
        [[faults]]
        kind = "burst"
        at = "100ms"
        messages = 10
        "#,
        url = url(&server)
    );
    fs::write(setup.dir().join("scenario.toml"), scenario).expect("a file");
    let flags = "--scenario scenario.toml --duration 1s --json";
    let report = LoadTest::run_in(&setup, flags).await.report();
    assert_eq!((&report["sent"], &report["joined"]), (&json!(70), &json!(12)));
    assert_eq!(report["scenario"]["duration"], "1s");
    assert_eq!(report["expectations"], json!([{"condition": "gaps=0", "was": 0.0, "held": true}]));
    is_complete(&report, 4);
}

#[tokio::test]
async fn the_table_says_all_and_the_page_needs_nothing_else() {
    let setup = Setup::direct();
    let server = setup.clone().start().await;
    let flags = "--members 5 --rate 50 --duration 1s --report report.html --expect p99<1us,gaps=0";
    let done = LoadTest::run_in(&setup, &format!("{} {flags}", url(&server))).await;
    assert_eq!(done.status, Some(3), "an expectation was not kept: {}{}", done.out, done.err);
    for words in ["send → delivery", "p99.9", "reach 1", "gaps=0", "kept", "NOT KEPT"] {
        assert!(done.out.contains(words), "{words} in\n{}", done.out);
    }
    // Without a terminal what it says meanwhile are plain lines.
    assert!(done.err.contains("run: ") && !done.err.contains('\u{1b}'), "{}", done.err);
    let page = fs::read_to_string(setup.dir().join("report.html")).expect("the page");
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(page.contains("not kept"), "{page}");
    for outside in ["<script", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_would() {
    for (flags, said) in [
        ("--rate fast", "messages a second in all, or max"),
        ("--duration 10", "500ms, 10s or 2m"),
        ("--fault fire", "stalled, killed"),
        ("--fault stalled,sessions=3", "needs lasts="),
        ("--dialect token", "hubbub user tokens --count N"),
        ("--senders 11", "senders are among them"),
        ("--payload 5", "bytes at least"),
        ("--expect p98<5ms", "p50, p90, p99"),
        ("--scenario nowhere.toml", "nowhere.toml"),
        ("wss://127.0.0.1:1", "behind the proxy"),
        ("127.0.0.1:8000", "ws://host:port"),
        ("--dialect token --tokens nowhere", "nowhere"),
    ] {
        let done = LoadTest::run(flags).await;
        let status = if done.status == Some(1) { 1 } else { 2 };
        assert_eq!(done.status, Some(status), "{flags}: {}", done.err);
        assert!(done.err.contains(said), "{flags}: {}", done.err);
        assert_eq!(done.out, "", "{flags}");
    }
    let closed = Setup::direct().env("ALLOW_GUESTS", "off").start().await;
    let done = LoadTest::run(&format!("{} --duration 1s", url(&closed))).await;
    let line = done.refused(1);
    assert!(line.contains("not one of 10 sockets") && line.contains("dialect guest"), "{line}");
}

#[tokio::test]
async fn rooms_that_live_on_two_nodes_have_one_order() {
    let redis = RedisServer::start();
    let [a, b] = nodes(&redis).await;
    for dialect in ["guest", "native"] {
        let flags = "--rooms 3 --members 8 --senders 8 --rate 150 --duration 2s --settle 10s";
        let line = format!("{} {} --dialect {dialect} {flags} {PROMISES}", url(&a), url(&b));
        is_complete(&LoadTest::run(&line).await.report(), 8);
    }
}
