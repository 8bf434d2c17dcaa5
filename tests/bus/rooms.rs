//! Hints: they reach the nodes where the room lives, in order, and nobody else.

use std::sync::Arc;

use actix::prelude::*;
use hubbub::bus::{Bus, Delivery, Health, Hub};
use hubbub::config::Chaos;
use hubbub::domain::nodes::{Hint, Question};
use hubbub::domain::{NodeId, UserId};
use tokio::sync::mpsc;

use crate::place::{Place, event, on_both, room, tag};

on_both!(
    a_hint_reaches_the_nodes_that_subscribed_and_nobody_else,
    own_words_do_not_come_back,
    hints_of_a_room_keep_their_order,
    after_unsubscribing_nothing_of_the_room_comes,
    light_hints_come_as_they_were_told,
    every_node_hears_of_the_hidden_room,
    chaos_doubles_and_drops_what_comes_but_the_bus_stays_up,
);

async fn a_hint_reaches_the_nodes_that_subscribed_and_nobody_else(place: Place) {
    let (a, mut b, mut c) = (place.join("a").await, place.join("b").await, place.join("c").await);
    let (one, two) = (room(), room());
    b.subscribe(one).await;
    c.subscribe(two).await;
    let said = event(one, 7);
    a.bus.publish(one, Hint::Event(Arc::new(said.clone())));
    a.publish(two, 1);
    let (node, there, hint) = b.hint().await;
    assert_eq!((node, there), (NodeId::from("a"), one));
    let Hint::Event(heard) = hint else { panic!("{hint:?}") };
    assert_eq!(format!("{heard:?}"), format!("{said:?}"), "the whole event");
    assert_eq!(c.event().await, (two, 1), "the first that came here");
}

async fn own_words_do_not_come_back(place: Place) {
    let (mut a, mut b) = (place.join("a").await, place.join("b").await);
    let one = room();
    a.subscribe(one).await;
    b.subscribe(one).await;
    a.publish(one, 1);
    assert_eq!(b.event().await, (one, 1));
    b.publish(one, 2);
    assert_eq!(a.event().await, (one, 2), "the first that came here");
}

async fn hints_of_a_room_keep_their_order(place: Place) {
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let rooms = [room(), room(), room()];
    for one in rooms {
        b.subscribe(one).await;
    }
    for seq in 1..=500 {
        for one in rooms {
            a.publish(one, seq);
        }
    }
    let mut reached = [0; 3];
    while reached != [500; 3] {
        let (there, seq) = b.event().await;
        let at = rooms.iter().position(|one| *one == there).expect("one of them");
        reached[at] += 1;
        assert_eq!(reached[at], seq);
    }
    a.published(1_500).await;
    let figures = a.bus.figures();
    assert_eq!((figures.published, figures.lost), (1_500, 0));
}

async fn after_unsubscribing_nothing_of_the_room_comes(place: Place) {
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let (one, two, three) = (room(), room(), room());
    b.subscribe(one).await;
    b.subscribe(two).await;
    b.bus.unsubscribe(one);
    b.subscribe(three).await;
    a.publish(one, 1);
    a.publish(two, 2);
    assert_eq!(b.event().await, (two, 2));
    b.subscribe(one).await;
    a.publish(one, 3);
    assert_eq!(b.event().await, (one, 3));
}

async fn light_hints_come_as_they_were_told(place: Place) {
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let one = room();
    b.subscribe(one).await;
    for hint in [
        Hint::Typing { user: Some(UserId(3)), name: "alice".into(), on: true },
        Hint::Typing { user: None, name: "anonymous".into(), on: false },
        Hint::Read { user: UserId(3), seq: 9 },
        Hint::Reload,
    ] {
        a.bus.publish(one, hint.clone());
        let (_, _, heard) = b.hint().await;
        assert_eq!(format!("{heard:?}"), format!("{hint:?}"));
    }
}

async fn every_node_hears_of_the_hidden_room(place: Place) {
    let (a, mut b, mut c) = (place.join("a").await, place.join("b").await, place.join("c").await);
    a.bus.control(7);
    for node in [&mut b, &mut c] {
        let seq = node
            .next(|delivery| match delivery {
                Delivery::Control(seq) => Some(seq),
                _ => None,
            })
            .await;
        assert_eq!(seq, 7);
    }
}

async fn chaos_doubles_and_drops_what_comes_but_the_bus_stays_up(place: Place) {
    let a = place.join("a").await;
    let chaos = |text: &str| text.parse::<Chaos>().expect("chaos");
    let mut twice = place.join_as("twice", chaos("double=100%"), 1_000).await;
    let mut late = place.join_as("late", chaos("delay=30ms,seed=3"), 1_000).await;
    let mut deaf = place.join_as("deaf", chaos("drop=100%"), 1_000).await;
    let one = room();
    for node in [&mut twice, &mut late, &mut deaf] {
        node.subscribe(one).await;
    }
    for seq in 1..=100 {
        a.publish(one, seq);
    }
    for seq in 1..=100 {
        assert_eq!((twice.event().await.1, twice.event().await.1), (seq, seq));
    }
    let mut heard = Vec::new();
    for _ in 1..=100 {
        heard.push(late.event().await.1);
    }
    assert!(!heard.is_sorted(), "their order is shaken");
    heard.sort_unstable();
    assert!(heard.into_iter().eq(1..=100), "each of them once");
    assert!(deaf.ear.try_recv().is_err());
    assert_eq!(deaf.bus.health(), Health::Connected);
}

/// An actor that passes on what it is told.
struct Listener(mpsc::Sender<Delivery>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Delivery> for Listener {
    type Result = ();

    fn handle(&mut self, delivery: Delivery, _: &mut Self::Context) {
        self.0.try_send(delivery).expect("there is room");
    }
}

#[actix::test]
async fn an_actor_may_be_told() {
    let (told, mut heard) = mpsc::channel(10);
    let listener = Listener(told).start().recipient::<Delivery>();
    let bus = Bus::in_hub(&Hub::default(), &NodeId::from("a"), Chaos::default(), listener);
    let one = room();
    bus.subscribe(one);
    assert!(matches!(heard.recv().await, Some(Delivery::Subscribed(it)) if it == one));
}

#[actix::test]
async fn a_node_alone_has_nobody_to_speak_to() {
    let bus = Bus::alone(&NodeId::from("a"));
    let one = room();
    assert_eq!(bus.health(), Health::Local);
    bus.subscribe(one);
    bus.publish(one, Hint::Reload);
    bus.control(1);
    bus.replaced(one, &tag(), Vec::new(), 2, 2);
    assert_eq!(bus.view(|view| view.people(one).guests), 2, "it knows who is here");
    let answers = bus.ask(hubbub::bus::To::Others, Question::Load).await;
    assert!(answers.said.is_empty() && answers.missing.is_empty());
    assert_eq!(bus.figures(), hubbub::bus::Figures::default());
    bus.close().await;
}
