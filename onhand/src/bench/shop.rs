//! What is sold in one run: created over REST before the load, counted over REST after it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axum::http::{Method, StatusCode};
use serde_json::json;

use super::many::for_each;
use super::scenario::{Plan, Wants};
use super::sold::Sold;
use super::target::Target;

/// Products, or campaigns of coupons: whatever runs out.
pub(super) struct Shop {
    goods: Vec<String>,
    plan: Plan,
}

/// How long the stock may take to settle: an order that was given up still owes its release.
const SETTLE: Duration = Duration::from_secs(15);
const DIFFERENCES_MAX: usize = 5;

impl Shop {
    /// Creates what `plan` asks for.
    pub(super) async fn open(target: Target, plan: Plan) -> Result<Self> {
        let numbers: Vec<usize> = (1..=plan.goods).collect();
        let made = for_each(target, &numbers, async |connection, number| {
            let name = format!("Bench {} {number}", plan.name);
            let body = match plan.wants {
                Wants::Coupons => json!({
                    "name": name,
                    "discount": { "kind": "FIXED", "value": 1_000 },
                    "quantity": plan.stock,
                }),
                _ => json!({ "name": name, "price": 39_000, "stock": plan.stock }),
            };
            connection
                .json(
                    Method::POST,
                    path(plan),
                    &body.to_string(),
                    StatusCode::CREATED,
                )
                .await
        })
        .await
        .context("cannot create what is sold")?;
        let ids = made
            .iter()
            .map(|made| made["id"].as_str().map(str::to_owned));
        let goods = ids
            .collect::<Option<_>>()
            .context("what was created has no id")?;
        Ok(Self { goods, plan })
    }

    /// A shop that is not there.
    #[cfg(test)]
    pub(super) fn pretended(plan: Plan) -> Self {
        let goods = (0..plan.goods).map(|place| format!("id-{place}"));
        Self {
            goods: goods.collect(),
            plan,
        }
    }

    /// The id of what stands at a place.
    pub(super) fn id(&self, place: usize) -> &str {
        &self.goods[place]
    }

    /// Demands that the goods fell by what was sold of them.
    pub(super) async fn check(&self, target: Target, sold: &[Sold]) -> Result<()> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let differences = self.differences(target, sold).await?;
            if differences.is_empty() {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "the stock of {} products is not what the answers say: {}",
                differences.len(),
                differences[..differences.len().min(DIFFERENCES_MAX)].join("; ")
            );
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn differences(&self, target: Target, sold: &[Sold]) -> Result<Vec<String>> {
        let field = match self.plan.wants {
            Wants::Coupons => "remaining",
            _ => "stock",
        };
        let asked: Vec<(&String, Sold)> = self.goods.iter().zip(sold.iter().copied()).collect();
        // Nobody counts a million products of which a few thousand were sold.
        let asked: Vec<_> = asked.into_iter().filter(|(_, sold)| sold.any()).collect();
        let answers = for_each(target, &asked, async |connection, (id, _)| {
            let path = format!("{}/{id}", path(self.plan));
            connection
                .json(Method::GET, &path, "", StatusCode::OK)
                .await
        })
        .await?;
        let mut differences = Vec::new();
        for ((id, sold), answer) in asked.into_iter().zip(answers) {
            let left = answer[field]
                .as_i64()
                .with_context(|| format!("{id} has no {field}"))?;
            differences.extend(difference(id, self.plan.stock - left, sold));
        }
        Ok(differences)
    }
}

const fn path(plan: Plan) -> &'static str {
    match plan.wants {
        Wants::Coupons => "/coupons",
        _ => "/products",
    }
}

fn difference(id: &str, fell: i64, sold: Sold) -> Option<String> {
    let range = sold.fell();
    let (least, most) = (*range.start(), *range.end());
    if range.contains(&fell) {
        return None;
    }
    Some(if least == most {
        format!("{id} fell by {fell}, {least} were confirmed")
    } else {
        format!("{id} fell by {fell}, {least} were confirmed and at most {most} sold")
    })
}

#[cfg(test)]
mod tests {
    use super::super::connection::Outcome;
    use super::super::sold::Window;
    use super::super::tally::Tally;
    use super::super::work::Wish;
    use super::*;

    #[test]
    fn a_stock_that_fell_by_another_number_than_was_confirmed_is_found() {
        let sold = sold(3, 0);
        assert_eq!(difference("p", 3, sold), None);
        assert_eq!(
            difference("p", 4, sold).expect("one"),
            "p fell by 4, 3 were confirmed"
        );
        assert!(difference("p", 2, sold).is_some());
    }

    #[test]
    fn orders_without_a_known_answer_may_have_been_sold_or_not() {
        let sold = sold(3, 2);
        for fell in 3..=5 {
            assert_eq!(difference("p", fell, sold), None);
        }
        assert!(difference("p", 2, sold).is_some());
        assert!(difference("p", 6, sold).is_some());
    }

    fn sold(confirmed: usize, unknown: usize) -> Sold {
        let now = Instant::now();
        let mut tally = Tally::new(
            Window {
                start: now,
                end: now,
            },
            1,
            &[],
        );
        for _ in 0..confirmed {
            tally.sent(&[0]);
            tally.answered(Wish::Order, &[0], (now, now), Outcome::Done);
        }
        (0..unknown).for_each(|_| tally.sent(&[0]));
        tally.products()[0]
    }
}
