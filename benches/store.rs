//! How fast the store writes and reads: `cargo bench --bench store`. Prints messages a second
//! through the Writer into SQLite and into a PostgreSQL that it starts itself (`fsync` on), the
//! time of a lone message against the disk's own, and of a page of a long room. Must not turn any
//! durability off. SQLite's file lies in the target directory, PostgreSQL's in `TMPDIR`: both must
//! be on a disk that the figures are meant for.

#[path = "../tests/support/postgres.rs"]
mod postgres;

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use hubbub::config::StoreSettings;
use hubbub::domain::{
    Author, EventId, EventKind, NewEvent, RoomId, RoomName, Timestamp, UserCard, UserId, UserName,
    clock, ids,
};
use hubbub::store::{Append, Committed, NewUser, Outcome, Store};
use tokio::sync::oneshot;

const SENDERS: usize = 64;
const IN_FLIGHT: usize = 8;
const ROOMS: usize = 20;
const TEXT_BYTES: usize = 100;
/// Messages of one measured run.
const MESSAGES: u32 = 400_000;
/// Lone messages, each beside a write of the disk's own.
const LONE: usize = 1_000;
const LONG_ROOM: u32 = 1_000_000;

/// All senders in one actor: whoever is answered sends his next one.
struct Crowd {
    store: Store,
    rooms: Vec<RoomId>,
    senders: Vec<Arc<UserCard>>,
    /// What sets its client ids apart from another run's.
    run: i64,
    sent: u32,
    answered: u32,
    wanted: u32,
    done: Option<oneshot::Sender<()>>,
}

impl Actor for Crowd {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        for _ in 0..(SENDERS * IN_FLIGHT).min(usize::try_from(self.wanted).unwrap_or(usize::MAX)) {
            self.send(ctx);
        }
    }
}

impl Crowd {
    fn send(&mut self, ctx: &Context<Self>) {
        let n = self.sent;
        self.sent += 1;
        let place = usize::try_from(n).unwrap_or_default();
        // Each sender stays in his room.
        let sender = place % SENDERS;
        let room = self.rooms[sender % self.rooms.len()];
        let event = message(room, &self.senders[sender], Some(format!("{}-{n}", self.run)));
        let permit = self.store.writer().try_permit().expect("fewer in flight than places");
        let reply = ctx.address().recipient();
        self.store.writer().append(Append {
            event,
            member_rev: 0,
            may_moderate: false,
            record: None,
            permit,
            reply,
        });
    }
}

impl Handler<Committed> for Crowd {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        for (_, outcome) in committed.outcomes {
            assert!(matches!(outcome, Outcome::Stored(_)), "{outcome:?}");
            self.answered += 1;
            if self.sent < self.wanted {
                self.send(ctx);
            }
        }
        if self.answered == self.wanted
            && let Some(done) = self.done.take()
        {
            done.send(()).expect("somebody waits");
        }
    }
}

/// Waits for one answer at a time.
struct Alone(Option<oneshot::Sender<Instant>>);

impl Actor for Alone {
    type Context = Context<Self>;
}

impl Handler<Committed> for Alone {
    type Result = ();

    fn handle(&mut self, _: Committed, _: &mut Self::Context) {
        let answered = Instant::now();
        self.0.take().expect("one was sent").send(answered).expect("somebody waits");
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Expect(oneshot::Sender<Instant>);

impl Handler<Expect> for Alone {
    type Result = ();

    fn handle(&mut self, Expect(sender): Expect, _: &mut Self::Context) {
        self.0 = Some(sender);
    }
}

fn message(room: RoomId, sender: &Arc<UserCard>, client_id: Option<String>) -> NewEvent {
    let now: Timestamp = clock::now();
    NewEvent {
        id: EventId(ids::at(now)),
        room,
        kind: EventKind::Message,
        author: Author::User(UserId(sender.id)),
        sender: Some(Arc::clone(sender)),
        nick_name: None,
        content: "x".repeat(TEXT_BYTES),
        raw: None,
        target: None,
        client_id,
        created_at: now,
    }
}

async fn open(database_url: String) -> Store {
    let settings = StoreSettings {
        database_url,
        readers: 4,
        max_batch: 500,
        max_waiting: 8_192,
        keep_days: 0,
    };
    let store = Store::open(&settings).await.expect("it opens");
    store.migrate().await.expect("it migrates");
    println!("  {}", store.durability().await.expect("an answer"));
    store
}

async fn room(store: &Store, name: &str) -> RoomId {
    let name = RoomName::parse(name).expect("a name");
    store.open_named(&name, None, false, clock::now()).await.expect("a room").0.id
}

/// The senders' accounts, made when missing.
async fn users(store: &Store) -> Vec<Arc<UserCard>> {
    let mut cards = Vec::new();
    for n in 0..SENDERS {
        let username = UserName::parse(&format!("sender{n}")).expect("a name");
        let there = store.user_by_name(username.as_str()).await.expect("an answer");
        let row = if let Some(row) = there {
            row
        } else {
            let new = NewUser {
                username,
                email: String::new(),
                password_hash: String::new(),
                first_name: String::new(),
                last_name: String::new(),
                is_superuser: false,
            };
            store.create_user(new, clock::now()).await.expect("an account")
        };
        cards.push(row.card);
    }
    cards
}

/// Sends `wanted` messages over these rooms; how long it took.
async fn crowd(store: &Store, rooms: Vec<RoomId>, wanted: u32) -> Duration {
    let (done, end) = oneshot::channel();
    let senders = users(store).await;
    let start = Instant::now();
    let run = clock::now().micros();
    Crowd {
        store: store.clone(),
        rooms,
        senders,
        run,
        sent: 0,
        answered: 0,
        wanted,
        done: Some(done),
    }
    .start();
    end.await.expect("it ends");
    start.elapsed()
}

/// Three runs of the crowd, each with its rate and its batches.
async fn throughput(store: &Store) {
    let mut rooms = Vec::new();
    for n in 0..ROOMS {
        rooms.push(room(store, &format!("room {n}")).await);
    }
    crowd(store, rooms.clone(), MESSAGES / 10).await;
    for _ in 0..3 {
        let before = store.writer().figures();
        let took = crowd(store, rooms.clone(), MESSAGES).await;
        let after = store.writer().figures();
        let commits = u32::try_from(after.commits - before.commits).expect("not that many");
        let (messages, commits) = (f64::from(MESSAGES), f64::from(commits));
        println!(
            "  {:>7.0} messages/s ({SENDERS} senders x {IN_FLIGHT}, {ROOMS} rooms; {:.0} a commit, {:.1} ms each)",
            messages / took.as_secs_f64(),
            messages / commits,
            took.as_secs_f64() * 1_000.0 / commits,
        );
    }
}

/// Medians of a lone message, and of an appending write of 4 KiB with `fdatasync`, in turns.
async fn lone(store: &Store, floor: &mut File) {
    let room = room(store, "lone").await;
    let sender = users(store).await.remove(0);
    let alone = Alone(None).start();
    let (mut messages, mut writes) = (Vec::new(), Vec::new());
    for n in 0..LONE {
        let start = Instant::now();
        floor.write_all(&[7; 4_096]).and_then(|()| floor.sync_data()).expect("written");
        writes.push(start.elapsed());

        let (answered, answer) = oneshot::channel();
        alone.send(Expect(answered)).await.expect("it listens");
        let event = message(room, &sender, Some(n.to_string()));
        let permit = store.writer().try_permit().expect("a place");
        let reply = alone.clone().recipient();
        let start = Instant::now();
        let record = None;
        store.writer().append(Append {
            event,
            member_rev: 0,
            may_moderate: false,
            record,
            permit,
            reply,
        });
        messages.push(answer.await.expect("an answer") - start);
    }
    let (message, write) = (median(messages), median(writes));
    let bound = write * 2 + Duration::from_micros(500);
    println!(
        "  a lone message {message:?}; 4 KiB + fdatasync {write:?}; bound 2 x that + 0.5 ms = {bound:?}: {}",
        if message <= bound { "kept" } else { "NOT KEPT" }
    );
}

async fn pages(store: &Store) {
    let (short, long) = (room(store, "short").await, room(store, "long").await);
    crowd(store, vec![short], 100).await;
    let took = crowd(store, vec![long], LONG_ROOM).await;
    println!("  filled a room with {LONG_ROOM} messages in {took:.1?}");
    for (name, room, head) in [("100", short, 100), ("1,000,000", long, 1_000_000)] {
        let (mut latest, mut middle) = (Vec::new(), Vec::new());
        for _ in 0..500 {
            let start = Instant::now();
            let page = store.latest_messages(room, 50).await.expect("a page");
            latest.push(start.elapsed());
            assert_eq!(page.len(), 50);
            let start = Instant::now();
            let page = store.messages_before(room, head / 2 + 1, 50).await.expect("a page");
            middle.push(start.elapsed());
            assert_eq!(page.len(), 50);
        }
        println!(
            "  a page of 50 of a room of {name}: latest {:?}, from the middle {:?}",
            median(latest),
            median(middle)
        );
    }
}

fn median(mut of: Vec<Duration>) -> Duration {
    of.sort_unstable();
    of[of.len() / 2]
}

#[actix::main]
async fn main() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let mut floor = File::create(directory.path().join("floor")).expect("a file");

    println!("SQLite");
    let url = format!("sqlite://{}", directory.path().join("hubbub.db").display());
    let store = open(url).await;
    lone(&store, &mut floor).await;
    throughput(&store).await;
    pages(&store).await;
    store.close().await;

    println!("PostgreSQL");
    let store = open(postgres::fresh_database()).await;
    lone(&store, &mut floor).await;
    throughput(&store).await;
    pages(&store).await;
    store.close().await;
}
