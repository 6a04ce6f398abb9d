//! What came of one run: latencies within its window, and for each product what was sold.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::connection::Outcome;

/// The part of a run that is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) start: Instant,
    pub(super) end: Instant,
}

impl Window {
    fn holds(self, moment: Instant) -> bool {
        self.start <= moment && moment < self.end
    }
}

/// Orders of one product, over the whole run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sold {
    sent: i64,
    confirmed: i64,
    refused: i64,
}

impl Sold {
    /// By how much the stock must have fallen: exactly one number where every answer is known.
    pub(super) fn fell(self) -> RangeInclusive<i64> {
        self.confirmed..=self.sent - self.refused
    }
}

#[derive(Debug)]
pub(super) struct Tally {
    window: Window,
    /// Microseconds of the confirmed orders that were due within the window.
    latency: Histogram<u64>,
    /// Confirmed within the window, whenever they were due.
    confirmed: u64,
    busy: u64,
    unsent: u64,
    unanswered: u64,
    unexpected: BTreeMap<String, u64>,
    products: Vec<Sold>,
}

const LATENCY_MAX: Duration = Duration::from_mins(2);
/// Kinds of unexpected answers that are told apart, so that a server which puts something unique
/// into each cannot fill the memory.
const KINDS_MAX: usize = 20;

impl Tally {
    pub(super) fn new(window: Window, products: usize) -> Self {
        let latency = Histogram::new_with_bounds(1, micros(LATENCY_MAX), 3)
            .expect("the bounds are constant and in order");
        Self {
            window,
            latency,
            confirmed: 0,
            busy: 0,
            unsent: 0,
            unanswered: 0,
            unexpected: BTreeMap::new(),
            products: vec![Sold::default(); products],
        }
    }

    pub(super) fn sent(&mut self, product: usize) {
        self.products[product].sent += 1;
        self.unanswered += 1;
    }

    /// Counts an answer.
    pub(super) fn answered(
        &mut self,
        product: usize,
        due: Instant,
        now: Instant,
        outcome: Outcome,
    ) {
        self.unanswered -= 1;
        let sold = &mut self.products[product];
        match outcome {
            Outcome::Confirmed => {
                sold.confirmed += 1;
                self.confirmed += u64::from(self.window.holds(now));
                self.waited(due, now);
            }
            Outcome::Busy => {
                sold.refused += 1;
                self.busy += 1;
            }
            Outcome::Refused(kind) => {
                sold.refused += 1;
                self.unexpected(kind);
            }
            Outcome::Unknown(kind) => self.unexpected(kind),
        }
    }

    /// Counts an order that was due and for which no connection came free before the end. It has
    /// waited at least that long, and to leave it out would flatter the server.
    pub(super) fn never_sent(&mut self, due: Instant) {
        self.unsent += 1;
        self.waited(due, self.window.end);
    }

    /// Counts what is still without an answer when the run gives up waiting.
    pub(super) fn give_up(&mut self) {
        if self.unanswered > 0 {
            self.unexpected
                .insert("no answer in time".to_owned(), self.unanswered);
        }
    }

    /// Counts a kind of fault.
    pub(super) fn unexpected(&mut self, kind: String) {
        let full = self.unexpected.len() >= KINDS_MAX && !self.unexpected.contains_key(&kind);
        let kind = if full { "other".to_owned() } else { kind };
        *self.unexpected.entry(kind).or_default() += 1;
    }

    fn waited(&mut self, due: Instant, until: Instant) {
        if self.window.holds(due) {
            self.latency
                .saturating_record(micros(until.duration_since(due)).max(1));
        }
    }

    /// The latency in microseconds that a share `quantile` of the orders does not exceed.
    pub(super) fn latency_micros(&self, quantile: f64) -> u64 {
        self.latency.value_at_quantile(quantile)
    }

    pub(super) fn latency_max_micros(&self) -> u64 {
        self.latency.max()
    }

    /// Confirmed within the window.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    pub(super) fn busy(&self) -> u64 {
        self.busy
    }

    pub(super) fn unsent(&self) -> u64 {
        self.unsent
    }

    pub(super) fn unexpected_by_kind(&self) -> &BTreeMap<String, u64> {
        &self.unexpected
    }

    /// One entry a product, in the order in which they were created.
    pub(super) fn products(&self) -> &[Sold] {
        &self.products
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_for_orders_that_were_due_in_the_window_whenever_they_were_answered() {
        let (mut tally, at) = tally();
        order(&mut tally, at(5), at(15), Outcome::Confirmed);
        order(&mut tally, at(19), at(29), Outcome::Confirmed);
        assert_eq!(tally.latency_max_micros() / 1_000_000, 10);
        assert_eq!(
            tally.confirmed(),
            1,
            "the one that was answered in the window"
        );
    }

    #[test]
    fn an_order_that_was_never_sent_has_waited_until_the_end() {
        let (mut tally, at) = tally();
        tally.never_sent(at(12));
        assert_eq!(tally.unsent(), 1);
        assert_eq!(tally.latency_max_micros() / 1_000_000, 8);
    }

    #[test]
    fn the_fall_of_the_stock_is_exact_when_every_answer_is_known() {
        let (mut tally, at) = tally();
        order(&mut tally, at(1), at(2), Outcome::Confirmed);
        order(&mut tally, at(1), at(2), Outcome::Busy);
        order(&mut tally, at(1), at(2), Outcome::Refused("400".to_owned()));
        assert_eq!(tally.products()[0].fell(), 1..=1);
    }

    #[test]
    fn an_unknown_answer_makes_the_fall_of_the_stock_a_range() {
        let (mut tally, at) = tally();
        order(&mut tally, at(1), at(2), Outcome::Confirmed);
        order(
            &mut tally,
            at(1),
            at(2),
            Outcome::Unknown("reset".to_owned()),
        );
        tally.sent(0);
        assert_eq!(tally.products()[0].fell(), 1..=3);
    }

    #[test]
    fn kinds_of_unexpected_answers_are_bounded_and_none_is_lost() {
        let (mut tally, _) = tally();
        for number in 0..1_000 {
            tally.unexpected(format!("kind {number}"));
        }
        assert_eq!(tally.unexpected_by_kind().len(), KINDS_MAX + 1);
        assert_eq!(tally.unexpected_by_kind().values().sum::<u64>(), 1_000);
    }

    /// A tally whose window goes from second 10 to second 20, and its seconds.
    fn tally() -> (Tally, impl Fn(u64) -> Instant) {
        let zero = Instant::now();
        let at = move |second| zero + Duration::from_secs(second);
        (
            Tally::new(
                Window {
                    start: at(10),
                    end: at(20),
                },
                1,
            ),
            at,
        )
    }

    fn order(tally: &mut Tally, due: Instant, now: Instant, outcome: Outcome) {
        tally.sent(0);
        tally.answered(0, due, now, outcome);
    }
}
