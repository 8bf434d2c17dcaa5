//! Sorting, searching and paging of live rooms: plain functions over what is known of all of them.
//! Called by `stats` alone.

use std::cmp::Ordering;

use super::Wanted;
use crate::domain::RoomId;
use crate::domain::figures::RoomLoad;

/// The order of a list of rooms; equal ones lie by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Most people first.
    #[default]
    ActiveUsers,
    /// Busiest first.
    MessagesPerS,
    /// By name; those without come first.
    Name,
}

impl Sort {
    /// As written in a query.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "active_users" => Some(Self::ActiveUsers),
            "messages_per_s" => Some(Self::MessagesPerS),
            "name" => Some(Self::Name),
            _ => None,
        }
    }
}

/// A cursor that this list never gave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid cursor.")]
pub struct BadCursor;

/// What a room is sorted and found by.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    pub room: RoomId,
    pub name: Option<&'a str>,
    pub people: u64,
    pub messages_per_s: f64,
}

impl<'a> From<&'a RoomLoad> for Row<'a> {
    fn from(load: &'a RoomLoad) -> Self {
        let RoomLoad { room_id: room, active_users: people, messages_per_s, .. } = *load;
        Self { room, name: load.name.as_deref(), people, messages_per_s }
    }
}

/// A place in the order: the figure it is sorted by, and the room's id.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    number: f64,
    text: String,
    id: String,
}

impl Place {
    fn of(row: &Row<'_>, sort: Sort) -> Self {
        let number = match sort {
            // Exact up to 2^53 people.
            #[expect(clippy::cast_precision_loss, reason = "a count of people in one process")]
            Sort::ActiveUsers => row.people as f64,
            Sort::MessagesPerS => row.messages_per_s,
            Sort::Name => 0.0,
        };
        let name = row.name.filter(|_| sort == Sort::Name);
        Self { number, text: name.unwrap_or_default().to_owned(), id: row.room.to_string() }
    }

    fn compare(&self, other: &Self) -> Ordering {
        other
            .number
            .total_cmp(&self.number)
            .then_with(|| self.text.cmp(&other.text))
            .then_with(|| self.id.cmp(&other.id))
    }

    fn write(&self) -> String {
        format!("{:x}.{}.{}", self.number.to_bits(), self.id, self.text)
    }

    fn read(cursor: &str) -> Result<Self, BadCursor> {
        let mut parts = cursor.splitn(3, '.');
        let mut part = || parts.next().ok_or(BadCursor);
        let number = u64::from_str_radix(part()?, 16).map_err(|_| BadCursor)?;
        let id = part()?.to_owned();
        Ok(Self { number: f64::from_bits(number), id, text: part()?.to_owned() })
    }
}

/// The wanted rooms, and the cursor for those after them.
pub(super) fn page(
    rows: &[Row<'_>],
    wanted: &Wanted,
) -> Result<(Vec<RoomId>, Option<String>), BadCursor> {
    let after = wanted.after.as_deref().map(Place::read).transpose()?;
    let q = wanted.q.as_deref().map(str::to_lowercase);
    let fits = |row: &&Row<'_>| {
        let name = row.name.map(str::to_lowercase);
        q.as_ref().is_none_or(|q| name.is_some_and(|name| name.contains(q)))
    };
    let mut found: Vec<(Place, RoomId)> = rows
        .iter()
        .filter(fits)
        .map(|row| (Place::of(row, wanted.sort), row.room))
        .filter(|(place, _)| after.as_ref().is_none_or(|a| place.compare(a) == Ordering::Greater))
        .collect();
    found.sort_by(|(a, _), (b, _)| a.compare(b));
    let more = found.len() > wanted.limit;
    found.truncate(wanted.limit);
    let next = found.last().filter(|_| more).map(|(place, _)| place.write());
    Ok((found.into_iter().map(|(_, room)| room).collect(), next))
}

/// Cuts rows to `limit` from `skipped` on; whether there are more.
pub(super) fn window<T>(rows: &mut Vec<T>, skipped: usize, limit: usize) -> bool {
    rows.drain(..skipped.min(rows.len()));
    let more = rows.len() > limit;
    rows.truncate(limit);
    more
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Timestamp, ids};

    fn row(name: Option<&str>, people: u64, messages_per_s: f64) -> Row<'_> {
        Row { room: RoomId(ids::at(Timestamp::from_secs(1))), name, people, messages_per_s }
    }

    fn wanted(sort: Sort, limit: usize) -> Wanted {
        Wanted { sort, q: None, limit, after: None }
    }

    #[test]
    fn rooms_lie_in_the_order_that_is_asked_for() {
        let rows = [row(Some("b"), 1, 9.0), row(Some("a"), 3, 0.5), row(None, 2, 0.0)];
        for (sort, order) in [
            (Sort::ActiveUsers, [3, 2, 1]),
            (Sort::MessagesPerS, [1, 3, 2]),
            (Sort::Name, [2, 3, 1]),
        ] {
            let (page, next) = page(&rows, &wanted(sort, 10)).unwrap_or_default();
            let people =
                |room: &RoomId| rows.iter().find(|row| row.room == *room).map(|r| r.people);
            let people: Vec<u64> = page.iter().filter_map(people).collect();
            assert_eq!((people.as_slice(), next), (order.as_slice(), None), "{sort:?}");
        }
        let some = Wanted { q: Some("A".to_owned()), ..wanted(Sort::Name, 10) };
        assert_eq!(page(&rows, &some).unwrap_or_default().0.len(), 1);
        for bad in ["", "x", "..", "zz.1.", "7"] {
            let bad = Wanted { after: Some(bad.to_owned()), ..wanted(Sort::Name, 1) };
            let read = page(&rows, &bad);
            assert!(read.is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn pages_one_after_the_other_are_the_whole_list_once(
            rooms in prop::collection::vec((0_u64..4, 0_u8..4), 0..40),
            limit in 1_usize..8,
            sort in prop::sample::select(vec![Sort::ActiveUsers, Sort::MessagesPerS, Sort::Name]),
        ) {
            let names = ["r.0", "r.1", "r.2", "r.3"];
            let rooms: Vec<Row<'_>> = rooms
                .into_iter()
                .map(|(people, n)| row(Some(names[usize::from(n)]), people, f64::from(n) / 3.0))
                .collect();
            let (whole, _) = page(&rooms, &wanted(sort, 100)).unwrap_or_default();
            let (mut pieces, mut asked) = (Vec::new(), wanted(sort, limit));
            loop {
                let (rows, next) = page(&rooms, &asked).unwrap_or_default();
                pieces.extend(rows);
                asked.after = next;
                if asked.after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(&pieces, &whole);
            prop_assert_eq!(whole.len(), rooms.len());
        }
    }

    #[test]
    fn a_window_says_whether_there_is_more() {
        for (skipped, limit, rows, more) in [
            (0, 3, vec![0, 1, 2], false),
            (0, 2, vec![0, 1], true),
            (2, 2, vec![2], false),
            (9, 1, vec![], false),
        ] {
            let mut all = vec![0, 1, 2];
            assert_eq!(window(&mut all, skipped, limit), more);
            assert_eq!(all, rows);
        }
    }
}
