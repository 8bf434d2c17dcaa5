//! Live figures in the shapes of CONTRACT section 5: asked of the rooms, sorted, searched and
//! paged. Called by `http/admin` and `http/ops`. Keeps nothing: whoever asks twice gets two
//! answers.

mod listing;
mod process;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::figures::{Ledger, Load, RoomDetail, RoomLoad};
use crate::domain::{RoomId, Timestamp};
use crate::rooms::Rooms;
pub use listing::{BadCursor, Sort};

/// Rows of a room's detail that a cursor can reach.
const DETAIL_MAX: usize = 100_000;

/// What this node calls itself.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name among others.
    pub name: String,
    /// When it started.
    pub started_at: Timestamp,
}

/// One node's figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NodeLoad {
    /// Its name.
    #[schema(example = "node-1")]
    pub node: String,
    /// Of the program it runs.
    #[schema(example = "0.1.0")]
    pub version: &'static str,
    /// When it started.
    pub started_at: Timestamp,
    /// `local`: it runs alone.
    #[schema(example = "local")]
    pub bus: &'static str,
    /// Its figures.
    #[serde(flatten)]
    pub load: Load,
}

/// The figures of the whole chat.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Snapshot {
    /// When the rooms were asked.
    pub as_of: Timestamp,
    /// All nodes together.
    pub totals: Load,
    /// Each node.
    pub nodes: Vec<NodeLoad>,
}

/// A page of live rooms.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RoomsPage {
    /// When the rooms were asked.
    pub as_of: Timestamp,
    /// The rows.
    pub rooms: Vec<RoomLoad>,
    /// `?after=` for the next page, null on the last.
    pub next: Option<String>,
}

/// One room with a page of its people and sockets.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DetailPage {
    /// The room.
    #[serde(flatten)]
    pub detail: RoomDetail,
    /// `?after=` for more users and sockets, null when there are none.
    pub next: Option<String>,
}

/// Which live rooms, in which order.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The order.
    pub sort: Sort,
    /// Part of a name, in any case.
    pub q: Option<String>,
    /// Rows at most.
    pub limit: usize,
    /// A page's `next`.
    pub after: Option<String>,
}

/// Figures added up. Cheap to clone.
#[derive(Clone)]
pub struct Stats {
    rooms: Rooms,
    node: Arc<Node>,
}

impl Stats {
    /// Over these rooms, on this node.
    #[must_use]
    pub fn new(rooms: Rooms, node: Node) -> Self {
        Self { rooms, node: Arc::new(node) }
    }

    /// What became of the frames that rooms had for sockets.
    pub async fn ledger(&self) -> Ledger {
        self.rooms.ledger().await
    }

    /// All there is, and each node's part in it.
    pub async fn snapshot(&self) -> Snapshot {
        let (as_of, mut totals) = self.rooms.load().await;
        (totals.cpu_s, totals.rss_bytes) = process::used();
        let node = NodeLoad {
            node: self.node.name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.node.started_at,
            bus: self.bus(),
            load: totals,
        };
        Snapshot { as_of, totals, nodes: vec![node] }
    }

    /// How this node speaks to others.
    #[must_use]
    pub fn bus(&self) -> &'static str {
        self.rooms.bus().health().as_str()
    }

    /// A page of the live rooms.
    ///
    /// # Errors
    /// The cursor is not one of this list's.
    pub async fn rooms(&self, wanted: &Wanted) -> Result<RoomsPage, BadCursor> {
        let (as_of, loads) = self.rooms.loads().await;
        let (rooms, next) = listing::page(&loads, wanted)?;
        Ok(RoomsPage { as_of, rooms, next })
    }

    /// One live room with at most `limit` of its people and sockets each, from the place that
    /// `after` names. None: it is not live.
    ///
    /// # Errors
    /// The cursor is not one of this list's.
    pub async fn room(
        &self,
        room: RoomId,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Option<DetailPage>, BadCursor> {
        let skipped: usize = after.map_or(Ok(0), str::parse).map_err(|_| BadCursor)?;
        if skipped > DETAIL_MAX {
            return Err(BadCursor);
        }
        let detail = self.rooms.detail(room, skipped + limit + 1).await;
        Ok(detail.map(|mut detail| {
            let more = listing::window(&mut detail.users, skipped, limit)
                | listing::window(&mut detail.session_list, skipped, limit);
            DetailPage { detail, next: more.then(|| (skipped + limit).to_string()) }
        }))
    }
}
