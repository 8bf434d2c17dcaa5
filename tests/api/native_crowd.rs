//! PROTOCOL.md: presence in a crowd. What everybody is told of who comes is gathered, so that thousands
//! of joins cost each socket less than one frame a second together.

use std::time::Instant;

use futures_util::future::join_all;

use crate::support::{Native, Server, Setup, nightly, raise_the_limit_of_open_files};

/// Sockets that make a crowd of a room.
const CROWD: usize = 150;
/// Opened at a time.
const AT_A_TIME: usize = 50;

async fn come(server: &Server, count: usize) -> Vec<Native> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let some = (0..AT_A_TIME.min(count - all.len())).map(|_| async {
            let mut socket = server.native_guest().await;
            socket.join("hall").await;
            socket
        });
        all.extend(join_all(some).await);
    }
    all
}

#[tokio::test]
async fn joins_of_a_crowd_cost_everybody_less_than_one_frame_a_second() {
    raise_the_limit_of_open_files(16_384);
    let count = if nightly() { 5_000 } else { 600 };
    let server = Setup::direct().for_a_crowd().start().await;
    let mut watcher = server.native_guest().await;
    watcher.join("hall").await;
    let before = come(&server, CROWD).await;
    let all_are_in = |wanted: usize| {
        move |frame: &serde_json::Value| {
            frame["type"] == "presence" && frame["active_users"] == wanted
        }
    };
    watcher.next_where(all_are_in(CROWD + 1)).await;

    let began = Instant::now();
    let coming = come(&server, count);
    let listening = async {
        let mut frames = 0;
        loop {
            let frame = watcher.next_of("presence").await;
            frames += 1;
            if all_are_in(CROWD + 1 + count)(&frame) {
                return frames;
            }
        }
    };
    let (there, frames) = tokio::join!(coming, listening);
    let took = began.elapsed();
    println!("{count} joins in {took:.1?} cost each of the others {frames} frames");
    assert!(f64::from(frames) <= took.as_secs_f64() + 1.0, "{frames} in {took:?}");
    drop((before, there));
}
