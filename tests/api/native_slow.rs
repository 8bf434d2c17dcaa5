//! PROTOCOL.md, promise 6 under load: readers that stop reading cost a bounded amount of memory and
//! slow nobody, and lose nothing by it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::native::seq;
use crate::support::raw::{CLOSE, RawSocket, TEXT};
use crate::support::stalled::Fate;
use crate::support::{Follower, Native, Server, Setup, Stalled, nightly};

/// The room that all are in.
const ROOM: &str = "open";
/// What the process may grow by.
const GROWTH: u64 = 64 * 1024 * 1024;
/// How far the talker may be ahead of the slowest of those who read: less than may wait for one.
const AHEAD: i64 = 100;

/// How much of it.
#[derive(Clone, Copy)]
struct Measure {
    readers: usize,
    stalled: usize,
    messages: i64,
}

/// What came out of one run.
struct Outcome {
    median: Duration,
    growth: u64,
    all: Follower,
}

/// One who reads everything, and how long each message took to him.
async fn read(
    mut socket: Native,
    mut follower: Follower,
    messages: i64,
    said_at: Arc<watch::Sender<Vec<Instant>>>,
    so_far: watch::Sender<i64>,
) -> (Follower, Vec<Duration>) {
    let mut took = Vec::new();
    while follower.have() < messages {
        let frame = socket.next().await;
        assert_ne!(frame["type"], "lag", "who reads is not held up: {frame}");
        if frame["type"] == "chat_message" {
            let place = usize::try_from(seq(&frame) - 1).expect("a place");
            took.push(said_at.borrow()[place].elapsed());
        }
        follower.hear(&mut socket, &frame).await.expect("it stays");
        so_far.send_replace(follower.have());
    }
    (follower, took)
}

/// Talks, twenty in flight, never far ahead of the slowest reader.
async fn talk(
    socket: &mut Native,
    messages: i64,
    said_at: &watch::Sender<Vec<Instant>>,
    readers: &mut [watch::Receiver<i64>],
) {
    let padding = "x".repeat(1_000);
    let mut answered = 0;
    for n in 1..=messages {
        for reader in readers.iter_mut() {
            reader.wait_for(|have| *have >= n - AHEAD).await.expect("it reads");
        }
        said_at.send_modify(|times| times.push(Instant::now()));
        let message = format!("{n} {padding}");
        socket.send(json!({"type": "send", "room": ROOM, "message": message, "ref": "t"})).await;
        while n - answered >= 20 || (n == messages && answered < messages) {
            // Its own copies are read and forgotten.
            if socket.next().await["type"] == "ok" {
                answered += 1;
            }
        }
    }
}

/// Readers and those who stall in one room, while somebody talks.
async fn run(
    server: &Server,
    measure: Measure,
    stalled: bool,
) -> (Outcome, Vec<Stalled>, Vec<RawSocket>) {
    let mut talker = server.native_guest().await;
    talker.join(ROOM).await;
    let said_at = Arc::new(watch::Sender::new(Vec::new()));
    let (mut readers, mut progress) = (JoinSet::new(), Vec::new());
    for _ in 0..measure.readers {
        let mut socket = server.native_guest().await;
        let mut follower = Follower::of(ROOM);
        follower.join(&mut socket).await.expect("it stays");
        let so_far = watch::Sender::new(0);
        progress.push(so_far.subscribe());
        readers.spawn(read(socket, follower, measure.messages, Arc::clone(&said_at), so_far));
    }
    let (mut natives, mut plain) = (Vec::new(), Vec::new());
    for number in 0..if stalled { measure.stalled } else { 0 } {
        if number % 2 == 0 {
            natives.push(Stalled::guest_in(server, ROOM).await);
        } else {
            let path = format!("/ws/chat/{ROOM}/");
            plain.push(RawSocket::open_with(server.addr(), &path, "", Some(4_096)).await);
        }
    }
    let before = server.rss();
    let talking = talk(&mut talker, measure.messages, &said_at, &mut progress);
    let reading = async {
        let mut all = Vec::new();
        while let Some(done) = readers.join_next().await {
            all.push(done.expect("it read all"));
        }
        all
    };
    let ((), done) = tokio::join!(talking, reading);
    let growth = server.peak_rss().saturating_sub(before);
    let mut took: Vec<Duration> = done.iter().flat_map(|(_, took)| took.iter().copied()).collect();
    took.sort_unstable();
    let median = took[took.len() / 2];
    let all = done.into_iter().next().expect("a reader").0;
    (Outcome { median, growth, all }, natives, plain)
}

/// What a stalled plain socket finds at last: messages in order without a gap, and 1013 or the
/// end of the line; how many it got.
async fn plain_reads_at_last(mut socket: RawSocket) -> i64 {
    let mut have = 0;
    while let Some(received) = socket.next_data().await {
        match received.opcode {
            TEXT => {
                let said: Value = serde_json::from_slice(&received.payload).expect("whole frames");
                let said = said["message"].as_str().expect("a text");
                assert!(said.starts_with(&format!("{} ", have + 1)), "no gap: {have} then {said}");
                have += 1;
            }
            CLOSE => {
                assert_eq!(received.payload.get(..2), Some(&1013_u16.to_be_bytes()[..]));
                break;
            }
            other => panic!("{other} is no frame of a plain room"),
        }
    }
    have
}

async fn run_alone(setup: &Setup, measure: Measure) -> Outcome {
    let server = setup.of_its_own().start().await;
    run(&server, measure, false).await.0
}

async fn readers_that_stall(setup: Setup) {
    let measure = if nightly() {
        Measure { readers: 150, stalled: 50, messages: 20_000 }
    } else {
        Measure { readers: 30, stalled: 20, messages: 4_000 }
    };
    // What is kept in the kernel's buffers is none of the server's: less may wait behind it in the
    // short form, so that its few messages are too many as well.
    let pending = if nightly() { "1048576" } else { "262144" };
    let setup = setup.for_a_crowd().env("HUBBUB__SESSION__MAX_PENDING_BYTES", pending);
    // Twice: how far the two differ is what noise does.
    let (alone, again) = (run_alone(&setup, measure).await, run_alone(&setup, measure).await);
    let server = setup.start().await;
    let (outcome, natives, plain) = run(&server, measure, true).await;
    println!(
        "{} messages of 1 KB, {} readers: median {:.1?} and {:.1?} alone, {:.1?} with {} more that \
         stall; the process grew by {:.1} MB alone, {:.1} MB with them",
        measure.messages,
        measure.readers,
        alone.median,
        again.median,
        outcome.median,
        measure.stalled,
        megabytes(alone.growth),
        megabytes(outcome.growth),
    );
    assert!(outcome.growth < GROWTH, "{:.1} MB", megabytes(outcome.growth));
    let (mut lagged, mut closed, mut removed) = (0, 0, 0);
    for mut one in natives {
        match one.reads_at_last().await {
            Fate::Lagged => lagged += 1,
            Fate::Closed => closed += 1,
        }
        assert!(one.holds().have() < measure.messages, "it was held up by the network alone");
        let resumed = one.resumes(server.native_guest().await, measure.messages).await;
        assert_eq!(resumed.seen(), outcome.all.seen(), "nothing is lost, nothing comes twice");
    }
    for one in plain {
        let have = plain_reads_at_last(one).await;
        assert!(have < measure.messages, "it was held up by the network alone");
        removed += 1;
        // A plain client resumes by its history.
        let path = format!("/chat/history/{ROOM}/");
        let page = server.api().get(&path).await.is(200);
        assert!(page.to_string().contains(&format!("\"{} x", measure.messages)), "the newest");
    }
    println!("of those who stalled {lagged} got lag, {closed} 4002, {removed} plain ones 1013");
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

#[tokio::test]
async fn readers_that_stall_cost_little_and_slow_nobody() {
    readers_that_stall(Setup::direct()).await;
}

#[tokio::test]
async fn readers_that_stall_cost_little_on_actix_web_actors() {
    if nightly() {
        readers_that_stall(Setup::actix_web_actors()).await;
    }
}
