//! Makes a failing run smaller: fewer faults, fewer customers, fewer orders, as long as it fails.

use crate::{
    plan::{Part, Plan},
    run,
};

/// The smallest part of a plan found that still fails, and how it fails; within so many runs.
pub fn shrink(seed: u64, runs_max: u32) -> Option<(Part, String)> {
    let mut left = runs_max;
    let mut fails = |part: &Part| {
        left = left.checked_sub(1)?;
        run(Plan::of(seed).only(part), false).failure
    };
    let mut part = Part::default();
    let mut why = fails(&part)?;
    let mut faults: Vec<usize> = (0..Plan::of(seed).faults.len()).collect();
    // Whole stretches first, then shorter ones.
    let mut stretch = faults.len();
    while stretch > 0 {
        let mut from = 0;
        while from < faults.len() {
            let mut fewer = faults.clone();
            fewer.drain(from..(from + stretch).min(faults.len()));
            let smaller = Part {
                faults: Some(fewer.clone()),
                ..part.clone()
            };
            match fails(&smaller) {
                Some(still) => (part, why, faults) = (smaller, still, fewer),
                None => from += stretch,
            }
        }
        stretch /= 2;
    }
    let plan = Plan::of(seed);
    for (n, most) in [plan.customers, plan.orders_each].into_iter().enumerate() {
        let mut count = most;
        let mut step = most / 2;
        while step > 0 {
            let mut smaller = part.clone();
            let fewer = Some(count.saturating_sub(step).max(1));
            match n {
                0 => smaller.customers = fewer,
                _ => smaller.orders_each = fewer,
            }
            match fails(&smaller) {
                Some(still) => (part, why, count) = (smaller, still, count - step),
                None => step /= 2,
            }
            step = step.min(count.saturating_sub(1));
        }
    }
    Some((part, why))
}

/// The command that carries out this part of a seed's plan.
pub fn command(seed: u64, part: &Part) -> String {
    let mut words = vec![format!("make sim SEED={seed}")];
    words.extend(part.customers.map(|most| format!("CUSTOMERS={most}")));
    words.extend(part.orders_each.map(|most| format!("ORDERS={most}")));
    words.extend(part.faults.as_ref().map(|faults| {
        let numbers: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("FAULTS={}", numbers.join(","))
    }));
    words.join(" ")
}
