//! Where nodes meet in a test: a hub or a Redis, with what may befall either; and a node with an
//! ear for what its bus brings. Used by every test of the bus.

use std::time::{Duration, Instant};

use hubbub::bus::{Bus, Delivery, Full, Health, Hub, Sink, State};
use hubbub::config::{BusSettings, Chaos};
use hubbub::domain::nodes::{Hint, Moves, Present, RoomTag};
use hubbub::domain::{
    Author, Event, EventId, EventKind, NodeId, RoomId, RoomKind, Timestamp, UserId, ids,
};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::proxy::Proxy;
use crate::redis_server::RedisServer;

/// What has not come by then does not come.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Deliveries that an ear holds.
const EAR: usize = 1 << 16;

/// Where nodes meet.
pub enum Place {
    Hub(Hub),
    Redis(RedisServer),
}

/// Runs each test on both adapters.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod hub {
            $(#[actix::test] async fn $test() {
                super::$test(crate::place::Place::Hub(hubbub::bus::Hub::default())).await;
            })+
        }
        mod redis {
            $(#[actix::test] async fn $test() {
                let server = crate::redis_server::RedisServer::start();
                super::$test(crate::place::Place::Redis(server)).await;
            })+
        }
    };
}
pub(crate) use on_both;

impl Place {
    /// A node, once it is connected.
    pub async fn join(&self, name: &str) -> Node {
        self.join_as(name, Chaos::default(), EAR).await
    }

    /// A node with an unreliable bus, or an ear that takes only so much.
    pub async fn join_as(&self, name: &str, chaos: Chaos, ear: usize) -> Node {
        let node = self.set_out(name, chaos, ear).await;
        node.is(Health::Connected).await;
        node
    }

    /// A node that may not get connected.
    pub async fn set_out(&self, name: &str, chaos: Chaos, ear: usize) -> Node {
        let (mouth, ear) = mpsc::channel(ear);
        let (name, mouth) = (NodeId::from(name), Mouth(mouth));
        let (bus, proxy) = match self {
            Self::Hub(hub) => (Bus::in_hub(hub, &name, chaos, mouth), None),
            Self::Redis(server) => {
                let proxy = Proxy::to(server.addr()).await;
                let settings = BusSettings {
                    redis_url: format!("redis://{}", proxy.addr()),
                    prefix: "test".into(),
                    allow_chaos: false,
                    chaos,
                };
                (Bus::start(&settings, &name, mouth).expect("a URL"), Some(proxy))
            }
        };
        Node { bus, ear, proxy }
    }

    /// Nothing answers any more; connections stay.
    pub fn freeze(&self) {
        match self {
            Self::Hub(hub) => hub.freeze(),
            Self::Redis(server) => server.stop(),
        }
    }

    pub fn thaw(&self) {
        match self {
            Self::Hub(hub) => hub.thaw(),
            Self::Redis(server) => server.go_on(),
        }
    }

    /// Gone, with all it knew.
    pub fn end(&mut self) {
        match self {
            Self::Hub(hub) => hub.end(),
            Self::Redis(server) => server.kill(),
        }
    }

    pub fn start_again(&mut self) {
        match self {
            Self::Hub(hub) => hub.start_again(),
            Self::Redis(server) => server.start_again(),
        }
    }

    /// That node alone is cut off, without a word.
    pub fn cut(&self, node: &Node) {
        match (self, &node.proxy) {
            (Self::Hub(hub), _) => hub.cut(node.bus.node()),
            (Self::Redis(_), Some(proxy)) => proxy.silence(),
            (Self::Redis(_), None) => unreachable!("every node has a proxy"),
        }
    }

    pub fn heal(&self, node: &Node) {
        match (self, &node.proxy) {
            (Self::Hub(hub), _) => hub.heal(node.bus.node()),
            (Self::Redis(_), Some(proxy)) => proxy.heal(),
            (Self::Redis(_), None) => unreachable!("every node has a proxy"),
        }
    }
}

/// Bounded as a sink must be.
pub struct Mouth(pub mpsc::Sender<Delivery>);

impl Sink for Mouth {
    fn take(&self, delivery: Delivery) -> Result<(), Full> {
        self.0.try_send(delivery).map_err(|_| Full)
    }
}

/// A node, and what its bus brings.
pub struct Node {
    pub bus: Bus,
    pub ear: mpsc::Receiver<Delivery>,
    proxy: Option<Proxy>,
}

impl Node {
    /// Until the bus is so.
    pub async fn is(&self, health: Health) -> State {
        self.state(|state| state.health == health).await
    }

    /// Until its state is so.
    pub async fn state(&self, is_so: impl FnMut(&State) -> bool) -> State {
        let mut watch = self.bus.watch();
        let waiting = timeout(PATIENCE, watch.wait_for(is_so)).await;
        *waiting.expect("it comes about in time").expect("the bus is there")
    }

    /// The next delivery that `pick` takes; others are passed over.
    pub async fn next<T>(&mut self, mut pick: impl FnMut(Delivery) -> Option<T>) -> T {
        let hearing = async {
            loop {
                let delivery = self.ear.recv().await.expect("the bus is there");
                if let Some(picked) = pick(delivery) {
                    return picked;
                }
            }
        };
        timeout(PATIENCE, hearing).await.expect("it comes in time")
    }

    /// The next hint: whose, where, what.
    pub async fn hint(&mut self) -> (NodeId, RoomId, Hint) {
        self.next(|delivery| match delivery {
            Delivery::Hint { node, room, hint } => Some((node, room, hint)),
            _ => None,
        })
        .await
    }

    /// The next event: where, and its place.
    pub async fn event(&mut self) -> (RoomId, i64) {
        self.next(|delivery| match delivery {
            Delivery::Hint { room, hint: Hint::Event(event), .. } => Some((room, event.seq)),
            _ => None,
        })
        .await
    }

    /// Subscribes, until that is in force.
    pub async fn subscribe(&mut self, room: RoomId) {
        self.bus.subscribe(room);
        self.next(|delivery| {
            matches!(delivery, Delivery::Subscribed(it) if it == room).then_some(())
        })
        .await;
    }

    /// Until the people of a subscribed room are so.
    pub async fn people(&mut self, room: RoomId, is_so: impl Fn(&[i64], u64) -> bool) {
        let bus = self.bus.clone();
        let looks = |bus: &Bus| {
            let people = bus.view(|view| view.people(room));
            let users: Vec<i64> = people.users.iter().map(|user| user.id.0).collect();
            is_so(&users, people.guests)
        };
        if !looks(&bus) {
            self.next(|delivery| {
                (matches!(delivery, Delivery::Presence(it) if it == room) && looks(&bus))
                    .then_some(())
            })
            .await;
        }
    }

    /// Somebody comes to a room here, guests are that many.
    pub fn comes(&self, room: RoomId, user: i64, guests: u64) {
        let since = Timestamp::from_secs(user);
        let came = vec![Present { id: UserId(user), name: format!("u{user}"), since, sessions: 1 }];
        let moves = Moves { came, went: Vec::new(), guests, sessions: guests + 1 };
        self.bus.moved(room, &tag(), moves);
    }

    /// Until that many messages are known to be published.
    pub async fn published(&self, messages: u64) {
        let end = Instant::now() + PATIENCE;
        while self.bus.figures().published < messages {
            assert!(Instant::now() < end, "{:?}", self.bus.figures());
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn publish(&self, room: RoomId, seq: i64) {
        self.bus.publish(room, Hint::Event(event(room, seq).into()));
    }
}

pub fn tag() -> RoomTag {
    RoomTag { kind: RoomKind::Named, name: Some("global".into()), by_guest: false }
}

pub fn room() -> RoomId {
    RoomId(ids::random())
}

pub fn event(room: RoomId, seq: i64) -> Event {
    Event {
        id: EventId(ids::random()),
        room,
        seq,
        kind: EventKind::Message,
        author: Author::User(UserId(1)),
        sender: None,
        nick_name: None,
        content: format!("message {seq}"),
        raw: None,
        target: None,
        client_id: None,
        created_at: Timestamp::from_secs(1),
        edited_at: None,
        deleted_at: None,
    }
}
