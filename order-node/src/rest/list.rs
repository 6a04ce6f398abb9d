//! Orders page by page, newest first.

use axum::extract::State;
use messages::{EntityId, OrderId, UserId, order::Status};
use node::{
    edge::{Answer, List, Page, Problem, Query, count},
    entity::Entity as _,
    store::{Database, Store as _},
    table::{Kind, Reader, RowError, Value},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Orders,
    view::{OrderBody, StatusWord},
};
use crate::order::Order;

/// Which orders.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(super) struct Wanted {
    /// Only those of this buyer.
    #[param(value_type = Option<String>)]
    buyer_id: Option<UserId>,
    /// Only those in this status.
    #[param(value_type = Option<StatusWord>)]
    status: Option<Status>,
    /// The page, counted from 0.
    #[param(default = 0)]
    page: Option<u32>,
    /// How many a page has.
    #[param(minimum = 1, maximum = 200, default = 20)]
    size: Option<u32>,
    /// The `nextCursor` of the page before, instead of a page.
    #[param(value_type = Option<String>)]
    cursor: Option<OrderId>,
}

/// A page of orders.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderPage {
    items: Vec<OrderBody>,
    /// The page, counted from 0.
    page: u32,
    /// How many a page has.
    size: u32,
    /// How many there are on all pages.
    total: i64,
    /// Where to go on; null at the end.
    next_cursor: Option<String>,
}

/// Orders, newest first.
#[utoipa::path(
    get,
    path = "/orders",
    params(Wanted),
    responses((status = 200, body = OrderPage), List)
)]
pub(super) async fn list(
    State(orders): State<Orders>,
    Query(wanted): Query<Wanted>,
) -> Result<Answer<OrderPage>, Problem> {
    let page = Page::new(wanted.page, wanted.size)?;
    if wanted.cursor.is_some() && page.page > 0 {
        return Err(Problem::field(
            "cursor",
            "cannot be given together with a page",
        ));
    }
    let filter = Filter::new(&wanted);
    let database = orders.service.database();
    let (mut ids, total) = tokio::try_join!(
        filter.ids(database, page, wanted.cursor),
        filter.total(database)
    )?;
    let more = ids.len() > page.size as usize;
    ids.truncate(page.size as usize);
    let next_cursor = ids.last().filter(|_| more).map(ToString::to_string);
    Ok(Answer(OrderPage {
        items: load(database, &ids).await?,
        page: page.page,
        size: page.size,
        total,
        next_cursor,
    }))
}

/// The orders that are wanted, as a condition in SQL and its parameters.
struct Filter {
    conditions: Vec<String>,
    parameters: Vec<Value>,
}

impl Filter {
    fn new(wanted: &Wanted) -> Self {
        let mut filter = Self {
            conditions: vec!["1 = 1".to_owned()],
            parameters: Vec::new(),
        };
        if let Some(buyer) = &wanted.buyer_id {
            filter.and("buyer_id =", buyer.as_str().into());
        }
        if let Some(status) = wanted.status {
            filter.and("status =", status.name().into());
        }
        filter
    }

    fn and(&mut self, condition: &str, parameter: Value) {
        self.parameters.push(parameter);
        let place = self.parameters.len();
        self.conditions.push(format!("{condition} ${place}"));
    }

    /// One id more than the page has, where the list goes on.
    async fn ids(
        &self,
        database: &Database,
        page: Page,
        after: Option<OrderId>,
    ) -> Result<Vec<EntityId>, Problem> {
        let mut filter = Self {
            conditions: self.conditions.clone(),
            parameters: self.parameters.clone(),
        };
        if let Some(after) = after {
            filter.and("id <", after.to_string().into());
        }
        let sql = format!(
            "SELECT id FROM orders WHERE {} ORDER BY id DESC LIMIT {} OFFSET {}",
            filter.conditions.join(" AND "),
            page.size + 1,
            page.before()
        );
        let rows = database
            .query(sql, &filter.parameters, &[Kind::Text])
            .await?;
        let id = |row| Ok(EntityId::from(Reader::new(row).text()?.as_str()));
        Ok(rows
            .into_iter()
            .map(id)
            .collect::<Result<Vec<_>, RowError>>()?)
    }

    async fn total(&self, database: &Database) -> Result<i64, Problem> {
        let condition = self.conditions.join(" AND ");
        let sql = format!("SELECT count(*) FROM orders WHERE {condition}");
        count(database, sql, &self.parameters).await
    }
}

/// The orders of these ids, newest first, as their owner would tell them.
async fn load(database: &Database, ids: &[EntityId]) -> Result<Vec<OrderBody>, Problem> {
    let mut orders = Vec::with_capacity(ids.len());
    for read in database.load(ids).await? {
        let order = Order::from_row(&read.entity, read.row)?;
        orders.extend(order.view().map(OrderBody::from));
    }
    orders.sort_unstable_by_key(|order| std::cmp::Reverse(order.id));
    Ok(orders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_becomes_a_condition_with_its_parameters() {
        let wanted = Wanted {
            buyer_id: Some("u-001".parse().expect("a name")),
            status: Some(Status::Confirmed),
            page: None,
            size: None,
            cursor: None,
        };
        let filter = Filter::new(&wanted);
        assert_eq!(
            filter.conditions.join(" AND "),
            "1 = 1 AND buyer_id = $1 AND status = $2"
        );
        assert_eq!(
            filter.parameters,
            [Value::from("u-001"), Value::from("CONFIRMED")]
        );
    }
}
