//! Live figures in the shapes of CONTRACT section 5: asked of the rooms and of other nodes, added
//! up, sorted, searched and paged. Called by `http/admin` and `http/ops`. Keeps nothing but
//! answers for a second.

mod asking;
mod delivery;
mod details;
mod listing;
mod merging;
mod process;
mod watching;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bus::{Figures, View};
use crate::domain::figures::{Ledger, Load, RoomDetail, RoomLoad};
use crate::domain::{NodeId, RoomId, Timestamp};
use crate::rooms::Rooms;
pub use delivery::Delivery;
use listing::Row;
pub use listing::{BadCursor, Sort};
pub use watching::{EVERY, Watcher};

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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NodeLoad {
    /// Its name.
    #[schema(example = "node-1")]
    pub node: String,
    /// Of the program it runs.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// `local` (it runs alone), `connected` or `down`.
    #[schema(example = "local")]
    pub bus: String,
    /// Its figures.
    #[serde(flatten)]
    pub load: Load,
}

/// The figures of the whole chat.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Snapshot {
    /// When the rooms were asked.
    pub as_of: Timestamp,
    /// All nodes together: everybody counts once.
    pub totals: Load,
    /// Each node, by name.
    pub nodes: Vec<NodeLoad>,
    /// Nodes that did not answer within a second; left out when all did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
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
    /// Nodes that did not answer within a second; left out when all did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// One room with a page of its people and sockets.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DetailPage {
    /// The room.
    #[serde(flatten)]
    pub detail: RoomDetail,
    /// `?after=` for more users and sockets, null when there are none.
    pub next: Option<String>,
    /// Nodes that did not answer within a second; left out when all did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
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
    others: Arc<asking::Others>,
    details: Arc<details::Details>,
    watched: Arc<watching::Watched>,
}

fn names(nodes: &[NodeId]) -> Vec<String> {
    nodes.iter().map(NodeId::to_string).collect()
}

impl Stats {
    /// Over these rooms, on this node.
    #[must_use]
    pub fn new(rooms: Rooms, node: Node) -> Self {
        Self {
            rooms,
            node: Arc::new(node),
            others: Arc::default(),
            details: Arc::default(),
            watched: Arc::default(),
        }
    }

    /// What became of the frames that rooms had for sockets.
    pub async fn ledger(&self) -> Ledger {
        self.rooms.ledger().await
    }

    /// This node alone, and when it was asked.
    pub async fn own(&self) -> (Timestamp, NodeLoad) {
        let (as_of, mut load) = self.rooms.load().await;
        (load.cpu_s, load.rss_bytes) = process::used();
        let node = NodeLoad {
            node: self.node.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.node.started_at,
            bus: self.bus().to_owned(),
            load,
        };
        (as_of, node)
    }

    /// How much went between this node and others.
    #[must_use]
    pub fn bus_figures(&self) -> Figures {
        self.rooms.bus().figures()
    }

    /// How often rooms were asked for their figures.
    #[must_use]
    pub fn readings(&self) -> [(&'static str, u64); 2] {
        self.rooms.readings()
    }

    /// All there is, and each node's part in it.
    pub async fn snapshot(&self) -> Snapshot {
        let (as_of, own) = self.own().await;
        let said = self.other_loads().await;
        let mut nodes = said.answers.clone();
        nodes.push(own);
        nodes.sort_by(|a, b| a.node.cmp(&b.node));
        let loads: Vec<Load> = nodes.iter().map(|node| node.load).collect();
        let (users, rooms) =
            self.rooms.bus().view(|view| (view.online().len(), view.rooms().len()));
        let totals = merging::total(&loads, users as u64, rooms as u64);
        Snapshot { as_of, totals, nodes, missing: names(&said.missing) }
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
        let (as_of, own) = self.rooms.loads().await;
        if self.rooms.bus().is_alone() {
            let rows: Vec<Row<'_>> = own.iter().map(Row::from).collect();
            let (page, next) = listing::page(&rows, wanted)?;
            let rooms = merging::rooms(&page, asking::only(&page, &own), &HashMap::new());
            return Ok(RoomsPage { as_of, rooms, next, missing: Vec::new() });
        }
        // What rooms are sorted by is known here or short; the rest is asked for this page alone.
        let seen = self.rooms.bus().view(View::rooms);
        let busiest = match wanted.sort {
            Sort::MessagesPerS => self.other_busiest().await.answers.concat(),
            Sort::ActiveUsers | Sort::Name => Vec::new(),
        };
        let (page, next) = listing::page(&merging::index(&own, &seen, busiest), wanted)?;
        let said = self.other_rooms(page.clone()).await;
        let people = seen.iter().map(|seen| (seen.room, seen.active_users)).collect();
        let shares = asking::only(&page, &own).into_iter().chain(said.answers.concat());
        let rooms = merging::rooms(&page, shares, &people);
        Ok(RoomsPage { as_of, rooms, next, missing: names(&said.missing) })
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
        let wanted = skipped + limit + 1;
        let said = self.elsewhere(room, wanted).await;
        let mut shares = said.answers;
        shares.extend(self.own_detail(room, wanted).await);
        let people = self.rooms.bus().view(|view| view.people(room));
        let people = people.users.len() as u64 + people.guests;
        Ok(merging::detail(shares, people, wanted).map(|mut detail| {
            let more = listing::window(&mut detail.users, skipped, limit)
                | listing::window(&mut detail.session_list, skipped, limit);
            let next = more.then(|| (skipped + limit).to_string());
            DetailPage { detail, next, missing: names(&said.missing) }
        }))
    }
}
