//! Many clients that order at the same time and do not give up until they are told.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::client::{Answer, order_of};
use crate::{Client, eventually};

/// Longer than any test keeps a part of the system away.
const PATIENCE: Duration = Duration::from_secs(150);
/// How many points each buyer has at first.
pub const POINTS: i64 = 500;
const BEFORE_ASKING_AGAIN: Duration = Duration::from_millis(100);

/// A load in the making.
#[derive(Clone)]
pub struct Load {
    client: Client,
    orders: usize,
    clients: usize,
    /// The products that are ordered, in turn.
    pub products: Vec<String>,
    /// How often a client was told to come later, or that something is broken.
    refused: Arc<AtomicUsize>,
    /// How many pieces of each there were at first.
    pub stock: i64,
    /// The campaign of the coupons, where orders use points, coupons and cards too.
    coupon: Option<String>,
}

/// What a client was told in the end about the order under its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The order's number in its load, which makes its key.
    pub number: usize,
    /// The order's id.
    pub order: String,
    /// What was ordered of what.
    pub lines: Vec<(String, i64)>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an order as far as its client knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is confirmed.
    Confirmed,
    /// It failed, with this error.
    Refused(String),
    /// It runs, and the client waits no longer.
    Running,
}

/// A load on its way.
pub struct Running {
    answered: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
    told: JoinHandle<Vec<Told>>,
}

/// Makes products of so many pieces each, to be ordered.
pub async fn load(client: &Client, products: usize, stock: i64) -> Load {
    let products = stream::iter(0..products)
        .map(async |n| {
            client
                .create_product(&format!("ware {n}"), 1_000, stock)
                .await
        })
        .buffered(8)
        .collect()
        .await;
    Load {
        client: client.clone(),
        orders: 2_000,
        clients: 32,
        products,
        stock,
        refused: Arc::default(),
        coupon: None,
    }
}

impl Load {
    /// How many orders are placed in all.
    #[must_use]
    pub fn orders(mut self, orders: usize) -> Self {
        self.orders = orders;
        self
    }

    /// How many clients order at the same time.
    #[must_use]
    pub fn clients(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    /// Lets every order be paid by points and a card, and every fifth use a coupon besides. Each
    /// has a buyer of its own.
    pub async fn of_everything(mut self) -> Self {
        let campaign = json!({"name": "sale", "quantity": self.orders,
            "discount": {"kind": "FIXED", "value": 50}});
        let campaign = self.client.post("/coupons", &campaign).await.expect(201);
        let coupon = campaign.text("id");
        let issue = format!("/coupons/{coupon}/issue");
        stream::iter(0..self.orders)
            .map(async |number| {
                let buyer = buyer(number);
                let charged = self.client.charge(&buyer, "load", POINTS).await;
                charged.expect(200);
                if number.is_multiple_of(5) {
                    let issued = self.client.post(&issue, &json!({"userId": buyer})).await;
                    issued.expect(201);
                }
            })
            .buffer_unordered(self.clients)
            .collect::<Vec<()>>()
            .await;
        self.coupon = Some(coupon);
        self
    }

    /// The body of the order of this number.
    fn body(&self, number: usize, lines: &[(String, i64)]) -> Value {
        let lines: Vec<_> = lines.iter().map(|(id, n)| (id.as_str(), *n)).collect();
        let mut body = order_of(&lines);
        if let Some(coupon) = &self.coupon {
            body["buyerId"] = json!(buyer(number));
            // Some have more than they were given, and some cards are declined.
            let points = if number % 13 == 1 { POINTS + 1 } else { 70 };
            body["points"] = json!(points);
            let token = if number % 11 == 2 {
                "decline"
            } else {
                "approve"
            };
            body["payment"] = json!({"method": "card", "token": token});
            if number.is_multiple_of(5) {
                body["couponId"] = json!(coupon);
            }
        }
        body
    }

    /// Lets the clients begin.
    pub fn start(&self) -> Running {
        let answered = Arc::new(AtomicUsize::new(0));
        let enough = Arc::new(AtomicBool::new(false));
        let (load, count) = (self.clone(), Arc::clone(&answered));
        let stopped = Arc::clone(&enough);
        let told = tokio::spawn(async move {
            let load = &load;
            stream::iter(0..load.orders)
                .take_while(|_| ready(!stopped.load(Ordering::Relaxed)))
                .map(async |number| {
                    let told = load.ask_until_told(number).await;
                    count.fetch_add(1, Ordering::Relaxed);
                    told
                })
                .buffer_unordered(load.clients)
                .collect()
                .await
        });
        Running {
            answered,
            enough,
            refused: Arc::clone(&self.refused),
            told,
        }
    }

    /// Every third order has two lines, and asks for what is not the same each time.
    fn lines(&self, number: usize) -> Vec<(String, i64)> {
        let of = |n: usize| self.products[n % self.products.len()].clone();
        let quantity = |n: usize| i64::try_from(n % 3).expect("0, 1 or 2") + 1;
        let mut lines = vec![(of(number), quantity(number))];
        if number.is_multiple_of(3) && self.products.len() > 1 {
            lines.push((of(number + 1), quantity(number / 3)));
        }
        lines
    }

    /// Orders under the key of this number until there is an answer that says what came of it.
    pub async fn ask_until_told(&self, number: usize) -> Told {
        let lines = self.lines(number);
        let body = self.body(number, &lines);
        let key = format!("load-{number}");
        let start = Instant::now();
        let mut last = String::new();
        let mut client = self.client.clone();
        while start.elapsed() < PATIENCE {
            let request = client.request(&Method::POST, "/orders");
            match request.key(&key).json(&body).try_answer().await {
                Ok(answer) => {
                    if let Some((order, outcome)) = outcome(&answer) {
                        return Told {
                            number,
                            order,
                            lines,
                            outcome,
                        };
                    }
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    last = format!("{} {}", answer.status, answer.body);
                }
                Err(why) => {
                    last = format!("{why:?}");
                    // Whoever does not answer may be gone: another is asked, under the same key.
                    client = client.turned();
                }
            }
            tokio::time::sleep(BEFORE_ASKING_AGAIN).await;
        }
        panic!("{key} was not answered in {PATIENCE:?}, at last: {last}");
    }
}

impl Running {
    /// Waits until so many clients were answered.
    pub async fn reached(&self, orders: usize) {
        eventually("clients to be answered", async || {
            assert!(!self.told.is_finished(), "the load was over too early");
            match self.answered.load(Ordering::Relaxed) {
                answered if answered >= orders => Ok(()),
                answered => Err(format!("{answered} of {orders} were")),
            }
        })
        .await;
    }

    /// How often clients were told to come later, or that something is broken.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many clients were answered so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits until so many more clients were answered.
    pub async fn reached_more(&self, orders: usize) {
        self.reached(self.answered() + orders).await;
    }

    /// Lets nobody order any more, and waits until every client was answered.
    pub async fn enough(self) -> Vec<Told> {
        self.enough.store(true, Ordering::Relaxed);
        self.finish().await
    }

    /// Waits until every client was answered.
    pub async fn finish(self) -> Vec<Told> {
        self.told.await.expect("every client is answered in time")
    }
}

/// Whoever places the order of this number, where it is of everything.
pub fn buyer(number: usize) -> String {
    format!("buyer-{number}")
}

/// What an answer says of an order; nothing where it has to be asked for again.
fn outcome(answer: &Answer) -> Option<(String, Outcome)> {
    if answer.status >= 500 {
        return None;
    }
    let order = answer
        .order()
        .unwrap_or_else(|| panic!("no order in {} {}", answer.status, answer.body));
    let id = order["id"].as_str().expect("an order has an id").to_owned();
    let outcome = match (answer.status, order["status"].as_str()) {
        (201, Some("CONFIRMED")) => Outcome::Confirmed,
        (202, Some("PENDING")) => Outcome::Running,
        (400..500, Some("FAILED")) => Outcome::Refused(answer.error().to_owned()),
        (status, _) => panic!("{status} does not go with {order}"),
    };
    Some((id, outcome))
}
