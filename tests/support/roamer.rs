//! One of a crowd on several nodes: goes from one to the other, whatever ends its sockets, and
//! comes back as PROTOCOL.md says. `party` sends many of them; knows no order and counts nothing
//! but what befell it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;

use super::dice::Dice;
use super::native::{Ended, Native};
use super::socket::Door;
use super::{Chatter, Crowd, Server};

/// The longest that a client backs off, in milliseconds: nobody here comes back to a crowd.
const BACK_OFF_MS: u64 = 500;

/// Where the nodes are that take sockets.
#[derive(Clone, Default)]
pub struct Doors(Arc<Mutex<BTreeMap<usize, Door>>>);

impl Doors {
    /// These nodes, by their place.
    pub fn of(nodes: &[Server]) -> Self {
        let doors = Self::default();
        nodes.iter().enumerate().for_each(|(place, node)| doors.open(place, node));
        doors
    }

    /// A node is there.
    pub fn open(&self, place: usize, server: &Server) {
        self.leads_to(place, server.native("/ws/"));
    }

    /// A way to a node is there.
    pub fn leads_to(&self, place: usize, door: Door) {
        self.0.lock().expect("a lock").insert(place, door);
    }

    /// A node is there no longer. Others may get its port.
    pub fn shut(&self, place: usize) {
        self.0.lock().expect("a lock").remove(&place);
    }

    /// Any but this one, unless there is no other.
    fn another(&self, than: Option<usize>, dice: &mut Dice) -> (usize, Door) {
        let all = self.0.lock().expect("a lock");
        let others: Vec<_> = all.iter().filter(|(place, _)| Some(**place) != than).collect();
        let all: Vec<_> = all.iter().collect();
        let (place, door) =
            dice.one_of(&others).or_else(|| dice.one_of(&all)).expect("some node is there");
        (**place, (*door).clone())
    }
}

/// One client, and what befell it.
pub struct Roamer {
    /// What it holds and sends.
    pub chatter: Chatter,
    crowd: Crowd,
    dice: Dice,
    unit: Option<Duration>,
    /// Sockets that it dropped itself, one way or the other.
    pub dropped: usize,
    /// Sockets that ended, by the server's code; none where it just broke.
    pub ended: BTreeMap<Ended, usize>,
    /// Times that nobody was there, or took nobody.
    pub refused: usize,
    /// The `after_ms` of each `bye`.
    pub waits: Vec<u64>,
}

impl Roamer {
    /// One who stays on a socket for 5 to 35 of these units, or for as long as it can.
    pub fn new(chatter: Chatter, crowd: Crowd, seed: u64, unit: Option<Duration>) -> Self {
        let (dice, ended, waits) = (Dice::new(seed), BTreeMap::new(), Vec::new());
        Self { chatter, crowd, dice, unit, dropped: 0, ended, refused: 0, waits }
    }

    /// Takes part on one node after the other, until its crowd is told to go.
    pub async fn roam(mut self, doors: Doors) -> Self {
        let mut node = None;
        loop {
            let (at, door) = doors.another(node, &mut self.dice);
            node = Some(at);
            let Some(mut socket) = door.try_hello().await else {
                self.refused += 1;
                self.backs_off(0).await;
                continue;
            };
            let units = u32::try_from(5 + self.dice.below(30)).expect("small");
            let (stays, crowd) = (self.unit.map(|unit| unit * units), self.crowd.clone());
            let taking_part = async {
                self.chatter.enter(&mut socket).await?;
                self.chatter.take_part(&mut socket, &crowd).await
            };
            tokio::select! {
                ended = taking_part => match ended {
                    Ok(()) => return self,
                    Err(code) => self.lost(socket, code).await,
                },
                () = has_enough(stays, &crowd) => {
                    self.dropped += 1;
                    if self.dice.below(2) == 0 {
                        socket.reset();
                    }
                }
            }
        }
    }

    async fn lost(&mut self, socket: Native, code: Ended) {
        assert!(code.is_none_or(|code| (4000..4100).contains(&code)), "{code:?}");
        *self.ended.entry(code).or_default() += 1;
        let after = socket.said_bye()["after_ms"].as_u64();
        drop(socket);
        self.waits.extend(after);
        self.backs_off(after.unwrap_or_default()).await;
    }

    /// PROTOCOL.md: after what the server asked for, full jitter from 0.5 s on.
    async fn backs_off(&mut self, after_ms: u64) {
        sleep(Duration::from_millis(after_ms + self.dice.below(BACK_OFF_MS))).await;
    }
}

/// Once it has stayed for so long, while all talk.
async fn has_enough(stays: Option<Duration>, crowd: &Crowd) {
    match stays {
        Some(stays) => sleep(stays).await,
        None => std::future::pending().await,
    }
    if !crowd.talks() {
        std::future::pending::<()>().await;
    }
}
