//! What was answered is stored: after `kill -9`, after SIGTERM, and on the disk before the
//! answer. Nothing is there twice and no `seq` is missing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::postgres::fresh_database;
use crate::support::psql::psql;
use crate::support::raw::text_in_the_clear;
use crate::support::{Account, Api, Server, Setup, eventually, nightly};

const WRITERS: usize = 8;
const CHATS: usize = 3;

/// What was answered with 201: the message's id, and the chat and `seq` that it was said to have.
type Answered = BTreeMap<String, (String, i64)>;

/// Posts from many writers until the server is gone; `enough` counts what was answered.
async fn load(
    api: &Api,
    chats: &[String],
    round: usize,
    enough: Arc<AtomicUsize>,
    end: impl Future<Output = ()>,
) -> Answered {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (api, chats, enough) = (api.clone(), chats.to_vec(), Arc::clone(&enough));
        writers.spawn(async move {
            let mut answered = Answered::new();
            for n in 0.. {
                let chat = &chats[n % chats.len()];
                let path = format!("/api/chats/{chat}/messages/");
                let body = json!({"content": n, "client_id": format!("{round} {writer} {n}")});
                let Some(posted) = api.try_post(&path, &body).await else { break };
                let seq = posted["seq"].as_i64().expect("a seq");
                let id = posted["id"].as_str().expect("an id").to_owned();
                answered.insert(id, (chat.clone(), seq));
                enough.fetch_add(1, Ordering::Relaxed);
            }
            answered
        });
    }
    end.await;
    writers.join_all().await.into_iter().flatten().collect()
}

/// Every message of a chat by `seq`, read page by page.
async fn whole_history(api: &Api, chat: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let path = format!("/api/chats/{chat}/messages/?limit=500&after={}", all.len());
        let page = api.get(&path).await.is(200);
        let page = page.as_array().expect("a bare array").clone();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Compares what was answered with what is stored.
async fn nothing_is_lost(api: &Api, chats: &[String], answered: &Answered) {
    let mut stored = Answered::new();
    for chat in chats {
        for (place, message) in whole_history(api, chat).await.into_iter().enumerate() {
            let seq = message["seq"].as_i64().expect("a seq");
            assert_eq!(usize::try_from(seq), Ok(place + 1), "no gap in {chat}");
            let id = message["id"].as_str().expect("an id").to_owned();
            assert!(stored.insert(id, (chat.clone(), seq)).is_none(), "{seq} is there twice");
        }
    }
    for (id, place) in answered {
        assert_eq!(stored.get(id), Some(place), "{id} was answered with 201");
    }
}

async fn group_chats(server: &Server) -> (Account, Vec<String>) {
    let alice = server.account("alice").await;
    let mut chats = Vec::new();
    for n in 0..CHATS {
        chats.push(alice.create_group(&format!("chat {n}"), &[]).await);
    }
    (alice, chats)
}

on_both_databases! {
    async fn after_kill_9_every_201_is_there_once_and_no_seq_is_missing(setup: Setup) {
        let mut server = setup.start().await;
        let (alice, chats) = group_chats(&server).await;
        let mut answered = Answered::new();
        for round in 0..if nightly() { 50 } else { 3 } {
            let api = server.api().bearer(&alice.access);
            let enough = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&enough);
            let some = load(&api, &chats, round, enough, async {
                eventually("some posts", Duration::from_secs(30), || async {
                    let so_far = counted.load(Ordering::Relaxed);
                    if so_far > 100 + 17 * round { Ok(()) } else { Err(so_far.to_string()) }
                })
                .await;
                server.signal("KILL");
            })
            .await;
            assert!(some.len() > 100);
            answered.extend(some);
            server = server.restart().await;
            nothing_is_lost(&server.api().bearer(&alice.access), &chats, &answered).await;
        }
        let mut socket = server.room(&chats[0]).token(&alice.access).open().await;
        socket.is_alive_with_nothing_waiting("and on").await;
    }

    async fn a_drain_under_load_stores_what_it_accepted_and_ends_with_0(setup: Setup) {
        let mut server = setup.start().await;
        let (alice, chats) = group_chats(&server).await;
        let api = server.api().bearer(&alice.access);
        let enough = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&enough);
        let answered = load(&api, &chats, 0, enough, async {
            eventually("some posts", Duration::from_secs(30), || async {
                let so_far = counted.load(Ordering::Relaxed);
                if so_far > 100 { Ok(()) } else { Err(so_far.to_string()) }
            })
            .await;
            assert_eq!(server.stop().await.code(), Some(0));
        })
        .await;
        let server = server.restart().await;
        nothing_is_lost(&server.api().bearer(&alice.access), &chats, &answered).await;
    }
}

on_both_engines! {
    async fn the_disk_has_it_before_anybody_hears_of_it(setup: Setup) {
        let trace = setup.dir().join("trace");
        let path = trace.to_str().expect("a path").to_owned();
        let calls = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,fdatasync";
        let server = setup.under(&["strace", "-D", "-f", "-s", "3000", "-e", calls, "-o", &path]);
        let server = server.start().await;
        let alice = server.account("alice").await;
        let chat = alice.create_group("group", &[]).await;
        let mut socket = server.raw("open").await;
        for n in 0..5 {
            alice.post_to_chat(&chat, &format!("post-number-{n}")).await;
            socket
                .write(&text_in_the_clear(&format!("{{\"message\":\"frame-number-{n}\"}}")))
                .await;
            socket.next_text().await;
        }
        let lines = eventually("the trace", Duration::from_secs(5), || async {
            let text =
                std::fs::read(&trace).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let lines: Vec<String> = text.unwrap_or_default().lines().map(str::to_owned).collect();
            let answered = |line: &String| is_write(line) && line.contains("frame-number-4");
            if lines.iter().any(answered) {
                Ok(lines)
            } else {
                Err(format!("{} lines", lines.len()))
            }
        })
        .await;
        for n in 0..5 {
            for marker in [format!("post-number-{n}"), format!("frame-number-{n}")] {
                let at = |is: &dyn Fn(&str) -> bool| {
                    lines.iter().position(|line| is(line) && line.contains(&marker))
                };
                let read = at(&is_read).unwrap_or_else(|| panic!("{marker} was not read"));
                let heard = at(&is_write).unwrap_or_else(|| panic!("{marker} was not answered"));
                let synced = lines[read..heard].iter().any(|line| is_synced(line));
                assert!(synced, "{marker}: no completed fdatasync between read and answer");
            }
        }
    }
}

fn is_read(line: &str) -> bool {
    line.contains("read") || line.contains("recv")
}

/// Writes to sockets alone: what goes into the database's own log is no answer.
fn is_write(line: &str) -> bool {
    let call = line.contains("write") || line.contains("send");
    call && (line.contains("HTTP/1.1 2") || line.contains("{\\\"message\\\":"))
        && !line.contains("read")
        && !line.contains("recv")
}

fn is_synced(line: &str) -> bool {
    line.contains("fdatasync") && line.trim_end().ends_with("= 0")
}

#[tokio::test]
async fn the_server_says_at_its_start_that_it_waits_for_the_disk() {
    let server = Setup::direct().start().await;
    assert!(server.log().contains("synchronous=2"), "PRAGMA synchronous is FULL");
    let server = Setup::on_postgres().start().await;
    assert!(server.log().contains("synchronous_commit=on"));
}

#[tokio::test]
async fn on_postgresql_a_commit_waits_for_the_disk_whatever_the_databases_default_is() {
    let url = fresh_database();
    let name = url.rsplit('/').next().expect("a name");
    psql(&url, &format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    let server = Setup::direct().env("DATABASE_URL", &url).start().await;
    psql(
        &url,
        "CREATE TABLE seen (setting text);
        CREATE FUNCTION note() RETURNS trigger AS $$ BEGIN
            INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NEW;
        END $$ LANGUAGE plpgsql;
        CREATE TRIGGER note AFTER INSERT ON event FOR EACH ROW EXECUTE FUNCTION note();",
    );
    let mut socket = server.room("open").open().await;
    socket.is_alive_with_nothing_waiting("one").await;
    assert_eq!(psql(&url, "SELECT DISTINCT setting FROM seen"), "on");
    assert_eq!(psql(&url, "SHOW fsync"), "on");
}

#[tokio::test]
async fn a_commit_of_unknown_outcome_is_504_and_the_same_client_id_is_stored_once() {
    let (server, proxy, url) = Setup::direct().start_behind_a_proxy().await;
    let (alice, chats) = group_chats(&server).await;
    psql(
        &url,
        "CREATE FUNCTION wait() RETURNS trigger AS $$ BEGIN
            PERFORM pg_sleep(2); RETURN NEW; END $$ LANGUAGE plpgsql;
        CREATE TRIGGER wait BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION wait();",
    );
    let path = format!("/api/chats/{}/messages/", chats[0]);
    let body = json!({"content": "once", "client_id": "c"});
    let (answer, ()) = tokio::join!(alice.api.post(&path, body.clone()), async {
        eventually("the insert is running", Duration::from_secs(10), || async {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
            let running = psql(&url, sql);
            if running == "1" { Ok(()) } else { Err(running) }
        })
        .await;
        proxy.silence();
    });
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert_eq!(answer.error(504)["code"], "unknown_outcome");
    psql(&url, "DROP TRIGGER wait ON event");
    proxy.heal();
    let again = alice.api.post(&path, body).await;
    assert!(matches!(again.status, 200 | 201), "{again:?}");
    let history = whole_history(&alice.api, &chats[0]).await;
    assert_eq!(history.len(), 1, "{history:?}");
    assert_eq!(history[0]["id"], again.body()["id"]);
}
