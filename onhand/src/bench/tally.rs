//! What came of one run: latencies within its window, and for each product what was sold.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::connection::Outcome;
use super::sold::{Sold, Window};
use super::work::Wish;

#[derive(Debug)]
pub(super) struct Tally {
    window: Window,
    /// Refusals that are answers as they must be.
    refusals: &'static [&'static str],
    /// Microseconds of what was due and answered as it must be within the window, reads apart.
    latency: Histogram<u64>,
    /// Confirmed or issued within the window, whenever they were due.
    confirmed: u64,
    /// Refused as they must be, within the window.
    refused: u64,
    /// Read within the window.
    read: u64,
    /// Done, in the whole run.
    done: u64,
    /// When the last answer came.
    last: Instant,
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
    pub(super) fn new(window: Window, goods: usize, refusals: &'static [&'static str]) -> Self {
        let latency = Histogram::new_with_bounds(1, micros(LATENCY_MAX), 3)
            .expect("the bounds are constant and in order");
        Self {
            window,
            refusals,
            latency,
            confirmed: 0,
            refused: 0,
            read: 0,
            done: 0,
            last: window.start,
            busy: 0,
            unsent: 0,
            unanswered: 0,
            unexpected: BTreeMap::new(),
            products: vec![Sold::default(); goods],
        }
    }

    pub(super) fn sent(&mut self, takes: &[usize]) {
        for place in takes {
            self.products[*place].sent += 1;
        }
        self.unanswered += 1;
    }

    /// Counts an answer to what was due, and came, at these times.
    pub(super) fn answered(
        &mut self,
        wish: Wish,
        takes: &[usize],
        (due, now): (Instant, Instant),
        outcome: Outcome,
    ) {
        self.unanswered -= 1;
        self.last = self.last.max(now);
        let within = u64::from(self.window.holds(now));
        let mut sold = |count: fn(&mut Sold)| {
            for place in takes {
                count(&mut self.products[*place]);
            }
        };
        self.done += u64::from(outcome == Outcome::Done);
        match outcome {
            Outcome::Done if wish == Wish::Read => self.read += within,
            Outcome::Done => {
                sold(|sold| sold.confirmed += 1);
                self.confirmed += within;
                self.waited(due, now);
            }
            Outcome::Busy => {
                sold(|sold| sold.refused += 1);
                self.busy += 1;
            }
            Outcome::Refused(kind) => {
                sold(|sold| sold.refused += 1);
                if self.refusals.contains(&&*kind) {
                    self.refused += within;
                    self.waited(due, now);
                } else {
                    self.unexpected(kind);
                }
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

    /// The mean latency in microseconds.
    pub(super) fn latency_mean_micros(&self) -> f64 {
        self.latency.mean()
    }

    /// Confirmed or issued within the window.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Refused within the window, as they must be.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Read within the window.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Done in the whole run.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// How long it took from the start of the window to the last answer.
    pub(super) fn took(&self) -> Duration {
        self.last.duration_since(self.window.start)
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
        order(&mut tally, at(5), at(15), Outcome::Done);
        order(&mut tally, at(19), at(29), Outcome::Done);
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
        order(&mut tally, at(1), at(2), Outcome::Done);
        order(&mut tally, at(1), at(2), Outcome::Busy);
        order(&mut tally, at(1), at(2), Outcome::Refused("400".to_owned()));
        assert_eq!(tally.products()[0].fell(), 1..=1);
    }

    #[test]
    fn a_refusal_that_must_be_is_an_answer_and_another_is_an_error() {
        let (mut tally, at) = tally();
        for kind in ["400 SOLD_OUT", "400 OTHER"] {
            order(
                &mut tally,
                at(11),
                at(12),
                Outcome::Refused(kind.to_owned()),
            );
        }
        assert_eq!((tally.refused(), tally.confirmed()), (1, 0));
        assert_eq!(tally.unexpected_by_kind().len(), 1);
        assert_eq!(tally.products()[0].fell(), 0..=0);
    }

    #[test]
    fn an_unknown_answer_makes_the_fall_of_the_stock_a_range() {
        let (mut tally, at) = tally();
        order(&mut tally, at(1), at(2), Outcome::Done);
        order(
            &mut tally,
            at(1),
            at(2),
            Outcome::Unknown("reset".to_owned()),
        );
        tally.sent(&[0]);
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
                &["400 SOLD_OUT"],
            ),
            at,
        )
    }

    fn order(tally: &mut Tally, due: Instant, now: Instant, outcome: Outcome) {
        tally.sent(&[0]);
        tally.answered(Wish::Order, &[0], (due, now), outcome);
    }
}
