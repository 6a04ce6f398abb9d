//! What was sold in the last days, in memory: one column of numbers a day, a place a product.
//!
//! To find the best of some days is to add their columns up and to keep the highest sums: a few
//! sweeps over plain numbers, however alike the products sell. Invariants: each cell is what
//! `sales_daily` has, and no day is kept that no question can reach.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
};

use messages::ProductId;

use crate::{best::DAYS_MAX, day::Day};

/// How many products there is room for: with every day full, 125 MB. Where more are sold, the
/// database is asked instead.
const PRODUCTS_MAX: usize = 500_000;
/// How many days there is room for; orders from the future may not fill the memory.
const COLUMNS_MAX: usize = 2 * DAYS_MAX as usize;

/// What was sold in the last days.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Each product at its place in the columns.
    products: Vec<ProductId>,
    places: HashMap<ProductId, usize>,
    /// A column is as long as the highest place with something in it.
    columns: BTreeMap<Day, Vec<i64>>,
}

/// There is no room for what was sold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("more products or days were sold than memory has room for")]
pub(crate) struct Full;

impl Window {
    /// The first day that is kept on this one. One more than a question reaches back to, since a
    /// clock that is set back a little may cross midnight.
    pub(crate) const fn first(today: Day) -> Day {
        today.before(DAYS_MAX as i64)
    }

    /// Counts so many pieces more, or fewer, on a day; what is older than the first is left out.
    pub(crate) fn add(
        &mut self,
        today: Day,
        (product, day): (ProductId, Day),
        quantity: i64,
    ) -> Result<(), Full> {
        if day < Self::first(today) {
            return Ok(());
        }
        let place = match self.places.get(&product) {
            Some(place) => *place,
            None if self.products.len() == PRODUCTS_MAX => return Err(Full),
            None => {
                self.products.push(product);
                self.places.insert(product, self.products.len() - 1);
                self.products.len() - 1
            }
        };
        let column = self.columns.entry(day).or_default();
        if column.len() <= place {
            column.resize(place + 1, 0);
        }
        column[place] += quantity;
        if self.columns.len() > COLUMNS_MAX {
            return Err(Full);
        }
        Ok(())
    }

    /// Lets go of the days that are too old, and of the products that were sold on no other.
    pub(crate) fn forget(&mut self, today: Day) {
        let kept = self.columns.split_off(&Self::first(today));
        let gone = std::mem::replace(&mut self.columns, kept);
        if gone.is_empty() {
            return;
        }
        let old = std::mem::take(self);
        for (day, column) in old.columns {
            let cells = column.into_iter().zip(&old.products);
            for (quantity, product) in cells.filter(|(quantity, _)| *quantity != 0) {
                let added = self.add(today, (*product, day), quantity);
                added.expect("there was room for more");
            }
        }
    }

    /// The best sellers of the days up to `last`, best first; where two sold the same, by id.
    ///
    /// A day on which more was cancelled than sold counts nothing.
    pub(crate) fn best(&self, last: Day, days: u32, limit: u32) -> Vec<(ProductId, i64)> {
        let first = last.before(i64::from(days) - 1);
        let mut sums = vec![0_i64; self.products.len()];
        for (_, column) in self.columns.range(first..=last) {
            for (sum, quantity) in sums.iter_mut().zip(column) {
                *sum += (*quantity).max(0);
            }
        }
        // The worst of the best so far is on top.
        let mut best = BinaryHeap::with_capacity(limit as usize + 1);
        for (sum, product) in sums.into_iter().zip(&self.products) {
            let candidate = Reverse((sum, Reverse(*product)));
            let better = best.len() < limit as usize || best.peek() > Some(&candidate);
            if sum > 0 && better {
                best.push(candidate);
                if best.len() > limit as usize {
                    best.pop();
                }
            }
        }
        let best = best.into_sorted_vec().into_iter();
        best.map(|Reverse((sum, Reverse(product)))| (product, sum))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_best_of_the_wanted_days_come_first_and_no_other() {
        let window = sold(&[
            (1, 0, 5),
            (1, 2, 5),
            (1, 3, 90),
            (2, 1, 12),
            (3, 0, 11),
            (4, 0, 1),
        ]);
        assert_eq!(best(&window, 3, 3), [(2, 12), (3, 11), (1, 10)]);
        assert_eq!(best(&window, 4, 1), [(1, 100)]);
        assert_eq!(best(&Window::default(), 3, 3), []);
    }

    #[test]
    fn a_day_with_more_cancels_than_sales_counts_nothing() {
        let window = sold(&[(1, 0, 5), (1, 1, -3), (2, 0, 2), (2, 0, -2), (3, 1, -1)]);
        assert_eq!(best(&window, 3, 5), [(1, 5)]);
    }

    #[test]
    fn the_day_changes_at_midnight_and_what_no_question_reaches_goes() {
        let mut window = sold(&[(1, 30, 7), (2, 29, 5), (2, 0, 1), (3, 31, 9)]);
        assert_eq!(window.products.len(), 2, "the third was sold too long ago");
        assert_eq!(best(&window, 30, 9), [(2, 6)]);
        let tomorrow = today().before(-1);
        window.forget(tomorrow);
        assert_eq!(window.products, [product(2)]);
        let left = window.best(tomorrow, 30, 9);
        assert_eq!(left, [(product(2), 1)], "its first day is out of reach");
    }

    #[test]
    fn orders_from_the_future_do_not_fill_the_memory() {
        let mut window = Window::default();
        let full = (0..1_000_i64).find(|n| {
            let cell = (product(1), today().before(-n));
            window.add(today(), cell, 1) == Err(Full)
        });
        assert_eq!(full, Some(60));
        assert_eq!(best(&window, 30, 1), [(1, 1)], "tomorrow counts tomorrow");
    }

    proptest! {
        #[test]
        fn it_finds_what_sorting_all_sums_finds(
            sales in proptest::collection::vec((0..20_u32, 0..40_i64, -3..9_i64), 0..200),
            days in 1..=30_u32,
            limit in 1..10_u32,
        ) {
            let mut cells = BTreeMap::new();
            for (product, ago, quantity) in &sales {
                *cells.entry((*product, *ago)).or_insert(0) += quantity;
            }
            let mut sums = BTreeMap::new();
            for ((product, ago), quantity) in cells {
                if ago < i64::from(days) && quantity > 0 {
                    *sums.entry(product).or_insert(0) += quantity;
                }
            }
            let mut sums: Vec<(u32, i64)> = sums.into_iter().collect();
            sums.sort_by_key(|(product, sum)| (Reverse(*sum), *product));
            sums.truncate(limit as usize);
            prop_assert_eq!(best(&sold(&sales), days, limit), sums);
        }
    }

    /// What was sold: product, how many days ago, how many pieces.
    fn sold(sales: &[(u32, i64, i64)]) -> Window {
        let mut window = Window::default();
        for (n, ago, quantity) in sales {
            let cell = (product(*n), today().before(*ago));
            window.add(today(), cell, *quantity).expect("room");
        }
        window
    }

    fn best(window: &Window, days: u32, limit: u32) -> Vec<(u32, i64)> {
        let found = window.best(today(), days, limit).into_iter();
        let number = |id: ProductId| (0..100).find(|n| product(*n) == id).expect("one of ours");
        found.map(|(id, sum)| (number(id), sum)).collect()
    }

    fn product(n: u32) -> ProductId {
        let id = format!("01930000-0000-7000-8000-{n:012x}");
        id.parse().expect("an id")
    }

    fn today() -> Day {
        "2026-01-31".parse().expect("a day")
    }
}
