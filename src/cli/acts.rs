//! Writes acts on users and logins into the hidden room `control`, which the running server reads
//! every few seconds. Called by `accounts`.

use actix::{Actor, Context, Handler};
use anyhow::{Context as _, anyhow, bail};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::domain::{Author, EventId, EventKind, NewEvent, clock, ids};
use crate::rooms::Act;
use crate::store::{Append, CONTROL_ROOM, Committed, Outcome, Store};

/// Stores an act. Once it is done, the running server carries it out by itself.
pub(super) async fn record(store: &Store, act: &Act) -> anyhow::Result<()> {
    let room = store.room(CONTROL_ROOM).await?;
    let member_rev = room.context("the room of acts is missing: run `hubbub migrate`")?.member_rev;
    let now = clock::now();
    let (tell, told) = oneshot::channel();
    let reply = Answer { tell: Some(tell) }.start().recipient();
    let permit = store.writer().permit().await;
    let event = NewEvent {
        id: EventId(ids::at(now)),
        room: CONTROL_ROOM,
        kind: EventKind::Act,
        // Nobody who is signed in: whoever can run a command on this machine.
        author: Author::Guest(Uuid::nil()),
        sender: None,
        nick_name: None,
        content: serde_json::to_string(act)?,
        raw: None,
        target: None,
        client_id: None,
        created_at: now,
    };
    let record = None;
    store.writer().append(Append { event, member_rev, may_moderate: false, record, permit, reply });
    match told.await.map_err(|_| anyhow!("the store ended before it answered"))? {
        Outcome::Stored(_) | Outcome::Duplicate(_) => Ok(()),
        Outcome::Failed(why) => bail!("the running server could not be told: {why}"),
        _ => bail!(
            "it is not known whether the running server was told: run the command again, it does \
             no harm twice"
        ),
    }
}

/// Waits for one answer of the Writer.
struct Answer {
    tell: Option<oneshot::Sender<Outcome>>,
}

impl Actor for Answer {
    type Context = Context<Self>;
}

impl Handler<Committed> for Answer {
    type Result = ();

    fn handle(&mut self, committed: Committed, _: &mut Context<Self>) {
        let outcome = committed.outcomes.into_iter().next();
        if let (Some(tell), Some((_, outcome))) = (self.tell.take(), outcome) {
            // Nobody waits any longer: the command was interrupted.
            let _ = tell.send(outcome);
        }
    }
}
