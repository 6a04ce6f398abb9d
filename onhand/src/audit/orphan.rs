//! Effects of sagas that bear the id of no order: only a database that went back in time, or lost
//! rows, leaves such. Pure. What was given back is no matter; what was not names its release.

use std::collections::BTreeMap;

use messages::Service;

use super::order::{Effect, parts};
use super::release::Release;
use super::report::Finding;

/// What was done to a product in one attempt, and under which request id it was taken.
#[derive(Default)]
struct Deed<'e> {
    taken: Option<(&'e str, i64)>,
    back: i64,
}

/// Everything that is off with effects on products that bear the id of no order.
pub(super) fn judge(order: &str, effects: &[Effect]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut deeds: BTreeMap<(&str, i64), Deed<'_>> = BTreeMap::new();
    for effect in effects.iter().filter(|effect| effect.amount != 0) {
        match parts(&effect.request_id, order) {
            Some((is_decrease, attempt)) => {
                let deed = deeds.entry((&effect.product, attempt)).or_default();
                if is_decrease {
                    deed.taken = Some((&effect.request_id, -effect.amount));
                } else {
                    deed.back = effect.amount;
                }
            }
            None => findings.push(found(order, effect.request_id.as_str(), effect)),
        }
    }
    for ((product, attempt), deed) in deeds {
        let (id, taken) = deed.taken.unwrap_or(("no decrease", 0));
        if taken == deed.back {
            continue;
        }
        let finding = Finding::new(
            format_args!("order {order}"),
            format_args!("{id} on product {product}, attempt {attempt}"),
            "an order that it belongs to",
            match deed.back {
                0 => format!("none, and {taken} taken"),
                back => format!("none, {taken} taken and {back} given back"),
            },
        );
        let release = Release::of(Service::Product, id, product, order, taken);
        findings.push(match deed.back {
            0 => finding.undone_by(release),
            _ => finding,
        });
    }
    findings
}

fn found(order: &str, what: &str, effect: &Effect) -> Finding {
    Finding::new(
        format_args!("order {order}"),
        format_args!("{what} on product {}", effect.product),
        "an order that it belongs to",
        format_args!("none, and an amount of {}", effect.amount),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "0190a1b2-c3d4-7e5f-8a9b-000000000001";

    fn effect(request_id: String, kind: &str, amount: i64) -> Effect {
        Effect {
            product: "p-1".into(),
            request_id,
            kind: kind.into(),
            order: Some(ORDER.into()),
            amount,
        }
    }

    #[test]
    fn what_was_taken_names_the_release_of_its_attempt() {
        let taken = effect(format!("DEC-{ORDER}-2"), "reserved", -3);

        let findings = judge(ORDER, &[taken]);

        let release = findings[0].release.as_ref().unwrap();
        assert_eq!(release.request_id, format!("INC-{ORDER}-2"));
        assert_eq!((release.entity.as_str(), release.amount), ("p-1", 3));
        let said = findings[0].to_string();
        assert!(said.contains("none, and 3 taken"), "{said}");
        assert!(said.contains(&format!("INC-{ORDER}-2 of 3")), "{said}");
    }

    #[test]
    fn what_was_given_back_is_no_matter_and_half_of_it_is_a_case_for_a_person() {
        let taken = effect(format!("DEC-{ORDER}"), "reserved", -3);
        let closed = effect(format!("DEC-{ORDER}-2"), "tombstoned", 0);
        let back = effect(format!("INC-{ORDER}"), "released", 3);
        assert!(judge(ORDER, &[taken.clone(), back, closed]).is_empty());

        let half = effect(format!("INC-{ORDER}"), "released", 2);
        let findings = judge(ORDER, &[taken, half.clone()]);
        assert!(findings[0].release.is_none(), "{findings:?}");
        let findings = judge(ORDER, &[half]);
        assert!(findings[0].release.is_none(), "{findings:?}");
    }
}
