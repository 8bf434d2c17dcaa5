//! What a message costs between nodes: one publish, however many nodes listen, and nothing at all
//! where nobody is in its room. Redis itself is asked what it was told; processor time is Linux's.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::nodes::nodes;
use crate::support::redis_monitor::RedisMonitor;
use crate::support::redis_server::RedisServer;
use crate::support::{Chatter, Crowd, Phase, Server, nightly};

/// Where somebody listens: so many sockets on each of the nodes that do not post.
const LISTENERS: [[usize; 2]; 4] = [[0, 0], [1, 0], [20, 0], [20, 20]];

/// What one run took.
#[derive(Clone, Copy)]
struct Cost {
    messages: u64,
    took: Duration,
    /// Processor time of each node.
    cpu: [Duration; 3],
    /// Messages that came to each node over the bus.
    received: [u64; 3],
    /// Messages that the one where it is posted left out.
    lost: u64,
}

impl Cost {
    fn micros_a_message(&self, node: usize) -> f64 {
        self.cpu[node].as_secs_f64() * 1e6 / f64::from(u32::try_from(self.messages).expect("few"))
    }

    /// Processor time of a node that another one's message costs it, beyond what it takes anyway.
    fn beyond(&self, idle: &Self, node: usize) -> f64 {
        let anyway =
            idle.cpu[node].as_secs_f64() * self.took.as_secs_f64() / idle.took.as_secs_f64();
        let messages = f64::from(u32::try_from(self.messages).expect("few"));
        (self.cpu[node].as_secs_f64() - anyway) * 1e6 / messages
    }
}

fn cpu(nodes: &[Server; 3]) -> [Duration; 3] {
    [0, 1, 2].map(|node| Duration::from_millis(nodes[node].cpu_ticks() * 10))
}

async fn received(nodes: &[Server; 3]) -> [u64; 3] {
    let [a, b, c] = nodes.each_ref().map(|node| node.bus_messages("received"));
    tokio::join!(a, b, c).into()
}

/// One who sends flat out on the first node, and those who listen on the others.
async fn talk(nodes: &[Server; 3], room: &str, listeners: [usize; 2], messages: usize) -> Cost {
    let crowd = Crowd::new();
    let mut others = JoinSet::new();
    for (node, listeners) in nodes[1..].iter().zip(listeners) {
        for _ in 0..listeners {
            let mut one = Chatter::following(room);
            let mut socket = node.native_guest().await;
            one.enter(&mut socket).await.expect("it stays");
            let crowd = crowd.clone();
            others.spawn(async move {
                one.take_part(&mut socket, &crowd).await.expect("it stays");
                one
            });
        }
    }
    let (mut talker, mut socket) =
        (Chatter::sending("talker", room, 30), nodes[0].native_guest().await);
    talker.enter(&mut socket).await.expect("it stays");
    let (cpu_before, received_before) = (cpu(nodes), received(nodes).await);
    let (lost, began) = (nodes[0].bus_messages("lost").await, Instant::now());
    let until_all_have_it = async {
        crowd.has_answers(messages).await;
        crowd.is_to(Phase::Stop);
        crowd.has_idle(1).await;
        let head = nodes[0].native_guest().await.join(room).await.seq();
        crowd.is_to(Phase::Until(head));
        u64::try_from(head).expect("a seq")
    };
    let (messages, told) = tokio::join!(until_all_have_it, talker.take_part(&mut socket, &crowd));
    told.expect("it stays");
    let all = others.join_all().await;
    let (took, after) = (began.elapsed(), (cpu(nodes), received(nodes).await));
    assert!(all.iter().all(|one| one.follower.seen() == talker.follower.seen()));
    Cost {
        messages,
        took,
        cpu: [0, 1, 2].map(|node| after.0[node].saturating_sub(cpu_before[node])),
        received: [0, 1, 2].map(|node| after.1[node] - received_before[node]),
        lost: nodes[0].bus_messages("lost").await - lost,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_one_publish_and_costs_nothing_where_nobody_is_in_its_room() {
    let messages = if nightly() { 10_000 } else { 500 };
    let redis = RedisServer::start();
    let nodes: [Server; 3] = nodes(&redis).await;
    let mut idle = None;
    for (run, listeners) in LISTENERS.into_iter().enumerate() {
        let room = format!("hall {run}");
        let chat = nodes[0].native_guest().await.join(&room).await.chat();
        let channel = format!("hubbub:main:room:{chat}");
        let monitor = RedisMonitor::of(&redis).await;
        let cost = talk(&nodes, &room, listeners, messages).await;
        let published = monitor.published(&redis).await;
        let events: Vec<_> = published
            .iter()
            .filter(|one| one.channel == channel && one.payload.contains("\"k\":\"event\""))
            .collect();
        let bytes: usize = events.iter().map(|one| one.payload.len()).sum();
        let others = published.len() - events.len();
        // On a machine that is too busy for a second the bus counts as down: what is left out then
        // is counted.
        let (said, lost) = (events.len() as u64, cost.lost);
        let range = cost.messages.saturating_sub(lost)..=cost.messages;
        assert!(range.contains(&said), "one a message: {listeners:?}: {said}, {lost} left out");
        for (node, listeners) in [1, 2].into_iter().zip(listeners) {
            let came = cost.received[node];
            assert!(listeners > 0 || came <= others as u64, "{came} of {others} on other channels");
        }
        let idle = idle.get_or_insert(cost);
        println!(
            "{listeners:?} listeners on the other nodes: {} messages in {:.1?}, one publish and {} \
             bytes each; {others} other publishes; CPU a message: {:.1} us where it is posted, \
             {:.1} and {:.1} us on the others, {:.1} and {:.1} beyond what they take anyway",
            cost.messages,
            cost.took,
            bytes / events.len(),
            cost.micros_a_message(0),
            cost.micros_a_message(1),
            cost.micros_a_message(2),
            cost.beyond(idle, 1),
            cost.beyond(idle, 2),
        );
    }
}
