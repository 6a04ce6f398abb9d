//! The body of `POST /orders`, in both its forms, and what it comes down to.

use messages::{
    CouponId, Money, ProductId, Quantity, UserId,
    order::{Item, PayBy},
    payment::Token,
};
use node::edge::Problem;
use serde::{Deserialize, Serialize};
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
    /// How many points may pay for it, at most.
    #[schema(value_type = Option<i64>, minimum = 0)]
    points: Option<Money>,
    /// The coupon that is used on it: one that was issued to the buyer.
    #[schema(value_type = Option<String>, format = Uuid)]
    coupon_id: Option<CouponId>,
    /// How the rest is paid; where it is not said, nothing is charged.
    payment: Option<NewPayment>,
}

/// How an order is paid.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewPayment {
    /// `card`: by a token that the gateway knows; `external`: by the customer at the gateway, once
    /// the order says how much is due.
    method: Method,
    /// The card's token.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    token: Option<Token>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentMethod)]
enum Method {
    Card,
    External,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) points: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) coupon_id: Option<CouponId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payment: Option<PayBy>,
}

impl NewOrder {
    pub(super) fn basket(self) -> Result<Basket, Problem> {
        Ok(Basket {
            buyer_id: self.buyer_id,
            items: lines(self.items, self.product_id, self.quantity)?,
            points: self.points.filter(|points| *points > Money::ZERO),
            coupon_id: self.coupon_id,
            payment: self.payment.map(NewPayment::method).transpose()?,
        })
    }
}

impl NewPayment {
    fn method(self) -> Result<PayBy, Problem> {
        match (self.method, self.token) {
            (Method::Card, Some(token)) => Ok(PayBy::Card { token }),
            (Method::Card, None) => Err(Problem::field("payment.token", "is missing")),
            (Method::External, None) => Ok(PayBy::External),
            (Method::External, Some(_)) => {
                Err(Problem::field("payment.token", "is for cards alone"))
            }
        }
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
    use serde_json::{Value, json};

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
    fn points_a_coupon_and_a_card_are_taken_as_they_are_said() {
        let body = json!({"buyerId": "u", "productId": MUG, "quantity": 3, "points": 500,
            "couponId": MUG, "payment": {"method": "card", "token": "approve"}});
        let basket = basket(body).expect("a basket");
        assert_eq!(basket.points, Money::new(500));
        assert_eq!(basket.coupon_id, Some(MUG.parse().expect("an id")));
        let token = "approve".parse().expect("a token");
        assert_eq!(basket.payment, Some(PayBy::Card { token }));
    }

    #[test]
    fn a_card_has_a_token_and_what_is_paid_outside_has_none() {
        let with = |payment: Value| json!({"buyerId": "u", "productId": MUG, "quantity": 3, "payment": payment});
        assert_eq!(refused(with(json!({"method": "card"}))), "payment.token");
        let external = json!({"method": "external", "token": "x"});
        assert_eq!(refused(with(external)), "payment.token");
        let external = basket(with(json!({"method": "external"}))).expect("a basket");
        assert_eq!(external.payment, Some(PayBy::External));
    }

    #[test]
    fn what_is_no_amount_no_id_and_no_method_is_not_read() {
        for (field, value) in [
            ("points", json!(-1)),
            ("points", json!("0")),
            ("points", json!(1.5)),
            ("couponId", json!("x")),
            ("payment", json!({"method": "cash"})),
            ("payment", json!({"method": "card", "token": ""})),
            ("payment", json!({"method": "card", "token": "t", "tip": 1})),
            ("payment", json!("card")),
        ] {
            let mut body = json!({"buyerId": "u", "productId": MUG, "quantity": 3});
            body[field] = value;
            assert!(serde_json::from_value::<NewOrder>(body).is_err(), "{field}");
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
