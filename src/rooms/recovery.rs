//! Tests of what no client can bring about: a room's actor that panics. Real store, registry and
//! Shard; the sockets are ears that write down what they hear.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::Notify;
use uuid::Uuid;

use super::joining::{Join, Wants};
use super::ledger::Tally;
use super::outlet::{self, Backlog, Outlet};
use super::{Post, Refused, RoomHandle, Rooms, Seat, Shards};
use crate::config::Settings;
use crate::domain::figures::Ledger;
use crate::domain::{Author, Identity, Posted, RoomId, RoomName, SessionId, clock, ids};
use crate::protocol::{CloseCode, Dialect, Frame, Opening};
use crate::store::Store;

#[derive(Default)]
pub(super) struct Ear {
    pub heard: RefCell<Vec<String>>,
    pub closed: Cell<Option<u16>>,
    is_seated: Cell<bool>,
    /// The next frame gets lost, and nobody is told.
    swallows: Cell<bool>,
    something: Notify,
}

impl Outlet for Ear {
    fn deliver(&self, frames: &[Frame], tally: Option<&mut Tally>) -> usize {
        if self.swallows.take() {
            return 0;
        }
        if let Some(tally) = tally {
            tally.wrote(frames.len() as u64);
        }
        let texts =
            frames.iter().map(|frame| String::from_utf8_lossy(&frame.payload()).into_owned());
        self.heard.borrow_mut().extend(texts);
        self.something.notify_one();
        0
    }
    fn seated(&self, _: RoomId, opening: &[Frame], tally: &mut Tally) {
        self.is_seated.set(true);
        self.deliver(opening, Some(tally));
        self.something.notify_one();
    }
    fn settle(&self, _: u64, _: Result<Posted, Refused>) {}
    fn part(&self, _: RoomId, code: CloseCode, _: bool) {
        self.close(code);
    }
    fn close(&self, code: CloseCode) {
        self.closed.set(Some(code.plain));
        self.something.notify_one();
    }
    fn backlog(&self) -> Backlog {
        Backlog::default()
    }
    fn last_heard(&self) -> Instant {
        Instant::now()
    }
    fn due(&self) -> Option<Instant> {
        None
    }
    fn wake(&self) {}
}

impl Ear {
    pub async fn is_closed(&self) -> u16 {
        self.until(|ear| ear.closed.get()).await
    }

    pub async fn hears(&self, count: usize) -> Vec<String> {
        self.until(|ear| (ear.heard.borrow().len() >= count).then(|| ear.heard.borrow().clone()))
            .await
    }

    /// Waits until this is the newest that it heard.
    pub async fn hears_at_last(&self, frame: &str) {
        self.until(|ear| (ear.heard.borrow().last()? == frame).then_some(())).await;
    }

    async fn until<T>(&self, look: impl Fn(&Self) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(seen) = look(self) {
                    return seen;
                }
                self.something.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it comes in time")
    }
}

pub(super) struct House {
    pub rooms: Rooms,
    pub store: Store,
    pub settings: Settings,
    _dir: tempfile::TempDir,
}

pub(super) async fn house() -> House {
    let dir = tempfile::tempdir().expect("a directory");
    let mut settings = Settings::defaults();
    settings.faults.room_panics_on = "boom".into();
    settings.store.database_url = format!("sqlite://{}", dir.path().join("test.db").display());
    let store = Store::open(&settings.store).await.expect("a store");
    store.migrate().await.expect("tables");
    let rooms = Rooms::start(store.clone(), &settings, "test").await.expect("rooms");
    rooms.start_shard(&settings.session);
    House { rooms, store, settings, _dir: dir }
}

impl House {
    pub async fn room(&self, name: &str) -> RoomId {
        let name = RoomName::parse(name).expect("a name");
        self.store.open_named(&name, None, false, clock::now()).await.expect("a room").0.id
    }

    async fn enter(&self, room: RoomId) -> (Rc<Ear>, Arc<RoomHandle>) {
        self.enter_as(room, Author::Guest(ids::random())).await
    }

    pub async fn enter_as(&self, room: RoomId, who: Author) -> (Rc<Ear>, Arc<RoomHandle>) {
        let ear = Rc::<Ear>::default();
        let shard = Shards::here().expect("a Shard");
        let seat = Seat {
            session: SessionId(ids::random()),
            slot: outlet::open(shard.worker, Rc::clone(&ear) as Rc<dyn Outlet>),
            dialect: Dialect::Guest,
            who,
            card: None,
            nick_name: None,
            login: None,
            ip: IpAddr::from([127, 0, 0, 1]),
            since: clock::now(),
        };
        let join = Join::new(room, Arc::new(seat), Wants::Opening(Opening::Nothing), shard);
        let handle = self.rooms.enter(room, join).await.expect("a way in");
        ear.until(|ear| ear.is_seated.get().then_some(())).await;
        (ear, handle)
    }

    pub async fn say(&self, room: RoomId, text: &str) -> i64 {
        self.post(room, text).await.expect("it is stored").event.seq
    }

    async fn post(&self, room: RoomId, text: &str) -> Result<Posted, Refused> {
        self.post_as(room, ids::random(), text).await
    }

    pub async fn post_as(&self, room: RoomId, guest: Uuid, text: &str) -> Result<Posted, Refused> {
        let post = Post {
            by: Identity::Guest(guest),
            content: text.into(),
            nick_name: None,
            raw: None,
            client_id: None,
        };
        self.rooms.post(room, post).await
    }

    /// Of the second look: the first one has the accounts balanced.
    async fn ledger(&self, room: RoomId) -> Ledger {
        self.rooms.detail(room, 9).await.expect("a live room");
        self.rooms.detail(room, 9).await.expect("a live room").ledger
    }
}

#[test]
fn a_room_that_panics_is_made_anew_with_its_sockets_and_nothing_is_lost_or_doubled() {
    System::new().block_on(async {
        let house = house().await;
        let room = house.room("x").await;
        let (first, handle) = house.enter(room).await;
        let (second, _) = house.enter(room).await;
        assert_eq!(house.say(room, "one").await, 1);
        assert_eq!(first.hears(1).await, [r#"{"message":"one"}"#]);

        assert_eq!(house.post(room, "boom").await.err(), Some(Refused::UnknownOutcome));
        while handle.addr.connected() {
            tokio::task::yield_now().await;
        }
        assert_eq!(house.say(room, "two").await, 2);
        assert_eq!(house.say(room, "three").await, 3);

        let all = [r#"{"message":"one"}"#, r#"{"message":"two"}"#, r#"{"message":"three"}"#];
        for ear in [&first, &second] {
            assert_eq!(ear.hears(3).await, all);
            assert_eq!(ear.closed.get(), None);
        }
        let live = house.rooms.live();
        assert_eq!((live.len(), live[0].active_users, live[0].sessions), (1, 2, 2));
        assert!(!handle.addr.connected());
        let (third, _) = house.enter(room).await;
        assert_eq!(house.say(room, "four").await, 4);
        assert_eq!(third.hears(1).await, [r#"{"message":"four"}"#]);
        let ledger = house.ledger(room).await;
        assert_eq!((ledger.imbalance, ledger.due, ledger.written), (0, 9, 9));
        house.store.close().await;
    });
}

#[test]
fn a_frame_that_gets_lost_unbalances_the_ledger() {
    System::new().block_on(async {
        let house = house().await;
        let room = house.room("x").await;
        let (first, _) = house.enter(room).await;
        let (second, _) = house.enter(room).await;
        house.say(room, "one").await;
        first.hears(1).await;
        second.hears(1).await;
        let ledger = house.ledger(room).await;
        assert_eq!((ledger.imbalance, ledger.due, ledger.written), (0, 2, 2));
        second.swallows.set(true);
        house.say(room, "two").await;
        first.hears(2).await;
        let ledger = house.ledger(room).await;
        assert_eq!((ledger.imbalance, ledger.due, ledger.written), (1, 4, 3));
        assert_eq!(house.rooms.ledger().await.imbalance, 1);
        house.store.close().await;
    });
}
