//! A REST client that knows the calls, not their answers: those are looked at by the tests.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// Longer than the program lets any request wait.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Knows where each path is served; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Where each program is, in one process or several.
    nodes: BTreeMap<&'static str, Vec<String>>,
    otherwise: String,
    /// Which of several is asked.
    turn: usize,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null where it is empty, a string where it is no JSON.
    pub body: Value,
}

/// A request that is put together from anything, the senseless included.
pub struct Request(reqwest::RequestBuilder);

impl Client {
    /// A client of the programs at these addresses, and of another that serves all the rest.
    pub fn new(otherwise: String, nodes: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let http = reqwest::Client::builder()
            .timeout(ANSWER_MAX)
            .build()
            .expect("a client without options can be made");
        let mut by_program = BTreeMap::<_, Vec<String>>::new();
        for (program, address) in nodes {
            by_program.entry(program).or_default().push(address);
        }
        Self {
            http,
            nodes: by_program,
            otherwise,
            turn: 0,
        }
    }

    /// The same, which asks the next process of each program that has several.
    #[must_use]
    pub fn turned(&self) -> Self {
        Self {
            turn: self.turn + 1,
            ..self.clone()
        }
    }

    /// Starts a request to whoever serves the path.
    pub fn request(&self, method: &Method, path: &str) -> Request {
        let several = self.nodes.get(program(path));
        let base = several.map_or(&self.otherwise, |all| &all[self.turn % all.len()]);
        Request(self.http.request(method.clone(), format!("{base}{path}")))
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(&Method::GET, path).answer().await
    }

    /// Posts a body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(&Method::POST, path).json(body).answer().await
    }

    /// Posts without a body.
    pub async fn post_nothing(&self, path: &str) -> Answer {
        self.request(&Method::POST, path).answer().await
    }

    /// Patches under an idempotency key.
    pub async fn patch(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = self.request(&Method::PATCH, path);
        request.key(key).json(body).answer().await
    }

    /// Makes a product and gives its id.
    pub async fn create_product(&self, name: &str, price: i64, stock: i64) -> String {
        let body = json!({"name": name, "price": price, "stock": stock});
        self.post("/products", &body).await.expect(201).text("id")
    }

    /// Places an order of one line.
    pub async fn place(&self, product: &str, quantity: i64) -> Answer {
        self.post("/orders", &order_of(&[(product, quantity)]))
            .await
    }

    /// Places an order of one line under an idempotency key.
    pub async fn place_keyed(&self, key: &str, product: &str, quantity: i64) -> Answer {
        let request = self.request(&Method::POST, "/orders");
        let body = order_of(&[(product, quantity)]);
        request.key(key).json(&body).answer().await
    }

    /// Cancels an order.
    pub async fn cancel(&self, order: &str) -> Answer {
        self.post_nothing(&format!("/orders/{order}/cancel")).await
    }

    /// Runs a failed order again.
    pub async fn retry(&self, order: &str) -> Answer {
        self.post_nothing(&format!("/orders/{order}/retry")).await
    }

    /// An order as it stands.
    pub async fn order(&self, id: &str) -> Value {
        self.get(&format!("/orders/{id}")).await.expect(200).body
    }

    /// How many pieces of a product are left.
    pub async fn stock(&self, product: &str) -> i64 {
        let answer = self.get(&format!("/products/{product}")).await.expect(200);
        answer.body["stock"].as_i64().expect("a stock is a number")
    }

    /// The whole ledger of a product, as it is served.
    pub async fn ledger(&self, product: &str) -> Vec<Value> {
        self.pages(&format!("/products/{product}/ledger")).await
    }

    /// Adds points to a user under an idempotency key.
    pub async fn charge(&self, user: &str, key: &str, amount: i64) -> Answer {
        let path = format!("/users/{user}/points/charge");
        let request = self.request(&Method::POST, &path).key(key);
        request.json(&json!({"amount": amount})).answer().await
    }

    /// How many points a user has.
    pub async fn points(&self, user: &str) -> i64 {
        let answer = self.get(&format!("/users/{user}/points")).await.expect(200);
        answer.body["balance"]
            .as_i64()
            .expect("a balance is a number")
    }

    /// The whole ledger of a user's points, as it is served.
    pub async fn points_ledger(&self, user: &str) -> Vec<Value> {
        self.pages(&format!("/users/{user}/points/ledger")).await
    }

    /// All pages behind a cursor, one after another.
    async fn pages(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("{path}?cursor={cursor}");
            let path = path.trim_end_matches("?cursor=");
            let mut page = self.get(path).await.expect(200).body;
            items.append(page["items"].as_array_mut().expect("a list"));
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return items,
            }
        }
    }

    /// How many orders are in a status, or at all.
    pub async fn orders_in(&self, status: &str) -> u64 {
        let path = format!("/orders?size=1&status={status}");
        let path = path.trim_end_matches("&status=");
        let answer = self.get(path).await.expect(200);
        answer.body["total"].as_u64().expect("a list has a total")
    }
}

impl Request {
    /// Adds an idempotency key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// Adds a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        Self(self.0.json(body))
    }

    /// Adds any bytes as a body.
    #[must_use]
    pub fn bytes(self, content_type: &str, body: Vec<u8>) -> Self {
        Self(self.0.header("content-type", content_type).body(body))
    }

    /// Sends it; panics where no answer comes.
    pub async fn answer(self) -> Answer {
        self.try_answer()
            .await
            .unwrap_or_else(|why| panic!("no answer: {why:?}"))
    }

    /// Sends it.
    pub async fn try_answer(self) -> Result<Answer, reqwest::Error> {
        let response = self.0.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await?;
        let body = match text.as_str() {
            "" => Value::Null,
            _ => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        };
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

impl Answer {
    /// Demands a status.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "often the status is all that is asked for"
    )]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Demands an error in the one documented form.
    pub fn expect_error(&self, status: u16, error: &str) {
        assert_eq!(
            (self.status, self.error()),
            (status, error),
            "{}",
            self.body
        );
        assert!(self.body["message"].is_string(), "{}", self.body);
        let fields = self.body.as_object().expect("an error is an object");
        assert!(fields.contains_key("details"), "{}", self.body);
        assert!(self.headers.contains_key("x-request-id"), "{}", self.body);
    }

    /// The error's code; nothing where it is none.
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    /// A text of the body.
    pub fn text(&self, field: &str) -> String {
        let text = self.body[field].as_str();
        text.unwrap_or_else(|| panic!("no {field} in {}", self.body))
            .to_owned()
    }

    /// The order that was answered, be it confirmed, still running or refused.
    pub fn order(&self) -> Option<&Value> {
        let body = if self.error().is_empty() {
            &self.body
        } else {
            &self.body["details"]["order"]
        };
        body["status"].is_string().then_some(body)
    }
}

/// The program that serves a path where each service has one of its own.
fn program(path: &str) -> &'static str {
    let path = path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts[..] {
        ["products", ..] => "product-node",
        ["users", _, "points", ..] => "point-node",
        ["stats", ..] => "ranking-node",
        ["coupons", ..] | ["users", _, "coupons", ..] => "coupon-node",
        ["payments" | "sandbox", ..] => "payment-node",
        _ => "order-node",
    }
}

/// The body of an order.
pub fn order_of(lines: &[(&str, i64)]) -> Value {
    let items: Vec<Value> = lines
        .iter()
        .map(|(product, quantity)| json!({"productId": product, "quantity": quantity}))
        .collect();
    json!({"buyerId": "u-001", "items": items})
}
