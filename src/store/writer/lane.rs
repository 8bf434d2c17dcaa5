//! A lane of the Writer: an actor on a thread of its own that commits one turn after the other.
//! Called through `Writer`. Must never wait for more to come, nor have two commits on their way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use sea_orm::DatabaseConnection;
use tokio::sync::oneshot;

use super::batch::{self, Waiting};
use super::change;
use super::figures::Counters;
use super::{Append, ChangeMembers};

/// The actor.
pub(super) struct Lane {
    db: DatabaseConnection,
    max_batch: usize,
    counters: Arc<Counters>,
    queue: VecDeque<Work>,
    at_work: bool,
    drained: Vec<oneshot::Sender<()>>,
}

enum Work {
    Post(Waiting),
    Change(ChangeMembers),
}

/// What one commit does: a run of posts, or one change of members.
enum Turn {
    Posts(Vec<Waiting>),
    Change(ChangeMembers),
}

/// Take the next turn, if none is on its way.
#[derive(Message)]
#[rtype(result = "()")]
struct GoOn;

/// Answered once everything accepted so far is stored.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Drain;

impl Lane {
    pub(super) fn new(db: DatabaseConnection, max_batch: usize, counters: Arc<Counters>) -> Self {
        let (queue, drained) = (VecDeque::new(), Vec::new());
        Self { db, max_batch, counters, queue, at_work: false, drained }
    }

    /// Work came in. What else is in the mailbox is taken in first: the note goes behind it.
    fn take_in(&mut self, work: Work, ctx: &mut Context<Self>) {
        self.queue.push_back(work);
        if !self.at_work {
            self.at_work = true;
            ctx.notify(GoOn);
        }
    }

    fn next_turn(&mut self) -> Option<Turn> {
        let mut posts = Vec::new();
        while posts.len() < self.max_batch {
            match self.queue.pop_front() {
                Some(Work::Post(post)) => posts.push(post),
                Some(Work::Change(change)) if posts.is_empty() => {
                    return Some(Turn::Change(change));
                }
                Some(change) => {
                    self.queue.push_front(change);
                    break;
                }
                None => break,
            }
        }
        (!posts.is_empty()).then_some(Turn::Posts(posts))
    }
}

impl Actor for Lane {
    type Context = Context<Self>;
}

impl Handler<GoOn> for Lane {
    type Result = ();

    fn handle(&mut self, _: GoOn, ctx: &mut Self::Context) {
        let Some(turn) = self.next_turn() else {
            self.at_work = false;
            for drained in self.drained.drain(..) {
                // Who asked may have gone.
                let _ = drained.send(());
            }
            return;
        };
        let (db, counters) = (self.db.clone(), Arc::clone(&self.counters));
        let work = async move {
            match turn {
                Turn::Posts(posts) => batch::store(&db, &counters, posts).await,
                Turn::Change(change) => change::make(&db, &counters, change).await,
            }
        };
        ctx.spawn(work.into_actor(self).map(|(), _, ctx| ctx.notify(GoOn)));
    }
}

impl Handler<Append> for Lane {
    type Result = ();

    fn handle(&mut self, append: Append, ctx: &mut Self::Context) {
        self.take_in(Work::Post(Waiting { append, since: Instant::now() }), ctx);
    }
}

impl Handler<ChangeMembers> for Lane {
    type Result = ();

    fn handle(&mut self, change: ChangeMembers, ctx: &mut Self::Context) {
        self.take_in(Work::Change(change), ctx);
    }
}

impl Handler<Drain> for Lane {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        let (drained, done) = oneshot::channel();
        self.drained.push(drained);
        if !self.at_work {
            self.at_work = true;
            ctx.notify(GoOn);
        }
        Box::pin(async move {
            // An error means that the lane is gone, and nothing is left to wait for.
            let _ = done.await;
        })
    }
}
