//! The claim to an answer that a post carries. It is answered exactly once: by the room, or, when
//! the room dies with the post in hand, by being dropped.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::domain::Posted;

use super::Refused;
use super::outlet::Slot;
use super::shards::ShardHandle;

/// Who waits for the answer.
#[derive(Debug)]
enum Asker {
    /// A socket: its worker's Shard tells it, with the tag that the socket gave the post.
    Socket(Arc<ShardHandle>, Slot, u64),
    /// A caller who awaits it.
    Caller(oneshot::Sender<Result<Posted, Refused>>),
}

/// The claim to one answer.
#[derive(Debug)]
pub struct Ticket(Option<Asker>);

impl Ticket {
    /// A socket's own post; `tag` is for the socket to know it by.
    #[must_use]
    pub const fn of_socket(shard: Arc<ShardHandle>, slot: Slot, tag: u64) -> Self {
        Self(Some(Asker::Socket(shard, slot, tag)))
    }

    /// A caller's post, and where he awaits the answer.
    #[must_use]
    pub fn of_caller() -> (Self, oneshot::Receiver<Result<Posted, Refused>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(Asker::Caller(sender))), receiver)
    }

    /// Answers.
    pub fn answer(mut self, outcome: Result<Posted, Refused>) {
        self.give(outcome);
    }

    fn give(&mut self, outcome: Result<Posted, Refused>) {
        match self.0.take() {
            Some(Asker::Socket(shard, slot, tag)) => shard.settle(slot, tag, outcome),
            // A caller who went away no longer wants to know.
            Some(Asker::Caller(caller)) => drop(caller.send(outcome)),
            None => {}
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // It may be with the Writer already: nobody here can tell.
        self.give(Err(Refused::UnknownOutcome));
    }
}
