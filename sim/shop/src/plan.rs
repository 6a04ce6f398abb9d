//! What a run does, drawn from its seed before it begins: how large the shop is, how the services
//! are set, and which faults come when.
//!
//! Every part is drawn from a source of its own, so that a run with fewer orders or fewer faults
//! is otherwise the same: that is how a failing run is made smaller.

use node::host::Limits;
use sim::Chance;

use crate::fault::{Fault, Kind};

/// How long faults go on, from the first order.
const FAULTS_MS: u64 = 12_000;
/// The services, in the order of [`messages::Service::ALL`].
const SERVICES: usize = messages::Service::ALL.len();

/// A run before it begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything else follows from it.
    pub seed: u64,
    /// How many customers there are.
    pub customers: u64,
    /// How many orders each places.
    pub orders_each: u64,
    /// How many products there are; the first is asked for most.
    pub products: u64,
    /// How many coupon campaigns there are.
    pub campaigns: u64,
    /// The number of partitions of every service.
    pub partitions: u16,
    /// How many processes each service has.
    pub processes: [usize; SERVICES],
    /// The limits of every service's host.
    pub limits: Limits,
    /// For how many ms the broker remembers ids.
    pub window_ms: i64,
    /// How long an answer of the broker takes at most, in ms.
    pub latency_ms: u64,
    /// How long a commit takes at most, in ms.
    pub commit_ms: u64,
    /// After how many ms an order gives up.
    pub deadline_ms: u64,
    /// How many ms an order waits for a payment that is made outside.
    pub payment_deadline_ms: u64,
    /// The faults, by when they come.
    pub faults: Vec<(u64, Fault)>,
}

/// How much of a plan is carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// So many customers at most.
    pub customers: Option<u64>,
    /// So many orders each at most.
    pub orders_each: Option<u64>,
    /// These faults alone, by their number.
    pub faults: Option<Vec<usize>>,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let chance = Chance::new(seed, "plan", 0);
        let processes = [0; SERVICES].map(|_| 1 + usize::from(chance.percent(40)));
        let mut plan = Self {
            seed,
            customers: chance.between(12, 20),
            orders_each: 0,
            products: chance.between(2, 6),
            campaigns: chance.below(3),
            partitions: *chance.pick(&[1, 2, 4, 8]),
            processes,
            limits: limits(seed, &chance),
            window_ms: *chance.pick(&[500, 3_000, 120_000]),
            latency_ms: *chance.pick(&[1, 3, 12]),
            commit_ms: *chance.pick(&[1, 3, 12]),
            deadline_ms: chance.between(600, 4_000),
            payment_deadline_ms: chance.between(2_000, 6_000),
            faults: faults(seed, processes),
        };
        plan.orders_each = 200_u64.div_ceil(plan.customers);
        plan
    }

    /// The same, but no more of it than this part.
    #[must_use]
    pub fn only(mut self, part: &Part) -> Self {
        self.customers = self.customers.min(part.customers.unwrap_or(u64::MAX));
        self.orders_each = self.orders_each.min(part.orders_each.unwrap_or(u64::MAX));
        if let Some(numbers) = &part.faults {
            let all = std::mem::take(&mut self.faults);
            let kept = all.into_iter().enumerate();
            self.faults = kept
                .filter(|(number, _)| numbers.contains(number))
                .map(|(_, fault)| fault)
                .collect();
        }
        self
    }
}

/// Small and large limits alike, so that each is met.
fn limits(seed: u64, chance: &Chance) -> Limits {
    Limits {
        in_flight_max: *chance.pick(&[24, 8192]),
        requests_max: 1,
        connections_max: 1,
        batch_max: *chance.pick(&[1, 3, 128]),
        lookup_max: *chance.pick(&[1, 4, 256]),
        message_bytes_max: *chance.pick(&[600, 262_144]),
        lane_max: *chance.pick(&[6, 16_384]),
        busy_max: *chance.pick(&[2, 16_384]),
        events_in_flight_max: *chance.pick(&[1, 1024]),
        entities_max: *chance.pick(&[2, 200_000]),
        entity_idle_ms: *chance.pick(&[200, 1_000, 60_000]),
        commit_wait_ms: 2_500,
        ask_wait_ms: *chance.pick(&[500, 3_000]),
        resend_ms: *chance.pick(&[150, 500]),
        resend_max_ms: *chance.pick(&[1_000, 3_000]),
        calls_max: *chance.pick(&[1, 64]),
        call_wait_ms: 2_500,
        reread_ms: *chance.pick(&[5_000, 300_000]),
        events_age_ms: 604_800_000,
        stop_wait_ms: 5_000,
        // By chances of their own: seeds that were kept are to draw all else as they did.
        events_gather_ms: *Chance::new(seed, "gather", 0).pick(&[0, 5]),
        events_alone_max: *Chance::new(seed, "alone", 0).pick(&[0, 2, 16]),
        remembered_max: *Chance::new(seed, "remembered", 0).pick(&[1, 8, 65_536]),
    }
}

/// Some of every kind that the seed favours, and never fewer than three crashes and five kinds of
/// other faults.
fn faults(seed: u64, processes: [usize; SERVICES]) -> Vec<(u64, Fault)> {
    let chance = Chance::new(seed, "faults", 0);
    let mut kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::Crash)
        .collect();
    // A few kinds often find what all kinds together hide.
    while kinds.len() > 5 && chance.percent(75) {
        let gone = chance.below(kinds.len() as u64);
        kinds.swap_remove(usize::try_from(gone).unwrap_or(0));
    }
    let mut wanted = kinds.clone();
    let more = chance.between(2, 14);
    wanted.extend((0..more).map(|_| *chance.pick(&kinds)));
    wanted.extend((0..chance.between(3, 7)).map(|_| Kind::Crash));
    let mut faults: Vec<(u64, Fault)> = wanted
        .into_iter()
        .map(|kind| {
            let at = chance.below(FAULTS_MS);
            (at, Fault::draw(kind, &chance, processes))
        })
        .collect();
    faults.sort_by_key(|(at, _)| *at);
    faults
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_run_has_two_hundred_orders_three_crashes_and_five_other_kinds_of_fault() {
        for seed in 0..200 {
            let plan = Plan::of(seed);
            assert!(plan.customers * plan.orders_each >= 200);
            let kinds = plan.faults.iter().map(|(_, fault)| fault.kind);
            let crashes = kinds.clone().filter(|kind| *kind == Kind::Crash).count();
            assert!(crashes >= 3);
            assert!(kinds.collect::<BTreeSet<_>>().len() > 5);
        }
    }

    #[test]
    fn leaving_out_faults_changes_nothing_else() {
        let whole = Plan::of(7);
        let part = Part {
            faults: Some(vec![0, 2]),
            ..Part::default()
        };
        let less = Plan::of(7).only(&part);
        assert_eq!(less.faults.len(), 2);
        assert_eq!(
            format!("{:?}", less.faults[1]),
            format!("{:?}", whole.faults[2])
        );
        assert_eq!(less.customers, whole.customers);
    }
}
