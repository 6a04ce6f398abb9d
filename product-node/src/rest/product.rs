//! One product: made, read, changed, taken off the shelf.

use axum::{
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use messages::{
    Money, ProductId, RequestId, Timestamp,
    id::kind,
    product::{Command, Create, Edit, Reply, Status, View},
};
use node::{
    edge::{
        Answer, Change, Create as CreateErrors, IdempotencyKey, Json, PathId, Problem, Read, Trace,
        check_line,
    },
    host::{Ask, Service, Target},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::product::{Product, STOCK_MAX};

/// The longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// A product as it stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Product)]
pub(super) struct ProductBody {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub(super) id: ProductId,
    /// Its name.
    pub(super) name: String,
    /// The price of one piece, in the currency's minor unit.
    #[schema(value_type = i64, minimum = 0)]
    pub(super) price: Money,
    /// How many pieces are left.
    #[schema(minimum = 0)]
    pub(super) stock: i64,
    /// Whether it can be ordered.
    #[schema(value_type = StatusWord)]
    pub(super) status: Status,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub(super) created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub(super) updated_at: Timestamp,
}

/// Whether a product can be ordered.
#[derive(ToSchema)]
#[schema(as = ProductStatus, rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "says in the document what the status may be")]
pub(super) enum StatusWord {
    Active,
    Discontinued,
}

impl From<View> for ProductBody {
    fn from(view: View) -> Self {
        Self {
            id: view.id,
            name: view.name,
            price: view.price,
            stock: view.stock,
            status: view.status,
            created_at: view.created_at,
            updated_at: view.updated_at,
        }
    }
}

/// A product to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProduct {
    /// Its name, not blank.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// The price of one piece, in the currency's minor unit.
    #[schema(value_type = i64, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    price: Money,
    /// How many pieces there are.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    stock: i64,
}

/// What is to be changed; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductEdit {
    /// Another name, not blank.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Another price.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    price: Option<Money>,
    /// Another status.
    #[schema(value_type = Option<StatusWord>)]
    status: Option<Status>,
}

/// Makes a product.
#[utoipa::path(
    post,
    path = "/products",
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128)),
    request_body = NewProduct,
    responses(
        (status = 201, body = ProductBody, headers(("Location" = String))),
        CreateErrors,
    )
)]
pub(super) async fn create(
    State(service): State<Service<Product>>,
    IdempotencyKey(key): IdempotencyKey,
    trace: Trace,
    Json(new): Json<NewProduct>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Answer<ProductBody>), Problem> {
    const CALL: &str = "POST /products";
    let create = checked(new)?;
    let target = Target::made_by(CALL, key, &create);
    let ask = trace.ask(target, Command::Create(create));
    let product = product(service.ask(ask).await??)?;
    let location = [(header::LOCATION, format!("/products/{}", product.id))];
    Ok((StatusCode::CREATED, location, Answer(product)))
}

/// A product as it stands.
#[utoipa::path(
    get,
    path = "/products/{id}",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = ProductBody), Read)
)]
pub(super) async fn get(
    State(service): State<Service<Product>>,
    PathId(id): PathId<kind::Product>,
    trace: Trace,
) -> Result<Answer<ProductBody>, Problem> {
    let ask = trace.ask(id.entity(), Command::Get);
    product(service.ask(ask).await??).map(Answer)
}

/// Changes what is told about a product.
#[utoipa::path(
    patch,
    path = "/products/{id}",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128),
    ),
    request_body = ProductEdit,
    responses((status = 200, body = ProductBody), Change)
)]
pub(super) async fn edit(
    State(service): State<Service<Product>>,
    PathId(id): PathId<kind::Product>,
    IdempotencyKey(key): IdempotencyKey,
    trace: Trace,
    Json(edit): Json<ProductEdit>,
) -> Result<Answer<ProductBody>, Problem> {
    edit.name.as_deref().map_or(Ok(()), check_name)?;
    let edit = Edit {
        name: edit.name,
        price: edit.price,
        status: edit.status,
    };
    let ask = Ask {
        // A key belongs to its path: the same one on the product's stock is another request.
        request_id: key.map(|key| RequestId::from(format!("edit {key}"))),
        ..trace.ask(id.entity(), Command::Edit(edit))
    };
    product(service.ask(ask).await??).map(Answer)
}

/// Takes a product off the shelf; its ledger stays.
#[utoipa::path(
    delete,
    path = "/products/{id}",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 204, description = "it is DISCONTINUED now"), Read)
)]
pub(super) async fn discontinue(
    State(service): State<Service<Product>>,
    PathId(id): PathId<kind::Product>,
    trace: Trace,
) -> Result<StatusCode, Problem> {
    let edit = Edit {
        status: Some(Status::Discontinued),
        ..Edit::default()
    };
    let ask = trace.ask(id.entity(), Command::Edit(edit));
    service.ask(ask).await??;
    Ok(StatusCode::NO_CONTENT)
}

fn product(reply: Reply) -> Result<ProductBody, Problem> {
    match reply {
        Reply::Product(view) => Ok(view.into()),
        other => Err(Problem::unexpected(&other)),
    }
}

fn checked(new: NewProduct) -> Result<Create, Problem> {
    check_name(&new.name)?;
    if !(0..=STOCK_MAX).contains(&new.stock) {
        return Err(Problem::field("stock", format!("is 0 to {STOCK_MAX}")));
    }
    Ok(Create {
        name: new.name,
        price: new.price,
        stock: new.stock,
    })
}

fn check_name(name: &str) -> Result<(), Problem> {
    check_line("name", name, NAME_CHARACTERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_stock_has_bounds() {
        let with = |stock| NewProduct {
            name: "mug".into(),
            price: Money::ZERO,
            stock,
        };
        for stock in [0, STOCK_MAX] {
            assert_eq!(checked(with(stock)).map(|create| create.stock), Ok(stock));
        }
        for stock in [-1, STOCK_MAX + 1, i64::MAX, i64::MIN] {
            assert!(checked(with(stock)).is_err(), "{stock}");
        }
    }
}
