//! What holds of a campaign's books whatever it was asked.

use proptest::prelude::*;

use super::{super::change::Change, desk::Desk};

proptest! {
    /// Whatever is asked, in whatever order: [`Desk::ask`] checks numbers, users and rows; and
    /// what is used and not given back is what the coupons say.
    #[test]
    fn the_books_of_a_campaign_always_balance(
        asked in proptest::collection::vec((0..4_u8, 0..5_u8, 0..3_u8), 0..60)
    ) {
        let mut desk = Desk::with(3);
        for (what, user, order) in asked {
            let user = format!("u-{user}");
            match what {
                0 => drop(desk.issue(&user)),
                1 => drop(desk.issue_under(&format!("key-{order}"), &user)),
                2 => drop(desk.take(order, &user)),
                _ => drop(desk.restore(order, &user)),
            }
        }
        let count = |of: fn(&Change) -> bool| {
            desk.ledger.values().filter(|(_, change)| of(change)).count()
        };
        let used = count(|change| matches!(change, Change::Used { .. }));
        let restored = count(|change| matches!(change, Change::Restored { .. }));
        let held = desk.facts().coupons.iter().filter(|(_, c)| c.usage.is_some()).count();
        prop_assert_eq!(used - restored, held);
        let left: i64 = desk.ledger.values()
            .filter_map(|(_, change)| change.record().amount)
            .sum();
        let view = desk.facts().view();
        prop_assert_eq!(left, i64::from(view.quantity - view.issued));
    }
}
