//! The Writer against a model: posts, copies, acts on messages, rooms and changes of members in any
//! order, many on their way at once or one by one, give what one after the other would, and so does
//! what another process posts in between.

use std::collections::HashMap;

use hubbub::domain::{Event, EventId, EventKind, NewEvent, RoomId, UserId, clock};
use hubbub::store::{MemberChange, MembersChanged, Outcome, Store, UserRow};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::home::{Ear, Home, act, reaction, room_name, user_event, user_id};

const ROOMS: usize = 3;
const USERS: usize = 3;

#[derive(Clone, Debug)]
enum Act {
    Post {
        room: usize,
        user: usize,
        client_id: Option<u8>,
        stale: bool,
    },
    OnMessage {
        room: usize,
        user: usize,
        which: prop::sample::Index,
        deed: Deed,
    },
    Add {
        room: usize,
        user: usize,
    },
    Remove {
        room: usize,
        user: usize,
    },
    /// Everything sent so far is answered before the next.
    Rest,
    /// Another process posts, while this one rests.
    Elsewhere {
        room: usize,
        user: usize,
    },
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Edit(u8),
    Delete { moderates: bool },
    React { emoji: u8, on: bool },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..3_u8).prop_map(Deed::Edit),
        1 => any::<bool>().prop_map(|moderates| Deed::Delete { moderates }),
        4 => (0..2_u8, any::<bool>()).prop_map(|(emoji, on)| Deed::React { emoji, on }),
    ]
}

fn acts() -> impl Strategy<Value = Act> {
    let (room, user) = (0..ROOMS, 0..USERS);
    prop_oneof![
        12 => (room.clone(), user.clone(), proptest::option::of(0..6_u8), prop::bool::weighted(0.1))
            .prop_map(|(room, user, client_id, stale)| Act::Post { room, user, client_id, stale }),
        12 => (room.clone(), user.clone(), any::<prop::sample::Index>(), deed())
            .prop_map(|(room, user, which, deed)| Act::OnMessage { room, user, which, deed }),
        1 => (room.clone(), user.clone()).prop_map(|(room, user)| Act::Add { room, user }),
        1 => (room.clone(), user.clone()).prop_map(|(room, user)| Act::Remove { room, user }),
        4 => Just(Act::Rest),
        1 => (room, user).prop_map(|(room, user)| Act::Elsewhere { room, user }),
    ]
}

/// What one room should be.
#[derive(Default)]
struct Model {
    seq: i64,
    rev: i64,
    members: Vec<usize>,
    owner: Option<usize>,
    firsts: HashMap<(usize, u8), i64>,
    messages: Vec<Message>,
}

/// What one message should be.
struct Message {
    sent: NewEvent,
    by: usize,
    text: String,
    edited: bool,
    deleted: bool,
    reactions: HashMap<(usize, u8), bool>,
}

impl Model {
    fn stored(&mut self) -> Expected {
        self.seq += 1;
        Expected::Stored(self.seq)
    }

    /// What a deed on a message should answer.
    fn deed(&mut self, which: usize, user: usize, deed: Deed) -> Expected {
        let message = &mut self.messages[which];
        let own = message.by == user;
        match deed {
            Deed::Edit(_) if !own => return Expected::NotAllowed,
            Deed::Delete { moderates } if !own && !moderates => return Expected::NotAllowed,
            Deed::Delete { .. } if message.deleted => return Expected::Unchanged(self.seq),
            _ if message.deleted => return Expected::NoTarget,
            Deed::Edit(text) => {
                let text = format!("text {text}");
                if message.text == text {
                    return Expected::Unchanged(self.seq);
                }
                (message.text, message.edited) = (text, true);
            }
            Deed::Delete { .. } => (message.text, message.deleted) = (String::new(), true),
            Deed::React { emoji, on } => {
                if message.reactions.insert((user, emoji), on).unwrap_or(false) == on {
                    return Expected::Unchanged(self.seq);
                }
            }
        }
        self.stored()
    }

    /// What the room's history says of its messages, against what it should say.
    fn compare(&self, events: &[Event]) -> Result<(), TestCaseError> {
        for message in &self.messages {
            let row = events.iter().find(|event| event.id == message.sent.id).expect("there");
            prop_assert_eq!(&row.content, &message.text);
            prop_assert_eq!(row.edited_at.is_some(), message.edited);
            prop_assert_eq!(row.deleted_at.is_some(), message.deleted);
            let mut edits = events.iter().filter(|event| {
                event.kind == EventKind::Edit && event.target == Some(message.sent.id)
            });
            prop_assert!(!message.deleted || edits.all(|edit| edit.content.is_empty()));
        }
        Ok(())
    }
}

impl Message {
    fn new(sent: NewEvent, by: usize) -> Self {
        let text = sent.content.clone();
        Self { sent, by, text, edited: false, deleted: false, reactions: HashMap::new() }
    }
}

impl Deed {
    fn by(self, user: &UserRow, on: &NewEvent) -> NewEvent {
        let event = match self {
            Self::Edit(text) => act(EventKind::Edit, on, &format!("text {text}")),
            Self::Delete { .. } => act(EventKind::Delete, on, ""),
            Self::React { emoji, on: set } => reaction(on, &format!("emoji {emoji}"), set),
        };
        let by = user_event(on.room, &user.card, "");
        NewEvent { author: by.author, sender: by.sender, ..event }
    }
}

#[derive(Debug, PartialEq)]
enum Expected {
    Stored(i64),
    Duplicate(i64),
    Fenced,
    NoTarget,
    NotAllowed,
    Unchanged(i64),
}

fn expected(outcome: &Outcome) -> Option<Expected> {
    match outcome {
        Outcome::Stored(seq) => Some(Expected::Stored(*seq)),
        Outcome::Duplicate(first) => Some(Expected::Duplicate(first.seq)),
        Outcome::Fenced => Some(Expected::Fenced),
        Outcome::NoTarget => Some(Expected::NoTarget),
        Outcome::NotAllowed => Some(Expected::NotAllowed),
        Outcome::Unchanged(seq) => Some(Expected::Unchanged(*seq)),
        _ => None,
    }
}

fn post(card: &UserRow, room: RoomId, client_id: Option<u8>) -> NewEvent {
    let mut event = user_event(room, &card.card, "hi");
    event.client_id = client_id.map(|client_id| format!("c{client_id}"));
    event
}

/// What was answered so far.
#[derive(Default)]
struct Answers {
    outcomes: Vec<(EventId, Outcome)>,
    changes: Vec<MembersChanged>,
}

impl Answers {
    /// Until this many are answered.
    async fn hear(&mut self, ear: &mut Ear, outcomes: usize, changes: usize) {
        self.outcomes.extend(ear.outcomes(outcomes - self.outcomes.len()).await);
        while self.changes.len() < changes {
            self.changes.push(ear.changes.recv().await.expect("an answer"));
        }
    }
}

/// Each room's, in order: its event's `seq`, and what the members' revision is by it.
fn answers_by_room(
    changes: Vec<MembersChanged>,
) -> HashMap<RoomId, Vec<(RoomId, Option<i64>, i64)>> {
    let mut answers: HashMap<RoomId, Vec<_>> = HashMap::new();
    for answer in changes {
        let after = answer.result.expect("changed");
        let seq = after.event.map(|event| event.seq);
        answers.entry(answer.room).or_default().push((answer.room, seq, after.member_rev));
    }
    answers
}

async fn check(
    home: &Home,
    other: &Store,
    users: &[UserRow],
    acts: Vec<Act>,
) -> Result<(), TestCaseError> {
    let (mut ear, mut answers) = (Ear::new(), Answers::default());
    let owner = user_id(&users[0]);
    let mut rooms: Vec<(RoomId, Model)> = Vec::new();
    for _ in 0..ROOMS {
        let row = home.store.create_group(&room_name("g"), owner, &[], clock::now()).await;
        rooms.push((
            row.expect("a group").id,
            Model { members: vec![0], owner: Some(0), ..Model::default() },
        ));
    }
    let mut posts: HashMap<EventId, Expected> = HashMap::new();
    let mut changes = Vec::new();
    for act in acts {
        match act {
            Act::Post { room, user, client_id, stale } => {
                let (id, model) = &mut rooms[room];
                let event = post(&users[user], *id, client_id);
                let first = client_id.and_then(|id| model.firsts.get(&(user, id)).copied());
                let expected = match first {
                    Some(seq) => Expected::Duplicate(seq),
                    None if stale => Expected::Fenced,
                    None => {
                        let stored = model.stored();
                        if let Some(client_id) = client_id {
                            model.firsts.insert((user, client_id), model.seq);
                        }
                        model.messages.push(Message::new(event.clone(), user));
                        stored
                    }
                };
                posts.insert(event.id, expected);
                ear.append(&home.store, event, model.rev - i64::from(stale)).await;
            }
            Act::OnMessage { room, user, which, deed } => {
                let (id, model) = &mut rooms[room];
                let target =
                    (!model.messages.is_empty()).then(|| which.index(model.messages.len()));
                // On nobody's message, when there is none.
                let absent = || user_event(*id, &users[user].card, "never sent");
                let on = target.map_or_else(absent, |at| model.messages[at].sent.clone());
                let event = deed.by(&users[user], &on);
                let moderates = matches!(deed, Deed::Delete { moderates: true });
                let expected =
                    target.map_or(Expected::NoTarget, |target| model.deed(target, user, deed));
                posts.insert(event.id, expected);
                ear.append_as(&home.store, event, model.rev, moderates).await;
            }
            Act::Add { room, user } | Act::Remove { room, user } => {
                let (id, model) = &mut rooms[room];
                let who = UserId(users[user].card.id);
                let there = model.members.contains(&user);
                let adds = matches!(act, Act::Add { .. });
                if adds && !there {
                    model.members.push(user);
                } else if !adds {
                    model.members.retain(|member| *member != user);
                }
                let does = adds != there;
                model.seq += i64::from(does);
                model.rev += i64::from(does);
                changes.push((*id, does.then_some(model.seq), model.rev));
                if does && !adds && model.owner == Some(user) {
                    // His heir is promoted by an event of its own.
                    model.owner = model.members.first().copied();
                    model.seq += i64::from(model.owner.is_some());
                }
                let change = if adds { MemberChange::Add(who) } else { MemberChange::Remove(who) };
                ear.send_change(&home.store, *id, change, owner, clock::now()).await;
            }
            Act::Rest => answers.hear(&mut ear, posts.len(), changes.len()).await,
            Act::Elsewhere { room, user } => {
                answers.hear(&mut ear, posts.len(), changes.len()).await;
                let (id, model) = &mut rooms[room];
                let event = post(&users[user], *id, None);
                let expected_there = model.stored();
                model.messages.push(Message::new(event.clone(), user));
                let there = Ear::new().post(other, event, model.rev).await;
                prop_assert_eq!(expected(&there), Some(expected_there));
            }
        }
    }
    answers.hear(&mut ear, posts.len(), changes.len()).await;
    for (id, outcome) in answers.outcomes {
        prop_assert_eq!(expected(&outcome), posts.remove(&id), "{:?}", outcome);
    }
    let mut by_room = answers_by_room(answers.changes);
    for (id, model) in rooms {
        let wanted: Vec<_> = changes.iter().filter(|change| change.0 == id).copied().collect();
        prop_assert_eq!(by_room.remove(&id).unwrap_or_default(), wanted);
        let row = home.store.room(id).await.expect("an answer").expect("there");
        prop_assert_eq!((row.last_seq, row.member_rev), (model.seq, model.rev));
        let events = home.store.events_after(id, 0, 10_000, usize::MAX).await.expect("a page");
        let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
        prop_assert_eq!(seqs, (1..=model.seq).collect::<Vec<_>>());
        model.compare(&events)?;
        let members = home.store.members(id).await.expect("rows");
        prop_assert_eq!(members.len(), model.members.len());
    }
    Ok(())
}

fn run(home: impl Future<Output = Home>) {
    let system = actix::System::new();
    let home = system.block_on(home);
    let other = system.block_on(home.another());
    let users: Vec<_> = (0..USERS).map(|n| system.block_on(home.user(&format!("u{n}")))).collect();
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&prop::collection::vec(acts(), 1..120), |acts| {
        system.block_on(check(&home, &other, &users, acts))
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn sqlite_does_as_the_model_says() {
    run(Home::sqlite());
}

#[test]
fn postgres_does_as_the_model_says() {
    run(Home::postgres());
}
