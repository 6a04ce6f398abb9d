//! Best sellers over HTTP: checks what is asked, and answers from [`crate::best`].

use std::sync::Arc;

use axum::extract::State;
use node::edge::{Answer, List, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    best::{Best, DAYS_MAX, LIMIT_MAX},
    top::{Seller, TopFault},
};

/// Over how many days best sellers are counted when nobody says.
const DAYS_DEFAULT: u32 = 3;
/// How many best sellers are answered when nobody says.
const LIMIT_DEFAULT: u32 = 5;

/// The calls of the ranking node.
pub fn router(best: Best) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(top)).with_state(best)
}

/// Which best sellers.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Over how many days in UTC, today included.
    #[param(minimum = 1, maximum = 30, default = 3)]
    days: Option<u32>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 5)]
    limit: Option<u32>,
}

/// A product that sold well.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BestSeller)]
struct Ranked {
    /// The product.
    #[schema(value_type = String, format = Uuid)]
    product_id: messages::ProductId,
    /// Its name when it was last sold.
    name: String,
    /// How many pieces confirmed orders took, less those of cancelled ones.
    quantity: i64,
    /// Its place, counted from 1.
    rank: usize,
}

/// The best sellers of the last days, best first. An order counts for the day on which it was
/// placed, and may be missing for a second after it was confirmed.
#[utoipa::path(
    get,
    path = "/stats/products/top",
    params(Wanted),
    responses((status = 200, body = Vec<Ranked>), List)
)]
async fn top(
    State(best): State<Best>,
    Query(wanted): Query<Wanted>,
) -> Result<Answer<Vec<Ranked>>, Problem> {
    let days = within("days", wanted.days.unwrap_or(DAYS_DEFAULT), DAYS_MAX)?;
    let limit = within("limit", wanted.limit.unwrap_or(LIMIT_DEFAULT), LIMIT_MAX)?;
    let sellers = best.sellers(days, limit).await.map_err(problem)?;
    Ok(Answer(
        sellers
            .iter()
            .zip(1..)
            .map(|(seller, rank)| ranked(seller, rank))
            .collect(),
    ))
}

fn ranked(seller: &Seller, rank: usize) -> Ranked {
    Ranked {
        product_id: seller.product_id,
        name: seller.name.clone(),
        quantity: seller.quantity,
        rank,
    }
}

fn within(name: &str, value: u32, max: u32) -> Result<u32, Problem> {
    if (1..=max).contains(&value) {
        Ok(value)
    } else {
        Err(Problem::field(name, format!("is 1 to {max}")))
    }
}

/// One fault may be the answer of many, so it is not theirs alone.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where `map_err` hands it over"
)]
fn problem(fault: Arc<TopFault>) -> Problem {
    match &*fault {
        TopFault::Store(fault) => {
            tracing::warn!(error = %fault, "best sellers cannot be read");
            Problem::RetryLater {
                missing: Vec::new(),
            }
        }
        TopFault::Row(error) => {
            tracing::error!(%error, "a row cannot be understood");
            Problem::Internal
        }
    }
}
