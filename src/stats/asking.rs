//! Figures over nodes: what this one answers when another asks, and what the others answer. Part
//! of `stats`; how answers become one, `merging` knows.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::bus::To;
use crate::domain::figures::{RoomDetail, RoomLoad};
use crate::domain::nodes::{Question, SubjectSaid};
use crate::domain::{NodeId, RoomId};
use crate::rooms::Rooms;

use super::{DETAIL_MAX, NodeLoad, Stats, merging};

/// Others are asked at most once in this time, whoever wants to know.
const ANSWERS_LAST: Duration = Duration::from_secs(1);

/// Rooms of a node whose rates it says; the others count as silent.
const BUSIEST: usize = 5_000;

/// What the others answered, and who did not.
#[derive(Clone, Debug)]
pub(super) struct Said<T> {
    pub answers: Vec<T>,
    pub missing: Vec<NodeId>,
}

/// What a node says of one room. A bare null would mean that it has no answer.
#[derive(Debug, Serialize, Deserialize)]
struct RoomSaid {
    room: Option<RoomDetail>,
}

/// The answer to the last question, and when it was asked.
type Last<T> = (Instant, Question, Arc<Said<T>>);

/// That answer, good for a moment.
struct Lasting<T>(Mutex<Option<Last<T>>>);

impl<T> Default for Lasting<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// The last answers of the others.
#[derive(Default)]
pub(super) struct Others {
    loads: Lasting<NodeLoad>,
    rooms: Lasting<Vec<RoomLoad>>,
    busiest: Lasting<Vec<(RoomId, f64)>>,
}

pub(super) async fn ask<T: DeserializeOwned>(rooms: &Rooms, question: Question) -> Said<T> {
    let (said, missing) = rooms.bus().ask(To::Others, question).await.read::<T>();
    Said { answers: said.into_iter().map(|(_, answer)| answer).collect(), missing }
}

impl<T: DeserializeOwned> Lasting<T> {
    async fn get(&self, rooms: &Rooms, question: Question) -> Arc<Said<T>> {
        let mut last = self.0.lock().await;
        if let Some((at, asked, said)) = last.as_ref()
            && *asked == question
            && at.elapsed() < ANSWERS_LAST
        {
            return Arc::clone(said);
        }
        let said = Arc::new(ask(rooms, question.clone()).await);
        *last = Some((Instant::now(), question, Arc::clone(&said)));
        said
    }
}

/// The figures of those of these rooms that are there.
pub(super) fn only(rooms: &[RoomId], loads: &[RoomLoad]) -> Vec<RoomLoad> {
    let wanted: HashSet<RoomId> = rooms.iter().copied().collect();
    loads.iter().filter(|load| wanted.contains(&load.room_id)).cloned().collect()
}

impl Stats {
    pub(super) async fn other_loads(&self) -> Arc<Said<NodeLoad>> {
        self.others.loads.get(&self.rooms, Question::Load).await
    }

    pub(super) async fn other_rooms(&self, rooms: Vec<RoomId>) -> Arc<Said<Vec<RoomLoad>>> {
        self.others.rooms.get(&self.rooms, Question::Rooms { rooms }).await
    }

    pub(super) async fn other_busiest(&self) -> Arc<Said<Vec<(RoomId, f64)>>> {
        self.others.busiest.get(&self.rooms, Question::Busiest).await
    }

    pub(super) async fn elsewhere(&self, room: RoomId, limit: usize) -> Said<RoomDetail> {
        let Said { answers, missing } =
            ask::<RoomSaid>(&self.rooms, Question::Room { room, limit }).await;
        Said { answers: answers.into_iter().filter_map(|said| said.room).collect(), missing }
    }

    /// Answers other nodes' questions, one after the other, as long as the node runs.
    pub async fn answer_others(self) {
        while let Some((question, reply)) = self.rooms.next_question().await {
            match question {
                Question::Load => reply.answer(&self.own().await.1),
                Question::Rooms { rooms } => {
                    reply.answer(&only(&rooms, &self.rooms.loads().await.1));
                }
                Question::Busiest => {
                    reply.answer(&merging::busiest(&self.rooms.loads().await.1, BUSIEST));
                }
                Question::Stays { room, user, seq, kind } => {
                    // Without an answer this node is missing, as it should be.
                    if let Ok(stays) = self.rooms.stays(room, user, seq, kind).await {
                        reply.answer(&stays);
                    }
                }
                Question::Subject { room, whom } => {
                    reply.answer(&SubjectSaid::from(self.rooms.subject_here(room, whom).await));
                }
                Question::Room { room, limit } => {
                    let limit = limit.min(DETAIL_MAX + 1);
                    reply.answer(&RoomSaid { room: self.own_detail(room, limit).await });
                }
            }
        }
    }
}
