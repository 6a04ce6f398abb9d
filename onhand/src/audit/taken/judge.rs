//! What is off between one order's parts of a step and what the participant's ledger did for them.
//! Pure.

use std::collections::BTreeMap;

use messages::RequestId;

use super::super::order::parts;
use super::super::release::Release;
use super::super::report::Finding;
use super::{Effect, Order, Participant};

/// What was done to one entity in one attempt, and how much it was where that is counted.
#[derive(Clone, Copy, Default)]
struct Deed {
    taken: bool,
    back: bool,
    took: Option<i64>,
    gave_back: Option<i64>,
}

/// Everything that is off with an order's parts of this step.
pub(super) fn judge(
    participant: &Participant<'_>,
    id: &str,
    order: Option<&Order>,
    effects: &[Effect],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let finding = |what: String, expected: &str, found: &str| {
        Finding::new(format_args!("order {id}"), what, expected, found)
    };
    let mut find =
        |what: String, expected: &str, found: &str| findings.push(finding(what, expected, found));
    let mut deeds: BTreeMap<(&str, i64), Deed> = BTreeMap::new();
    for effect in effects {
        let Some((_, attempt)) = parts(&effect.request_id, id) else {
            let what = format!("{} on {}", effect.request_id, effect.entity);
            find(what, "a request id of this order", &effect.kind);
            continue;
        };
        let deed = deeds.entry((&effect.entity, attempt)).or_default();
        if effect.kind == participant.took {
            (deed.taken, deed.took) = (true, effect.amount.map(|amount| -amount));
        }
        if effect.kind == participant.gave_back {
            (deed.back, deed.gave_back) = (true, effect.amount);
        }
    }
    let held = |(entity, attempt): &(&str, i64)| {
        order.is_some_and(|order| {
            order.status == "CONFIRMED"
                && order.parts.iter().any(|part| {
                    part.step == participant.step
                        && part.entity == *entity
                        && part.attempt == *attempt
                        && part.is_held()
                })
        })
    };
    let at_rest = order.is_none_or(|order| !order.in_flight);
    let mut orphans = Vec::new();
    for (place, deed) in &deeds {
        let what = format!("{} {} in attempt {}", participant.step, place.0, place.1);
        match (deed.taken, deed.back) {
            (false, true) => find(what, "given back once it was taken", "given back alone"),
            (true, false) if order.is_none() => {
                orphans.push(
                    finding(what, "an order that it belongs to", "none").undone_by(Release::of(
                        participant.service,
                        &reserve(id, place.1),
                        place.0,
                        id,
                        deed.took.unwrap_or(1),
                    )),
                );
            }
            (true, false) if at_rest && !held(place) => {
                find(what, "given back", "taken, and not given back");
            }
            (true, true) if at_rest && held(place) => {
                find(what, "kept, as the order holds it", "given back");
            }
            (true, true) if deed.took != deed.gave_back => {
                let expected = format!("{} given back, as was taken", deed.took.unwrap_or(0));
                find(what, &expected, &deed.gave_back.unwrap_or(0).to_string());
            }
            _ => {}
        }
    }
    if let Some(order) = order.filter(|order| !order.in_flight) {
        held_and_told(participant, order, &deeds, &mut find);
    }
    findings.append(&mut orphans);
    findings
}

/// The request id of what an order takes in an attempt.
fn reserve(order: &str, attempt: i64) -> String {
    RequestId::reserve(order, u32::try_from(attempt).unwrap_or(u32::MAX)).to_string()
}

/// What an order at rest says that it holds was taken, and as much of it; and that is what it
/// tells its buyer.
fn held_and_told(
    participant: &Participant<'_>,
    order: &Order,
    deeds: &BTreeMap<(&str, i64), Deed>,
    find: &mut impl FnMut(String, &str, &str),
) {
    let mut sum = 0;
    for part in &order.parts {
        if part.step != participant.step || !part.is_held() {
            continue;
        }
        let place = (part.entity.as_str(), part.attempt);
        let what = format!("{} {} in attempt {}", part.step, place.0, place.1);
        let deed = deeds.get(&place).copied().unwrap_or_default();
        sum += deed.took.unwrap_or(0);
        match deed.took {
            _ if !deed.taken => find(what, "taken, as the order holds it", "not taken"),
            Some(took) if took != part.amount => {
                let expected = format!("{}, as the order holds", part.amount);
                find(what, &expected, &took.to_string());
            }
            _ => {}
        }
    }
    if let Some(column) = participant.told_as
        && order.status == "CONFIRMED"
        && order.told.unwrap_or(0) != sum
    {
        let told = order.told.unwrap_or(0).to_string();
        find(column.to_owned(), &format!("{sum}, as was taken"), &told);
    }
}
