//! PROTOCOL.md, promises 1 to 4, while everything fails that several nodes stand on: Redis freezes
//! and dies, a node is killed, `PostgreSQL` is restarted, and the bus is unreliable on purpose. In
//! the end everybody holds the same, and every `ok` is stored once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::dice::Dice;
use crate::support::native::Ended;
use crate::support::nodes::{connected, nodes_on};
use crate::support::own_postgres::OwnPostgres;
use crate::support::psql::psql;
use crate::support::redis_server::RedisServer;
use crate::support::socket::Door;
use crate::support::{
    Chatter, Crowd, Phase, Sender, Server, eventually, nightly, raise_the_limit_of_open_files,
};

/// How much of it.
#[derive(Clone, Copy)]
struct Form {
    clients: usize,
    rooms: usize,
    /// A sixtieth of the load.
    unit: Duration,
    /// Each client says something so often.
    pace: Duration,
}

const LONG: Form = Form {
    clients: 300,
    rooms: 30,
    unit: Duration::from_secs(1),
    pace: Duration::from_millis(1_500),
};
const SHORT: Form = Form {
    clients: 60,
    rooms: 6,
    unit: Duration::from_millis(200),
    pace: Duration::from_millis(500),
};

/// What the issue gives presence.
const COUNTED_WITHIN: Duration = Duration::from_secs(15);

/// Where the nodes are that take sockets.
#[derive(Clone, Default)]
struct Doors(Arc<Mutex<BTreeMap<usize, Door>>>);

impl Doors {
    fn open(&self, node: usize, server: &Server) {
        self.0.lock().expect("a lock").insert(node, server.native("/ws/"));
    }

    fn shut(&self, node: usize) {
        self.0.lock().expect("a lock").remove(&node);
    }

    /// Any but this one.
    fn another(&self, than: Option<usize>, dice: &mut Dice) -> (usize, Door) {
        let all = self.0.lock().expect("a lock");
        let others: Vec<_> = all.iter().filter(|(node, _)| Some(**node) != than).collect();
        let (node, door) = dice.one_of(&others).expect("two nodes are always there");
        (**node, (*door).clone())
    }
}

/// One client, and what befell it.
struct One {
    chatter: Chatter,
    crowd: Crowd,
    dice: Dice,
    /// Sockets that it dropped itself, one way or the other.
    dropped: usize,
    /// Sockets that ended, by the server's code; none where it just broke.
    ended: BTreeMap<Ended, usize>,
}

impl One {
    /// Takes part on one node after the other, until its crowd is told to go.
    async fn roam(mut self, doors: Doors, form: Form) -> Self {
        let mut node = None;
        loop {
            let (at, door) = doors.another(node, &mut self.dice);
            node = Some(at);
            let Some(mut socket) = door.try_hello().await else {
                self.backs_off().await;
                continue;
            };
            let stays = form.unit * u32::try_from(5 + self.dice.below(30)).expect("small");
            let crowd = self.crowd.clone();
            let taking_part = async {
                self.chatter.enter(&mut socket).await?;
                self.chatter.take_part(&mut socket, &crowd).await
            };
            tokio::select! {
                ended = taking_part => match ended {
                    Ok(()) => return self,
                    Err(code) => {
                        assert!(matches!(code, None | Some(4000 | 4002)), "{code:?}");
                        *self.ended.entry(code).or_default() += 1;
                        self.backs_off().await;
                    }
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

    /// PROTOCOL.md: full jitter from 0.5 s on.
    async fn backs_off(&mut self) {
        sleep(Duration::from_millis(self.dice.below(500))).await;
    }
}

/// Once it has stayed for so long, while all talk.
async fn has_enough(stays: Duration, crowd: &Crowd) {
    sleep(stays).await;
    if !crowd.talks() {
        std::future::pending::<()>().await;
    }
}

/// What there is to fail.
struct House {
    nodes: Vec<Option<Server>>,
    redis: RedisServer,
    postgres: OwnPostgres,
    doors: Doors,
}

impl House {
    /// Everything fails, some of it at the same time, in sixty units.
    async fn fails(&mut self, form: Form) {
        let began = Instant::now();
        let at = |unit: u32| sleep_until(began + form.unit * unit);
        at(4).await;
        self.redis.stop();
        at(12).await;
        self.doors.shut(0);
        let mut killed = self.nodes[0].take().expect("it runs");
        block_in_place(|| killed.kill9());
        at(14).await;
        self.redis.go_on();
        at(20).await;
        let back = killed.restart().await;
        self.doors.open(0, &back);
        self.nodes[0] = Some(back);
        at(26).await;
        block_in_place(|| self.redis.kill());
        at(32).await;
        block_in_place(|| self.redis.start_again());
        at(40).await;
        block_in_place(|| self.postgres.stop());
        at(43).await;
        block_in_place(|| self.postgres.start_again());
        at(60).await;
    }

    fn nodes(&self) -> Vec<&Server> {
        self.nodes.iter().flatten().collect()
    }

    /// That every node counts so many people in each of these rooms.
    async fn counts(&self, rooms: &[String], people: usize) {
        for node in self.nodes() {
            eventually("everybody is counted once", COUNTED_WITHIN, || async {
                let list = node.api().get("/list_rooms/").await.body();
                let counted = |room: &&String| {
                    let is_it = |row: &&Value| row["name"] == room.as_str();
                    let row = list.as_array().and_then(|list| list.iter().find(is_it));
                    row.is_some_and(|row| row["active_members"] == people)
                };
                let wrong = rooms.iter().find(|room| !counted(room));
                wrong.map_or(Ok(()), |room| Err(format!("{room}: {list}")))
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_everything_fails_nothing_is_lost_or_doubled_and_all_end_with_the_same() {
    let form = if nightly() { LONG } else { SHORT };
    raise_the_limit_of_open_files(16_384);
    let (redis, postgres) = (RedisServer::start(), OwnPostgres::start());
    let url = postgres.fresh_database();
    let nodes: [Server; 3] = nodes_on(&url, &redis, |setup| {
        setup
            .for_a_crowd()
            .env("HUBBUB__BUS__CHAOS", "drop=5%,delay=50ms,double=2%,seed=7")
            .env("HUBBUB__BUS__ALLOW_CHAOS", "on")
    })
    .await;
    let doors = Doors::default();
    nodes.iter().enumerate().for_each(|(number, node)| doors.open(number, node));
    let nodes = nodes.map(Some).into();
    let mut house = House { nodes, redis, postgres, doors };

    let rooms: Vec<String> = (0..form.rooms).map(|number| format!("room {number}")).collect();
    let crowds: Vec<Crowd> = rooms.iter().map(|_| Crowd::new()).collect();
    let people = form.clients / form.rooms;
    let mut clients = JoinSet::new();
    for number in 0..form.clients {
        let (room, crowd) = (&rooms[number % form.rooms], crowds[number % form.rooms].clone());
        let sender = Sender::new(&format!("sender {number}"), room, 40).at_a_pace(form.pace);
        let (chatter, dice) = (Chatter::with(sender, room), Dice::new(number as u64));
        let one = One { chatter, crowd, dice, dropped: 0, ended: BTreeMap::new() };
        let doors = house.doors.clone();
        clients.spawn(async move { (number % form.rooms, one.roam(doors, form).await) });
    }
    let began = Instant::now();
    let everything = async {
        for crowd in &crowds {
            crowd.has_answers(people).await;
        }
        house.fails(form).await;
        for crowd in &crowds {
            crowd.is_to(Phase::Stop);
        }
        for crowd in &crowds {
            crowd.has_idle(people).await;
        }
        connected(&house.nodes()).await;
        house.counts(&rooms, people).await;
        let mut histories = Vec::new();
        for room in &rooms {
            let mut reader = house.nodes()[0].native_guest().await;
            let head = reader.join(room).await.seq();
            histories.push(reader.whole_history(room, head).await);
        }
        for (history, crowd) in histories.iter().zip(&crowds) {
            crowd.is_to(Phase::Until(i64::try_from(history.len()).expect("few enough")));
        }
        histories
    };
    let histories = tokio::select! {
        done = everything => done,
        gone = clients.join_next() => panic!("nobody was told to go: {:?}", gone.map(|_| ())),
    };
    let took = began.elapsed();
    let clients = clients.join_all().await;

    let mut first: BTreeMap<usize, &[u64]> = BTreeMap::new();
    let (mut sent, mut held, mut resumed, mut lagged) = (0, 0, 0, 0);
    let (mut again, mut busy, mut unknown, mut turned_away, mut dropped) = (0, 0, 0, 0, 0);
    let mut ended: BTreeMap<Ended, usize> = BTreeMap::new();
    for (room, one) in &clients {
        let (follower, history) = (&one.chatter.follower, &histories[*room]);
        assert_eq!(usize::try_from(follower.have()), Ok(history.len()));
        let before = first.entry(*room).or_insert(follower.seen());
        assert_eq!(follower.seen(), *before, "{}: one order for all", rooms[*room]);
        let sender = one.chatter.sender.as_ref().expect("everybody sends");
        sender.is_kept_in(history);
        sent += sender.sent();
        held += history.len();
        resumed += follower.resumed;
        lagged += follower.lagged;
        turned_away += follower.turned_away;
        again += sender.duplicates;
        busy += sender.refused - sender.unknown;
        unknown += sender.unknown;
        dropped += one.dropped;
        for (code, times) in &one.ended {
            *ended.entry(*code).or_default() += times;
        }
    }
    let stored =
        psql(&url, "SELECT count(*), count(DISTINCT id) FROM event WHERE kind = 'message'");
    assert_eq!(stored, format!("{sent}|{sent}"), "every ok is stored, and nothing else");
    assert!(resumed > 0 && ended.contains_key(&None), "what failed was noticed");
    for node in house.nodes() {
        assert_eq!(node.metric("hubbub_ledger_imbalance").await, 0);
    }
    println!(
        "{} clients, {} rooms, {took:.1?}: {sent} messages with an ok, each stored once; {held} \
         deliveries, all in one order; {dropped} sockets dropped, ended by the other side: \
         {ended:?}; {resumed} resumes, {again} sent again and known, {busy} times busy, \
         {turned_away} joins and pages busy, {unknown} unknown outcomes, {lagged} times lag",
        form.clients, form.rooms,
    );
}
