//! A stand-in for the gateway `PortOne`, by version 1 of its REST API, with faults.
//!
//! It keeps its own books, outside everything that is tested: what it took is what counts.
//! Invariant: as the real one, it charges a merchant uid once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The key and the secret that it knows.
pub const KEY: &str = "imp-key";
/// See [`KEY`].
pub const SECRET: &str = "imp-secret";
/// Longer than anybody waits.
const NEVER: Duration = Duration::from_mins(10);
/// The access token that it gives out first; each later one has another number.
const ACCESS: &str = "access-";

/// What goes wrong with the next charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The money is taken, and the answer never comes.
    SilentAfter,
    /// Nothing is done, and no answer comes.
    SilentBefore,
    /// The money is taken, and the answer is a 500.
    ErrorAfter,
    /// It is asked, and takes the money so much later, whoever still listens.
    TakesLater(Duration),
}

/// A gateway that listens on the loopback.
pub struct Gateway {
    shared: Shared,
    address: std::net::SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

type Shared = Arc<Mutex<Books>>;

#[derive(Default)]
struct Books {
    payments: BTreeMap<String, Payment>,
    faults: VecDeque<Fault>,
    down: bool,
    keeps: bool,
    /// How often each merchant uid was to be charged.
    asked: BTreeMap<String, usize>,
    access: u32,
}

#[derive(Clone)]
struct Payment {
    merchant_uid: String,
    amount: i64,
    status: &'static str,
}

impl Gateway {
    /// Starts one.
    pub async fn start() -> Self {
        let shared = Shared::default();
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port of the loopback");
        let address = listener.local_addr().expect("a listener has an address");
        let app = Router::new()
            .route("/users/getToken", post(token))
            .route("/subscribe/payments/again", post(again))
            .route("/payments/cancel", post(cancel))
            .route("/payments/find/{uid}", get(find))
            .route("/payments/find/{uid}/{status}", get(find_status))
            .route("/payments/findAll/{uid}/{status}", get(find_all))
            .route("/payments/{imp_uid}", get(payment))
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("it serves");
        });
        Self {
            shared,
            address,
            serving,
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What goes wrong with the next charges, in turn.
    pub fn fail(&self, faults: &[Fault]) {
        self.books().faults.extend(faults);
    }

    /// Answers everything with an error from now on, or no more.
    pub fn set_down(&self, down: bool) {
        self.books().down = down;
    }

    /// Gives nothing back from now on.
    pub fn keep_everything(&self) {
        self.books().keeps = true;
    }

    /// Takes no access token that it gave out before.
    pub fn forget_access(&self) {
        self.books().access += 1;
    }

    /// A payment that a customer makes by himself; gives its id.
    pub fn pay(&self, merchant_uid: &str, amount: i64) -> String {
        self.books().take(merchant_uid, amount)
    }

    /// How much it has, of all customers together.
    pub fn has(&self) -> i64 {
        let books = self.books();
        let paid = books.payments.values().filter(|p| p.status == "paid");
        paid.map(|payment| payment.amount).sum()
    }

    /// The statuses of everything that was ever paid under a merchant uid.
    pub fn statuses(&self, merchant_uid: &str) -> Vec<&'static str> {
        let books = self.books();
        let of = books.payments.values();
        let of = of.filter(|payment| payment.merchant_uid == merchant_uid);
        of.map(|payment| payment.status).collect()
    }

    /// How often it was asked to charge a card.
    pub fn asked(&self) -> usize {
        self.books().asked.values().sum()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.shared)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Books> {
    shared.lock().expect("nothing panics while it holds this")
}

impl Books {
    fn take(&mut self, merchant_uid: &str, amount: i64) -> String {
        let imp_uid = format!("imp_{}", self.payments.len() + 1);
        let payment = Payment {
            merchant_uid: merchant_uid.to_owned(),
            amount,
            status: "paid",
        };
        self.payments.insert(imp_uid.clone(), payment);
        imp_uid
    }

    /// Charges a card, once a merchant uid.
    fn charge(&mut self, request: &Value) -> Value {
        let uid = request["merchant_uid"].as_str().unwrap_or_default();
        let amount = request["amount"].as_i64().unwrap_or_default();
        if self.payments.values().any(|p| p.merchant_uid == uid) {
            return json!({"code": 1, "message": "this merchant_uid was paid already", "response": null});
        }
        let imp_uid = self.take(uid, amount);
        if request["customer_uid"] != "card" {
            let payment = self.payments.get_mut(&imp_uid);
            payment.expect("it was just made").status = "failed";
        }
        self.shown(&imp_uid)
    }

    fn shown(&self, imp_uid: &str) -> Value {
        let payment = &self.payments[imp_uid];
        let failed = payment.status == "failed";
        json!({"code": 0, "message": null, "response": {
            "imp_uid": imp_uid,
            "merchant_uid": payment.merchant_uid,
            "amount": payment.amount,
            "status": payment.status,
            "fail_reason": failed.then_some("no cover"),
            "pay_method": "card",
        }})
    }

    fn lets(&self, headers: &HeaderMap) -> Result<(), Refused> {
        if self.down {
            return Err(StatusCode::SERVICE_UNAVAILABLE.into());
        }
        let access = headers.get("authorization");
        if access.is_none_or(|access| access != &format!("{ACCESS}{}", self.access)) {
            return Err(StatusCode::UNAUTHORIZED.into());
        }
        Ok(())
    }
}

/// An answer that is no payment.
struct Refused(StatusCode);

impl From<StatusCode> for Refused {
    fn from(status: StatusCode) -> Self {
        Self(status)
    }
}

impl axum::response::IntoResponse for Refused {
    fn into_response(self) -> axum::response::Response {
        let body = json!({"code": -1, "message": "no", "response": null});
        (self.0, Json(body)).into_response()
    }
}

type Answer = Result<Json<Value>, Refused>;

async fn token(State(shared): State<Shared>, Json(keys): Json<Value>) -> Answer {
    let books = lock(&shared);
    if books.down {
        return Err(StatusCode::SERVICE_UNAVAILABLE.into());
    }
    if keys != json!({"imp_key": KEY, "imp_secret": SECRET}) {
        return Err(StatusCode::UNAUTHORIZED.into());
    }
    let access = format!("{ACCESS}{}", books.access);
    let response = json!({"access_token": access, "now": 1000, "expired_at": 2800});
    Ok(Json(
        json!({"code": 0, "message": null, "response": response}),
    ))
}

async fn again(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Answer {
    let fault = {
        let mut books = lock(&shared);
        books.lets(&headers)?;
        let uid = request["merchant_uid"].as_str().unwrap_or_default();
        *books.asked.entry(uid.to_owned()).or_default() += 1;
        books.faults.pop_front()
    };
    match fault {
        None => Ok(Json(lock(&shared).charge(&request))),
        Some(Fault::SilentBefore) => {
            tokio::time::sleep(NEVER).await;
            Err(StatusCode::GATEWAY_TIMEOUT.into())
        }
        Some(Fault::SilentAfter) => {
            lock(&shared).charge(&request);
            tokio::time::sleep(NEVER).await;
            Err(StatusCode::GATEWAY_TIMEOUT.into())
        }
        Some(Fault::ErrorAfter) => {
            lock(&shared).charge(&request);
            Err(StatusCode::INTERNAL_SERVER_ERROR.into())
        }
        Some(Fault::TakesLater(time)) => {
            // In a task of its own: who asked may be gone by then.
            let later = Arc::clone(&shared);
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                lock(&later).charge(&request);
            });
            tokio::time::sleep(NEVER).await;
            Err(StatusCode::GATEWAY_TIMEOUT.into())
        }
    }
}

async fn cancel(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Answer {
    let mut books = lock(&shared);
    books.lets(&headers)?;
    let imp_uid = request["imp_uid"].as_str().unwrap_or_default();
    let keeps = books.keeps;
    let Some(payment) = books.payments.get_mut(imp_uid) else {
        return Err(StatusCode::NOT_FOUND.into());
    };
    let checks = request["checksum"]
        .as_i64()
        .is_none_or(|checksum| checksum == payment.amount);
    if keeps || !checks || payment.status != "paid" {
        let body = json!({"code": 1, "message": "it cannot be cancelled", "response": null});
        return Ok(Json(body));
    }
    payment.status = "cancelled";
    Ok(Json(books.shown(imp_uid)))
}

async fn payment(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(imp_uid): Path<String>,
) -> Answer {
    let books = lock(&shared);
    books.lets(&headers)?;
    if books.payments.contains_key(&imp_uid) {
        Ok(Json(books.shown(&imp_uid)))
    } else {
        Err(StatusCode::NOT_FOUND.into())
    }
}

async fn find(State(shared): State<Shared>, headers: HeaderMap, Path(uid): Path<String>) -> Answer {
    found(&shared, &headers, &uid, None)
}

async fn find_status(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path((uid, status)): Path<(String, String)>,
) -> Answer {
    found(&shared, &headers, &uid, Some(&status))
}

/// One payment a page, so that there are pages to turn.
async fn find_all(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path((uid, status)): Path<(String, String)>,
    Query(asked): Query<BTreeMap<String, usize>>,
) -> Answer {
    let books = lock(&shared);
    books.lets(&headers)?;
    let of = books.payments.iter();
    let of = of.filter(|(_, payment)| payment.merchant_uid == uid && payment.status == status);
    let all: Vec<Value> = of
        .map(|(imp_uid, _)| books.shown(imp_uid)["response"].clone())
        .collect();
    let page = asked.get("page").copied().unwrap_or(1);
    let Some(on_page) = all.get(page - 1) else {
        return Err(StatusCode::NOT_FOUND.into());
    };
    let next = if page < all.len() { page + 1 } else { 0 };
    let response =
        json!({"total": all.len(), "previous": page - 1, "next": next, "list": [on_page]});
    Ok(Json(
        json!({"code": 0, "message": null, "response": response}),
    ))
}

fn found(shared: &Shared, headers: &HeaderMap, uid: &str, status: Option<&str>) -> Answer {
    let books = lock(shared);
    books.lets(headers)?;
    let mut of = books.payments.iter().filter(|(_, payment)| {
        payment.merchant_uid == uid && status.is_none_or(|status| payment.status == status)
    });
    match of.next_back() {
        Some((imp_uid, _)) => Ok(Json(books.shown(imp_uid))),
        None => Err(StatusCode::NOT_FOUND.into()),
    }
}
