//! The products of one run: created over REST before the load, counted over REST after it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::json;

use super::args::Plan;
use super::connection::Connection;
use super::tally::Sold;
use super::target::Target;

pub(super) struct Product {
    id: String,
    /// The body of an order of one piece.
    pub(super) order: Bytes,
}

pub(super) struct Shop {
    pub(super) products: Vec<Product>,
    stock: i64,
}

/// How long the stock may take to settle: an order that was given up still owes its release.
const SETTLE: Duration = Duration::from_secs(15);
const DIFFERENCES_MAX: usize = 5;

impl Shop {
    /// Creates the products that `plan` asks for.
    pub(super) async fn open(target: Target, plan: Plan) -> Result<Self> {
        let mut connection = Connection::open(target).await?;
        let mut products = Vec::with_capacity(plan.products);
        for number in 1..=plan.products {
            let body = json!({
                "name": format!("Bench {} {number}", plan.name),
                "price": 39_000,
                "stock": plan.stock,
            });
            let product = connection
                .json(
                    Method::POST,
                    "/products",
                    body.to_string().into(),
                    StatusCode::CREATED,
                )
                .await
                .context("cannot create the products")?;
            let id = product["id"]
                .as_str()
                .context("a created product has no id")?
                .to_owned();
            let order = json!({ "buyerId": "u-1", "items": [{ "productId": id, "quantity": 1 }] });
            products.push(Product {
                order: order.to_string().into(),
                id,
            });
        }
        Ok(Self {
            products,
            stock: plan.stock,
        })
    }

    /// Demands that each product's stock fell by what was sold of it.
    pub(super) async fn check(&self, target: Target, sold: &[Sold]) -> Result<()> {
        let deadline = Instant::now() + SETTLE;
        let mut connection = Connection::open(target).await?;
        loop {
            let differences = self.differences(&mut connection, sold).await?;
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

    async fn differences(&self, connection: &mut Connection, sold: &[Sold]) -> Result<Vec<String>> {
        let mut differences = Vec::new();
        for (product, sold) in self.products.iter().zip(sold) {
            let path = format!("/products/{}", product.id);
            let answer = connection
                .json(Method::GET, &path, Bytes::new(), StatusCode::OK)
                .await?;
            let stock = answer["stock"]
                .as_i64()
                .with_context(|| format!("{path} has no stock"))?;
            differences.extend(difference(&product.id, self.stock - stock, *sold));
        }
        Ok(differences)
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
    use super::super::tally::{Tally, Window};
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
        );
        for _ in 0..confirmed {
            tally.sent(0);
            tally.answered(0, now, now, Outcome::Confirmed);
        }
        (0..unknown).for_each(|_| tally.sent(0));
        tally.products()[0]
    }
}
