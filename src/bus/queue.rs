//! A queue between two threads, bounded by count and by bytes. Whoever puts in never waits: at the
//! bound what comes is left out and counted. One reader.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// The queue.
#[derive(Debug)]
pub(super) struct Queue<T> {
    held: Mutex<Held<T>>,
    arrived: Notify,
    most: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Held<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Queue<T> {
    /// Holds at most that many, and that many bytes; one alone may be larger.
    pub fn new(most: usize, most_bytes: usize) -> Self {
        let held = Mutex::new(Held { items: VecDeque::new(), bytes: 0 });
        Self { held, arrived: Notify::new(), most, most_bytes }
    }

    fn change<R>(&self, change: impl FnOnce(&mut Held<T>) -> R) -> R {
        change(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts one in; false when there is no room for it.
    #[must_use]
    pub fn put(&self, item: T, bytes: usize) -> bool {
        let fits = self.change(|held| {
            let over = held.bytes.saturating_add(bytes) > self.most_bytes;
            if held.items.len() >= self.most || (over && !held.items.is_empty()) {
                return false;
            }
            held.bytes += bytes;
            held.items.push_back((item, bytes));
            true
        });
        if fits {
            self.arrived.notify_one();
        }
        fits
    }

    /// Takes what waits, in order: at least one, then up to these bounds.
    pub async fn take(&self, most: usize, most_bytes: usize) -> Vec<T> {
        loop {
            let taken = self.change(|held| {
                let (mut taken, mut bytes) = (Vec::new(), 0);
                while let Some((_, next)) = held.items.front() {
                    if taken.len() >= most || (bytes + next > most_bytes && !taken.is_empty()) {
                        break;
                    }
                    let Some((item, size)) = held.items.pop_front() else { break };
                    bytes += size;
                    taken.push(item);
                }
                held.bytes -= bytes;
                taken
            });
            if !taken.is_empty() {
                return taken;
            }
            self.arrived.notified().await;
        }
    }

    /// Takes all that waits, which may be nothing.
    pub fn drain(&self) -> Vec<T> {
        self.change(|held| {
            held.bytes = 0;
            held.items.drain(..).map(|(item, _)| item).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn at_either_bound_what_comes_is_left_out() {
        let queue = Queue::new(3, 10);
        assert!(queue.put('a', 99), "one alone may be larger");
        assert!(!queue.put('b', 1));
        assert_eq!(queue.take(9, 9).await, ['a']);
        assert!(queue.put('a', 4) && queue.put('b', 4) && !queue.put('c', 4) && queue.put('d', 2));
        assert!(!queue.put('e', 0), "three are three");
        assert_eq!(queue.take(9, 8).await, ['a', 'b']);
        assert_eq!(queue.take(9, 0).await, ['d']);
        assert!(queue.put('f', 10) && queue.drain() == ['f'] && queue.put('g', 10));
    }

    #[actix::test]
    async fn the_reader_wakes_for_what_comes() {
        let queue = std::sync::Arc::new(Queue::new(9, 9));
        let putting = std::sync::Arc::clone(&queue);
        actix::spawn(async move { assert!(putting.put(7, 1)) });
        assert_eq!(queue.take(1, 1).await, [7]);
    }
}
