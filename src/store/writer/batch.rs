//! One batch of posts, from its rooms' locks to its answers. Called by a lane. Must answer each
//! post exactly once, and only with what is certain: an attempt whose commit got no answer is
//! looked for in the database before anything else is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Recipient;
use sea_orm::{DatabaseConnection, DbErr};
use tokio::time::timeout;

use super::acts::{self, Known};
use super::figures::Counters;
use super::ledger::Ledger;
use super::plan::{Decision, Post, key, plan};
use super::short_way::{Right, ShortWay, Taken};
use super::{Append, Committed, Outcome};
use crate::domain::{EventId, NewEvent, RoomId};
use crate::store::error::{Fault, fault_of, is_contended};

/// How long a post is tried before its sender is told that nobody knows.
pub(super) const LIMIT: Duration = Duration::from_secs(30);
/// How long one attempt may take: longer than any time-out that the database itself keeps, so that
/// only a connection on which nothing comes any more runs into it.
pub(super) const ATTEMPT: Duration = Duration::from_secs(8);
/// Pauses between attempts start here and double up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A post, and since when it waits.
pub(super) struct Waiting {
    pub append: Append,
    pub since: Instant,
}

/// Why a batch was not stored.
enum Refusal {
    /// One of its rows can't be stored.
    Data(DbErr),
    /// Nobody knows, and the limit is over.
    Unknown,
}

/// Stores and answers a batch. One that its data spoils is halved, in order, until the bad row
/// stands alone.
pub(super) async fn store(
    db: &DatabaseConnection,
    counters: &Counters,
    short: &mut Option<ShortWay>,
    batch: Vec<Waiting>,
) {
    let mut parts = vec![batch];
    while let Some(mut part) = parts.pop() {
        match attempts(db, counters, short, &part).await {
            Ok(decisions) => {
                count(counters, &part, &decisions);
                answer(part, decisions.into_iter());
            }
            Err(Refusal::Data(_)) if part.len() > 1 => {
                let rest = part.split_off(part.len() / 2);
                parts.push(rest);
                parts.push(part);
            }
            Err(Refusal::Data(error)) => {
                log::error!("an event can't be stored: {error}");
                let why: Arc<str> = error.to_string().into();
                refuse(part, &Outcome::Failed(why));
            }
            Err(Refusal::Unknown) => refuse(part, &Outcome::Unknown),
        }
    }
}

/// Pauses between attempts.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST_PAUSE), |pause| Some((*pause * 2).min(LONGEST_PAUSE)))
}

/// How long the Writer stands in line for what waits since then.
pub(super) fn patience(since: Instant) -> Duration {
    LIMIT.saturating_sub(since.elapsed()).max(ATTEMPT)
}

/// The Writer's turn on SQLite; elsewhere it waits for nobody.
pub(super) async fn turn_of(short: Option<&ShortWay>) -> Right {
    match short {
        Some(short) => short.stand_in_line().await,
        None => None,
    }
}

/// Tries until the database says yes or no, or the limit is over.
async fn attempts(
    db: &DatabaseConnection,
    counters: &Counters,
    short: &mut Option<ShortWay>,
    batch: &[Waiting],
) -> Result<Vec<Decision>, Refusal> {
    let oldest = batch.first().map_or_else(Instant::now, |first| first.since);
    let mut unanswered = None;
    for pause in pauses() {
        // Who stands before it is not the database's fault.
        let Ok(right) = timeout(patience(oldest), turn_of(short.as_ref())).await else { break };
        let done = timeout(ATTEMPT, attempt(db, short, batch, &mut unanswered)).await;
        match done {
            Ok(Ok(decisions)) => {
                counters.reach.clear();
                return Ok(decisions);
            }
            Ok(Err(error)) if fault_of(&error) == Fault::Data => {
                counters.reach.clear();
                return Err(Refusal::Data(error));
            }
            Ok(Err(error)) => {
                if !is_contended(&error) {
                    counters.reach.failed();
                }
                log::warn!("a commit is tried again: {error}");
            }
            Err(_) => {
                counters.reach.failed();
                log::warn!("a commit is tried again: no answer in {ATTEMPT:?}");
            }
        }
        if oldest.elapsed() > LIMIT {
            break;
        }
        counters.retried();
        drop(right);
        tokio::time::sleep(pause).await;
    }
    counters.reach.clear();
    log::error!("gave up {} posts after {LIMIT:?}: outcome unknown", batch.len());
    Err(Refusal::Unknown)
}

/// One transaction. `unanswered` holds what an earlier attempt decided whose commit got no answer.
async fn attempt(
    db: &DatabaseConnection,
    short: &mut Option<ShortWay>,
    batch: &[Waiting],
    unanswered: &mut Option<Vec<Decision>>,
) -> Result<Vec<Decision>, DbErr> {
    let posts: Vec<_> = batch
        .iter()
        .map(|Waiting { append, .. }| Post {
            event: &append.event,
            member_rev: append.member_rev,
            may_moderate: append.may_moderate,
        })
        .collect();
    if unanswered.is_none()
        && let Some(short) = short.as_mut().filter(|short| short.is_free())
        && let Some(decisions) = by_heart(short, batch, &posts, unanswered)
    {
        return Ok(decisions);
    }
    let mut ledger = Ledger::begin(db).await?;
    let mut rooms: Vec<_> = batch.iter().map(|post| post.append.event.room.0).collect();
    rooms.sort_unstable();
    rooms.dedup();
    let read = ledger.lock(&rooms).await?;
    // With the locks taken, that attempt has ended: all of it is there, or nothing.
    if let Some(decisions) = unanswered {
        let one = new_rows(batch, decisions).next();
        if let Some((seq, event)) = one
            && ledger.holds(event, seq).await?
        {
            return Ok(unanswered.take().unwrap_or_default());
        }
        *unanswered = None;
    }
    let keys: Vec<_> = batch.iter().filter_map(|post| key(&post.append.event)).collect();
    let firsts = ledger.firsts(&keys).await?;
    let events = || batch.iter().map(|post| &post.append.event);
    let known = Known {
        messages: ledger.messages(&acts::targets(events())).await?,
        reactions: ledger.reactions(&acts::reactions(events())).await?,
    };
    let (decisions, new_heads) = plan(&posts, &read, &firsts, &known);
    if new_heads.is_empty() {
        return Ok(decisions);
    }
    let rows: Vec<_> = new_rows(batch, &decisions).collect();
    ledger.append(&new_heads, &rows).await?;
    for (_, event) in rows {
        ledger.carry_out(event).await?;
    }
    for (post, decision) in batch.iter().zip(&decisions) {
        if let (Decision::Store(_), Some(record)) = (decision, &post.append.record) {
            ledger.record(record).await?;
        }
    }
    *unanswered = Some(decisions);
    ledger.commit().await?;
    if let Some(short) = short {
        short.heads.remember(read, &new_heads);
    }
    Ok(unanswered.take().unwrap_or_default())
}

/// One transaction without a look at the database first: for plain posts that are all new, by what
/// is remembered of their rooms. None: that is not enough, or it is not so any more; or a commit
/// failed, and has to be looked for as `unanswered`.
fn by_heart(
    short: &mut ShortWay,
    batch: &[Waiting],
    posts: &[Post<'_>],
    unanswered: &mut Option<Vec<Decision>>,
) -> Option<Vec<Decision>> {
    let is_plain =
        |post: &Waiting| post.append.record.is_none() && !acts::names_message(&post.append.event);
    if !batch.iter().all(is_plain) {
        return None;
    }
    let known = short.heads.take(batch.iter().map(|post| post.append.event.room))?;
    let (decisions, new_heads) = plan(posts, &known, &[], &Known::default());
    if !decisions.iter().all(|decision| matches!(decision, Decision::Store(_))) {
        return None;
    }
    let rows: Vec<_> = new_rows(batch, &decisions).collect();
    match short.append(&known, &new_heads, &rows) {
        Taken::Stored => {
            short.heads.remember(known, &new_heads);
            Some(decisions)
        }
        Taken::No => None,
        Taken::Unknown => {
            *unanswered = Some(decisions);
            None
        }
    }
}

/// Those that are stored anew, with their `seq`.
fn new_rows<'a>(
    batch: &'a [Waiting],
    decisions: &'a [Decision],
) -> impl Iterator<Item = (i64, &'a NewEvent)> {
    batch.iter().zip(decisions).filter_map(|(post, decision)| match decision {
        Decision::Store(seq) => Some((*seq, &post.append.event)),
        _ => None,
    })
}

fn count(counters: &Counters, batch: &[Waiting], decisions: &[Decision]) {
    let stored = batch.iter().zip(decisions).filter_map(|(post, decision)| {
        let micros = u64::try_from(post.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        matches!(decision, Decision::Store(_)).then_some(micros)
    });
    counters.committed(stored);
}

fn refuse(batch: Vec<Waiting>, outcome: &Outcome) {
    let mut answers = Answers::default();
    for Waiting { append, .. } in batch {
        answers.add(append.reply, append.event.room, append.event.id, outcome.clone());
    }
    answers.send();
}

fn answer(batch: Vec<Waiting>, decisions: impl Iterator<Item = Decision>) {
    let decisions: Vec<_> = decisions.collect();
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(decisions.len());
    for decision in decisions {
        outcomes.push(match decision {
            Decision::Store(seq) => Outcome::Stored(seq),
            Decision::First(first) => Outcome::Duplicate(first),
            Decision::Twin { of, seq } => {
                Outcome::Duplicate(Box::new(batch[of].append.event.clone().stored_at(seq)))
            }
            Decision::Fenced => Outcome::Fenced,
            Decision::Closed => Outcome::Closed,
            Decision::NoTarget => Outcome::NoTarget,
            Decision::NotAllowed => Outcome::NotAllowed,
            Decision::Unchanged(seq) => Outcome::Unchanged(seq),
        });
    }
    let mut answers = Answers::default();
    for (Waiting { append, .. }, outcome) in batch.into_iter().zip(outcomes) {
        answers.add(append.reply, append.event.room, append.event.id, outcome);
    }
    answers.send();
}

/// One message a room, in the order in which the rooms first come up. The places in the queue are
/// given back as the posts are added.
#[derive(Default)]
struct Answers {
    messages: Vec<(Recipient<Committed>, Committed)>,
    last: HashMap<RoomId, usize>,
}

impl Answers {
    fn add(&mut self, reply: Recipient<Committed>, room: RoomId, id: EventId, outcome: Outcome) {
        // A room that was made anew meanwhile has another address: each is told of its own.
        match self.last.get(&room) {
            Some(at) if self.messages[*at].0 == reply => {
                self.messages[*at].1.outcomes.push((id, outcome));
            }
            _ => {
                self.last.insert(room, self.messages.len());
                self.messages.push((reply, Committed { room, outcomes: vec![(id, outcome)] }));
            }
        }
    }

    fn send(self) {
        for (reply, committed) in self.messages {
            reply.do_send(committed);
        }
    }
}
