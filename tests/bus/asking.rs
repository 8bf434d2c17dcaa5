//! Questions to other nodes: answers that come in a second, and who is missing.

use std::time::{Duration, Instant};

use hubbub::bus::{Delivery, Health, Reply, To, View};
use hubbub::domain::NodeId;
use hubbub::domain::nodes::Question;
use tokio::join;

use crate::place::{Node, Place, on_both, room};

on_both!(
    every_other_node_answers,
    one_node_alone_can_be_asked,
    a_node_that_does_not_answer_in_time_is_missing,
    while_the_bus_is_down_everybody_is_missing_at_once,
);

async fn asked(node: &mut Node) -> (Question, Reply) {
    node.next(|delivery| match delivery {
        Delivery::Asked { question, reply } => Some((question, reply)),
        _ => None,
    })
    .await
}

async fn answers(node: &mut Node, answer: u64) {
    let (question, reply) = asked(node).await;
    assert_eq!((question, reply.asker().as_str()), (Question::Busiest, "a"));
    reply.answer(&answer);
}

async fn every_other_node_answers(place: Place) {
    let (a, mut b, mut c) = (place.join("a").await, place.join("b").await, place.join("c").await);
    c.is(Health::Connected).await;
    knows_two(&a).await;
    let asking = a.bus.ask(To::Others, Question::Busiest);
    let (said, (), ()) = join!(asking, answers(&mut b, 1), answers(&mut c, 2));
    let (mut said, missing) = said.read::<u64>();
    said.sort();
    assert_eq!(said, [(NodeId::from("b"), 1), (NodeId::from("c"), 2)]);
    assert!(missing.is_empty());
}

/// Until a node has heard of two others.
async fn knows_two(node: &Node) {
    let end = Instant::now() + crate::place::PATIENCE;
    while node.bus.view(View::others).len() < 2 {
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn one_node_alone_can_be_asked(place: Place) {
    let (a, mut b, mut c) = (place.join("a").await, place.join("b").await, place.join("c").await);
    knows_two(&a).await;
    let of = |node: &Node| To::Node(node.bus.node().clone());
    let question = Question::Room { room: room(), limit: 9 };
    let (to_b, to_c) = (of(&b), of(&c));
    let (answered, ()) = join!(a.bus.ask(to_b, question.clone()), async {
        let (heard, reply) = asked(&mut b).await;
        assert_eq!(heard, question);
        reply.answer(&"here");
    });
    assert_eq!(answered.read::<String>().0, [(NodeId::from("b"), "here".to_owned())]);
    let (_, ()) = join!(a.bus.ask(to_c, Question::Load), async {
        assert_eq!(asked(&mut c).await.0, Question::Load, "the first question that came here");
    });
}

async fn a_node_that_does_not_answer_in_time_is_missing(place: Place) {
    let (a, mut b, c) = (place.join("a").await, place.join("b").await, place.join("c").await);
    knows_two(&a).await;
    place.cut(&c);
    let began = Instant::now();
    let (said, ()) = join!(a.bus.ask(To::Others, Question::Busiest), answers(&mut b, 1));
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(3), "{took:?}");
    let (said, missing) = said.read::<u64>();
    assert_eq!((said.len(), missing), (1, vec![NodeId::from("c")]));

    let answered = a.bus.ask(To::Node(NodeId::from("nobody")), Question::Load).await;
    assert_eq!(answered.missing, [NodeId::from("nobody")]);
}

async fn while_the_bus_is_down_everybody_is_missing_at_once(place: Place) {
    let (a, _b, _c) = (place.join("a").await, place.join("b").await, place.join("c").await);
    knows_two(&a).await;
    place.freeze();
    a.is(Health::Down).await;
    let began = Instant::now();
    let answered = a.bus.ask(To::Others, Question::Load).await;
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!(answered.missing, [NodeId::from("b"), NodeId::from("c")]);
    place.thaw();
}
