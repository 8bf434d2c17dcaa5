//! What a socket was sent and the kernel did not take yet, in order. Part of the direct engine's
//! [`super::wire`], which has none for a socket that keeps up. Pure: what is written, the wire says.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Instant;

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use crate::rooms::ledger::Waiting;
use crate::rooms::outlet::Backlog;

/// Pieces in one write.
const SLICES: usize = 32;

/// What is left to be sent, and the rooms that have it on their accounts. Bounded by whoever
/// sends: see [`Backlog`].
pub(super) struct Behind {
    pieces: VecDeque<(Bytes, Option<Waiting>)>,
    bytes: usize,
    /// How much of that is still the opening.
    opening: usize,
    since: Instant,
    /// The first piece has begun to go out: it must end before anything else may follow.
    begun: bool,
}

impl Behind {
    pub(super) fn new() -> Self {
        let (pieces, since) = (VecDeque::new(), Instant::now());
        Self { pieces, bytes: 0, opening: 0, since, begun: false }
    }

    pub(super) fn push(&mut self, bytes: Bytes, waits: Option<Waiting>) {
        self.bytes += bytes.len();
        self.pieces.push_back((bytes, waits));
    }

    /// The rest of something that has begun to go out, before all others.
    pub(super) fn push_rest(&mut self, bytes: Bytes, waits: Option<Waiting>) {
        self.bytes += bytes.len();
        self.begun = true;
        self.pieces.push_front((bytes, waits));
    }

    /// What to write next.
    pub(super) fn slices(&self) -> SmallVec<[IoSlice<'_>; SLICES]> {
        self.pieces.iter().take(SLICES).map(|(bytes, _)| IoSlice::new(bytes)).collect()
    }

    /// So many bytes of it were taken; whether that was all.
    pub(super) fn taken(&mut self, mut written: usize) -> bool {
        self.bytes -= written;
        self.opening = self.opening.min(self.bytes);
        self.since = Instant::now();
        while let Some((bytes, _)) = self.pieces.front_mut() {
            if written < bytes.len() {
                bytes.advance(written);
                self.begun |= written > 0;
                return false;
            }
            written -= bytes.len();
            if let Some((_, Some(waits))) = self.pieces.pop_front() {
                waits.written();
            }
            self.begun = false;
        }
        true
    }

    /// All of it is the opening by now.
    pub(super) const fn is_opening(&mut self) {
        self.opening = self.bytes;
    }

    /// Drops all but a piece that has begun to go out; whether there is one.
    pub(super) fn keep_begun(&mut self) -> bool {
        self.pieces.truncate(usize::from(self.begun));
        self.bytes = self.pieces.iter().map(|(bytes, _)| bytes.len()).sum();
        self.opening = 0;
        self.begun
    }

    pub(super) const fn backlog(&self) -> Backlog {
        Backlog { bytes: self.bytes, opening: self.opening, since: Some(self.since) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn left(behind: &Behind) -> Vec<u8> {
        behind.pieces.iter().flat_map(|(bytes, _)| bytes.to_vec()).collect()
    }

    proptest! {
        /// However the kernel takes it: each byte once, in order, and no piece is left half said.
        #[test]
        fn all_of_it_goes_out_in_order(
            lengths in prop::collection::vec(1_usize..9, 1..60),
            takes in prop::collection::vec(0_usize..40, 0..30),
        ) {
            let (mut behind, mut all, mut out) = (Behind::new(), Vec::new(), 0);
            let mut ends = vec![0];
            for (n, length) in (0_u8..).zip(lengths) {
                let piece = vec![n; length];
                behind.push(Bytes::from(piece.clone()), None);
                all.extend(piece);
                ends.push(all.len());
            }
            for take in takes {
                let offered: usize = behind.slices().iter().map(|slice| slice.len()).sum();
                let taken = take.min(offered);
                out += taken;
                let is_done = behind.taken(taken);
                prop_assert_eq!(is_done, out == all.len());
                prop_assert_eq!(left(&behind), &all[out..]);
                prop_assert_eq!(behind.backlog().bytes, all.len() - out);
            }
            let is_begun = behind.keep_begun();
            prop_assert_eq!(is_begun, !ends.contains(&out));
            let end = ends.into_iter().find(|end| *end >= out).unwrap_or(out);
            prop_assert_eq!(left(&behind), &all[out..end]);
            prop_assert_eq!(behind.backlog().bytes, end - out);
        }
    }
}
