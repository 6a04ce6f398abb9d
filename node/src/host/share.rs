//! How many of its service's partitions a process should own.

use crate::store::Members;

/// After so many looks at partitions that nobody takes, whoever may have more takes them.
const LOOKS: u32 = 3;

/// A process's share of the partitions: a fair one, and what others leave.
#[derive(Clone, Debug)]
pub(super) struct Share {
    partitions: u16,
    max: u16,
    /// How often in a row there was something that nobody took.
    spare_looks: u32,
}

impl Share {
    /// Of so many partitions, and at most `max`.
    pub(super) const fn new(partitions: u16, max: u16) -> Self {
        Self {
            partitions,
            max,
            spare_looks: 0,
        }
    }

    /// What each may have at once where so many processes want it.
    pub(super) fn fair(&self, members: u16) -> u16 {
        self.partitions.div_ceil(members.max(1)).min(self.max)
    }

    /// How many a process should own that owns so many while so many are free; `None` where that is
    /// right. What it has above its fair share is given back only when another wants some.
    pub(super) fn due(&mut self, owned: u16, free: u16, members: Members) -> Option<u16> {
        let fair = self.fair(members.all);
        let too_many = owned > self.max || (owned > fair && members.wanting > 0);
        if too_many || (owned < fair && free > 0) {
            self.spare_looks = 0;
            return Some(fair);
        }
        // The others have a smaller maximum, it seems; or they are not quick enough, and take theirs
        // back by wanting them.
        let spare = free > 0 && owned < self.max && members.wanting == 0;
        self.spare_looks = if spare { self.spare_looks + 1 } else { 0 };
        (self.spare_looks >= LOOKS).then(|| owned.saturating_add(free).min(self.max))
    }

    /// Whether a process that owns so many would have more if another gave some up.
    pub(super) fn wants(&self, owned: u16, free: u16, members: Members) -> bool {
        owned < self.fair(members.all) && free == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn members(all: u16, wanting: u16) -> Members {
        Members { all, wanting }
    }

    #[test]
    fn each_takes_its_fair_share_and_gives_up_the_rest_where_another_wants_it() {
        let mut share = Share::new(8, 8);
        assert_eq!(share.due(0, 8, members(1, 0)), Some(8));
        assert_eq!(share.due(8, 0, members(2, 0)), None, "the other is content");
        assert_eq!(share.due(8, 0, members(2, 1)), Some(4));
        assert_eq!(share.due(4, 0, members(2, 0)), None);
        assert_eq!(share.due(2, 0, members(3, 0)), None);
        assert!(share.wants(2, 0, members(3, 0)));
        assert!(!share.wants(2, 1, members(3, 0)), "it takes the free one");
        assert!(!share.wants(3, 0, members(3, 0)));
    }

    #[test]
    fn what_others_leave_is_taken_after_a_while_up_to_the_maximum() {
        for (max, taken) in [(8, 7), (6, 6)] {
            let mut share = Share::new(8, max);
            for _ in 1..LOOKS {
                assert_eq!(share.due(4, 3, members(2, 0)), None);
            }
            assert_eq!(share.due(4, 3, members(2, 0)), Some(taken));
        }
        let mut share = Share::new(8, 8);
        for wanting in [0, 0, 1, 0, 0] {
            assert_eq!(share.due(4, 3, members(2, wanting)), None, "in a row");
        }
        let mut share = Share::new(8, 4);
        for _ in 0..=LOOKS {
            assert_eq!(share.due(4, 4, members(1, 0)), None, "no more than that");
        }
    }
}
