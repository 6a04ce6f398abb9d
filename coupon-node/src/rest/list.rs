//! The campaigns page by page, newest first.

use axum::extract::State;
use messages::{
    Money,
    coupon::{Discount, DiscountKind, View},
};
use node::{
    edge::{Answer, List, Page, Problem, Query, count},
    host::Service,
    store::Database,
    table::{Kind, Reader, RowError, Value},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::CampaignBody;
use crate::campaign::Campaign;

/// The columns that a campaign's discount is read from; `c` is the campaign.
pub(super) const DISCOUNT: &str = "c.discount_kind, c.discount_value, c.discount_maximum";
/// What they hold.
pub(super) const DISCOUNT_KINDS: [Kind; 3] = [Kind::Text, Kind::Integer, Kind::Integer];

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The page, counted from 0.
    #[param(default = 0)]
    pub(super) page: Option<u32>,
    /// How many a page has.
    #[param(minimum = 1, maximum = 200, default = 20)]
    pub(super) size: Option<u32>,
}

/// A page of campaigns.
#[derive(Serialize, ToSchema)]
pub(super) struct CouponCampaignPage {
    items: Vec<CampaignBody>,
    /// The page, counted from 0.
    page: u32,
    /// How many a page has.
    size: u32,
    /// How many there are on all pages.
    total: i64,
}

/// Campaigns, newest first.
#[utoipa::path(
    get,
    path = "/coupons",
    params(Wanted),
    responses((status = 200, body = CouponCampaignPage), List)
)]
pub(super) async fn list(
    State(service): State<Service<Campaign>>,
    Query(wanted): Query<Wanted>,
) -> Result<Answer<CouponCampaignPage>, Problem> {
    let page = Page::new(wanted.page, wanted.size)?;
    let database = service.database();
    let total = "SELECT count(*) FROM coupon".to_owned();
    let (items, total) = tokio::try_join!(read(database, page), count(database, total, &[]))?;
    Ok(Answer(CouponCampaignPage {
        items,
        page: page.page,
        size: page.size,
        total,
    }))
}

async fn read(database: &Database, page: Page) -> Result<Vec<CampaignBody>, Problem> {
    let sql = format!(
        "SELECT c.id, c.name, {DISCOUNT}, c.minimum_amount, c.quantity, c.issued, c.valid_from, \
         c.valid_until, c.created_at FROM coupon c ORDER BY c.id DESC LIMIT {} OFFSET {}",
        page.size,
        page.before()
    );
    let mut kinds = vec![Kind::Text, Kind::Text];
    kinds.extend(DISCOUNT_KINDS);
    kinds.extend([Kind::Integer; 3]);
    kinds.extend([Kind::Text; 3]);
    let rows = database.query(sql, &[], &kinds).await?;
    let bodies = rows
        .into_iter()
        .map(|row| campaign(row).map(CampaignBody::from));
    Ok(bodies.collect::<Result<_, _>>()?)
}

fn campaign(row: Vec<Value>) -> Result<View, RowError> {
    let mut row = Reader::new(row);
    Ok(View {
        id: row.parsed()?,
        name: row.text()?,
        discount: discount(&mut row)?,
        minimum_amount: money(row.integer()?)?,
        quantity: number(row.integer()?)?,
        issued: number(row.integer()?)?,
        valid_from: row.parsed_or_null()?,
        valid_until: row.parsed_or_null()?,
        created_at: row.parsed()?,
    })
}

/// Reads what [`DISCOUNT`] holds.
pub(super) fn discount(row: &mut Reader) -> Result<Discount, RowError> {
    Ok(Discount {
        kind: DiscountKind::from_name(&row.text()?).ok_or_else(|| RowError("discount".into()))?,
        value: row.integer()?,
        maximum: row.integer_or_null()?.map(money).transpose()?,
    })
}

/// A number of coupons, or the number of one.
pub(super) fn number(integer: i64) -> Result<u32, RowError> {
    u32::try_from(integer).map_err(|_| RowError(format!("number {integer}")))
}

fn money(amount: i64) -> Result<Money, RowError> {
    Money::new(amount).ok_or_else(|| RowError(format!("amount {amount}")))
}
