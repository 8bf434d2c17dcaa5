//! What waits for a lane. Filled by whoever hands something over, emptied by the lane. Must wake
//! the lane only when it rests: while it commits, what comes in gathers here at the price of a
//! lock, and a message a post would cost a switch of threads each.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::batch::Waiting;
use super::{Append, ChangeMembers};

/// One lane's queue. Its bound is the permits that everything in it holds.
#[derive(Default)]
pub(super) struct Inbox(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    at_work: bool,
    closed: bool,
}

/// What may be handed over.
pub(super) enum Work {
    Post(Waiting),
    Change(ChangeMembers),
}

/// What one commit does: a run of posts, or one change of members.
pub(super) enum Turn {
    Posts(Vec<Waiting>),
    Change(ChangeMembers),
}

/// What whoever handed something over has to do next.
pub(super) enum Handed {
    /// Nothing: the lane is at work, and will come to it.
    Gathers,
    /// Wake the lane.
    Wake,
    /// Answer it: the lane takes nothing any more.
    Refused(Box<Work>),
}

impl Work {
    /// A post that waits from now on.
    pub(super) fn post(append: Append) -> Self {
        Self::Post(Waiting { append, since: Instant::now() })
    }
}

impl Inbox {
    /// Puts it behind what is there.
    pub(super) fn hand_over(&self, work: Work) -> Handed {
        let mut queue = self.lock();
        if queue.closed {
            return Handed::Refused(Box::new(work));
        }
        queue.work.push_back(work);
        if std::mem::replace(&mut queue.at_work, true) { Handed::Gathers } else { Handed::Wake }
    }

    /// Up to `max_batch` posts, or one change; none when there is nothing, and the lane rests.
    pub(super) fn next_turn(&self, max_batch: usize) -> Option<Turn> {
        let mut queue = self.lock();
        let mut posts = Vec::new();
        while posts.len() < max_batch {
            match queue.work.pop_front() {
                Some(Work::Post(post)) => posts.push(post),
                Some(Work::Change(change)) if posts.is_empty() => {
                    return Some(Turn::Change(change));
                }
                Some(change) => {
                    queue.work.push_front(change);
                    break;
                }
                None => break,
            }
        }
        queue.at_work = !posts.is_empty();
        queue.at_work.then_some(Turn::Posts(posts))
    }

    /// Takes nothing any more; whether the lane has to be woken to find that out.
    pub(super) fn close(&self) -> bool {
        let mut queue = self.lock();
        queue.closed = true;
        !std::mem::replace(&mut queue.at_work, true)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Inbox").finish_non_exhaustive()
    }
}
