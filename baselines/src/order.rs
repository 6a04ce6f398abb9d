//! An order: the stock is read, checked and written, with the order and its line in the ledger.

use anyhow::Result;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::Shop;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewOrder {
    buyer_id: String,
    items: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    product_id: String,
    quantity: i64,
}

/// What became of it.
enum Placed {
    Confirmed(i64),
    SoldOut,
    Unknown,
}

/// `POST /orders`.
pub(crate) async fn place(State(shop): State<Shop>, Json(order): Json<NewOrder>) -> Response {
    let [line] = &order.items[..] else {
        return refuse(StatusCode::BAD_REQUEST, "VALIDATION_ERROR");
    };
    let Ok(product) = line.product_id.parse() else {
        return refuse(StatusCode::NOT_FOUND, "PRODUCT_NOT_FOUND");
    };
    let placed = match &shop.locks {
        None => sell(&shop, &order, product, "FOR UPDATE").await,
        Some(locks) => {
            let sold = async {
                let held = locks.take(product).await?;
                let sold = sell(&shop, &order, product, "").await;
                locks.give_back(held).await?;
                sold
            };
            sold.await
        }
    };
    match placed {
        Ok(Placed::Confirmed(id)) => {
            let order = json!({
                "id": id,
                "buyerId": order.buyer_id,
                "items": [{ "productId": line.product_id, "quantity": line.quantity }],
                "status": "CONFIRMED",
            });
            (StatusCode::CREATED, Json(order)).into_response()
        }
        Ok(Placed::SoldOut) => refuse(StatusCode::BAD_REQUEST, "INSUFFICIENT_STOCK"),
        Ok(Placed::Unknown) => refuse(StatusCode::NOT_FOUND, "PRODUCT_NOT_FOUND"),
        Err(fault) => {
            eprintln!("{fault:#}");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR")
        }
    }
}

/// One transaction; what is not committed at the end is undone.
async fn sell(shop: &Shop, order: &NewOrder, product: i64, lock: &str) -> Result<Placed> {
    let quantity = order.items[0].quantity;
    let mut transaction = shop.database.begin().await?;
    // First, so that the lock is held no longer than it must be.
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO orders (buyer_id, product_id, quantity, status) \
         VALUES ($1, $2, $3, 'CONFIRMED') RETURNING id",
    )
    .bind(&order.buyer_id)
    .bind(product)
    .bind(quantity)
    .fetch_one(&mut *transaction)
    .await?;
    let read = format!("SELECT stock FROM product WHERE id = $1 {lock}");
    let stock: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(read))
        .bind(product)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(stock) = stock else {
        return Ok(Placed::Unknown);
    };
    if stock < quantity {
        return Ok(Placed::SoldOut);
    }
    sqlx::query("UPDATE product SET stock = $2, version = version + 1 WHERE id = $1")
        .bind(product)
        .bind(stock - quantity)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "INSERT INTO ledger (product_id, order_id, amount, balance) VALUES ($1, $2, $3, $4)",
    )
    .bind(product)
    .bind(id)
    .bind(-quantity)
    .bind(stock - quantity)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Placed::Confirmed(id))
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
