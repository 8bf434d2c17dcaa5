//! A model of who is in a room and what is told of them: sockets that come and go in any order,
//! typing and read marks, told now and then. The counts are those of a plain list, and who goes by
//! what was told knows in the end who is there, who types and how far each has read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use crate::domain::{Author, Bans, SessionId, Timestamp, UserCard, UserId, ids};
use crate::protocol::Dialect;
use crate::rooms::light::Light;
use crate::rooms::outlet::Slot;
use crate::rooms::seat::Seat;
use crate::rooms::state::RoomState;

#[derive(Clone, Debug)]
enum Act {
    Come {
        user: i64,
        worker: usize,
        plain: bool,
    },
    /// The same socket joins once more.
    Again(prop::sample::Index),
    Go(prop::sample::Index),
    Type {
        which: prop::sample::Index,
        on: bool,
    },
    Read {
        user: i64,
        seq: i64,
    },
    Tell,
}

fn acts(users: i64) -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..users, 0..3_usize, any::<bool>())
            .prop_map(|(user, worker, plain)| Act::Come { user, worker, plain }),
        1 => any::<prop::sample::Index>().prop_map(Act::Again),
        6 => any::<prop::sample::Index>().prop_map(Act::Go),
        3 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(which, on)| Act::Type { which, on }),
        3 => (0..users, 0..60_i64).prop_map(|(user, seq)| Act::Read { user, seq }),
        2 => Just(Act::Tell),
    ]
}

fn seat(user: i64, worker: usize, plain: bool) -> Arc<Seat> {
    let card = UserCard {
        id: user,
        username: format!("user {user}"),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
    };
    Arc::new(Seat {
        session: SessionId(ids::random()),
        slot: Slot::nowhere(worker),
        dialect: if plain { Dialect::Chat } else { Dialect::Native },
        who: Author::User(UserId(user)),
        card: Some(Arc::new(card)),
        nick_name: None,
        login: None,
        ip: IpAddr::from([127, 0, 0, 1]),
        since: Timestamp::default(),
    })
}

/// What one knows who hears what is told, and nothing else.
#[derive(Default)]
struct Hearer {
    here: BTreeSet<i64>,
    count: u64,
    types: BTreeMap<i64, bool>,
    read: BTreeMap<i64, i64>,
}

impl Hearer {
    fn hear(&mut self, light: &mut Light, state: &RoomState) {
        let news = light.take();
        if let Some((came, went)) = news.presence {
            assert!(came.len() <= 100 && went.len() <= 100, "a frame names so many at most");
            let id = |person: &crate::protocol::native::Person| person.user_id.unwrap_or_default();
            self.here.extend(came.iter().map(id));
            for gone in went.iter().map(id) {
                self.here.remove(&gone);
            }
            self.count = state.presence().people();
        }
        for typist in news.typing {
            self.types.insert(typist.user.map_or(0, |user| user.0), typist.on);
        }
        for (user, seq) in news.read {
            let before = self.read.insert(user.0, seq);
            assert!(before.is_none_or(|before| before < seq), "a mark only grows");
        }
        assert!(light.is_empty());
    }
}

struct House {
    state: RoomState,
    light: Light,
    seats: Vec<Arc<Seat>>,
    hearer: Hearer,
    types: BTreeMap<i64, bool>,
    read: BTreeMap<i64, i64>,
}

impl House {
    fn people(&self) -> BTreeSet<i64> {
        self.seats.iter().filter_map(|seat| seat.user()).map(|user| user.0).collect()
    }

    fn is_here(&self, who: Author) -> bool {
        self.seats.iter().any(|seat| seat.who == who)
    }

    fn sit(&mut self, seat: Arc<Seat>) {
        let was_here = self.is_here(seat.who);
        let (is_again, is_new) = self.state.join(Arc::clone(&seat));
        assert_eq!(is_new, !was_here);
        if is_new {
            self.light.came(&seat);
        }
        if !is_again {
            self.seats.push(seat);
        }
    }

    fn act(&mut self, act: &Act) {
        let some = |which: &prop::sample::Index| {
            (!self.seats.is_empty()).then(|| which.index(self.seats.len()))
        };
        match act {
            Act::Come { user, worker, plain } => self.sit(seat(*user, *worker, *plain)),
            Act::Again(which) => {
                if let Some(at) = some(which) {
                    self.sit(Arc::clone(&self.seats[at]));
                }
            }
            Act::Go(which) => {
                if let Some(at) = some(which) {
                    let seat = self.seats.swap_remove(at);
                    let user = seat.user().map_or(0, |user| user.0);
                    let left = self.state.leave(seat.session).map(|(_, is_gone)| is_gone);
                    let is_gone = !self.is_here(seat.who);
                    assert_eq!(left, Some(is_gone));
                    if is_gone {
                        self.light.went(&seat);
                        // Nobody is told that one who has gone types no more.
                        self.types.remove(&user);
                        self.hearer.types.remove(&user);
                    }
                    assert!(self.state.leave(seat.session).is_none(), "he goes once");
                }
            }
            Act::Type { which, on } => {
                if let Some(at) = some(which) {
                    self.light.typing(&self.seats[at], *on);
                    self.types.insert(self.seats[at].user().map_or(0, |user| user.0), *on);
                }
            }
            Act::Read { user, seq } => {
                let is_member = self.state.members().any(|member| member.0 == *user);
                if self.state.read_to(UserId(*user), *seq) {
                    assert!(is_member, "who is no member has no mark");
                    let seq = self.state.read_seq(UserId(*user));
                    self.light.read(UserId(*user), seq);
                    self.read.insert(*user, seq);
                }
            }
            Act::Tell => self.hearer.hear(&mut self.light, &self.state),
        }
    }

    fn counts_hold(&self) {
        let state = &self.state;
        assert_eq!(state.presence().people(), self.people().len() as u64);
        assert_eq!(state.presence().sessions(), self.seats.len() as u64);
        let workers: BTreeSet<usize> = self.seats.iter().map(|seat| seat.slot.worker).collect();
        assert_eq!(state.workers().collect::<BTreeSet<_>>(), workers);
        for dialect in [Dialect::Chat, Dialect::Native] {
            let speaks = self.seats.iter().any(|seat| seat.dialect == dialect);
            assert_eq!(state.speaks(dialect), speaks);
        }
    }
}

fn house(members: i64) -> House {
    let mut state = super::state(50);
    let members = (0..members).map(|user| (UserId(user), crate::domain::Role::Member));
    state.set_members(members.collect::<HashMap<_, _>>(), Bans::default(), 1);
    House {
        state,
        light: Light::default(),
        seats: Vec::new(),
        hearer: Hearer::default(),
        types: BTreeMap::new(),
        read: BTreeMap::new(),
    }
}

proptest! {
    #[test]
    fn who_hears_what_is_told_knows_who_is_there(
        acts in prop::collection::vec(acts(12), 1..200),
    ) {
        let mut house = house(6);
        for act in &acts {
            house.act(act);
            house.counts_hold();
        }
        house.act(&Act::Tell);
        prop_assert_eq!(&house.hearer.here, &house.people());
        prop_assert_eq!(house.hearer.count, house.people().len() as u64);
        prop_assert_eq!(&house.hearer.types, &house.types);
        prop_assert_eq!(&house.hearer.read, &house.read);
        prop_assert!(house.read.values().all(|seq| *seq <= 50), "never past the head");
    }

    #[test]
    fn a_crowd_is_counted_right_and_never_all_named(
        acts in prop::collection::vec(acts(2_000), 250..350),
    ) {
        let mut house = house(0);
        acts.iter().filter(|act| !matches!(act, Act::Tell)).for_each(|act| house.act(act));
        // A frame names a hundred who came and a hundred who went at most; the count says the rest.
        house.act(&Act::Tell);
        house.counts_hold();
        prop_assert_eq!(house.hearer.count, house.people().len() as u64);
    }
}
