//! What a post must hold before a room takes it: a place in the room, its bytes' share of the
//! node, a place with the Writer. All three are counted, so nothing behind them is unbounded;
//! without one the answer is `busy`. A room's and the bytes' share are held until every Shard
//! has written the message.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::Writer;
use crate::store::writer::WriterPermit;

/// Bytes that one permit of the node's share stands for.
const UNIT: usize = 1_024;

/// A post's share of the bounds until it is delivered.
#[derive(Debug)]
pub struct Held {
    _place: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

/// All that a post must hold.
#[derive(Debug)]
pub struct Admission {
    /// Until everybody has it.
    pub held: Held,
    /// Until it is stored.
    pub writer: WriterPermit,
}

/// Where posts get their [`Admission`]: one a room.
#[derive(Clone, Debug)]
pub struct Gate {
    places: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    writer: Writer,
}

impl Gate {
    /// A room takes `places` posts at a time; `bytes` comes from [`bytes_of_node`].
    #[must_use]
    pub fn new(places: usize, bytes: Arc<Semaphore>, writer: Writer) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), bytes, writer }
    }

    /// A post of `bytes` is let in now, or not at all.
    #[must_use]
    pub fn try_admit(&self, bytes: usize) -> Option<Admission> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(units(bytes)).ok()?;
        let writer = self.writer.try_permit()?;
        Some(Admission { held: Held { _place: place, _bytes: bytes }, writer })
    }

    /// A post of `bytes` waits until it is let in. The caller sets the limit of time.
    pub async fn admit(&self, bytes: usize) -> Option<Admission> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(units(bytes)).await.ok()?;
        let writer = self.writer.permit().await;
        Some(Admission { held: Held { _place: place, _bytes: bytes }, writer })
    }

    /// Posts taken and not yet delivered.
    #[must_use]
    pub fn taken(&self, of: usize) -> u64 {
        of.saturating_sub(self.places.available_permits()) as u64
    }
}

/// The share of all rooms of a node: `bytes` of messages under way.
#[must_use]
pub fn bytes_of_node(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes / UNIT))
}

fn units(bytes: usize) -> u32 {
    u32::try_from(1 + bytes / UNIT).unwrap_or(u32::MAX)
}
