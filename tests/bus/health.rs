//! Whether the bus carries: a node's own heartbeat must come back to it.

use std::time::{Duration, Instant};

use hubbub::bus::Health;
use hubbub::config::Chaos;

use crate::place::{Place, on_both, room};

on_both!(
    a_frozen_bus_is_down_in_about_a_second_and_comes_back,
    after_an_end_and_a_new_start_rooms_are_followed_again,
    a_node_may_start_before_there_is_anything_to_connect_to,
    a_node_that_is_cut_off_is_down_and_the_others_are_not,
);

async fn a_frozen_bus_is_down_in_about_a_second_and_comes_back(place: Place) {
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let one = room();
    b.subscribe(one).await;
    let before = b.is(Health::Connected).await.resync;
    let frozen = Instant::now();
    place.freeze();
    a.is(Health::Down).await;
    b.is(Health::Down).await;
    let took = frozen.elapsed();
    println!("down {took:?} after it froze");
    assert!(took > Duration::from_millis(700) && took < Duration::from_secs(4), "{took:?}");
    let lost = a.bus.figures().lost;
    a.publish(one, 1);
    assert_eq!(a.bus.figures().lost, lost + 1, "nobody waits for what may be lost");
    place.thaw();
    a.is(Health::Connected).await;
    let state = b.is(Health::Connected).await;
    assert!(state.resync > before, "what was missed is to be looked for");
    a.publish(one, 2);
    assert_eq!(b.event().await, (one, 2), "still subscribed");
}

async fn after_an_end_and_a_new_start_rooms_are_followed_again(mut place: Place) {
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let (one, two, three) = (room(), room(), room());
    b.subscribe(one).await;
    b.subscribe(two).await;
    place.end();
    a.is(Health::Down).await;
    b.is(Health::Down).await;
    b.bus.unsubscribe(two);
    b.bus.subscribe(three);
    place.start_again();
    a.is(Health::Connected).await;
    b.is(Health::Connected).await;
    a.publish(two, 2);
    a.publish(one, 1);
    a.publish(three, 3);
    assert_eq!(b.event().await, (one, 1));
    assert_eq!(b.event().await, (three, 3));
}

async fn a_node_may_start_before_there_is_anything_to_connect_to(mut place: Place) {
    place.end();
    let mut a = place.set_out("a", Chaos::default(), 100).await;
    assert_eq!(a.bus.health(), Health::Down);
    let one = room();
    a.bus.subscribe(one);
    place.start_again();
    a.subscribe(one).await;
    a.is(Health::Connected).await;
}

async fn a_node_that_is_cut_off_is_down_and_the_others_are_not(place: Place) {
    let (mut a, mut b) = (place.join("a").await, place.join("b").await);
    let one = room();
    a.subscribe(one).await;
    b.subscribe(one).await;
    place.cut(&a);
    a.is(Health::Down).await;
    assert_eq!(b.bus.health(), Health::Connected);
    b.publish(one, 1);
    place.heal(&a);
    a.is(Health::Connected).await;
    b.publish(one, 2);
    let mut heard = a.event().await;
    if heard == (one, 1) {
        // A connection that was cut may hold what was sent meanwhile.
        heard = a.event().await;
    }
    assert_eq!(heard, (one, 2));
}
