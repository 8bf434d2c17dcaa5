//! How a store starts, ends and starts again: schema, durability, restart, and what a bad URL is
//! told.

use std::time::Duration;

use hubbub::config::StoreSettings;
use hubbub::domain::clock;
use hubbub::store::{CONTROL_ROOM, Outcome, Store};
use sea_orm::{ConnectionTrait, Database};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::home::{Ear, Home, guest_event, new_user, on_both, seq};

on_both!(
    migrations_run_once_however_often_they_are_asked_for,
    two_processes_start_on_a_new_database_at_once,
    what_was_accepted_is_stored_before_the_end_and_there_afterwards,
    everything_can_be_taken_back,
    an_older_release_starts_on_what_a_newer_one_left_and_takes_nothing_back,
);

async fn migrations_run_once_however_often_they_are_asked_for(home: Home) {
    let epoch = home.store.room(CONTROL_ROOM).await.expect("an answer").expect("there").epoch;
    home.store.migrate().await.expect("nothing to do");
    let other = home.another().await;
    let (a, b) = tokio::join!(home.store.migrate(), other.migrate());
    a.and(b).expect("nothing to do");
    assert!(home.store.migrations().await.expect("a list").iter().all(|(_, applied)| *applied));
    let control = home.store.room(CONTROL_ROOM).await.expect("an answer").expect("there");
    assert_eq!(control.epoch, epoch);
    home.store.ping().await.expect("it answers");
}

async fn two_processes_start_on_a_new_database_at_once(home: Home) {
    home.store.migrate_down().await.expect("taken back");
    let start = || async {
        let store = home.another().await;
        store.migrate().await.map(|()| store)
    };
    let (a, b, c) = tokio::join!(start(), start(), start());
    for (n, store) in [a, b, c].into_iter().enumerate() {
        let store = store.expect("it starts");
        store.create_user(new_user(&format!("u{n}"), ""), clock::now()).await.expect("it works");
    }
}

async fn what_was_accepted_is_stored_before_the_end_and_there_afterwards(home: Home) {
    let mut ear = Ear::new();
    let room = home.room("global").await;
    for n in 0..2_000 {
        ear.append(&home.store, guest_event(room.id, &n.to_string()), 0).await;
    }
    home.store.close().await;
    assert_eq!(ear.outcomes(2_000).await.len(), 2_000);
    let late = ear.post(&home.store, guest_event(room.id, "late"), 0).await;
    assert!(matches!(late, Outcome::Failed(_)), "{late:?}");
    home.store.close().await;
    let again = home.another().await;
    let last = again.latest_messages(room.id, 1).await.expect("a page");
    assert_eq!((last[0].seq, last[0].content.as_str()), (2_000, "1999"));
    assert_eq!(seq(&ear.post(&again, guest_event(room.id, "more"), 0).await), 2_001);
}

async fn everything_can_be_taken_back(home: Home) {
    home.user("alice").await;
    home.store.migrate_down().await.expect("taken back");
    assert!(home.store.user_by_name("alice").await.is_err());
    assert!(home.store.migrations().await.expect("a list").iter().all(|(_, applied)| !applied));
    home.store.migrate().await.expect("from the start");
    home.user("alice").await;
}

async fn an_older_release_starts_on_what_a_newer_one_left_and_takes_nothing_back(home: Home) {
    home.user("alice").await;
    let past_the_store = Database::connect(&home.settings.database_url).await.expect("it opens");
    let later = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";
    past_the_store.execute_unprepared(later).await.expect("done");
    let older = home.another().await;
    older.migrate().await.expect("it starts");
    assert!(older.migrations().await.expect("a list").iter().all(|(_, applied)| *applied));
    assert_eq!(older.newer_migrations().await.expect("a list"), ["m9999_later"]);
    let refused = older.migrate_down().await.expect_err("another release's step").to_string();
    assert!(refused.contains("m9999_later is of a newer release"), "{refused}");
    assert!(older.user_by_name("alice").await.expect("an answer").is_some());
}

#[actix::test]
async fn a_file_that_is_missing_is_made_whoever_comes_first() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = StoreSettings {
        database_url: format!("sqlite://{}", directory.path().join("new.db").display()),
        readers: 1,
        max_batch: 500,
        max_waiting: 10,
        keep_days: 0,
    };
    let start = || async {
        let store = Store::open(&settings).await?;
        store.migrate().await.map(|()| store)
    };
    let (a, b, c) = tokio::join!(start(), start(), start());
    for store in [a, b, c] {
        store.expect("it starts").ping().await.expect("it answers");
    }
}

#[actix::test]
async fn sqlite_keeps_what_it_says() {
    let home = Home::sqlite().await;
    let said = home.store.durability().await.expect("an answer");
    assert_eq!(said, "journal_mode=wal synchronous=2 foreign_keys=1 busy_timeout=5000");
}

#[actix::test]
async fn a_postgresql_that_is_only_starting_is_waited_for() {
    let home = Home::postgres().await;
    let mut settings = home.settings.clone();
    let (_, after) = settings.database_url.split_once('@').expect("a user");
    let (there, _) = after.split_once('/').expect("a database");
    let there = there.to_owned();
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("it");
    settings.database_url = settings.database_url.replace(&there, &free.to_string());
    let starting = async {
        // Long enough to be refused once; nobody tells when that was.
        sleep(Duration::from_millis(300)).await;
        let door = TcpListener::bind(free).await.expect("the port");
        while let Ok((mut inside, _)) = door.accept().await {
            let mut outside = TcpStream::connect(&there).await.expect("PostgreSQL");
            actix::spawn(async move { copy_bidirectional(&mut inside, &mut outside).await });
        }
    };
    let store = tokio::select! {
        opened = Store::open(&settings) => opened.expect("it came in time"),
        () = starting => panic!("the port stays open"),
    };
    drop(store);
}

#[actix::test]
async fn postgres_keeps_what_it_says() {
    let home = Home::postgres().await;
    let said = home.store.durability().await.expect("an answer");
    assert_eq!(
        said,
        "fsync=on synchronous_commit=on lock_timeout=2s statement_timeout=5s \
         idle_in_transaction_session_timeout=2s transaction_isolation=read committed"
    );
}

#[actix::test]
async fn a_bad_url_is_named_and_never_shown() {
    for (url, why) in [
        ("mysql://u:hunter2@h/d", "must start with sqlite:// or postgres://"),
        ("sqlite::memory:", "name a file"),
        ("sqlite:///no/such/directory/x.db", "does its directory exist"),
        ("postgres://u:hunter2@127.0.0.1:1/x", "is the server there?"),
    ] {
        let settings = StoreSettings {
            database_url: url.into(),
            readers: 1,
            max_batch: 500,
            max_waiting: 10,
            keep_days: 0,
        };
        let said = Store::open(&settings).await.expect_err("it can't be opened").to_string();
        assert!(said.starts_with("DATABASE_URL can't be used:"), "{said}");
        assert!(said.contains(why) && !said.contains("hunter2"), "{said}");
    }
}
