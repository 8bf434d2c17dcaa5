//! The book of a room against what was really dropped, doubled and swapped.

use proptest::prelude::*;

use super::*;

/// A room in which all are from the start, and `messages` were sent by one sender.
fn room(members: usize, messages: u32) -> Book {
    let mut book = Book::new(members, 1);
    for member in 0..members {
        book.joined(u32::try_from(member).expect("few"), 0, false);
    }
    for number in 0..messages {
        book.sent(0, u64::from(number) + 1);
    }
    book
}

fn sees(book: &mut Book, member: u32, numbers: &[u32]) {
    for number in numbers {
        book.seen(member, 0, *number);
    }
}

#[test]
fn who_sees_everything_in_order_is_counted_and_nothing_else() {
    let mut book = room(3, 4);
    for member in 0..3 {
        sees(&mut book, member, &[0, 1, 2, 3]);
    }
    assert_eq!(book.verdict(), Verdict { expected: 12, received: 12, ..Verdict::default() });
    assert_eq!(book.seen(0, 0, 4), Seen::Strange);
    assert_eq!(book.seen(0, 0, 2), Seen::Again);
    assert_eq!(book.verdict().doubles, 1);
}

#[test]
fn it_does_not_matter_whether_the_first_or_the_last_is_wrong() {
    for wrong in 0..3 {
        let mut book = room(3, 3);
        for member in 0..3 {
            sees(&mut book, member, if member == wrong { &[1, 0, 2] } else { &[0, 1, 2] });
        }
        assert_eq!(book.verdict().disorders, 1, "{wrong} swaps");
        let mut book = room(3, 3);
        for member in 0..3 {
            sees(&mut book, member, if member == wrong { &[0, 2] } else { &[0, 1, 2] });
        }
        let verdict = book.verdict();
        assert_eq!((verdict.gaps, verdict.disorders, verdict.expected), (1, 0, 9), "{wrong} lacks");
    }
}

#[test]
fn of_two_senders_the_order_is_the_majoritys() {
    for wrong in 0..3 {
        let mut book = Book::new(3, 2);
        (0..3).for_each(|member| book.joined(member, 0, false));
        book.sent(0, 1);
        book.sent(1, 1);
        for member in 0..3 {
            let turned = u32::from(member == wrong);
            book.seen(member, turned, 0);
            book.seen(member, 1 - turned, 0);
        }
        assert_eq!(book.verdict().disorders, 1, "{wrong}");
    }
}

#[test]
fn a_sender_whose_messages_all_see_turned_around_is_wrong_for_all() {
    let mut book = room(4, 2);
    for member in 0..4 {
        sees(&mut book, member, &[1, 0]);
    }
    assert_eq!(book.verdict().disorders, 4);
}

#[test]
fn nobody_is_owed_what_was_said_in_his_absence_unless_he_resumes() {
    for resumes in [false, true] {
        let mut book = Book::new(2, 1);
        book.joined(0, 0, false);
        book.joined(1, 0, false);
        for number in 0..6 {
            if number == 2 {
                book.left(1);
            }
            if number == 4 {
                book.joined(1, 40, resumes);
            }
            book.sent(0, u64::from(number) * 10 + 5);
            book.seen(0, 0, number);
            if !(2..=3).contains(&number) {
                book.seen(1, 0, number);
            }
        }
        let verdict = book.verdict();
        let gaps = if resumes { 2 } else { 0 };
        assert_eq!((verdict.gaps, verdict.expected), (gaps, 10 + gaps));
    }
}

#[test]
fn what_was_refused_is_due_to_nobody() {
    let mut book = room(2, 2);
    book.excuse(0, 1);
    sees(&mut book, 0, &[0]);
    sees(&mut book, 1, &[0]);
    assert_eq!(book.verdict(), Verdict { expected: 2, received: 2, ..Verdict::default() });
}

#[test]
fn what_nobody_ever_saw_is_missing_for_all_who_were_there() {
    let mut book = room(3, 2);
    (0..3).for_each(|member| sees(&mut book, member, &[1]));
    assert_eq!(book.verdict().gaps, 3);
    assert_eq!(book.verdict().disorders, 0);
}

/// What a member's socket does to message `number`.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Right,
    Dropped,
    Doubled,
    /// Comes after the next one, which comes as it should.
    Swapped,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Right),
        1 => Just(Fate::Dropped),
        1 => Just(Fate::Doubled),
        1 => Just(Fate::Swapped),
    ]
}

/// The deliveries of one member, and what is wrong with them: gaps, doubles, disorders.
fn deliveries(fates: &[Fate]) -> (Vec<u32>, [u64; 3]) {
    let (mut out, mut wrong, mut number) = (Vec::new(), [0; 3], 0);
    while number < fates.len() {
        let name = u32::try_from(number).expect("few");
        match fates[number] {
            Fate::Dropped => wrong[0] += 1,
            Fate::Doubled => {
                out.extend([name, name]);
                wrong[1] += 1;
            }
            Fate::Swapped if number + 1 < fates.len() => {
                out.extend([name + 1, name]);
                wrong[2] += 1;
                number += 1;
            }
            // The last one has nothing to change places with.
            Fate::Right | Fate::Swapped => out.push(name),
        }
        number += 1;
    }
    (out, wrong)
}

proptest! {
    #[test]
    fn whatever_is_dropped_doubled_and_swapped_is_counted_exactly(
        fates in prop::collection::vec(prop::collection::vec(fate(), 12), 1..6),
        turns in prop::collection::vec(0usize..6, 0..80),
    ) {
        let mut book = room(fates.len(), 12);
        let mut wrong = [0; 3];
        let mut queues: Vec<_> = fates.iter().map(|fates| {
            let (out, this) = deliveries(fates);
            wrong.iter_mut().zip(this).for_each(|(sum, one)| *sum += one);
            out.into_iter()
        }).collect();
        let rest = (0..fates.len()).flat_map(|member| [member; 24]);
        for member in turns.into_iter().filter(|turn| *turn < fates.len()).chain(rest) {
            if let Some(number) = queues[member].next() {
                book.seen(u32::try_from(member).expect("few"), 0, number);
            }
        }
        let verdict = book.verdict();
        prop_assert_eq!([verdict.gaps, verdict.doubles, verdict.disorders], wrong);
        prop_assert_eq!(book.is_complete(), verdict.gaps == 0);
        prop_assert_eq!(verdict.expected, 12 * fates.len() as u64);
        prop_assert_eq!(verdict.received, verdict.expected - verdict.gaps);
    }
}
