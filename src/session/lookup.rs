//! Named rooms as the database has them, read or made once for all who ask at the same time: after
//! a restart everybody knocks at once, at rooms that nobody has started yet. Keeps nothing longer
//! than somebody waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OnceCell;

use crate::domain::{RoomName, RoomRow};
/// Names at which those are dropped whose askers all hung up before they were answered.
const SWEPT_AT: usize = 1_024;

type Answer = OnceCell<Option<RoomRow>>;

/// What is being asked for. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lookup(Arc<Mutex<HashMap<RoomName, Weak<Answer>>>>);

impl Lookup {
    /// What `ask` finds out of this name, by whoever asks first. Only he pays for the memory of a
    /// query under way: after a restart thousands wait here.
    ///
    /// # Errors
    /// Those of one's own `ask`: when one who asks gives up or fails, the next of those who wait
    /// asks.
    pub async fn once<E>(
        &self,
        name: &RoomName,
        ask: impl AsyncFnOnce() -> Result<Option<RoomRow>, E>,
    ) -> Result<Option<RoomRow>, E> {
        let answer = self.join_in(name);
        let found = answer.get_or_try_init(|| Box::pin(ask())).await.cloned();
        drop(answer);
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.get(name).is_some_and(|waited_for| waited_for.strong_count() == 0) {
            asked.remove(name);
        }
        found
    }

    fn join_in(&self, name: &RoomName) -> Arc<Answer> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // An answer that is there may be older than the question: then it is asked anew.
        let under_way = asked.get(name).and_then(Weak::upgrade).filter(|one| !one.initialized());
        under_way.unwrap_or_else(|| {
            if asked.len() >= SWEPT_AT {
                asked.retain(|_, one| one.strong_count() > 0);
            }
            let answer = Arc::new(Answer::new());
            asked.insert(name.clone(), Arc::downgrade(&answer));
            answer
        })
    }
}
