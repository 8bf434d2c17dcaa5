//! Waiting for what the server says only when asked: asks again until it is so or time is up.
//! For nothing that comes by itself; that is awaited on a socket.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Asks `probe` until it gives something, at most `within`; panics with `what` and its last words.
pub async fn eventually<T, F, Asked>(what: &str, within: Duration, mut probe: F) -> T
where
    F: FnMut() -> Asked,
    Asked: Future<Output = Result<T, String>>,
{
    let end = Instant::now() + within;
    loop {
        match probe().await {
            Ok(found) => return found,
            Err(why) => assert!(Instant::now() < end, "{what}: not within {within:?}: {why}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}
