//! The users of whole orders: each has points, and a coupon that no order has used yet.

use anyhow::{Context, Result};
use axum::http::{Method, StatusCode};
use serde_json::json;

use super::connection::Connection;
use super::many::for_each;
use super::target::Target;

/// How many points each has.
const POINTS: u64 = 1_000;

/// Users who can order everything once.
pub(super) struct Crowd {
    pays_by: String,
}

impl Crowd {
    /// Gives so many users points and a coupon of one campaign.
    pub(super) async fn gather(target: Target, users: u64) -> Result<Self> {
        let campaign = json!({
            "name": "Bench",
            "discount": { "kind": "FIXED", "value": 1_000 },
            "quantity": users,
        });
        let mut connection = Connection::open(target).await?;
        let made = connection
            .json(
                Method::POST,
                "/coupons",
                &campaign.to_string(),
                StatusCode::CREATED,
            )
            .await
            .context("cannot make the campaign")?;
        let coupon = made["id"]
            .as_str()
            .context("a campaign has no id")?
            .to_owned();
        let numbers: Vec<u64> = (0..users).collect();
        for_each(target, &numbers, async |connection, number| {
            let user = Self::user(*number);
            let path = format!("/users/{user}/points/charge");
            let body = json!({ "amount": POINTS }).to_string();
            connection.charge(&path, &body, &coupon).await?;
            let path = format!("/coupons/{coupon}/issue");
            let body = json!({ "userId": user }).to_string();
            connection
                .json(Method::POST, &path, &body, StatusCode::CREATED)
                .await
        })
        .await
        .context("cannot give the users points and coupons")?;
        Ok(Self {
            pays_by: format!(
                r#","points":500,"couponId":"{coupon}","payment":{{"method":"card","token":"approve"}}"#
            ),
        })
    }

    /// The name of a user.
    pub(super) fn user(number: u64) -> String {
        format!("u-{number}")
    }

    /// What an order says besides its lines.
    pub(super) fn pays_by(&self) -> &str {
        &self.pays_by
    }
}
