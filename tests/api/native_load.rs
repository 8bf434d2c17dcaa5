//! PROTOCOL.md, promises 1 to 5 under load: a crowd in one room, senders flat out, everybody
//! dropped and back again and again. All end with the same, and nothing of it twice.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::support::dice::Dice;
use crate::support::socket::Door;
use crate::support::{Chatter, Crowd, Phase, Setup, nightly};

const CLIENTS: usize = 200;
const SENDERS: usize = 20;
/// The room that all are in.
const ROOM: &str = "open";

/// Comes, stays for about a second, is dropped or cut off, comes back; until the crowd is told to
/// go. Also how often the server closed it for reading slowly.
async fn come_and_go(
    door: Door,
    mut one: Chatter,
    crowd: Crowd,
    drops: watch::Sender<usize>,
    seed: u64,
) -> (Chatter, usize) {
    let mut dice = Dice::new(seed);
    let mut too_slow = 0;
    loop {
        let mut socket = door.clone().hello().await;
        let entered = one.enter(&mut socket).await;
        // Only who is in is dropped: on a slow machine nobody would ever get further otherwise.
        let stays = Duration::from_millis(500 + dice.below(1_000));
        let ended = match entered {
            Ok(()) => timeout(stays, one.take_part(&mut socket, &crowd)).await,
            Err(ended) => Ok(Err(ended)),
        };
        match ended {
            Ok(Ok(())) => return (one, too_slow),
            Ok(Err(code)) => {
                assert_eq!(code, Some(4002), "nothing else is the server's to close for");
                too_slow += 1;
            }
            Err(_) => {
                drops.send_modify(|so_far| *so_far += 1);
                if dice.below(2) == 0 {
                    socket.reset();
                }
            }
        }
    }
}

async fn everybody_ends_with_the_same(setup: Setup) {
    let for_so_long = Duration::from_secs(if nightly() { 30 } else { 6 });
    let server = setup.for_a_crowd().start().await;
    let (crowd, drops) = (Crowd::new(), watch::Sender::new(0));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let one = if number < SENDERS {
            Chatter::sending(&format!("sender {number}"), ROOM, 40)
        } else {
            Chatter::following(ROOM)
        };
        let (door, crowd, drops) = (server.native("/ws/"), crowd.clone(), drops.clone());
        clients.spawn(come_and_go(door, one, crowd, drops, number as u64));
    }
    let began = Instant::now();
    let everything = async {
        // The load's length is what is asked for here; nothing is awaited by it.
        sleep(for_so_long).await;
        crowd.has_answers(SENDERS).await;
        drops.subscribe().wait_for(|so_far| *so_far >= CLIENTS).await.expect("they come and go");
        crowd.is_to(Phase::Stop);
        crowd.has_idle(SENDERS).await;
        let mut reader = server.native_guest().await;
        let head = reader.join(ROOM).await.seq();
        crowd.is_to(Phase::Until(head));
        (reader, head)
    };
    let (mut reader, head) = tokio::select! {
        done = everything => done,
        gone = clients.join_next() => panic!("nobody was told to go: {:?}", gone.map(|_| ())),
    };
    let talked = began.elapsed();
    let clients = clients.join_all().await;
    let history = reader.whole_history(ROOM, head).await;

    let first = clients[0].0.follower.seen();
    let (mut sent, mut duplicates, mut resumed, mut lagged) = (0, 0, 0, 0);
    let mut slow = 0;
    for (one, too_slow) in &clients {
        assert_eq!(one.follower.have(), head);
        assert_eq!(one.follower.seen(), first, "one order for all");
        resumed += one.follower.resumed;
        lagged += one.follower.lagged;
        slow += too_slow;
        if let Some(sender) = &one.sender {
            sender.is_kept_in(&history);
            sent += sender.sent();
            duplicates += sender.duplicates;
        }
    }
    assert_eq!(i64::try_from(sent), Ok(head), "every event has its ok, and every ok its event");
    let drops = *drops.borrow();
    println!(
        "{CLIENTS} clients, {SENDERS} senders, {talked:.1?}: {sent} messages stored and held by \
         all, {drops} drops, {resumed} resumes, {duplicates} sent again and known, {lagged} \
         times lag, {slow} times 4002"
    );
}

#[tokio::test]
async fn clients_that_come_and_go_while_others_send_all_end_with_the_same() {
    everybody_ends_with_the_same(Setup::direct()).await;
}

#[tokio::test]
async fn clients_that_come_and_go_all_end_with_the_same_on_actix_web_actors() {
    if nightly() {
        everybody_ends_with_the_same(Setup::actix_web_actors()).await;
    }
}
