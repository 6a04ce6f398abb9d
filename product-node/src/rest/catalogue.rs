//! The catalogue: products page by page, newest first.

use axum::extract::State;
use messages::{Money, product::Status};
use node::{
    edge::{Answer, List, Page, Problem, Query, count},
    host::Service,
    store::Database,
    table::{Kind, Reader, RowError, Value},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::product::{ProductBody, StatusWord};
use crate::product::Product;

/// The longest text that is searched for, in characters: longer than any name is in vain.
const QUERY_CHARACTERS_MAX: usize = 200;

/// Which products.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Any part of the name; capitals do not matter.
    #[param(max_length = 200)]
    query: Option<String>,
    /// Only those in this status.
    #[param(value_type = Option<StatusWord>)]
    status: Option<Status>,
    /// The page, counted from 0.
    #[param(default = 0)]
    page: Option<u32>,
    /// How many a page has.
    #[param(minimum = 1, maximum = 200, default = 20)]
    size: Option<u32>,
}

/// A page of products.
#[derive(Serialize, ToSchema)]
pub(super) struct ProductPage {
    items: Vec<ProductBody>,
    /// The page, counted from 0.
    page: u32,
    /// How many a page has.
    size: u32,
    /// How many there are on all pages.
    total: i64,
}

/// Products, newest first.
#[utoipa::path(
    get,
    path = "/products",
    params(Wanted),
    responses((status = 200, body = ProductPage), List)
)]
pub(super) async fn list(
    State(service): State<Service<Product>>,
    Query(wanted): Query<Wanted>,
) -> Result<Answer<ProductPage>, Problem> {
    let page = Page::new(wanted.page, wanted.size)?;
    let filter = Filter::new(&wanted)?;
    let database = service.database();
    let (items, total) = tokio::try_join!(filter.page(database, page), filter.total(database))?;
    Ok(Answer(ProductPage {
        items,
        page: page.page,
        size: page.size,
        total,
    }))
}

/// The products that are wanted, as a condition in SQL and its parameters.
struct Filter {
    condition: String,
    parameters: Vec<Value>,
}

impl Filter {
    fn new(wanted: &Wanted) -> Result<Self, Problem> {
        let mut filter = Self {
            condition: "1 = 1".to_owned(),
            parameters: Vec::new(),
        };
        if let Some(query) = wanted.query.as_deref().filter(|query| !query.is_empty()) {
            // NUL is a character that not every database keeps, so no name has it.
            if query.chars().nth(QUERY_CHARACTERS_MAX).is_some() || query.contains('\0') {
                let why =
                    format!("has at most {QUERY_CHARACTERS_MAX} characters, none of them NUL");
                return Err(Problem::field("query", why));
            }
            filter.and(
                r"lower(name) LIKE lower($) ESCAPE '\'",
                pattern(query).into(),
            );
        }
        if let Some(status) = wanted.status {
            filter.and("status = $", name(status).into());
        }
        Ok(filter)
    }

    fn and(&mut self, condition: &str, parameter: Value) {
        self.parameters.push(parameter);
        let place = format!("${}", self.parameters.len());
        self.condition.push_str(" AND ");
        self.condition.push_str(&condition.replacen('$', &place, 1));
    }

    async fn page(&self, database: &Database, page: Page) -> Result<Vec<ProductBody>, Problem> {
        let sql = format!(
            "SELECT id, name, price, stock, status, created_at, updated_at FROM product \
             WHERE {} ORDER BY id DESC LIMIT {} OFFSET {}",
            self.condition,
            page.size,
            page.before()
        );
        let wanted = [
            Kind::Text,
            Kind::Text,
            Kind::Integer,
            Kind::Integer,
            Kind::Text,
            Kind::Text,
            Kind::Text,
        ];
        let rows = database.query(sql, &self.parameters, &wanted).await?;
        Ok(rows
            .into_iter()
            .map(product)
            .collect::<Result<Vec<_>, _>>()?)
    }

    async fn total(&self, database: &Database) -> Result<i64, Problem> {
        let sql = format!("SELECT count(*) FROM product WHERE {}", self.condition);
        count(database, sql, &self.parameters).await
    }
}

/// The pattern that finds a text anywhere: what means something in a pattern is escaped.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

fn product(row: Vec<Value>) -> Result<ProductBody, RowError> {
    let mut row = Reader::new(row);
    Ok(ProductBody {
        id: row.parsed()?,
        name: row.text()?,
        price: Money::new(row.integer()?).ok_or_else(|| RowError("price".into()))?,
        stock: row.integer()?,
        status: status(&row.text()?).ok_or_else(|| RowError("status".into()))?,
        created_at: row.parsed()?,
        updated_at: row.parsed()?,
    })
}

const fn name(status: Status) -> &'static str {
    match status {
        Status::Active => "ACTIVE",
        Status::Discontinued => "DISCONTINUED",
    }
}

fn status(text: &str) -> Option<Status> {
    [Status::Active, Status::Discontinued]
        .into_iter()
        .find(|status| name(*status) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_pattern_to_a_database_is_a_letter_to_a_person() {
        assert_eq!(pattern("mug"), "%mug%");
        assert_eq!(pattern(r"50%_\"), r"%50\%\_\\%");
    }

    #[test]
    fn what_is_wanted_becomes_a_condition_with_its_parameters() {
        let wanted = Wanted {
            query: Some("' OR 1 = 1 --".into()),
            status: Some(Status::Active),
            page: None,
            size: None,
        };
        let filter = Filter::new(&wanted).expect("a query");
        assert_eq!(
            filter.condition,
            r"1 = 1 AND lower(name) LIKE lower($1) ESCAPE '\' AND status = $2"
        );
        assert_eq!(
            filter.parameters,
            [Value::from("%' OR 1 = 1 --%"), Value::from("ACTIVE")]
        );
    }
}
