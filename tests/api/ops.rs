//! CONTRACT section 6, the paths: health, readiness, metrics; and the drain.

use std::time::Duration;

use crate::support::postgres::fresh_database;
use crate::support::server::run;
use crate::support::{Api, Proxy, Setup, Socket, eventually, shape};

#[tokio::test]
async fn a_healthy_server_says_so_on_every_operators_path() {
    let server = Setup::direct().start().await;
    assert_eq!(server.api().get("/healthz").await.status, 200);
    let ready = server.api().get("/readyz").await.is(200);
    shape(&ready, "database:str bus:str");
    assert_eq!((&ready["database"], &ready["bus"]), (&"ok".into(), &"local".into()));
    let metrics = server.api().get("/metrics").await;
    assert_eq!(metrics.status, 200);
    let kind = metrics.header("content-type").unwrap_or_default().to_owned();
    assert!(kind.starts_with("text/plain"), "{kind}");
}

#[tokio::test]
async fn metrics_follow_prometheus_conventions_and_name_no_room() {
    let server = Setup::direct().start().await;
    let mut socket = server.room("a-room-of-this-name").open().await;
    socket.is_alive_with_nothing_waiting("hi").await;
    let text = server.api().get("/metrics").await.text;
    assert!(!text.contains("a-room-of-this-name"), "{text}");
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(samples.len() >= 5, "{text}");
    for line in samples {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        assert!(name.starts_with("hubbub_") || name.starts_with("process_"), "{line}");
        assert!(text.contains("# HELP ") && text.contains("# TYPE "), "{text}");
        let value = line.rsplit(' ').next().unwrap_or_default();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test]
async fn metrics_count_the_stores_queries_and_show_what_memory_saves() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let room = alice.create_shh_room("Lounge").await;
    for n in 0..3 {
        alice.post_to_shh(&room, &n.to_string()).await;
    }
    let server = server.restart().await;
    assert_eq!(server.queries("history").await, 0, "nobody has asked yet");
    let mut open = Vec::new();
    let mut counts = Vec::new();
    for _ in 0..5 {
        let mut socket = server.room(&room).token(&alice.access).open().await;
        assert_eq!(socket.next().await["messages"].as_array().map(Vec::len), Some(3));
        open.push(socket);
        counts.push(server.queries("history").await);
    }
    assert!(counts[0] > 0, "{counts:?}");
    assert!(counts.iter().all(|count| *count == counts[0]), "from memory: {counts:?}");
    server.api().bearer(&alice.access).get(&format!("/messages/{room}/")).await.is(200);
    assert!(server.queries("history").await > counts[0]);
    assert!(server.queries("rooms").await > 0 && server.queries("accounts").await > 0);
}

#[tokio::test]
async fn operators_paths_skip_the_host_check_and_no_other_does() {
    let server = Setup::direct().start().await;
    let api = server.api().with("host", "somewhere.example");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    api.get("/list_rooms/").await.error(400);
}

#[tokio::test]
async fn metrics_are_not_for_those_behind_a_proxy() {
    let server = Setup::direct().start().await;
    for header in ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"] {
        let status = server.api().with(header, "203.0.113.7").get("/metrics").await.status;
        assert!(matches!(status, 403 | 404), "{header}: {status}");
    }
}

#[tokio::test]
async fn metrics_have_an_address_of_their_own_when_given_one() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = free.local_addr().expect("an address");
    drop(free);
    let server = Setup::direct().env("METRICS_BIND", &addr.to_string()).start().await;
    let own = Api::new(&format!("http://{addr}"));
    let text = own.get("/metrics").await.text;
    assert!(text.contains("hubbub_"), "{text}");
    assert_eq!(own.get("/list_rooms/").await.status, 404, "metrics alone");
    assert_eq!(server.api().get("/healthz").await.status, 200);
}

#[tokio::test]
async fn an_address_that_somebody_has_is_refused_in_one_line() {
    let server = Setup::direct().start().await;
    let taken = server.addr().to_string();
    let other = Setup::direct();
    let metrics = other.clone().env("METRICS_BIND", &taken);
    for setup in [other.clone().env("BIND", &taken), metrics] {
        let second = run(&setup, &["serve"], "").await;
        assert_eq!(second.status.code(), Some(1));
        let said = String::from_utf8(second.stderr).expect("UTF-8");
        let lines: Vec<_> = said.lines().filter(|line| !line.contains(" INFO ")).collect();
        assert!(lines.len() == 1 && lines[0].contains(&taken), "{said}");
        assert!(lines[0].contains("BIND: can't listen") && lines[0].contains("choose another"));
    }
    let files = std::fs::read_dir(other.dir()).expect("its folder").count();
    assert_eq!(files, 0, "nothing is touched before");
}

#[tokio::test]
async fn without_its_database_a_server_is_alive_and_not_ready() {
    let url = fresh_database();
    let (head, rest) = url.rsplit_once("127.0.0.1:").expect("a port");
    let (port, name) = rest.split_once('/').expect("a database");
    let proxy = Proxy::to(format!("127.0.0.1:{port}").parse().expect("an address")).await;
    let url = format!("{head}{}/{name}", proxy.addr());
    let server = Setup::direct().env("DATABASE_URL", &url).start().await;
    server.api().get("/readyz").await.is(200);
    proxy.silence();
    let ready = server.api().get("/readyz").await.is(503);
    assert_ne!(ready["database"], "ok");
    assert_eq!(server.api().get("/healthz").await.status, 200);
    proxy.heal();
    eventually("it is ready again", Duration::from_secs(40), || async {
        let answer = server.api().get("/readyz").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text) }
    })
    .await;
}

on_both_engines! {
    async fn sigterm_drains_and_ends_with_0(setup: Setup) {
        let mut server = setup.start().await;
        let alice = server.account("alice").await;
        let mut sockets = Vec::new();
        for _ in 0..20 {
            sockets.push(server.room("lobby").token(&alice.access).open().await);
        }
        for n in 0..20 {
            sockets[0].say(&n.to_string()).await;
        }
        for n in 0..20 {
            sockets[0].expect_text(&n.to_string()).await;
        }
        let mut last = sockets.swap_remove(0);
        last.say("the last word").await;
        last.expect_text("the last word").await;
        let started = tokio::time::Instant::now();
        let (status, codes) = tokio::join!(
            server.stop(),
            futures_util::future::join_all(sockets.into_iter().map(Socket::close_code))
        );
        assert_eq!(status.code(), Some(0));
        assert!(started.elapsed() <= Duration::from_secs(30));
        assert!(codes.iter().all(|code| *code == Some(1001)), "{codes:?}");
        let server = server.restart().await;
        let history = server.api().bearer(&alice.access).get("/chat/history/lobby/").await.is(200);
        assert_eq!(history[0]["content"], "the last word");
        assert_eq!(history[0]["seq"], 21);
    }

    async fn an_idle_clients_silence_does_not_hold_up_a_drain(setup: Setup) {
        let mut server = setup.start().await;
        let _silent = server.raw("open").await;
        let _idle = tokio::net::TcpStream::connect(server.addr()).await.expect("a connection");
        assert_eq!(server.stop().await.code(), Some(0), "in at most 30 s");
    }
}
