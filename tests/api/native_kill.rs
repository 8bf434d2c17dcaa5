//! PROTOCOL.md, promises 2, 3 and 4 against `kill -9`: what was answered is kept, once, where the
//! `ok` said; what was not is sent again and stored once; whoever resumes holds what a newcomer
//! loads.

use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::socket::Door;
use crate::support::{Account, Chatter, Crowd, Follower, Native, Phase, Server, Setup, nightly};

/// Somebody who takes part, by his token when he has an account.
struct One {
    chatter: Chatter,
    access: Option<String>,
}

impl One {
    fn door(&self, server: &Server) -> Door {
        let door = server.native("/ws/");
        match &self.access {
            Some(access) => door.bearer(access),
            None => door,
        }
    }
}

/// Three guests who send and two who listen in a public room, and the same of a group's members.
fn crowd(group: &str, members: &[Account]) -> Vec<One> {
    let mut all = Vec::new();
    for number in 0..5 {
        let access = Some(members[number % members.len()].access.clone());
        for (room, access) in [("open", None), (group, access)] {
            let kind = if access.is_some() { "member" } else { "guest" };
            let chatter = if number < 3 {
                Chatter::sending(&format!("{kind} {number}"), room, 100)
            } else {
                Chatter::following(room)
            };
            all.push(One { chatter, access });
        }
    }
    all
}

/// Everybody takes part until the server is gone, or until all is over.
fn let_in(server: &Server, all: Vec<One>, crowd: &Crowd) -> JoinSet<One> {
    let mut tasks = JoinSet::new();
    for mut one in all {
        let (door, crowd) = (one.door(server), crowd.clone());
        tasks.spawn(async move {
            let ended = one.chatter.live(&door, &crowd).await;
            assert!(matches!(ended, Ok(()) | Err(None)), "a killed server says nothing: {ended:?}");
            one
        });
    }
    tasks
}

/// The room from its first event on, as one loads it who was never there.
async fn afresh(socket: &mut Native, room: &str) -> (Vec<Value>, Follower) {
    let mut follower = Follower::of(room);
    follower.join(socket).await.expect("it stays");
    let all = socket.whole_history(room, follower.have()).await;
    (all, follower)
}

on_both_databases! {
    async fn after_kill_9_every_ok_is_kept_once_and_everybody_resumes_to_the_same(setup: Setup) {
        let mut server = setup.start().await;
        let members = Account::many(&server, 3).await;
        let group = members[0].create_group("group", &[&members[1], &members[2]]).await;
        // A guest is first: so guests are welcome.
        server.native_guest().await.join("open").await;
        let mut all = crowd(&group, &members);
        let senders = all.iter().filter(|one| one.chatter.sender.is_some()).count();
        let talk = Crowd::new();
        let kills = if nightly() { 20 } else { 3 };
        for round in 0..kills {
            let mut tasks = let_in(&server, all, &talk);
            tokio::select! {
                () = talk.has_answers(talk.answered() + 200 + 37 * round) => {}
                _ = tasks.join_next() => panic!("somebody went before the kill"),
            }
            server.signal("KILL");
            all = tasks.join_all().await;
            server = server.restart().await;
        }
        talk.is_to(Phase::Stop);
        let mut tasks = let_in(&server, all, &talk);
        tokio::select! {
            () = talk.has_idle(senders) => {}
            _ = tasks.join_next() => panic!("nobody was told to go"),
        }
        let (mut guest, mut member) =
            (server.native_guest().await, server.native_as(&members[0].at(&server)).await);
        let (open, in_open) = afresh(&mut guest, "open").await;
        let (group_events, in_group) = afresh(&mut member, &group).await;
        // Longer than either: each is told of its own end below.
        talk.is_to(Phase::Until(in_open.have().min(in_group.have())));
        let mut all = tasks.join_all().await;
        let (mut sent, mut duplicates, mut resumed) = (0, 0, 0);
        for one in &mut all {
            let is_guest = one.access.is_none();
            let (room, fresh, events) = if is_guest {
                ("open", &in_open, &open)
            } else {
                (group.as_str(), &in_group, &group_events)
            };
            let mut socket = one.door(&server).hello().await;
            let follower = &mut one.chatter.follower;
            follower.join(&mut socket).await.expect("it stays");
            assert_eq!(follower.have(), fresh.have(), "{room}");
            assert_eq!(follower.seen(), fresh.seen(), "{room}: as one who was never there");
            assert!(follower.resumed >= kills, "{room}: {} resumes", follower.resumed);
            resumed += follower.resumed;
            if let Some(sender) = &one.chatter.sender {
                sender.is_kept_in(events);
                sent += sender.sent();
                duplicates += sender.duplicates;
            }
        }
        println!(
            "{kills} kills: {sent} messages with an ok, each kept once; {duplicates} were sent \
             again and known; {resumed} resumes"
        );
    }
}
