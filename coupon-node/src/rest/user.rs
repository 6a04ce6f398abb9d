//! The coupons of one user, of the newest campaign first.

use axum::extract::State;
use messages::{CouponId, OrderId, Timestamp};
use node::{
    edge::{Answer, List, Page, PathUser, Problem, Query, count},
    host::Service,
    table::{Kind, Reader, RowError, Value},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    body::DiscountBody,
    list::{DISCOUNT, DISCOUNT_KINDS, Wanted, discount, number},
};
use crate::campaign::Campaign;

/// A page of a user's coupons.
#[derive(Serialize, ToSchema)]
pub(super) struct CouponPage {
    items: Vec<CouponBody>,
    /// The page, counted from 0.
    page: u32,
    /// How many a page has.
    size: u32,
    /// How many there are on all pages.
    total: i64,
}

/// A coupon that a user has.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Coupon)]
struct CouponBody {
    /// The campaign, by which an order names the coupon.
    #[schema(value_type = String, format = Uuid)]
    coupon_id: CouponId,
    /// The campaign's name.
    name: String,
    /// The coupon's number in its campaign.
    #[schema(minimum = 1)]
    number: u32,
    /// What it takes off.
    discount: DiscountBody,
    /// Whether it can be used.
    status: Status,
    /// The order that uses it; null where none does.
    #[schema(value_type = Option<String>, format = Uuid)]
    order_id: Option<OrderId>,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    issued_at: Timestamp,
}

/// Whether a coupon can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = CouponStatus)]
enum Status {
    /// By no order yet.
    Issued,
    /// An order uses it.
    Used,
    /// Its time is over, and no order uses it.
    Expired,
}

/// The coupons of a user, of the newest campaign first.
#[utoipa::path(
    get,
    path = "/users/{userId}/coupons",
    params(
        ("userId" = String, Path, pattern = "^[A-Za-z0-9_.:-]{1,64}$"),
        Wanted,
    ),
    responses((status = 200, body = CouponPage), List)
)]
pub(super) async fn coupons(
    State(service): State<Service<Campaign>>,
    PathUser(user): PathUser,
    Query(wanted): Query<Wanted>,
) -> Result<Answer<CouponPage>, Problem> {
    let page = Page::new(wanted.page, wanted.size)?;
    let database = service.database();
    let of_user = [Value::from(user.as_str())];
    let sql = format!(
        "SELECT i.coupon_id, c.name, i.number, {DISCOUNT}, c.valid_until, i.order_id, i.issued_at \
         FROM coupon_issue i JOIN coupon c ON c.id = i.coupon_id WHERE i.user_id = $1 \
         ORDER BY i.coupon_id DESC LIMIT {} OFFSET {}",
        page.size,
        page.before()
    );
    let mut kinds = vec![Kind::Text, Kind::Text, Kind::Integer];
    kinds.extend(DISCOUNT_KINDS);
    kinds.extend([Kind::Text; 3]);
    let found = async {
        let rows = database.query(sql, &of_user, &kinds).await?;
        let now = service.now();
        let coupons = rows.into_iter().map(|row| coupon(row, now));
        Ok::<_, Problem>(coupons.collect::<Result<_, _>>()?)
    };
    let total = "SELECT count(*) FROM coupon_issue WHERE user_id = $1".to_owned();
    let (items, total) = tokio::try_join!(found, count(database, total, &of_user))?;
    Ok(Answer(CouponPage {
        items,
        page: page.page,
        size: page.size,
        total,
    }))
}

fn coupon(row: Vec<Value>, now: Timestamp) -> Result<CouponBody, RowError> {
    let mut row = Reader::new(row);
    let coupon_id = row.parsed()?;
    let name = row.text()?;
    let number = number(row.integer()?)?;
    let discount = discount(&mut row)?.into();
    let until: Option<Timestamp> = row.parsed_or_null()?;
    let order_id = row.parsed_or_null()?;
    Ok(CouponBody {
        coupon_id,
        name,
        number,
        discount,
        status: match (order_id, until) {
            (Some(_), _) => Status::Used,
            (None, Some(until)) if until <= now => Status::Expired,
            (None, _) => Status::Issued,
        },
        order_id,
        issued_at: row.parsed()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890000-0000-7000-8000-000000000001";

    fn status(until: Option<&str>, order: Option<&str>) -> Status {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().expect("a time");
        let text = |text: Option<&str>| Value::from(text.map(str::to_owned));
        let row = vec![
            ID.into(),
            "spring sale".into(),
            7_i64.into(),
            "FIXED".into(),
            3_000_i64.into(),
            Value::Integer(None),
            text(until),
            text(order),
            now.into(),
        ];
        coupon(row, now).expect("a coupon").status
    }

    #[test]
    fn a_coupon_is_expired_from_the_end_of_its_campaign_on_where_no_order_uses_it() {
        let (past, future) = ("2026-03-01T00:00:00.000Z", "2026-03-01T00:00:00.001Z");
        assert_eq!(status(None, None), Status::Issued);
        assert_eq!(status(Some(future), None), Status::Issued);
        assert_eq!(status(Some(past), None), Status::Expired);
        assert_eq!(status(Some(past), Some(ID)), Status::Used);
    }
}
