//! What a Redis is told, by its own MONITOR: each command with its arguments. For tests that count
//! what nodes say to one another; `redis_server` starts the Redis.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::eventually;
use super::redis_server::RedisServer;

/// What is written down from a moment on.
pub struct RedisMonitor {
    process: Child,
    file: NamedTempFile,
}

/// A message that was published.
#[derive(Debug)]
pub struct Published {
    /// Where.
    pub channel: String,
    /// What.
    pub payload: String,
}

impl RedisMonitor {
    /// From now on.
    pub async fn of(redis: &RedisServer) -> Self {
        let file = NamedTempFile::new().expect("a file");
        let port = redis.addr().port().to_string();
        let process = Command::new("redis-cli")
            .args(["-p", &port, "MONITOR"])
            .stdin(Stdio::null())
            .stdout(file.reopen().expect("a file"))
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-cli runs");
        let monitor = Self { process, file };
        monitor.has("OK").await;
        monitor
    }

    fn text(&self) -> String {
        let text = std::fs::read(self.file.path()).expect("a file");
        String::from_utf8_lossy(&text).into_owned()
    }

    async fn has(&self, word: &str) {
        eventually("it is written down", Duration::from_secs(10), || async {
            if self.text().contains(word) { Ok(()) } else { Err(word.to_owned()) }
        })
        .await;
    }

    /// All that was published until now.
    pub async fn published(self, redis: &RedisServer) -> Vec<Published> {
        redis.cli(&["ECHO", "the end of it"]);
        self.has("the end of it").await;
        let text = self.text();
        let messages = text.lines().filter_map(|line| {
            let (_, arguments) = line.split_once("\"PUBLISH\" \"")?;
            let (channel, payload) = arguments.split_once("\" \"")?;
            let payload = payload.strip_suffix('"')?.replace("\\\"", "\"");
            Some(Published { channel: channel.to_owned(), payload })
        });
        messages.collect()
    }
}

impl Drop for RedisMonitor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
