//! A lane of the Writer: an actor on a thread of its own that commits one turn after the other.
//! Woken through `Writer`. Must never wait for more to come, nor have two commits on their way.

use std::sync::Arc;

use actix::prelude::*;
use sea_orm::DatabaseConnection;
use tokio::sync::oneshot;

use super::figures::Counters;
use super::inbox::{Inbox, Turn};
use super::short_way::ShortWay;
use super::{batch, change};

/// The actor.
pub(super) struct Lane {
    db: DatabaseConnection,
    max_batch: usize,
    inbox: Arc<Inbox>,
    counters: Arc<Counters>,
    short: Option<ShortWay>,
    drained: Vec<oneshot::Sender<()>>,
}

/// Take the next turn. Sent by whoever finds the lane at rest, and by the lane to itself.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct GoOn;

/// Answered once everything accepted so far is stored.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Drain;

impl Lane {
    pub(super) fn new(
        db: DatabaseConnection,
        max_batch: usize,
        inbox: Arc<Inbox>,
        counters: Arc<Counters>,
        short: Option<ShortWay>,
    ) -> Self {
        Self { db, max_batch, inbox, counters, short, drained: Vec::new() }
    }
}

impl Actor for Lane {
    type Context = Context<Self>;
}

impl Handler<GoOn> for Lane {
    type Result = ();

    fn handle(&mut self, _: GoOn, ctx: &mut Self::Context) {
        let Some(turn) = self.inbox.next_turn(self.max_batch) else {
            for drained in self.drained.drain(..) {
                // Who asked may have gone.
                let _ = drained.send(());
            }
            return;
        };
        let (db, counters) = (self.db.clone(), Arc::clone(&self.counters));
        let mut short = self.short.take();
        let work = async move {
            match turn {
                Turn::Posts(posts) => batch::store(&db, &counters, &mut short, posts).await,
                Turn::Change(change) => {
                    if let Some(short) = &mut short {
                        short.heads.forget(change.room);
                    }
                    change::make(&db, &counters, short.as_ref(), change).await;
                }
            }
            short
        };
        ctx.spawn(work.into_actor(self).map(|short, lane, ctx| {
            lane.short = short;
            ctx.notify(GoOn);
        }));
    }
}

impl Handler<Drain> for Lane {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        let (drained, done) = oneshot::channel();
        self.drained.push(drained);
        if self.inbox.close() {
            ctx.notify(GoOn);
        }
        Box::pin(async move {
            // An error means that the lane is gone, and nothing is left to wait for.
            let _ = done.await;
        })
    }
}
