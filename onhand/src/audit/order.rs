//! What an order's state demands of the products' ledgers. Pure: one order, and the effects that
//! bear its id.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::report::Finding;

/// An order as its database has it.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) owing: bool,
    pub(super) cancelling: bool,
    pub(super) attempt: i64,
    /// What it owes besides its lines: other steps, and releases of earlier attempts.
    pub(super) parts_owed: u64,
    pub(super) lines: Vec<Line>,
}

/// One line of an order, as the column `lines` has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    #[serde(rename = "productId")]
    pub(super) product: String,
    pub(super) quantity: i64,
    pub(super) hold: String,
}

/// What a saga did to a product.
#[derive(Clone, Debug)]
pub(super) struct Effect {
    pub(super) product: String,
    pub(super) request_id: String,
    pub(super) kind: String,
    /// The order that the row names besides its request id.
    pub(super) order: Option<String>,
    pub(super) amount: i64,
}

impl Order {
    /// Whether it has not come to rest: then it is not judged by how it ends.
    pub(super) fn in_flight(&self) -> bool {
        self.status == "PENDING" || self.cancelling || self.owing
    }

    /// How many commands it has asked for and not been answered.
    pub(super) fn still_owed(&self) -> u64 {
        let asked = |line: &&Line| line.hold == "asked" || line.hold == "releasing";
        self.parts_owed + self.lines.iter().filter(asked).count() as u64
    }
}

/// What was done to one product in one attempt.
#[derive(Clone, Copy, Debug, Default)]
struct Deed {
    /// The decrease; a tombstone in its place took nothing.
    taken: Option<i64>,
    closed: bool,
    back: Option<i64>,
}

/// Everything that is off with an order, given the effects that bear its id.
pub(super) fn judge(order: &Order, effects: &[Effect]) -> Vec<Finding> {
    let mut judge = Judge {
        order,
        findings: Vec::new(),
    };
    let deeds = judge.deeds(effects);
    judge.pieces(&deeds);
    if !order.in_flight() {
        match order.status.as_str() {
            "CONFIRMED" => {
                judge.kept(&deeds);
                judge.holds(&["held"]);
            }
            "FAILED" => {
                judge.given_back(&deeds, i64::MAX);
                judge.holds(&["refused", "released"]);
            }
            "CANCELLED" => {
                judge.given_back(&deeds, i64::MAX);
                judge.was_confirmed(&deeds);
                judge.holds(&["released"]);
            }
            status => judge.find("status", "PENDING, CONFIRMED, FAILED or CANCELLED", status),
        }
    }
    if order.lines.is_empty() {
        judge.find("lines", "at least one", "none");
    }
    judge.findings
}

/// By product and attempt.
type Deeds<'e> = BTreeMap<(&'e str, i64), Deed>;

struct Judge<'o> {
    order: &'o Order,
    findings: Vec<Finding>,
}

impl Judge<'_> {
    fn deeds<'e>(&mut self, effects: &'e [Effect]) -> Deeds<'e> {
        let mut deeds = Deeds::new();
        for effect in effects {
            let place = format!("{} on product {}", effect.request_id, effect.product);
            if effect
                .order
                .as_ref()
                .is_some_and(|order| *order != self.order.id)
            {
                self.find(
                    format!("order of {place}"),
                    &self.order.id,
                    effect.order.as_deref().unwrap_or_default(),
                );
            }
            let Some((is_decrease, attempt)) = parts(&effect.request_id, &self.order.id) else {
                self.find(&place, "a request id of this order", effect.amount);
                continue;
            };
            let deed = deeds.entry((effect.product.as_str(), attempt)).or_default();
            match (is_decrease, effect.kind.as_str()) {
                (true, "reserved") => deed.taken = Some(-effect.amount),
                (true, "tombstoned") if effect.amount == 0 => deed.closed = true,
                (false, "released") => deed.back = Some(effect.amount),
                (_, kind) => self.find(
                    &place,
                    if is_decrease {
                        "reserved or tombstoned"
                    } else {
                        "released"
                    },
                    format!("{kind} with an amount of {}", effect.amount),
                ),
            }
        }
        deeds
    }

    /// What holds in every state: the right pieces of the right products, and no more given back
    /// than was taken.
    fn pieces(&mut self, deeds: &Deeds<'_>) {
        for ((product, attempt), deed) in deeds {
            let Some(line) = self
                .order
                .lines
                .iter()
                .find(|line| line.product == *product)
            else {
                let found = format!("{} taken", deed.taken.unwrap_or(0));
                self.find(
                    format!("product {product}"),
                    "no effect, as it is in no line",
                    found,
                );
                continue;
            };
            let quantity = line.quantity;
            if *attempt > self.order.attempt {
                let expected = format!("none after attempt {}", self.order.attempt);
                self.find(
                    format!("attempt {attempt} on product {product}"),
                    expected,
                    "an effect",
                );
            }
            if let Some(taken) = deed.taken
                && taken != quantity
            {
                self.find(decrease(product, *attempt), quantity, taken);
            }
            if let Some(back) = deed.back
                && back != deed.taken.unwrap_or(0)
            {
                let expected = format!("{}, as was taken", deed.taken.unwrap_or(0));
                self.find(increase(product, *attempt), expected, back);
            }
        }
    }

    /// Of the present attempt exactly one decrease a line and no increase; of those before, nothing.
    fn kept(&mut self, deeds: &Deeds<'_>) {
        let attempt = self.order.attempt;
        for line in &self.order.lines {
            let deed = self.of(deeds, line);
            if deed.taken.is_none() {
                let found = if deed.closed { "a tombstone" } else { "none" };
                self.find(decrease(&line.product, attempt), line.quantity, found);
            }
            if let Some(back) = deed.back {
                self.find(
                    increase(&line.product, attempt),
                    "none of a confirmed order",
                    back,
                );
            }
        }
        self.given_back(deeds, attempt);
    }

    /// Of every attempt before this one, whatever was taken was given back.
    fn given_back(&mut self, deeds: &Deeds<'_>, before: i64) {
        for ((product, attempt), deed) in deeds {
            if let Some(taken) = deed.taken
                && deed.back.is_none()
                && *attempt < before
            {
                self.find(
                    increase(product, *attempt),
                    format!("{taken} given back"),
                    "none",
                );
            }
        }
    }

    /// What is cancelled had everything once.
    fn was_confirmed(&mut self, deeds: &Deeds<'_>) {
        for line in &self.order.lines {
            if self.of(deeds, line).taken.is_none() {
                let what = decrease(&line.product, self.order.attempt);
                self.find(what, format!("{}, and given back", line.quantity), "none");
            }
        }
    }

    fn holds(&mut self, allowed: &[&str]) {
        for line in &self.order.lines {
            if !allowed.contains(&line.hold.as_str()) {
                let what = format!(
                    "the line of product {}, {}",
                    line.product, self.order.status
                );
                self.find(what, allowed.join(" or "), &line.hold);
            }
        }
    }

    /// What was done for a line in the present attempt.
    fn of(&self, deeds: &Deeds<'_>, line: &Line) -> Deed {
        let key = (line.product.as_str(), self.order.attempt);
        deeds.get(&key).copied().unwrap_or_default()
    }

    fn find(
        &mut self,
        what: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) {
        let whose = format!("order {}", self.order.id);
        self.findings
            .push(Finding::new(whose, what, expected, found));
    }
}

fn decrease(product: &str, attempt: i64) -> String {
    format!("decrease of product {product} in attempt {attempt}")
}

fn increase(product: &str, attempt: i64) -> String {
    format!("increase of product {product} in attempt {attempt}")
}

/// Whether a request id is that of a decrease, and of which attempt: `DEC-x`, `INC-x-2`.
pub(super) fn parts(request_id: &str, order: &str) -> Option<(bool, i64)> {
    let (is_decrease, rest) = match request_id.split_at_checked(4)? {
        ("DEC-", rest) => (true, rest),
        ("INC-", rest) => (false, rest),
        _ => return None,
    };
    let attempt = match rest.strip_prefix(order)? {
        "" => 1,
        suffix => suffix.strip_prefix('-')?.parse().ok().filter(|n| *n > 1)?,
    };
    Some((is_decrease, attempt))
}
