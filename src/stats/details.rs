//! One room with its people and sockets, read at most once a second, whoever looks: the page asks
//! every two seconds for as long as an admin has it open. Part of `stats`.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::RoomId;
use crate::domain::figures::RoomDetail;

use super::{DETAIL_MAX, Stats};

/// How long a reading is good for.
const LASTS: Duration = Duration::from_secs(1);
/// Rows that are read for whoever wants fewer: more pages of one reading.
const ROWS: usize = 1_001;

/// A reading, how many rows it may have, and when it was made.
type Reading = Option<(Instant, usize, Option<RoomDetail>)>;
type Place = Arc<tokio::sync::Mutex<Reading>>;

/// The readings of the last second, by room.
#[derive(Default)]
pub(super) struct Details(std::sync::Mutex<HashMap<RoomId, Place>>);

impl Details {
    fn place(&self, room: RoomId) -> Place {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| match place.try_lock() {
            Ok(reading) => reading.as_ref().is_some_and(|(at, ..)| at.elapsed() < LASTS),
            // Somebody reads, or waits for who does.
            Err(_) => true,
        });
        Arc::clone(places.entry(room).or_default())
    }
}

impl Stats {
    /// A live room of this node, with at most `limit` of its people and sockets.
    pub(super) async fn own_detail(&self, room: RoomId, limit: usize) -> Option<RoomDetail> {
        let place = self.details.place(room);
        let mut reading = place.lock().await;
        let is_good =
            reading.as_ref().is_some_and(|(at, rows, _)| at.elapsed() < LASTS && limit <= *rows);
        if !is_good {
            let rows = if limit <= ROWS { ROWS } else { DETAIL_MAX + 1 };
            let detail = self.rooms.detail(room, rows).await;
            *reading = Some((Instant::now(), rows, detail));
        }
        let (.., detail) = reading.as_ref()?;
        let detail = detail.as_ref()?;
        Some(RoomDetail {
            load: detail.load.clone(),
            users: detail.users.iter().take(limit).cloned().collect(),
            session_list: detail.session_list.iter().take(limit).cloned().collect(),
            ledger: detail.ledger,
        })
    }
}
