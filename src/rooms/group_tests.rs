//! What goes out to a whole room goes out in turns, and in order.

use std::net::IpAddr;
use std::rc::Rc;

use super::super::outlet::Outlet;
use super::super::recovery::Ear;
use super::*;
use crate::domain::{Author, Timestamp, ids};

/// Sockets written to in one turn of these tests.
const TURN: usize = 2;

fn attach(group: &mut Group, head: i64) -> Rc<Ear> {
    let ear = Rc::<Ear>::default();
    let seat = Seat {
        session: SessionId(ids::random()),
        slot: outlet::open(0, Rc::clone(&ear) as Rc<dyn Outlet>),
        dialect: Dialect::Native,
        who: Author::Guest(ids::random()),
        card: None,
        nick_name: None,
        login: None,
        ip: IpAddr::from([127, 0, 0, 1]),
        since: Timestamp::default(),
    };
    group.push(Step::Attach(
        Arc::new(seat),
        vec![Frame::text("in")],
        Since { head, replayed: None },
    ));
    ear
}

fn event(seq: i64) -> Step {
    let said = Said::encode(|_| true, |_| Some(Frame::text(&seq.to_string())));
    Step::Deliver(Broadcast { seq, said, committed_at: clock::now(), held: None })
}

#[test]
fn an_announcement_and_the_end_of_a_room_go_out_in_turns_and_in_order() {
    let mut group = Group::new(RoomId(ids::random()));
    let five: Vec<_> = (0..5).map(|_| attach(&mut group, 0)).collect();
    assert_eq!(group.work(9, 1_000), 4);
    group.push(Step::Announce(Frame::text("word")));
    group.push(event(1));
    group.push(Step::CloseAll(close::ROOM_CLOSED));
    let sixth = attach(&mut group, 1);
    group.push(Step::Announce(Frame::text("after")));
    group.push(event(2));

    let written = || {
        let heard =
            |ear: &Rc<Ear>| ear.heard.borrow().len() + usize::from(ear.closed.get().is_some());
        five.iter().chain([&sixth]).map(heard).sum::<usize>()
    };
    let (mut turns, mut before) = (0, written());
    while group.has_work() {
        group.work(TURN, 1_000);
        assert!(written() - before <= TURN, "one turn wrote to {}", written() - before);
        (before, turns) = (written(), turns + 1);
        let (roster, _) = group.roster();
        assert_eq!(roster.len(), 1, "those who are to be put out are none of it");
    }
    assert_eq!(turns, (5 + 5 + 5 + 1 + 1 + 1) / TURN);
    for ear in &five {
        assert_eq!(*ear.heard.borrow(), ["in", "word", "1"]);
        assert_eq!(ear.closed.get(), Some(4404));
    }
    assert_eq!(*sixth.heard.borrow(), ["in", "after", "2"]);
    assert_eq!(sixth.closed.get(), None);
    assert_eq!(group.seats().count(), 1);
    assert_eq!(group.left.total().imbalance, 0);
}
