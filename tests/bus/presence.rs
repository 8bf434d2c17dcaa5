//! Who is where, over nodes: known soon, gone with the node that said so, frozen while nobody can
//! be heard.

use std::time::{Duration, Instant};

use hubbub::bus::{Bus, Health, View};
use hubbub::domain::nodes::Moves;
use hubbub::domain::{NodeId, RoomId, UserId};
use tokio::time::sleep;

use crate::place::{PATIENCE, Place, on_both, room, tag};

on_both!(
    who_is_in_a_room_is_known_where_it_lives_and_soon_everywhere,
    whoever_comes_later_learns_who_is_there,
    a_node_that_vanishes_takes_its_people_with_it_within_15_s,
    a_node_that_says_goodbye_takes_them_at_once,
    a_node_that_starts_again_says_it_anew,
    what_others_said_is_frozen_while_the_bus_is_down,
    after_an_end_and_a_new_start_everybody_is_known_again,
);

fn users(bus: &Bus, room: RoomId) -> Vec<i64> {
    bus.view(|view| view.people(room)).users.iter().map(|user| user.id.0).collect()
}

/// Until a node knows them of a room that does not live there, each node's share: nothing is said of
/// such rooms, and the shares are read one by one.
async fn knows(bus: &Bus, room: RoomId, expected: &[i64]) {
    knows_of(bus, room, expected, 0).await;
}

async fn knows_of(bus: &Bus, room: RoomId, expected: &[i64], shares: usize) {
    let end = Instant::now() + PATIENCE;
    let known = || bus.view(|view| view.people(room)).nodes.len();
    while users(bus, room) != expected || known() < shares {
        assert!(Instant::now() < end, "{:?} are not {expected:?}", users(bus, room));
        sleep(Duration::from_millis(20)).await;
    }
}

async fn who_is_in_a_room_is_known_where_it_lives_and_soon_everywhere(place: Place) {
    let (a, mut b, c) = (place.join("a").await, place.join("b").await, place.join("c").await);
    let one = room();
    b.subscribe(one).await;
    a.comes(one, 1, 2);
    b.people(one, |users, guests| users == [1] && guests == 2).await;
    b.comes(one, 1, 1);
    b.comes(one, 5, 1);
    let people = b.bus.view(|view| view.people(one));
    assert_eq!((people.users.len(), people.guests), (2, 3), "a user on two nodes is one person");
    knows_of(&c.bus, one, &[1, 5], 2).await;
    let seen = c.bus.view(View::rooms);
    assert_eq!((seen.len(), seen[0].active_users, &seen[0].tag), (1, 5, &tag()));
    assert_eq!(c.bus.view(View::online).len(), 2);
    let shares = c.bus.view(|view| view.people(one).nodes);
    assert_eq!(shares, [(NodeId::from("a"), 1, 2), (NodeId::from("b"), 2, 1)]);

    let went = Moves { went: vec![UserId(1)], ..Moves::default() };
    a.bus.moved(one, &tag(), went);
    b.people(one, |users, guests| users == [1, 5] && guests == 1).await;
    b.bus.replaced(one, &tag(), Vec::new(), 0, 0);
    knows(&c.bus, one, &[]).await;
    assert!(c.bus.view(View::rooms).is_empty());
}

async fn whoever_comes_later_learns_who_is_there(place: Place) {
    let a = place.join("a").await;
    let one = room();
    for user in 1..=3 {
        a.comes(one, user, 0);
    }
    let mut b = place.join("b").await;
    b.subscribe(one).await;
    b.people(one, |users, _| users == [1, 2, 3]).await;
    a.comes(one, 4, 0);
    b.people(one, |users, _| users == [1, 2, 3, 4]).await;
}

async fn a_node_that_vanishes_takes_its_people_with_it_within_15_s(place: Place) {
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let one = room();
    b.subscribe(one).await;
    a.comes(one, 1, 2);
    b.people(one, |users, _| users == [1]).await;
    let vanished = Instant::now();
    place.cut(&a);
    b.people(one, |users, guests| users.is_empty() && guests == 0).await;
    let took = vanished.elapsed();
    println!("gone {took:?} after it vanished");
    assert!(took > Duration::from_secs(8) && took < Duration::from_secs(15), "{took:?}");
    assert_eq!(b.bus.health(), Health::Connected);
    assert!(b.bus.view(View::others).is_empty());
    place.heal(&a);
    b.people(one, |users, guests| users == [1] && guests == 2).await;
}

async fn a_node_that_says_goodbye_takes_them_at_once(place: Place) {
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let one = room();
    b.subscribe(one).await;
    a.comes(one, 1, 2);
    b.people(one, |users, _| users == [1]).await;
    a.publish(one, 9);
    let closing = Instant::now();
    a.bus.close().await;
    assert_eq!(b.event().await, (one, 9), "what waited went out");
    b.people(one, |users, guests| users.is_empty() && guests == 0).await;
    assert!(closing.elapsed() < Duration::from_secs(5), "{:?}", closing.elapsed());
}

async fn a_node_that_starts_again_says_it_anew(place: Place) {
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let one = room();
    b.subscribe(one).await;
    a.comes(one, 1, 2);
    b.people(one, |users, _| users == [1]).await;
    place.cut(&a);
    let again = place_again(&place).await;
    b.people(one, |users, guests| users.is_empty() && guests == 0).await;
    again.comes(one, 2, 0);
    b.people(one, |users, _| users == [2]).await;
}

/// A second run under the name `a`; the hub cuts by name.
async fn place_again(place: &Place) -> crate::place::Node {
    if let Place::Hub(hub) = place {
        hub.heal(&NodeId::from("a"));
    }
    place.join("a").await
}

async fn what_others_said_is_frozen_while_the_bus_is_down(place: Place) {
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let one = room();
    b.subscribe(one).await;
    a.comes(one, 1, 2);
    b.people(one, |users, _| users == [1]).await;
    place.freeze();
    b.is(Health::Down).await;
    let as_of = b.bus.view(View::as_of).expect("of another node");
    // Longer than a node may be silent: nothing is said when nothing happens.
    sleep(Duration::from_secs(12)).await;
    assert_eq!(users(&b.bus, one), [1]);
    assert_eq!(b.bus.view(View::as_of), Some(as_of), "as old as it is");
    place.thaw();
    b.is(Health::Connected).await;
    assert_eq!(users(&b.bus, one), [1]);
    a.is(Health::Connected).await;
    a.comes(one, 2, 0);
    b.people(one, |users, _| users == [1, 2]).await;
    assert!(b.bus.view(View::as_of) > Some(as_of));
}

async fn after_an_end_and_a_new_start_everybody_is_known_again(mut place: Place) {
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let one = room();
    b.subscribe(one).await;
    a.comes(one, 1, 0);
    b.people(one, |users, _| users == [1]).await;
    place.end();
    a.is(Health::Down).await;
    b.is(Health::Down).await;
    a.comes(one, 2, 0);
    place.start_again();
    b.people(one, |users, _| users == [1, 2]).await;
    let c = place.join("c").await;
    knows(&c.bus, one, &[1, 2]).await;
}
