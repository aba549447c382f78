//! RFC 6962 Merkle roots, leaf by leaf [wire §4.9].

use crate::Sha256;

/// Computes the root over leaves that arrive one by one: leaf = SHA-256(00 ‖ data), node = SHA-256(01 ‖ left ‖ right), empty =
/// SHA-256 of nothing. Holds one hash per set bit of the count; `DEPTH` 32 is enough for 2^32 − 1 leaves.
pub struct Builder<'a, S: Sha256, const DEPTH: usize = 32> {
    sha: &'a S,
    stack: [[u8; 32]; DEPTH],
    count: u64,
}

impl<'a, S: Sha256, const DEPTH: usize> Builder<'a, S, DEPTH> {
    /// Returns an empty tree.
    pub fn new(sha: &'a S) -> Self {
        Self { sha, stack: [[0; 32]; DEPTH], count: 0 }
    }

    fn node(&self, left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
        self.sha.hash(&[&[1], left, right])
    }

    /// Adds the next leaf. Returns false, and changes nothing, when `DEPTH` is too small for another.
    pub fn push(&mut self, leaf: &[u8]) -> bool {
        let mut hash = self.sha.hash(&[&[0], leaf]);
        // Joins as often as the count has trailing ones: a binary counter of perfect subtrees.
        let level = self.count.trailing_ones() as usize;
        if level >= DEPTH {
            return false;
        }
        for below in 0..level {
            if let Some(left) = self.stack.get(below) {
                hash = self.node(left, &hash);
            }
        }
        if let Some(place) = self.stack.get_mut(level) {
            *place = hash;
        }
        self.count = self.count.saturating_add(1);
        true
    }

    /// Returns the root over the added leaves. The caller may add more afterwards.
    pub fn root(&self) -> [u8; 32] {
        let mut root: Option<[u8; 32]> = None;
        for (level, subtree) in self.stack.iter().enumerate() {
            if self.count >> level & 1 == 1 {
                root = Some(root.map_or(*subtree, |right| self.node(subtree, &right)));
            }
        }
        root.unwrap_or_else(|| self.sha.hash(&[]))
    }
}
