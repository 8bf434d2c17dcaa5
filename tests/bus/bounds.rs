//! Bounds: nobody ever waits for the bus. What is too much is left out, counted, and said.

use std::time::{Duration, Instant};

use hubbub::bus::Health;
use hubbub::config::Chaos;

use crate::place::{Place, on_both, room};

on_both!(
    over_the_bound_hints_are_left_out_counted_and_others_hear_of_it,
    a_sink_that_takes_no_more_loses_hints_and_knows_it,
);

/// More than may wait to be published.
const MANY: i64 = 20_000;

async fn over_the_bound_hints_are_left_out_counted_and_others_hear_of_it(place: Place) {
    let (a, mut b) = (place.join("a").await, place.join("b").await);
    let one = room();
    b.subscribe(one).await;
    let before = b.is(Health::Connected).await.resync;
    place.freeze();
    let began = Instant::now();
    for seq in 0..MANY {
        a.publish(one, seq);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let lost = a.bus.figures().lost;
    assert!(lost > 10_000, "{lost}");
    a.is(Health::Down).await;
    place.thaw();
    a.is(Health::Connected).await;
    b.state(|state| state.health == Health::Connected && state.resync > before).await;
    let figures = a.bus.figures();
    assert!(figures.published + figures.lost <= MANY.unsigned_abs(), "each is one or the other");
    a.publish(one, MANY);
    while b.event().await.1 != MANY {}
}

async fn a_sink_that_takes_no_more_loses_hints_and_knows_it(place: Place) {
    let a = place.join("a").await;
    let mut b = place.join_as("b", Chaos::default(), 10).await;
    let one = room();
    b.subscribe(one).await;
    let before = b.is(Health::Connected).await.resync;
    for seq in 1..=100 {
        a.publish(one, seq);
    }
    b.state(|state| state.resync > before).await;
    assert!(b.bus.figures().lagged >= 1, "{:?}", b.bus.figures());
    for seq in 1..=10 {
        assert_eq!(b.event().await, (one, seq), "those that fitted");
    }
    assert_eq!(b.bus.health(), Health::Connected);
}
