//! The accounts that sockets use: tokens from a file, or made over REST; and newer tokens for those
//! that expire, fetched by a thread beside the loops. Called by `run`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::http;
use super::target::Target;

/// Accounts made at a time: a server hashes a password for each.
const AT_ONCE: usize = 4;
/// Between two looks at whether they are still wanted.
const LOOK: Duration = Duration::from_millis(100);
/// Longest file of tokens, bytes.
const FILE_MAX: u64 = 256 << 20;
/// Renewals that wait.
const RENEWALS: usize = 4_096;

/// What a socket proves itself with.
#[derive(Clone, Debug)]
pub struct Account {
    /// The access token.
    pub access: String,
    /// For a newer one; not known of tokens from a file.
    pub refresh: Option<String>,
}

/// Reads a file of tokens: the last word of each line, as `hubbub user tokens` prints them.
///
/// # Errors
/// Which file, and why.
pub fn from_file(path: &Path) -> Result<Vec<Account>, String> {
    let name = path.display();
    let failed = |why: &dyn std::fmt::Display| format!("the tokens in {name}: {why}");
    let size = std::fs::metadata(path).map_err(|why| failed(&why))?.len();
    if size > FILE_MAX {
        return Err(failed(&"the file is too long"));
    }
    let text = std::fs::read_to_string(path).map_err(|why| failed(&why))?;
    let words = text.lines().filter_map(|line| line.split_whitespace().last());
    let found: Vec<Account> =
        words.map(|access| Account { access: access.to_owned(), refresh: None }).collect();
    if found.is_empty() {
        return Err(failed(&"none; make them with `hubbub user tokens --count N > FILE`"));
    }
    Ok(found)
}

#[derive(Deserialize)]
struct Pair {
    access: String,
    refresh: String,
}

#[derive(Deserialize)]
struct Access {
    access: String,
}

/// Registers accounts and signs them in; `step` hears how many there are. Fewer once `cut` is true.
///
/// # Errors
/// What the server said to the first that failed.
pub fn register(
    target: &Target,
    run: &str,
    count: usize,
    cut: &AtomicBool,
    step: &mut dyn FnMut(usize),
) -> Result<Vec<Account>, String> {
    let (tell, told) = sync_channel(AT_ONCE);
    thread::scope(move |scope| {
        for first in 0..AT_ONCE {
            let tell = tell.clone();
            scope.spawn(move || {
                for number in (first..count).step_by(AT_ONCE) {
                    // Nobody listens any longer after the first that failed.
                    if tell.send(one(target, &format!("load-{run}-{number}"))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        let mut accounts = Vec::with_capacity(count);
        while !cut.load(Ordering::Relaxed) {
            match told.recv_timeout(LOOK) {
                Ok(one) => accounts.push(one?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            step(accounts.len());
        }
        Ok(accounts)
    })
    .map_err(|why: String| {
        format!(
            "the accounts could not be made: {why} (RATE_LIMITS=off on the server lifts its limits; \
             `hubbub user tokens --count N > FILE` and --tokens FILE need no REST)"
        )
    })
}

fn one(target: &Target, username: &str) -> Result<Account, String> {
    // Nobody signs in with it by hand: the account is known by its run.
    let body = json!({"username": username, "password": format!("load test {username}")});
    let _: serde_json::Value = http::ask(target, "/register/", None, Some(&body))?.json()?;
    let pair: Pair = http::ask(target, "/api/token/", None, Some(&body))?.json()?;
    Ok(Account { access: pair.access, refresh: Some(pair.refresh) })
}

/// A renewal that is done: whose, and the token if the server gave one.
pub type Renewed = (usize, Option<String>);

/// Where finished renewals lie until their loop fetches them.
#[derive(Clone, Debug, Default)]
pub struct Inbox(Arc<Mutex<Vec<Renewed>>>);

impl Inbox {
    /// All that have come.
    #[must_use]
    pub fn take(&self) -> Vec<Renewed> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, renewed: Renewed) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(renewed);
    }
}

struct Ask {
    who: usize,
    refresh: String,
    inbox: Inbox,
    waker: Arc<mio::Waker>,
}

/// Fetches newer tokens, one after the other, away from the loops. Ends with its last clone.
#[derive(Clone, Debug)]
pub struct Renewer(SyncSender<Ask>);

impl std::fmt::Debug for Ask {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Ask({})", self.who)
    }
}

impl Renewer {
    /// Starts its thread.
    #[must_use]
    pub fn start(target: Target) -> Self {
        let (send, asked) = sync_channel(RENEWALS);
        thread::spawn(move || answer(&target, &asked));
        Self(send)
    }

    /// Asks for a newer token; the answer comes into the inbox. False when too many wait.
    #[must_use]
    pub fn ask(&self, who: usize, refresh: &str, inbox: &Inbox, waker: &Arc<mio::Waker>) -> bool {
        let (inbox, waker) = (inbox.clone(), Arc::clone(waker));
        self.0.try_send(Ask { who, refresh: refresh.to_owned(), inbox, waker }).is_ok()
    }
}

fn answer(target: &Target, asked: &Receiver<Ask>) {
    while let Ok(ask) = asked.recv() {
        let body = json!({"refresh": ask.refresh});
        let answer = http::ask(target, "/api/token/refresh/", None, Some(&body));
        let access = answer.and_then(|answer| answer.json::<Access>());
        ask.inbox.put((ask.who, access.ok().map(|pair| pair.access)));
        // A loop that has ended needs no token.
        let _ = ask.waker.wake();
    }
}
