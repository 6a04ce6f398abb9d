//! Products: made, and read.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Shop;

#[derive(Deserialize)]
pub(crate) struct NewProduct {
    name: String,
    price: i64,
    stock: i64,
}

/// `POST /products`.
pub(crate) async fn create(
    State(shop): State<Shop>,
    Json(new): Json<NewProduct>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO product (name, price, version, stock) VALUES ($1, $2, 1, $3) RETURNING id",
    )
    .bind(&new.name)
    .bind(new.price)
    .bind(new.stock)
    .fetch_one(&shop.database)
    .await
    .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let product = json!({ "id": id.to_string(), "stock": new.stock });
    Ok((StatusCode::CREATED, Json(product)))
}

/// `GET /products/{id}`.
pub(crate) async fn get(
    State(shop): State<Shop>,
    Path(id): Path<i64>,
) -> Result<Json<Value>, StatusCode> {
    let stock: Option<i64> = sqlx::query_scalar("SELECT stock FROM product WHERE id = $1")
        .bind(id)
        .fetch_optional(&shop.database)
        .await
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let stock = stock.ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({ "id": id.to_string(), "stock": stock })))
}
