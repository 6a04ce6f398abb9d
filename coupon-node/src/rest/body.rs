//! What campaigns look like to a client.

use messages::{
    CouponId, Money, Timestamp,
    coupon::{Create, Discount, DiscountKind, View},
};
use node::edge::{Problem, check_line};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::campaign::QUANTITY_MAX;

/// The longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// A campaign as it stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CouponCampaign)]
pub(super) struct CampaignBody {
    /// Its id, by which an order names it too.
    #[schema(value_type = String, format = Uuid)]
    pub(super) id: CouponId,
    /// Its name.
    pub(super) name: String,
    /// What a coupon takes off.
    pub(super) discount: DiscountBody,
    /// What an order must cost at least, in the currency's minor unit.
    #[schema(value_type = i64, minimum = 0)]
    pub(super) minimum_amount: Money,
    /// How many coupons there are.
    pub(super) quantity: u32,
    /// How many of them are issued.
    pub(super) issued: u32,
    /// How many are left.
    pub(super) remaining: u32,
    /// From when on its coupons can be used; null where they always could.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) valid_from: Option<Timestamp>,
    /// Up to when, that moment excluded; null where they always can.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) valid_until: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub(super) created_at: Timestamp,
}

/// What a coupon takes off.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CouponDiscount)]
pub(super) struct DiscountBody {
    /// Whether the value is an amount or a percentage.
    #[schema(value_type = KindWord)]
    pub(super) kind: DiscountKind,
    /// An amount in the currency's minor unit, or percent.
    pub(super) value: i64,
    /// What is taken off at most; null where nothing caps it.
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub(super) maximum: Option<Money>,
}

/// How a discount is reckoned.
#[derive(ToSchema)]
#[schema(as = CouponDiscountKind, rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "says in the document what the kind may be")]
pub(super) enum KindWord {
    /// The same amount off every order.
    Fixed,
    /// A share of what the order costs, rounded down.
    Percent,
}

impl From<Discount> for DiscountBody {
    fn from(discount: Discount) -> Self {
        Self {
            kind: discount.kind,
            value: discount.value,
            maximum: discount.maximum,
        }
    }
}

impl From<View> for CampaignBody {
    fn from(view: View) -> Self {
        Self {
            id: view.id,
            name: view.name,
            discount: view.discount.into(),
            minimum_amount: view.minimum_amount,
            quantity: view.quantity,
            issued: view.issued,
            remaining: view.quantity.saturating_sub(view.issued),
            valid_from: view.valid_from,
            valid_until: view.valid_until,
            created_at: view.created_at,
        }
    }
}

/// A campaign to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewCampaign {
    /// Its name, not blank.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What a coupon takes off.
    discount: NewDiscount,
    /// What an order must cost at least, in the currency's minor unit; nothing where not said.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    minimum_amount: Option<Money>,
    /// How many coupons there are.
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: u32,
    /// From when on its coupons can be used.
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_from: Option<Timestamp>,
    /// Up to when, that moment excluded.
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_until: Option<Timestamp>,
}

/// What a coupon is to take off.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewCouponDiscount)]
struct NewDiscount {
    /// Whether the value is an amount or a percentage.
    #[schema(value_type = KindWord)]
    kind: DiscountKind,
    /// An amount in the currency's minor unit, or 1 to 100 percent.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    value: i64,
    /// What is taken off at most.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    maximum: Option<Money>,
}

impl NewCampaign {
    /// The command that makes it.
    ///
    /// # Errors
    /// The field that is wrong.
    pub(super) fn checked(self) -> Result<Create, Problem> {
        check_line("name", &self.name, NAME_CHARACTERS_MAX)?;
        let discount = Discount {
            kind: self.discount.kind,
            value: self.discount.value,
            maximum: self.discount.maximum,
        };
        if !discount.is_valid() {
            let why = format!("is 1 to {}", discount.kind.value_max());
            return Err(Problem::field("discount.value", why));
        }
        if discount.maximum == Some(Money::ZERO) {
            return Err(Problem::field("discount.maximum", "is at least 1"));
        }
        if !(1..=QUANTITY_MAX).contains(&self.quantity) {
            let why = format!("is 1 to {QUANTITY_MAX}");
            return Err(Problem::field("quantity", why));
        }
        let window = self.valid_from.zip(self.valid_until);
        if window.is_some_and(|(from, until)| until <= from) {
            return Err(Problem::field("validUntil", "is after validFrom"));
        }
        Ok(Create {
            name: self.name,
            discount,
            minimum_amount: self.minimum_amount.unwrap_or_default(),
            quantity: self.quantity,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn checked(change: impl FnOnce(&mut Value)) -> Result<Create, Problem> {
        let mut body = json!({
            "name": "spring sale",
            "discount": { "kind": "PERCENT", "value": 10 },
            "quantity": 30,
        });
        change(&mut body);
        let new: NewCampaign = serde_json::from_value(body).expect("well formed");
        new.checked()
    }

    #[test]
    fn a_campaign_needs_a_name_a_discount_and_a_quantity() {
        let create = checked(|_| {}).expect("all that it needs");
        assert_eq!((create.quantity, create.minimum_amount), (30, Money::ZERO));
        assert_eq!((create.valid_from, create.valid_until), (None, None));
    }

    #[test]
    fn every_field_has_its_bounds() {
        let amount = Money::MAX.get();
        let discount = |kind, value| json!({ "kind": kind, "value": value });
        let capped = |maximum| json!({ "kind": "PERCENT", "value": 5, "maximum": maximum });
        let wrong = [
            ("name", json!(" "), "name"),
            ("quantity", json!(0), "quantity"),
            ("quantity", json!(1_000_001), "quantity"),
            ("discount", discount("PERCENT", 101), "discount.value"),
            ("discount", discount("PERCENT", 0), "discount.value"),
            ("discount", discount("FIXED", 0), "discount.value"),
            ("discount", discount("FIXED", amount + 1), "discount.value"),
            ("discount", capped(0), "discount.maximum"),
        ];
        for (field, value, named) in wrong {
            let problem = checked(|body| body[field] = value.clone());
            let Err(Problem::Invalid { fields, .. }) = problem else {
                panic!("{field} may be {value}");
            };
            assert!(fields.contains_key(named), "{fields:?}");
        }
        for (field, value) in [
            ("quantity", json!(1_000_000)),
            ("discount", discount("FIXED", amount)),
            ("discount", capped(1)),
        ] {
            assert!(checked(|body| body[field] = value).is_ok(), "{field}");
        }
    }

    #[test]
    fn a_window_ends_after_it_begins() {
        let window = |until: &str| {
            checked(|body| {
                body["validFrom"] = json!("2026-03-01T00:00:00Z");
                body["validUntil"] = json!(until);
            })
        };
        assert!(window("2026-03-01T00:00:00.001Z").is_ok());
        assert!(window("2026-03-01T00:00:00Z").is_err());
    }
}
