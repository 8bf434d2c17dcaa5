//! The password pool: a few threads of its own and a bounded queue in front of them, so that a
//! storm of logins waits or is refused, and neither stalls the actors nor takes the memory.
//! Called by this layer only.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::passwords;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The queue is full: again in a moment.
    #[error("too many password checks are waiting")]
    Busy,
    /// A hash could not be made; logged here.
    #[error("a password could not be hashed")]
    Failed,
}

enum Job {
    Hash { password: String, answer: oneshot::Sender<Result<String, HashError>> },
    Check { password: String, phc: Arc<str>, answer: oneshot::Sender<bool> },
}

/// The pool. Its threads end when the last handle is gone. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HashPool {
    queue: SyncSender<Job>,
}

impl HashPool {
    /// Starts `threads` threads (at least one) with room for `waiting` jobs before them.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(threads: usize, waiting: usize) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        for n in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            std::thread::Builder::new().name(format!("password-{n}")).spawn(move || work(&jobs))?;
        }
        Ok(Self { queue })
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn hash(&self, password: String) -> Result<String, HashError> {
        let (answer, answered) = oneshot::channel();
        self.submit(Job::Hash { password, answer })?;
        answered.await.unwrap_or(Err(HashError::Failed))
    }

    /// Whether a password is the one behind a PHC string.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn matches(&self, password: String, phc: Arc<str>) -> Result<bool, HashError> {
        let (answer, answered) = oneshot::channel();
        self.submit(Job::Check { password, phc, answer })?;
        answered.await.map_err(|_| HashError::Failed)
    }

    fn submit(&self, job: Job) -> Result<(), HashError> {
        self.queue.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => HashError::Busy,
            TrySendError::Disconnected(_) => HashError::Failed,
        })
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            // Who asked may have hung up while his job waited: then nobody wants the answer.
            Ok(Job::Hash { answer, .. }) if answer.is_closed() => {}
            Ok(Job::Check { answer, .. }) if answer.is_closed() => {}
            Ok(Job::Hash { password, answer }) => {
                let hash = passwords::hash(&password).map_err(|error| {
                    log::error!("a password could not be hashed: {error}");
                    HashError::Failed
                });
                let _ = answer.send(hash);
            }
            Ok(Job::Check { password, phc, answer }) => {
                let _ = answer.send(passwords::matches(&password, &phc));
            }
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_storm_is_refused_at_the_bound_and_the_rest_is_answered() -> anyhow::Result<()> {
        let pool = HashPool::start(1, 2)?;
        let storm = (0..8).map(|_| pool.hash("down the rabbit hole".to_owned()));
        let answers = futures_util::future::join_all(storm).await;
        let busy = answers.iter().filter(|answer| **answer == Err(HashError::Busy)).count();
        let done = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(busy + done, 8);
        assert!((2..=3).contains(&done), "one at work at most and two waiting, {done} done");
        let phc: Arc<str> = answers.into_iter().find_map(Result::ok).unwrap_or_default().into();
        assert_eq!(
            pool.matches("down the rabbit hole".to_owned(), Arc::clone(&phc)).await,
            Ok(true)
        );
        assert_eq!(pool.matches("another one".to_owned(), phc).await, Ok(false));
        Ok(())
    }
}
