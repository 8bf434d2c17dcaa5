//! Rates of sockets, users and addresses, and how many sockets are let in.

use super::*;

fn paces(on: bool) -> Arc<Paces> {
    let settings = PaceSettings {
        messages_per_s: 1,
        messages_burst: 3,
        messages_per_s_ip: 1,
        messages_burst_ip: 13,
        typing_per_s: 1,
        joins_per_s: 2,
        rooms_per_hour: 2,
        max_per_user: 2,
        max_per_ip: 3,
        max_unproven_per_ip: 1,
    };
    Arc::new(Paces::new(&settings, on, 4))
}

fn count_in(paces: &Paces, user: Option<UserId>, owes: bool) -> Option<Pass> {
    let mut pass = paces.admit()?;
    pass.is_of(user, IP, owes).then_some(pass)
}

const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[test]
fn a_socket_has_its_burst_and_a_user_twice_that() {
    let (paces, lifted) = (paces(true), paces(false));
    let socket = paces.of_socket();
    assert_eq!((0..9).filter(|_| socket.check(Act::Message).is_ok()).count(), 3);
    assert_eq!((0..9).filter(|_| socket.check(Act::Join).is_ok()).count(), 2);
    assert_eq!((0..9).filter(|_| paces.message(Author::User(UserId(1)), IP).is_ok()).count(), 6);
    assert!(paces.message(Author::User(UserId(2)), IP).is_ok());
    assert_eq!((0..9).filter(|_| paces.creation_from(IP, None).is_ok()).count(), 2);
    assert_eq!((0..9).filter(|_| paces.creation(UserId(1)).is_ok()).count(), 2);
    assert!(paces.creation_from(IP, Some(UserId(1))).is_err());
    assert!((0..99).all(|_| lifted.message(Author::User(UserId(1)), IP).is_ok()));
}

#[test]
fn a_message_whose_turn_is_tried_again_costs_its_socket_nothing_more() {
    let (paces, user) = (paces(true), UserId(1));
    let (socket, other) = (paces.of_socket(), paces.of_socket());
    let early = (0..6).filter(|_| paces.message(Author::User(user), IP).is_err()).count();
    assert_eq!(early, 0, "the user's burst");
    let mut turn = Turn::default();
    assert!((0..9).all(|_| turn.come(&socket, Some(user), IP).is_err()));
    assert_eq!((0..9).filter(|_| socket.check(Act::Message).is_ok()).count(), 2);
    let (mut turn, user) = (Turn::default(), UserId(2));
    assert!((0..9).all(|_| turn.come(&other, Some(user), IP).is_ok()), "once past, past");
    assert_eq!((0..9).filter(|_| paces.message(Author::User(user), IP).is_ok()).count(), 5);
}

#[test]
fn all_of_an_address_share_its_pace_and_its_neighbours_do_not() {
    let paces = paces(true);
    let posts = |ip| (0..20).map(move |n| (Author::User(UserId(n)), ip));
    let taken = |ip| posts(ip).filter(|(who, ip)| paces.message(*who, *ip).is_ok()).count();
    assert_eq!(taken(IP), 13);
    let (socket, mut turn) = (paces.of_socket(), Turn::default());
    assert!(turn.come(&socket, None, IP).is_err(), "a plain guest's");
    let elsewhere = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
    assert!(turn.come(&socket, None, elsewhere).is_ok());
    assert_eq!(taken(elsewhere), 12);
}

#[test]
fn sockets_are_counted_by_user_by_address_and_while_they_owe_their_first_word() {
    let paces = paces(true);
    let mut owing = count_in(&paces, None, true).expect("the first");
    assert!(count_in(&paces, None, true).is_none(), "one owes already");
    assert!(owing.is_proven(Some(UserId(1))));
    let second = count_in(&paces, Some(UserId(1)), false).expect("his second");
    assert!(count_in(&paces, Some(UserId(1)), false).is_none(), "his third");
    let third = count_in(&paces, None, true).expect("the third of the address");
    assert!(count_in(&paces, None, false).is_none(), "its fourth");
    drop((owing, second, third));
    assert!(paces.census.lock().expect("nobody panicked").held.is_empty());
}

#[test]
fn what_the_node_can_hold_is_not_lifted() {
    let lifted = paces(false);
    let held: Vec<_> = (0..4).map_while(|_| count_in(&lifted, None, true)).collect();
    assert_eq!(held.len(), 4);
    for _ in 0..2 {
        assert!(lifted.admit().is_none(), "however often one knocks");
    }
    drop(held);
    assert!(lifted.admit().is_some());
}
