//! Who is here, when many are and some die without a word: the count is of live sockets, exact,
//! and `/list_rooms/` and the admins' view agree.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::admin::admin;
use crate::support::socket::Door;
use crate::support::{Account, Proxy, Server, Setup, eventually, raise_the_limit_of_open_files};

const PING_S: u64 = 2;

/// Sockets that read and answer pings until they are told to die.
struct Crowd {
    die: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Crowd {
    async fn open(number: usize, door: impl Fn() -> Door) -> Self {
        let (die, word) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for _ in 0..number {
            let mut socket = door().open().await;
            let mut word = word.clone();
            tasks.spawn(async move {
                let told = tokio::select! {
                    told = word.wait_for(|die| *die) => told.is_ok(),
                    () = socket.stay() => false,
                };
                if told {
                    socket.reset();
                }
            });
        }
        Self { die, tasks }
    }

    /// All of them at once, by RST.
    async fn reset(self) {
        self.die.send_replace(true);
        self.tasks.join_all().await;
    }
}

/// Both views of the room, once they show these numbers of people and sockets.
async fn agreed(server: &Server, root: &Account, people: i64, sockets: i64, within: Duration) {
    eventually("the counts", within, || async {
        let listed = server.api().get("/list_rooms/").await.is(200);
        let listed = listed[0]["active_members"].clone();
        let loads = root.api.get("/api/admin/rooms/").await.is(200);
        let load = &loads["rooms"][0];
        let found = json!([listed, load["active_users"], load["sessions"]]);
        if found == json!([people, people, sockets]) { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

on_both_engines! {
    async fn counts_are_exact_after_200_of_1000_reset_and_50_fall_silent(setup: Setup) {
        raise_the_limit_of_open_files(16_384);
        let setup = setup.env("HUBBUB__SESSION__PING_INTERVAL_S", &PING_S.to_string());
        let server = setup.start().await;
        let root = admin(&server).await;
        let alice = server.account("alice").await;
        let proxy = Proxy::to(server.addr()).await;

        let doomed = Crowd::open(200, || server.room("big")).await;
        let silent = Crowd::open(50, || {
            Door::new(proxy.addr(), "/ws/chat/big/").header("host", &server.addr().to_string())
        })
        .await;
        let _guests = Crowd::open(740, || server.room("big")).await;
        let _hers = Crowd::open(10, || server.room("big").token(&alice.access)).await;
        agreed(&server, &root, 991, 1_000, Duration::from_secs(2)).await;

        doomed.reset().await;
        agreed(&server, &root, 791, 800, Duration::from_secs(2)).await;

        proxy.silence();
        agreed(&server, &root, 741, 750, Duration::from_secs(2 * PING_S + 5)).await;
        drop(silent);
    }

    async fn one_who_holds_several_sockets_is_one_person(setup: Setup) {
        let server = setup.start().await;
        let root = admin(&server).await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let first = server.room("lobby").token(&alice.access).open().await;
        let second = server.room("lobby").bearer(&alice.again().await.access).open().await;
        let _his = server.room("lobby").token(&bob.access).open().await;
        let listed = async || -> Value {
            let rooms = alice.api.get("/list_rooms/").await.is(200);
            rooms[0]["active_members"].clone()
        };
        assert_eq!(listed().await, 2);
        let detail = root.api.get("/api/admin/rooms/").await.is(200);
        assert_eq!(detail["rooms"][0]["sessions"], 3);
        first.close().await;
        eventually("two sockets", Duration::from_secs(5), || async {
            let loads = root.api.get("/api/admin/rooms/").await.is(200);
            let sessions = loads["rooms"][0]["sessions"].clone();
            if sessions == 2 { Ok(()) } else { Err(sessions.to_string()) }
        })
        .await;
        assert_eq!(listed().await, 2, "one tab's close takes nobody away who has another");
        second.reset();
        eventually("one person", Duration::from_secs(5), || async {
            let members = listed().await;
            if members == 1 { Ok(()) } else { Err(members.to_string()) }
        })
        .await;
    }

    async fn a_server_that_was_killed_counts_nobody_twice(setup: Setup) {
        let server = setup.start().await;
        server.api().post("/create_room/", json!({"name": "posted"})).await.is(201);
        let mut before = Vec::new();
        for _ in 0..5 {
            before.push(server.room("posted").open().await);
        }
        let server = server.restart().await;
        let _one = server.room("posted").open().await;
        let rooms = server.api().get("/list_rooms/").await.is(200);
        assert_eq!(rooms[0]["active_members"], 1, "live sockets, no stored counter");
    }

    async fn a_socket_that_answers_pings_stays_however_little_it_says(setup: Setup) {
        let server = setup.env("HUBBUB__SESSION__PING_INTERVAL_S", "2").start().await;
        let mut socket = server.room("open").open().await;
        let stays = tokio::time::timeout(Duration::from_secs(9), socket.stay());
        assert!(stays.await.is_err(), "it was closed");
        socket.is_alive_with_nothing_waiting("still here").await;
    }
}
