//! Questions to other nodes and the answers that come in time.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::domain::NodeId;
use crate::domain::nodes::{Answers, Question};

use super::envelope::Said;
use super::shared::Shared;

/// Who has not answered in this time is missing.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Questions that may be open at a time; over that nobody is asked and everybody is missing.
const OPEN: usize = 1_024;

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Every other node.
    Others,
    /// One of them.
    Node(NodeId),
}

/// The questions that are open.
#[derive(Default)]
pub(super) struct Asking {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    last: u64,
    open: HashMap<u64, Open>,
}

struct Open {
    waiting: HashSet<NodeId>,
    said: Vec<(NodeId, Box<RawValue>)>,
    done: Option<oneshot::Sender<()>>,
}

/// Takes the question back when nobody waits any more.
struct Guard<'a> {
    asking: &'a Asking,
    id: u64,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.asking.close(self.id);
    }
}

impl Asking {
    fn held<T>(&self, with: impl FnOnce(&mut Held) -> T) -> T {
        with(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn open(&self, nodes: &[NodeId]) -> Option<(u64, oneshot::Receiver<()>)> {
        self.held(|held| {
            if held.open.len() >= OPEN {
                return None;
            }
            held.last += 1;
            let (done, is_done) = oneshot::channel();
            let waiting = nodes.iter().cloned().collect();
            held.open.insert(held.last, Open { waiting, said: Vec::new(), done: Some(done) });
            Some((held.last, is_done))
        })
    }

    fn close(&self, id: u64) -> Option<Open> {
        self.held(|held| held.open.remove(&id))
    }

    /// A node answered. One that was not asked, or has answered, is not heard.
    pub fn answered(&self, id: u64, node: NodeId, body: Box<RawValue>) {
        self.held(|held| {
            let Some(open) = held.open.get_mut(&id) else { return };
            if open.waiting.contains(&node) {
                open.waiting.remove(&node);
                // Without an answer it stays missing, but is not waited for.
                if body.get() != "null" {
                    open.said.push((node, body));
                }
            }
            if open.waiting.is_empty()
                && let Some(done) = open.done.take()
            {
                // Who asked may be gone.
                let _ = done.send(());
            }
        });
    }
}

/// Asks and waits for the answers, at most [`ANSWER_WITHIN`].
pub(super) async fn ask(shared: &Shared, to: To, question: Question) -> Answers {
    let mut nodes = shared.view(|view| view.others());
    let channel = match to {
        To::Others => shared.channels.nodes(),
        To::Node(node) => {
            nodes = vec![node.clone()];
            shared.channels.node(&node)
        }
    };
    let opened = if nodes.is_empty() { None } else { shared.asking.open(&nodes) };
    let Some((id, is_done)) = opened else {
        return Answers { said: Vec::new(), missing: nodes };
    };
    let guard = Guard { asking: &shared.asking, id };
    if shared.send(channel, &Said::Ask { id, question: Some(question) }) {
        // What came until then counts.
        let _ = tokio::time::timeout(ANSWER_WITHIN, is_done).await;
    }
    let said = shared.asking.close(id).map(|open| open.said).unwrap_or_default();
    drop(guard);
    nodes.retain(|node| said.iter().all(|(who, _)| who != node));
    Answers { said, missing: nodes }
}

/// The way back for an answer. Dropped unused, the one who asked finds this node missing.
pub struct Reply {
    shared: Arc<Shared>,
    to: NodeId,
    id: u64,
}

impl Reply {
    pub(super) const fn new(shared: Arc<Shared>, to: NodeId, id: u64) -> Self {
        Self { shared, to, id }
    }

    /// Who asked.
    #[must_use]
    pub const fn asker(&self) -> &NodeId {
        &self.to
    }

    /// Answers with whatever its JSON is; `null` says that there is no answer here.
    pub fn answer<T: Serialize>(self, answer: &T) {
        let body = serde_json::value::to_raw_value(answer).unwrap_or_default();
        self.shared.send(self.shared.channels.node(&self.to), &Said::Answer { id: self.id, body });
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Reply({} of {})", self.id, self.to)
    }
}
