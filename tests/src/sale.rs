//! A campaign of coupons that users ask for.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client};

/// A campaign, and who asks it.
#[derive(Clone)]
pub struct Sale {
    client: Client,
    /// The campaign's id.
    pub id: String,
}

impl Sale {
    /// Makes a campaign of so many coupons, each of them 3,000 off.
    pub async fn open(client: &Client, quantity: u32) -> Self {
        Self::of(client, &campaign(quantity)).await
    }

    /// Makes the campaign that this body asks for.
    pub async fn of(client: &Client, body: &Value) -> Self {
        let made = client.post("/coupons", body).await.expect(201);
        Self::known(client, made.text("id"))
    }

    /// The campaign of this id.
    pub fn known(client: &Client, id: String) -> Self {
        Self {
            client: client.clone(),
            id,
        }
    }

    /// A user asks for a coupon.
    pub async fn wish(&self, user: &str) -> Answer {
        self.wish_of(&json!({"userId": user})).await
    }

    /// Somebody asks for a coupon with this body.
    pub async fn wish_of(&self, body: &Value) -> Answer {
        self.client.post(&self.issue(), body).await
    }

    /// A user asks for a coupon under an idempotency key.
    pub async fn wish_keyed(&self, key: &str, user: &str) -> Answer {
        let request = self.client.request(&Method::POST, &self.issue());
        let request = request.key(key).json(&json!({"userId": user}));
        request.answer().await
    }

    /// The campaign as it stands.
    pub async fn now(&self) -> Value {
        let path = format!("/coupons/{}", self.id);
        self.client.get(&path).await.expect(200).body
    }

    /// A user's coupon of this campaign as it stands; null where there is none.
    pub async fn coupon(&self, user: &str) -> Value {
        let path = format!("/users/{user}/coupons?size=200");
        let page = self.client.get(&path).await.expect(200).body;
        let coupons = page["items"].as_array().expect("a list");
        let mut of_this = coupons.iter().filter(|c| c["couponId"] == *self.id);
        of_this.next().cloned().unwrap_or_default()
    }

    fn issue(&self) -> String {
        format!("/coupons/{}/issue", self.id)
    }
}

/// The body of a campaign of so many coupons, each of them 3,000 off.
pub fn campaign(quantity: u32) -> Value {
    json!({
        "name": "spring sale",
        "discount": {"kind": "FIXED", "value": 3_000},
        "quantity": quantity,
    })
}
