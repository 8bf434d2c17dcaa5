//! Who of a room saw which message, in which order: the book that a run is judged by. Pure. The loop
//! writes every message and every delivery into it; the report reads the sums at the end.
//!
//! A room has one order, the one in which its messages were first seen. Each member holds the place
//! that he has come to, so that a right delivery is one comparison; only what is out of order
//! costs a search. A member who sees something new before what others saw already puts it where he
//! is: then it is the others who lack it, until they get it, late, or never.

use serde::Serialize;

/// No place yet.
const NOWHERE: u32 = u32::MAX;

/// A place of the room's order.
#[derive(Clone, Copy, Debug)]
struct Place {
    sender: u32,
    number: u32,
    /// Members who got it.
    seen: u32,
    /// Members among them who got it after something that stands behind it.
    late: u32,
}

/// A message that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at_us: u64,
    place: u32,
    /// Nobody need see it: it was refused, or its sender's socket died under it.
    excused: bool,
}

/// A time in which a member was not there.
#[derive(Clone, Copy, Debug)]
struct Absence {
    /// The place that he had come to.
    from: u32,
    /// When he was there again.
    until_us: u64,
}

/// What one member has seen.
#[derive(Debug)]
struct Seat {
    cursor: u32,
    /// Places before the cursor that he lacks, in order.
    holes: Vec<u32>,
    absences: Vec<Absence>,
}

/// What a delivery was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// This member's first.
    First,
    /// A double.
    Again,
    /// Of a message that was not sent in this room.
    Strange,
}

/// The sums of a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Deliveries that were due: to each member every message of his time in the room.
    pub expected: u64,
    /// Those that came, doubles left out.
    pub received: u64,
    /// Those that never came.
    pub gaps: u64,
    /// Those that came once more.
    pub doubles: u64,
    /// Those that came after one that the others, or their sender, had behind them.
    pub disorders: u64,
}

impl Verdict {
    /// Adds another's.
    pub const fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.received += other.received;
        self.gaps += other.gaps;
        self.doubles += other.doubles;
        self.disorders += other.disorders;
    }
}

/// One room's book. Bounded by what the scenario sends.
#[derive(Debug)]
pub struct Book {
    log: Vec<Place>,
    sent: Vec<Vec<Sent>>,
    seats: Vec<Seat>,
    doubles: u64,
    /// Late ones whose sender's next had been seen already: wrong whatever others saw.
    against_sender: u64,
}

impl Book {
    /// A room in which nobody is yet.
    #[must_use]
    pub fn new(members: usize, senders: usize) -> Self {
        let away = |_| Seat {
            cursor: 0,
            holes: Vec::new(),
            absences: vec![Absence { from: 0, until_us: u64::MAX }],
        };
        Self {
            log: Vec::new(),
            sent: vec![Vec::new(); senders],
            seats: (0..members).map(away).collect(),
            doubles: 0,
            against_sender: 0,
        }
    }

    /// The number that this sender's next message has.
    #[must_use]
    pub fn next_number(&self, sender: u32) -> u32 {
        u32::try_from(self.sent[sender as usize].len()).unwrap_or(NOWHERE)
    }

    /// His next message goes out now.
    pub fn sent(&mut self, sender: u32, at_us: u64) {
        self.sent[sender as usize].push(Sent { at_us, place: NOWHERE, excused: false });
    }

    /// It was refused, or may have been lost with his socket: only who sees it need see it.
    pub fn excuse(&mut self, sender: u32, number: u32) {
        let sent = self.sent.get_mut(sender as usize);
        if let Some(sent) = sent.and_then(|sent| sent.get_mut(number as usize)) {
            sent.excused = true;
        }
    }

    /// A member is in: what is sent from now on is due to him. One who resumes owes nothing to
    /// his absence: he gets what he missed.
    pub fn joined(&mut self, member: u32, now_us: u64, resumes: bool) {
        let absences = &mut self.seats[member as usize].absences;
        if resumes {
            absences.pop();
        } else if let Some(absence) = absences.last_mut() {
            absence.until_us = absence.until_us.min(now_us);
        }
    }

    /// A member is gone.
    pub fn left(&mut self, member: u32) {
        let seat = &mut self.seats[member as usize];
        seat.absences.push(Absence { from: seat.cursor, until_us: u64::MAX });
    }

    /// A member got a message.
    pub fn seen(&mut self, member: u32, sender: u32, number: u32) -> Seen {
        let seat = &mut self.seats[member as usize];
        if let Some(place) = self.log.get_mut(seat.cursor as usize)
            && place.sender == sender
            && place.number == number
        {
            place.seen += 1;
            seat.cursor += 1;
            return Seen::First;
        }
        let known = self.sent.get(sender as usize).and_then(|sent| sent.get(number as usize));
        let Some(&Sent { place, .. }) = known else { return Seen::Strange };
        let place = if place == NOWHERE { self.new_place(member, sender, number) } else { place };
        let seat = &mut self.seats[member as usize];
        if place >= seat.cursor {
            seat.holes.extend(seat.cursor..place);
            seat.cursor = place + 1;
        } else if let Ok(hole) = seat.holes.binary_search(&place) {
            seat.holes.remove(hole);
            let next = self.sent[sender as usize].get(number as usize + 1);
            if next.is_some_and(|next| !self.seats[member as usize].lacks(next.place)) {
                self.against_sender += 1;
            } else {
                self.log[place as usize].late += 1;
            }
        } else {
            self.doubles += 1;
            return Seen::Again;
        }
        self.log[place as usize].seen += 1;
        Seen::First
    }

    /// Nobody has seen it before: its place is where this member is, but behind what its sender
    /// said before, and ahead of what he said after.
    fn new_place(&mut self, member: u32, sender: u32, number: u32) -> u32 {
        let (before, after) = self.sent[sender as usize].split_at(number as usize);
        let place = |sent: &Sent| (sent.place != NOWHERE).then_some(sent.place);
        let mut at = self.seats[member as usize].cursor;
        if (at as usize) < self.log.len() {
            at = at.max(before.iter().rev().find_map(place).map_or(0, |place| place + 1));
        }
        at = at.min(after.iter().find_map(place).unwrap_or(NOWHERE));
        self.log.insert(at as usize, Place { sender, number, seen: 0, late: 0 });
        for (place, moved) in (at..).zip(&self.log[at as usize..]) {
            self.sent[moved.sender as usize][moved.number as usize].place = place;
        }
        if at as usize + 1 < self.log.len() {
            for seat in &mut self.seats {
                seat.make_room(at);
            }
        }
        at
    }

    /// Whether everybody has all that is due to him; ends with the first thing that is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let has_all = |seat: &Seat| self.gaps_of(seat).next().is_none();
        self.seats.iter().all(has_all)
            && self.unseen().all(|at_us| self.seats.iter().all(|seat| seat.excuses(NOWHERE, at_us)))
    }

    /// Places that a member lacks and that are due to him.
    fn gaps_of<'a>(&'a self, seat: &'a Seat) -> impl Iterator<Item = u32> + 'a {
        let head = u32::try_from(self.log.len()).unwrap_or(NOWHERE);
        let lacks = seat.holes.iter().copied().chain(seat.cursor..head);
        lacks.filter(|place| !seat.excuses(*place, self.at_us(*place)))
    }

    /// When those were sent that nobody has seen and somebody should have.
    fn unseen(&self) -> impl Iterator<Item = u64> + '_ {
        let all = self.sent.iter().flatten();
        all.filter(|sent| sent.place == NOWHERE && !sent.excused).map(|sent| sent.at_us)
    }

    /// The sums.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let unseen: Vec<u64> = self.unseen().collect();
        let mut sums = Verdict { doubles: self.doubles, ..Verdict::default() };
        for seat in &self.seats {
            let never = unseen.iter().filter(|at_us| !seat.excuses(NOWHERE, **at_us)).count();
            sums.received += u64::from(seat.cursor) - seat.holes.len() as u64;
            sums.gaps += (self.gaps_of(seat).count() + never) as u64;
        }
        sums.expected = sums.received + sums.gaps;
        sums.disorders = self.disorders();
        sums
    }

    fn at_us(&self, place: u32) -> u64 {
        let Place { sender, number, .. } = self.log[place as usize];
        self.sent[sender as usize][number as usize].at_us
    }

    /// Against the sender's own order each is wrong; between senders, where members differ, the
    /// fewer of them are.
    fn disorders(&self) -> u64 {
        let of = |(at, place): (u32, &Place)| {
            let on_time = place.seen.saturating_sub(place.late + self.skip(at));
            u64::from(place.late.min(on_time))
        };
        let differ = (0..).zip(&self.log).filter(|(_, place)| place.late > 0);
        self.against_sender + differ.map(of).sum::<u64>()
    }

    /// Members who have this place and lack the next: they say nothing of which comes first.
    fn skip(&self, at: u32) -> u32 {
        let skip = |seat: &&Seat| !seat.lacks(at) && seat.lacks(at + 1);
        u32::try_from(self.seats.iter().filter(skip).count()).unwrap_or(NOWHERE)
    }
}

impl Seat {
    fn lacks(&self, place: u32) -> bool {
        place >= self.cursor || self.holes.binary_search(&place).is_ok()
    }

    /// A new place at `at`: what this member had behind him has a hole there.
    fn make_room(&mut self, at: u32) {
        let first = self.holes.partition_point(|hole| *hole < at);
        for hole in &mut self.holes[first..] {
            *hole += 1;
        }
        if self.cursor > at {
            self.cursor += 1;
            self.holes.insert(first, at);
        }
        for absence in self.absences.iter_mut().filter(|absence| absence.from > at) {
            absence.from += 1;
        }
    }

    fn excuses(&self, place: u32, at_us: u64) -> bool {
        self.absences.iter().any(|absence| place >= absence.from && at_us <= absence.until_us)
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
