//! When a journal lets the others of its thread go first.
//!
//! A commit to SQLite waits for nothing that the runtime knows of. A journal for which something
//! comes during each of its commits therefore never runs dry, and the runtime by itself would take
//! its thread away only after a hundred of them: at half the highest rate, orders were placed in
//! commits of four for 40 ms on end while the product that they asked had a batch waiting.

/// A commit of fewer decisions was hardly worth its sync: while others go first, more will gather.
const FEW: usize = 16;
/// After so many commits in a row the others go first whatever they held. Not after each: where
/// there is plenty to do, work that comes in waves shares more of what is done once for many.
const IN_A_ROW_MAX: u32 = 8;

/// What one journal remembers of its latest commits.
#[derive(Debug, Default)]
pub(super) struct Fairness {
    in_a_row: u32,
}

impl Fairness {
    /// Whether the others go first, after a commit of so many decisions.
    pub(super) const fn others_first(&mut self, decisions: usize) -> bool {
        self.in_a_row += 1;
        let others_first = decisions < FEW || self.in_a_row >= IN_A_ROW_MAX;
        if others_first {
            self.in_a_row = 0;
        }
        others_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_go_first_after_every_small_commit() {
        let mut fairness = Fairness::default();
        for _ in 0..3 {
            assert!(fairness.others_first(1));
            assert!(fairness.others_first(FEW - 1));
        }
    }

    #[test]
    fn others_wait_for_so_many_large_commits_and_no_more() {
        let mut fairness = Fairness::default();
        for _ in 0..3 {
            for _ in 1..IN_A_ROW_MAX {
                assert!(!fairness.others_first(FEW));
            }
            assert!(fairness.others_first(FEW));
        }
    }

    #[test]
    fn a_small_commit_ends_a_row_of_large_ones() {
        let mut fairness = Fairness::default();
        for _ in 1..IN_A_ROW_MAX {
            assert!(!fairness.others_first(FEW));
        }
        assert!(fairness.others_first(1));
        assert!(!fairness.others_first(FEW));
    }
}
