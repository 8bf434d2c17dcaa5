//! Crowds of roamers in many rooms, who all talk; and what must hold of them in the end: one order,
//! nothing lost, nothing twice. What fails meanwhile is the test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use super::native::Ended;
use super::psql::psql;
use super::roamer::{Doors, Roamer};
use super::{Chatter, Crowd, Follower, Phase, Sender, Server};

/// How large it is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// In all; as many in each room.
    pub clients: usize,
    /// Public ones.
    pub rooms: usize,
    /// Each client says something so often.
    pub pace: Duration,
    /// Each stays on a socket for 5 to 35 of these; none: as long as it can.
    pub unit: Option<Duration>,
}

/// All of them.
pub struct Party {
    size: Size,
    rooms: Vec<String>,
    crowds: Vec<Crowd>,
    clients: JoinSet<(usize, Roamer)>,
}

impl Party {
    /// Everybody comes to one of these nodes and talks; all have said something.
    pub async fn comes(doors: &Doors, size: Size) -> Self {
        let rooms: Vec<String> = (0..size.rooms).map(|number| format!("room {number}")).collect();
        let crowds: Vec<Crowd> = rooms.iter().map(|_| Crowd::new()).collect();
        let mut clients = JoinSet::new();
        for number in 0..size.clients {
            let place = number % size.rooms;
            let (room, crowd, doors) = (&rooms[place], crowds[place].clone(), doors.clone());
            let sender = Sender::new(&format!("sender {number}"), room, 40).at_a_pace(size.pace);
            let chatter = Chatter::with(sender, room);
            let one = Roamer::new(chatter, crowd, number as u64, size.unit);
            clients.spawn(async move { (place, one.roam(doors).await) });
        }
        let mut party = Self { size, rooms, crowds, clients };
        let people = party.people();
        let crowds = party.crowds.clone();
        party
            .goes_on_while(async {
                for crowd in crowds {
                    crowd.has_answers(people).await;
                }
            })
            .await;
        party
    }

    /// In each room.
    pub fn people(&self) -> usize {
        self.size.clients / self.size.rooms
    }

    /// Their names.
    pub fn rooms(&self) -> &[String] {
        &self.rooms
    }

    /// While this happens nobody may go.
    pub async fn goes_on_while<T>(&mut self, happens: impl Future<Output = T>) -> T {
        tokio::select! {
            done = happens => done,
            gone = self.clients.join_next() => {
                panic!("nobody was told to go: {:?}", gone.map(|gone| gone.map(|_| ())))
            }
        }
    }

    /// Nobody says anything new, and everything said is answered.
    pub async fn falls_silent(&mut self) {
        let (people, crowds) = (self.people(), self.crowds.clone());
        for crowd in &crowds {
            crowd.is_to(Phase::Stop);
        }
        self.goes_on_while(async {
            for crowd in crowds {
                crowd.has_idle(people).await;
            }
        })
        .await;
    }

    /// After that: everybody goes once he holds what the database has of his room, as a newcomer on
    /// this node does; what it all was.
    pub async fn goes(mut self, node: &Server, url: &str) -> Tally {
        let rooms = self.rooms.clone();
        let histories = self
            .goes_on_while(async {
                let mut histories = Vec::new();
                for room in &rooms {
                    // A node may not have heard of the last ones yet: it hears of them by itself.
                    let ask = format!("SELECT last_seq FROM room WHERE name = '{room}'");
                    let head = psql(url, &ask).parse().expect("a seq");
                    let (mut newcomer, mut socket) =
                        (Follower::of(room), node.native_guest().await);
                    newcomer.join(&mut socket).await.expect("it stays");
                    newcomer.until(&mut socket, head).await.expect("it stays");
                    histories.push(socket.whole_history(room, head).await);
                }
                histories
            })
            .await;
        for (history, crowd) in histories.iter().zip(&self.crowds) {
            crowd.is_to(Phase::Until(i64::try_from(history.len()).expect("few enough")));
        }
        Tally::of(&self.clients.join_all().await, &histories)
    }
}

/// What was counted, once all that must hold was seen to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages with an `ok`, each of them once in its room's history.
    pub sent: usize,
    /// Events that clients hold.
    pub deliveries: usize,
    /// Sockets that clients dropped.
    pub dropped: usize,
    /// Sockets that ended otherwise.
    pub ended: BTreeMap<Ended, usize>,
    /// Joins that resumed.
    pub resumed: usize,
    /// Times that nobody was there, or took nobody.
    pub refused: usize,
    /// The different `after_ms` that were said.
    pub waits: BTreeSet<u64>,
    duplicates: usize,
    busy: usize,
    turned_away: usize,
    unknown: usize,
    lagged: usize,
}

impl Tally {
    fn of(clients: &[(usize, Roamer)], histories: &[Vec<Value>]) -> Self {
        let mut tally = Self::default();
        let mut first: BTreeMap<usize, &[u64]> = BTreeMap::new();
        for (room, one) in clients {
            let (follower, history) = (&one.chatter.follower, &histories[*room]);
            assert_eq!(usize::try_from(follower.have()), Ok(history.len()));
            let before = *first.entry(*room).or_insert(follower.seen());
            assert_eq!(follower.seen(), before, "one order for all");
            let sender = one.chatter.sender.as_ref().expect("everybody sends");
            sender.is_kept_in(history);
            tally.sent += sender.sent();
            tally.deliveries += history.len();
            tally.dropped += one.dropped;
            tally.resumed += follower.resumed;
            tally.refused += one.refused;
            tally.waits.extend(&one.waits);
            tally.duplicates += sender.duplicates;
            tally.busy += sender.refused - sender.unknown;
            tally.turned_away += follower.turned_away;
            tally.unknown += sender.unknown;
            tally.lagged += follower.lagged;
            for (code, times) in &one.ended {
                *tally.ended.entry(*code).or_default() += times;
            }
        }
        let events: usize = histories.iter().map(Vec::len).sum();
        assert_eq!(tally.sent, events, "every event has its ok, and every ok its event");
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, deliveries, dropped, ended, resumed, duplicates, .. } = self;
        let Self { refused, busy, turned_away, unknown, lagged, .. } = self;
        let broken = ended.get(&None).copied().unwrap_or_default();
        write!(
            to,
            "{sent} messages with an ok, each stored once; {deliveries} deliveries in one order; \
             {dropped} sockets dropped, {broken} broken"
        )?;
        for (code, times) in ended.iter().filter_map(|(code, times)| Some((code.as_ref()?, times)))
        {
            write!(to, ", {times} closed with {code}")?;
        }
        write!(
            to,
            "; {refused} times not let in, {resumed} resumes; {duplicates} messages sent again and known, {busy} times busy, \
             {turned_away} joins and pages busy, {unknown} unknown outcomes, {lagged} times lag"
        )
    }
}
