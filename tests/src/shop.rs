//! A shop to order from, with products known by name.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::client::{Answer, Client, order_of};

/// What each piece costs, in every shop.
pub const PRICE: i64 = 39_000;

/// A shop that is being fitted out.
pub struct Plan<'a> {
    client: &'a Client,
    products: Vec<(String, i64)>,
}

/// A shop that is open.
pub struct Shop {
    client: Client,
    products: BTreeMap<String, String>,
}

/// Begins a shop: `shop(&client).product("mug", 5).open().await`.
pub fn shop(client: &Client) -> Plan<'_> {
    Plan {
        client,
        products: Vec::new(),
    }
}

impl Plan<'_> {
    /// Adds a product with so many pieces.
    #[must_use]
    pub fn product(mut self, name: &str, stock: i64) -> Self {
        self.products.push((name.to_owned(), stock));
        self
    }

    /// Makes the products.
    pub async fn open(self) -> Shop {
        let mut products = BTreeMap::new();
        for (name, stock) in self.products {
            let id = self.client.create_product(&name, PRICE, stock).await;
            products.insert(name, id);
        }
        Shop {
            client: self.client.clone(),
            products,
        }
    }
}

impl Shop {
    /// A product's id.
    pub fn id(&self, product: &str) -> &str {
        self.products
            .get(product)
            .unwrap_or_else(|| panic!("the shop has no {product}"))
    }

    /// Orders pieces of one product.
    pub async fn order(&self, product: &str, quantity: i64) -> Answer {
        self.client.place(self.id(product), quantity).await
    }

    /// Orders pieces of several products at once.
    pub async fn order_lines(&self, lines: &[(&str, i64)]) -> Answer {
        let lines: Vec<_> = lines.iter().map(|(name, n)| (self.id(name), *n)).collect();
        self.client.post("/orders", &order_of(&lines)).await
    }

    /// Orders pieces of one product and demands that this succeeds; gives the order's id.
    pub async fn confirmed(&self, product: &str, quantity: i64) -> String {
        let answer = self.order(product, quantity).await.expect(201);
        assert_eq!(answer.body["status"], "CONFIRMED", "{}", answer.body);
        answer.text("id")
    }

    /// How many pieces are left.
    pub async fn stock(&self, product: &str) -> i64 {
        self.client.stock(self.id(product)).await
    }

    /// What was done to a product: direction, quantity, request id, in the ledger's order by
    /// balance number.
    pub async fn ledger(&self, product: &str) -> Vec<Value> {
        self.client.ledger(self.id(product)).await
    }
}
