//! The Writer against a model: posts, copies, rooms and changes of members in any order, many on
//! their way at once, give what one after the other would.

use std::collections::HashMap;

use hubbub::domain::{EventId, RoomId, UserId, clock};
use hubbub::store::{MemberChange, Outcome, UserRow};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::home::{Ear, Home, room_name, user_event, user_id};

const ROOMS: usize = 3;
const USERS: usize = 3;

#[derive(Clone, Debug)]
enum Act {
    Post { room: usize, user: usize, client_id: Option<u8>, stale: bool },
    Add { room: usize, user: usize },
    Remove { room: usize, user: usize },
}

fn act() -> impl Strategy<Value = Act> {
    let (room, user) = (0..ROOMS, 0..USERS);
    prop_oneof![
        12 => (room.clone(), user.clone(), proptest::option::of(0..6_u8), prop::bool::weighted(0.1))
            .prop_map(|(room, user, client_id, stale)| Act::Post { room, user, client_id, stale }),
        1 => (room.clone(), user.clone()).prop_map(|(room, user)| Act::Add { room, user }),
        1 => (room, user).prop_map(|(room, user)| Act::Remove { room, user }),
    ]
}

/// What one room should be.
#[derive(Default)]
struct Model {
    seq: i64,
    rev: i64,
    members: Vec<usize>,
    firsts: HashMap<(usize, u8), i64>,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Stored(i64),
    Duplicate(i64),
    Fenced,
}

fn expected(outcome: &Outcome) -> Option<Expected> {
    match outcome {
        Outcome::Stored(seq) => Some(Expected::Stored(*seq)),
        Outcome::Duplicate(first) => Some(Expected::Duplicate(first.seq)),
        Outcome::Fenced => Some(Expected::Fenced),
        _ => None,
    }
}

async fn check(home: &Home, users: &[UserRow], acts: Vec<Act>) -> Result<(), TestCaseError> {
    let mut ear = Ear::new();
    let owner = user_id(&users[0]);
    let mut rooms: Vec<(RoomId, Model)> = Vec::new();
    for _ in 0..ROOMS {
        let row = home.store.create_group(&room_name("g"), owner, &[], clock::now()).await;
        rooms.push((row.expect("a group").id, Model { members: vec![0], ..Model::default() }));
    }
    let mut posts: HashMap<EventId, Expected> = HashMap::new();
    let mut changes = Vec::new();
    for act in acts {
        match act {
            Act::Post { room, user, client_id, stale } => {
                let (id, model) = &mut rooms[room];
                let mut event = user_event(*id, &users[user].card, "hi");
                event.client_id = client_id.map(|client_id| format!("c{client_id}"));
                let first = client_id.and_then(|id| model.firsts.get(&(user, id)).copied());
                let expected = match first {
                    Some(seq) => Expected::Duplicate(seq),
                    None if stale => Expected::Fenced,
                    None => {
                        model.seq += 1;
                        if let Some(client_id) = client_id {
                            model.firsts.insert((user, client_id), model.seq);
                        }
                        Expected::Stored(model.seq)
                    }
                };
                posts.insert(event.id, expected);
                ear.append(&home.store, event, model.rev - i64::from(stale)).await;
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
                let change = if adds { MemberChange::Add(who) } else { MemberChange::Remove(who) };
                ear.send_change(&home.store, *id, change, owner, clock::now()).await;
            }
        }
    }
    for (id, outcome) in ear.outcomes(posts.len()).await {
        prop_assert_eq!(expected(&outcome), posts.remove(&id), "{:?}", outcome);
    }
    let mut answers: HashMap<RoomId, Vec<_>> = HashMap::new();
    for _ in &changes {
        let answer = ear.changes.recv().await.expect("an answer");
        let after = answer.result.expect("changed");
        let seq = after.event.map(|event| event.seq);
        answers.entry(answer.room).or_default().push((answer.room, seq, after.member_rev));
    }
    for (id, model) in rooms {
        let wanted: Vec<_> = changes.iter().filter(|change| change.0 == id).copied().collect();
        prop_assert_eq!(answers.remove(&id).unwrap_or_default(), wanted);
        let row = home.store.room(id).await.expect("an answer").expect("there");
        prop_assert_eq!((row.last_seq, row.member_rev), (model.seq, model.rev));
        let events = home.store.events_after(id, 0, 10_000, usize::MAX).await.expect("a page");
        let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
        prop_assert_eq!(seqs, (1..=model.seq).collect::<Vec<_>>());
        let members = home.store.members(id).await.expect("rows");
        prop_assert_eq!(members.len(), model.members.len());
    }
    Ok(())
}

fn run(home: impl Future<Output = Home>) {
    let system = actix::System::new();
    let home = system.block_on(home);
    let users: Vec<_> = (0..USERS).map(|n| system.block_on(home.user(&format!("u{n}")))).collect();
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&prop::collection::vec(act(), 1..120), |acts| {
        system.block_on(check(&home, &users, acts))
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
