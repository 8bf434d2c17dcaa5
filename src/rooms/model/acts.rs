//! What may happen to a room of the model, and how often it does. Drawn by the model's property.

use proptest::prelude::*;
use proptest::sample::Index;

use super::CLIENTS;

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Post(u8),
    Edit(Index, u8),
    Delete(Index),
    /// The Writer's or the bus's word of an event comes, or is lost; it may come again.
    Word {
        which: Index,
        lost: bool,
        again: bool,
    },
    /// The room compares its place with the database.
    ReadOn,
    Join(usize),
    /// The rows that a join waits for are there.
    Rows(Index),
    Leave(usize),
    /// The oldest events are past keeping.
    Forget(u8),
    /// The server starts anew.
    Restart,
}

/// One act of a history.
pub(super) fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0..12_u8).prop_map(Act::Post),
        3 => (any::<Index>(), 0..12_u8).prop_map(|(which, len)| Act::Edit(which, len)),
        3 => any::<Index>().prop_map(Act::Delete),
        14 => (any::<Index>(), prop::bool::weighted(0.1), prop::bool::weighted(0.2))
            .prop_map(|(which, lost, again)| Act::Word { which, lost, again }),
        2 => Just(Act::ReadOn),
        6 => (0..CLIENTS).prop_map(Act::Join),
        6 => any::<Index>().prop_map(Act::Rows),
        3 => (0..CLIENTS).prop_map(Act::Leave),
        1 => (0..6_u8).prop_map(Act::Forget),
        3 => Just(Act::Restart),
    ]
}
