//! The body of `POST /orders`, in both its forms, and what it comes down to.

use messages::{ProductId, Quantity, UserId, order::Item};
use node::edge::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::order::LINES_MAX;

/// An order to be placed: with `items`, or in the short form of one line with `productId` and
/// `quantity`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewOrder {
    /// Who orders: the caller's own name for them.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_.:-]{1,64}$")]
    buyer_id: UserId,
    /// What is ordered, a product at most once.
    #[schema(min_items = 1, max_items = 100)]
    items: Option<Vec<NewLine>>,
    /// The short form: the product.
    #[schema(value_type = Option<String>, format = Uuid)]
    product_id: Option<ProductId>,
    /// The short form: how many pieces.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    quantity: Option<Quantity>,
    /// Not available yet.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 0)]
    points: Option<Value>,
    /// Not available yet.
    #[schema(ignore)]
    coupon_id: Option<Value>,
    /// Not available yet.
    #[schema(ignore)]
    payment: Option<Value>,
}

/// One line that is ordered.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewLine {
    /// The product.
    #[schema(value_type = String, format = Uuid)]
    product_id: ProductId,
    /// How many pieces.
    #[schema(value_type = u32, minimum = 1, maximum = 1_000_000)]
    quantity: Quantity,
}

/// What an order comes down to, whichever form it came in: what its idempotency key belongs to.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Basket {
    pub(super) buyer_id: UserId,
    pub(super) items: Vec<Item>,
}

impl NewOrder {
    pub(super) fn basket(self) -> Result<Basket, Problem> {
        let none = |points: &Value| points.as_u64() == Some(0);
        for (field, asked) in [
            ("points", self.points.filter(|points| !none(points))),
            ("couponId", self.coupon_id),
            ("payment", self.payment),
        ] {
            if asked.is_some() {
                return Err(Problem::field(field, "not available yet"));
            }
        }
        let items = lines(self.items, self.product_id, self.quantity)?;
        Ok(Basket {
            buyer_id: self.buyer_id,
            items,
        })
    }
}

fn lines(
    items: Option<Vec<NewLine>>,
    product_id: Option<ProductId>,
    quantity: Option<Quantity>,
) -> Result<Vec<Item>, Problem> {
    match (items, product_id, quantity) {
        (Some(items), None, None) => several(items),
        (None, Some(product_id), Some(quantity)) => Ok(vec![Item {
            product_id,
            quantity,
        }]),
        (None, None, None) => Err(Problem::field("items", "is missing")),
        (None, None, Some(_)) => Err(Problem::field("productId", "is missing")),
        (None, Some(_), None) => Err(Problem::field("quantity", "is missing")),
        (Some(_), ..) => {
            let why = "cannot be given together with productId and quantity";
            Err(Problem::field("items", why))
        }
    }
}

fn several(items: Vec<NewLine>) -> Result<Vec<Item>, Problem> {
    if !(1..=LINES_MAX).contains(&items.len()) {
        return Err(Problem::field(
            "items",
            format!("has 1 to {LINES_MAX} lines"),
        ));
    }
    let mut products: Vec<ProductId> = items.iter().map(|line| line.product_id).collect();
    products.sort_unstable();
    if products.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Problem::field("items", "has a product twice"));
    }
    let item = |line: NewLine| Item {
        product_id: line.product_id,
        quantity: line.quantity,
    };
    Ok(items.into_iter().map(item).collect())
}

#[cfg(test)]
mod tests {
    use messages::Digest;
    use serde_json::json;

    use super::*;

    const MUG: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

    fn basket(body: Value) -> Result<Basket, Problem> {
        let order: NewOrder = serde_json::from_value(body).expect("the right fields");
        order.basket()
    }

    fn refused(body: Value) -> String {
        match basket(body) {
            Err(Problem::Invalid { fields, .. }) => fields.keys().cloned().collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_forms_come_down_to_the_same() {
        let short = json!({"buyerId": "u-001", "productId": MUG, "quantity": 3});
        let long = json!({"items": [{"quantity": 3, "productId": MUG}], "buyerId": "u-001"});
        let (short, long) = (basket(short).expect("one"), basket(long).expect("one"));
        assert_eq!(short, long);
        assert_eq!(Digest::of("", &short), Digest::of("", &long));
        assert_eq!(short.items.len(), 1);
    }

    #[test]
    fn nothing_and_no_points_are_the_same() {
        for points in [json!(null), json!(0)] {
            let body = json!({"buyerId": "u", "productId": MUG, "quantity": 3, "points": points,
                "couponId": null, "payment": null, "items": null});
            assert!(basket(body).is_ok());
        }
    }

    #[test]
    fn what_is_not_available_yet_is_refused_by_name() {
        for (field, value) in [
            ("points", json!(500)),
            ("points", json!(-1)),
            ("points", json!("0")),
            ("couponId", json!(MUG)),
            ("payment", json!({"method": "card", "token": "t"})),
        ] {
            let mut body = json!({"buyerId": "u", "productId": MUG, "quantity": 3});
            body[field] = value;
            assert_eq!(refused(body), field);
        }
    }

    #[test]
    fn neither_form_half_nor_both_at_once() {
        let line = json!([{"productId": MUG, "quantity": 3}]);
        for (body, field) in [
            (json!({"buyerId": "u"}), "items"),
            (json!({"buyerId": "u", "productId": MUG}), "quantity"),
            (json!({"buyerId": "u", "quantity": 3}), "productId"),
            (
                json!({"buyerId": "u", "quantity": 3, "items": line}),
                "items",
            ),
            (json!({"buyerId": "u", "items": []}), "items"),
        ] {
            assert_eq!(refused(body), field);
        }
    }

    #[test]
    fn an_order_has_a_hundred_lines_at_most_and_a_product_once() {
        let line = |n: usize| json!({"productId": format!("0190a1b2-c3d4-7e5f-8a9b-{n:012}"), "quantity": 1});
        let lines = |count: usize| (0..count).map(line).collect::<Vec<_>>();
        let with = |items: Vec<Value>| json!({"buyerId": "u", "items": items});
        assert_eq!(basket(with(lines(100))).map(|b| b.items.len()), Ok(100));
        assert_eq!(refused(with(lines(101))), "items");
        assert_eq!(refused(with(vec![line(7), line(8), line(7)])), "items");
    }
}
