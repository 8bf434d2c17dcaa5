//! Which users the name of a private chat, `a_b`, may mean (CONTRACT section 3, *What `{x}` names*).
//! Pure; `entry` asks whether they are there.

use std::sync::Arc;

use crate::domain::names;

/// Underscores of a name that are tried as the one between two users, when it is not known who
/// asks: each costs a query.
pub const SPLITS_MAX: usize = 8;

/// The other side of `a_b`, for each split that has the caller on one side and whose two names are
/// sorted. At most two: the caller first, and the caller last.
pub fn others_in_pair<'a>(target: &'a str, caller: &str) -> impl Iterator<Item = &'a str> {
    let caller: Arc<str> = names::user_key(caller).into();
    target.match_indices('_').filter_map(move |(at, _)| {
        let (first, second) = (&target[..at], &target[at + 1..]);
        let (first_key, second_key) = (names::user_key(first), names::user_key(second));
        let is_sorted = first <= second || first_key <= second_key;
        if !is_sorted || first.is_empty() || second.is_empty() {
            None
        } else if *caller == *first_key {
            Some(second)
        } else if *caller == *second_key {
            Some(first)
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_split_that_counts_has_the_caller_on_one_side() {
        let others = |target, caller| others_in_pair(target, caller).collect::<Vec<_>>();
        assert_eq!(others("alice_bob", "alice"), ["bob"]);
        assert_eq!(others("alice_bob", "bob"), ["alice"]);
        assert_eq!(others("alice_bob", "carol"), [""; 0]);
        assert_eq!(others("bob_alice", "bob"), [""; 0]);
        assert_eq!(others("Bob_alice", "alice"), ["Bob"]);
        assert_eq!(others("a_b_c", "a"), ["b_c"]);
        assert_eq!(others("a_b_c", "a_b"), ["c"]);
        assert_eq!(others("a_b_c", "c"), ["a_b"]);
        assert_eq!(others("a_a_a", "a"), ["a_a"]);
        assert_eq!(others("Alice_Bob", "aLICE"), ["Bob"]);
        assert_eq!(others("alice_", "alice"), [""; 0]);
        assert_eq!(others("global", "global"), [""; 0]);
    }
}
