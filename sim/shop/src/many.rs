//! Many seeds, on as many threads as there are processors, each run on one.

use std::{
    collections::BTreeMap,
    num::NonZero,
    ops::RangeInclusive,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{Outcome, fault::Kind, plan::Plan, run};

/// How often progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What came of many runs.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// How many were right.
    pub passed: u64,
    /// Those that were not, and why.
    pub failed: BTreeMap<u64, String>,
    /// How many orders were placed in all.
    pub orders: u64,
    /// How often each kind of fault struck.
    pub faults: BTreeMap<Kind, u64>,
    /// How much virtual time passed, in ms.
    pub virtual_ms: u64,
}

impl Sum {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.orders += outcome.orders;
        self.virtual_ms += outcome.virtual_ms;
        for (kind, times) in outcome.faults {
            *self.faults.entry(kind).or_default() += times;
        }
        match outcome.failure {
            None => self.passed += 1,
            Some(why) => {
                self.failed.insert(seed, why);
            }
        }
    }

    /// How often a process died.
    pub fn crashes(&self) -> u64 {
        self.faults.get(&Kind::Crash).copied().unwrap_or(0)
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = self.faults.iter();
        let kinds: Vec<String> = kinds
            .map(|(kind, times)| format!("{times} {}", kind.name()))
            .collect();
        let hours = self.virtual_ms / 3_600_000;
        writeln!(f, "{} virtual hours; {}", hours, kinds.join(", "))?;
        let (failed, faults) = (self.failed.len(), self.faults.values().sum::<u64>());
        write!(
            f,
            "{} passed, {failed} failed; {} orders, {} crashes, {faults} faults",
            self.passed,
            self.orders,
            self.crashes(),
        )
    }
}

/// Runs every seed, on so many threads, and tells progress and each failure as it comes; stops
/// early at the first failure where that is wanted.
pub fn run_all(
    seeds: RangeInclusive<u64>,
    threads: usize,
    stop_at_first: bool,
    tell: impl Fn(&str) + Sync,
) -> Sum {
    let next = AtomicU64::new(*seeds.start());
    let sum = Mutex::new((Sum::default(), Instant::now()));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    let outcome = run(Plan::of(seed), false);
                    let mut guard = sum.lock().expect("no panic while it is locked");
                    let (sum, told) = &mut *guard;
                    if let Some(why) = &outcome.failure {
                        tell(&format!("seed {seed}: {why}"));
                        if stop_at_first {
                            next.store(u64::MAX, Ordering::Relaxed);
                        }
                    }
                    sum.add(seed, outcome);
                    if told.elapsed() >= PROGRESS_EVERY {
                        *told = Instant::now();
                        let done = sum.passed + sum.failed.len() as u64;
                        let all = seeds.end() - seeds.start() + 1;
                        tell(&format!("{done} of {all}"));
                    }
                }
            });
        }
    });
    sum.into_inner().expect("no panic while it was locked").0
}

/// As many threads as there are processors.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
