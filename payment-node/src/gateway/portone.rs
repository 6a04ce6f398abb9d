//! `PortOne` (Iamport), by version 1 of its REST API.
//!
//! A card's token is the `customer_uid` under which the gateway keeps it. What may be asked twice
//! without harm is tried again at once; a charge is not, since its answer may be lost on the way.
//! Secrets and tokens are shown nowhere: no address holds one, and no error repeats a body.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable as _};
use messages::{Money, payment::Token};
use node::seams::Clock;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use super::{Found, Gateway, Refund, Status, Unknown, Verdict};
use crate::settings::Secret;

/// How long the gateway may take to be reached.
const CONNECT_WAIT: Duration = Duration::from_secs(1);
/// How often what is safe to ask again is tried in all, and the pauses between.
const TRIES: usize = 3;
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_millis(400);
/// An access token is not used in its last minute.
const TOKEN_MARGIN_S: i64 = 60;
/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// What a customer reads on the bill.
const BILL: &str = "Onhand order";

/// The account at the gateway.
#[derive(Clone, Debug)]
pub struct Account {
    /// Address of the API.
    pub url: String,
    /// Its key.
    pub key: Secret,
    /// Its secret.
    pub secret: Secret,
}

/// The gateway.
pub struct PortOne {
    http: reqwest::Client,
    account: Account,
    clock: Arc<dyn Clock>,
    access: Mutex<Option<Access>>,
}

/// Why the gateway cannot be used at all.
#[derive(Debug, thiserror::Error)]
#[error("no client for the gateway: {0}")]
pub struct ClientError(String);

/// What an answer is wrapped in.
#[derive(Deserialize)]
struct Wrapped<T> {
    code: i64,
    #[serde(default)]
    message: Option<String>,
    #[serde(default = "Option::default")]
    response: Option<T>,
}

#[derive(Clone, Deserialize)]
struct Access {
    #[serde(rename = "access_token")]
    token: String,
    /// In seconds since 1970, by the gateway's clock.
    expired_at: i64,
    #[serde(default)]
    now: i64,
    /// By our own clock.
    #[serde(skip)]
    good_until: i64,
}

#[derive(Deserialize)]
struct Payment {
    imp_uid: String,
    merchant_uid: String,
    amount: Money,
    status: String,
    #[serde(default)]
    fail_reason: Option<String>,
}

/// A page of payments.
#[derive(Deserialize)]
struct Payments {
    list: Vec<Payment>,
    /// The number of the next page; 0 where this is the last.
    #[serde(default)]
    next: u32,
}

#[derive(Serialize)]
struct Again<'a> {
    customer_uid: &'a str,
    merchant_uid: &'a str,
    amount: Money,
    name: &'a str,
}

#[derive(Serialize)]
struct Cancel<'a> {
    imp_uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Money>,
    /// What can still be given back: the gateway refuses where it knows another amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<Money>,
    reason: &'a str,
}

/// What the gateway said, or why that is not known.
enum Answer<T> {
    Said(T),
    /// It said no, in these words.
    No(String),
    /// There is no such thing.
    Nothing,
}

/// Why a request has no answer.
#[derive(Debug)]
enum Fault {
    /// It did not arrive, or the gateway did nothing with it.
    NotAsked(String),
    /// It may have arrived.
    Unknown(String),
}

impl From<Fault> for Unknown {
    fn from(fault: Fault) -> Self {
        let (Fault::NotAsked(reason) | Fault::Unknown(reason)) = fault;
        Self(reason)
    }
}

impl PortOne {
    /// A client of this account. No request takes longer than `wait`.
    ///
    /// # Errors
    /// Where the address is none, or no client can be made.
    pub fn new(
        account: Account,
        clock: Arc<dyn Clock>,
        wait: Duration,
    ) -> Result<Self, ClientError> {
        let url: reqwest::Url = account
            .url
            .parse()
            .map_err(|error| ClientError(format!("{error}")))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(ClientError("its address begins with https://".into()));
        }
        // Whoever was first has chosen for the whole process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_WAIT)
            .timeout(wait)
            .build()
            .map_err(|error| ClientError(error.without_url().to_string()))?;
        Ok(Self {
            http,
            account,
            clock,
            access: Mutex::default(),
        })
    }

    /// Asks what may be asked again without harm.
    async fn safely<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Answer<T>, Fault> {
        let policy = ExponentialBuilder::default()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .with_max_times(TRIES - 1)
            .with_jitter();
        (|| self.with_access(&request)).retry(policy).await
    }

    /// Asks once; with a new access token where the gateway no longer takes the one it had.
    async fn with_access<T: DeserializeOwned>(
        &self,
        request: &impl Fn() -> RequestBuilder,
    ) -> Result<Answer<T>, Fault> {
        for fresh in [false, true] {
            let access = self.access(fresh).await?;
            let request = request().header("authorization", access);
            if let Some(answer) = ask(request).await? {
                return Ok(answer);
            }
        }
        Err(Fault::NotAsked("the gateway takes no access token".into()))
    }

    async fn access(&self, fresh: bool) -> Result<String, Fault> {
        let mut kept = self.access.lock().await;
        let now_s = self.clock.now().millis() / 1000;
        if let Some(access) = kept
            .as_ref()
            .filter(|kept| !fresh && kept.good_until > now_s)
        {
            return Ok(access.token.clone());
        }
        let keys = serde_json::json!({
            "imp_key": self.account.key.reveal(),
            "imp_secret": self.account.secret.reveal(),
        });
        let request = self.http.post(self.url("/users/getToken")).json(&keys);
        // Nothing was asked of it yet, whatever became of this.
        let answer = ask::<Access>(request).await.map_err(
            |(Fault::NotAsked(reason) | Fault::Unknown(reason))| Fault::NotAsked(reason),
        )?;
        let Some(Answer::Said(mut access)) = answer else {
            *kept = None;
            return Err(Fault::NotAsked("the gateway does not know our key".into()));
        };
        let lives_s = access.expired_at - if access.now > 0 { access.now } else { now_s };
        access.good_until = now_s + lives_s - TOKEN_MARGIN_S;
        let token = access.token.clone();
        *kept = Some(access);
        Ok(token)
    }

    async fn read(&self, path: &str) -> Result<Option<Found>, Unknown> {
        let request = || self.http.request(Method::GET, self.url(path));
        match self.safely::<Payment>(request).await? {
            Answer::Said(payment) => Ok(Some(payment.found())),
            Answer::Nothing => Ok(None),
            Answer::No(reason) => Err(Unknown(reason)),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.account.url.trim_end_matches('/'))
    }
}

#[async_trait]
impl Gateway for PortOne {
    fn name(&self) -> &'static str {
        "portone"
    }

    async fn charge(
        &self,
        merchant_uid: &str,
        amount: Money,
        token: &Token,
    ) -> Result<Vec<Verdict>, Unknown> {
        let again = Again {
            customer_uid: token.as_str(),
            merchant_uid,
            amount,
            name: BILL,
        };
        let url = self.url("/subscribe/payments/again");
        let request = || self.http.post(&url).json(&again);
        Ok(vec![match self.with_access::<Payment>(&request).await? {
            Answer::Said(payment) if payment.status == "paid" => Verdict::Paid {
                gateway_id: payment.imp_uid,
                amount: payment.amount,
            },
            Answer::Said(payment) if payment.status == "failed" => Verdict::Declined {
                reason: payment.reason(),
            },
            Answer::Said(_) => return Err(Unknown("it is neither paid nor refused yet".into())),
            Answer::Nothing => Verdict::Declined {
                reason: "the gateway does not know this card".to_owned(),
            },
            // A no may mean that this merchant uid was paid by a request before.
            Answer::No(reason) => match self.find(merchant_uid).await? {
                Some(found) if found.status == Status::Paid => Verdict::Paid {
                    gateway_id: found.gateway_id,
                    amount: found.amount,
                },
                Some(found) if found.status == Status::Ready => {
                    return Err(Unknown("it is neither paid nor refused yet".into()));
                }
                _ => Verdict::Declined { reason },
            },
        }])
    }

    async fn find(&self, merchant_uid: &str) -> Result<Option<Found>, Unknown> {
        // One that is paid counts more than one that failed before it.
        let path = format!("/payments/find/{merchant_uid}");
        match self.read(&format!("{path}/paid")).await? {
            Some(found) => Ok(Some(found)),
            None => self.read(&path).await,
        }
    }

    async fn find_paid(&self, merchant_uid: &str) -> Result<Vec<Found>, Unknown> {
        let url = self.url(&format!("/payments/findAll/{merchant_uid}/paid"));
        let mut paid = Vec::new();
        let mut page = 1;
        while page > 0 {
            let request = || self.http.get(format!("{url}?page={page}"));
            let payments = match self.safely::<Payments>(request).await? {
                Answer::Said(payments) => payments,
                Answer::Nothing => break,
                Answer::No(reason) => return Err(Unknown(reason)),
            };
            paid.extend(payments.list.into_iter().map(Payment::found));
            page = payments.next;
        }
        // It was asked for nothing else, but what would be given back should be sure.
        paid.retain(|found| found.status == Status::Paid);
        Ok(paid)
    }

    async fn look_up(&self, gateway_id: &str) -> Result<Option<Found>, Unknown> {
        self.read(&format!("/payments/{gateway_id}")).await
    }

    async fn refund(&self, gateway_id: &str, amount: Option<Money>) -> Result<Refund, Unknown> {
        let cancel = Cancel {
            imp_uid: gateway_id,
            amount,
            checksum: amount,
            reason: "the order was undone",
        };
        let url = self.url("/payments/cancel");
        let request = || self.http.post(&url).json(&cancel);
        let reason = match self.safely::<Payment>(request).await? {
            Answer::Said(payment) if payment.status == "cancelled" => return Ok(Refund::Done),
            Answer::Said(_) => "it was not cancelled whole".to_owned(),
            Answer::Nothing => "there is no such payment".to_owned(),
            Answer::No(reason) => reason,
        };
        // A no is also said of what was given back before.
        match self.look_up(gateway_id).await? {
            Some(found) if found.status == Status::Cancelled => Ok(Refund::Done),
            _ => Ok(Refund::Refused { reason }),
        }
    }
}

impl Payment {
    fn reason(&self) -> String {
        let reason = self.fail_reason.clone();
        reason.unwrap_or_else(|| "the gateway gave no reason".to_owned())
    }

    fn found(self) -> Found {
        let status = match self.status.as_str() {
            "paid" => Status::Paid,
            "cancelled" => Status::Cancelled,
            "failed" => Status::Failed {
                reason: self.reason(),
            },
            _ => Status::Ready,
        };
        Found {
            gateway_id: self.imp_uid,
            merchant_uid: self.merchant_uid,
            amount: self.amount,
            status,
        }
    }
}

/// Sends a request; `None` where the access token is not taken.
async fn ask<T: DeserializeOwned>(request: RequestBuilder) -> Result<Option<Answer<T>>, Fault> {
    let mut response = request.send().await.map_err(|error| {
        let reason = error.to_string();
        if error.is_connect() || error.is_builder() {
            Fault::NotAsked(reason)
        } else {
            Fault::Unknown(reason)
        }
    })?;
    let status = response.status();
    if status == StatusCode::UNAUTHORIZED {
        return Ok(None);
    }
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Err(Fault::Unknown(format!("the gateway answers {status}")));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Fault::Unknown(error.to_string()))?
    {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(Fault::Unknown("the gateway's answer is too long".into()));
        }
    }
    if status == StatusCode::NOT_FOUND {
        return Ok(Some(Answer::Nothing));
    }
    // Not the parser's words: they may repeat what was sent.
    let wrapped: Wrapped<T> = serde_json::from_slice(&body)
        .map_err(|_| Fault::Unknown("the gateway's answer cannot be read".into()))?;
    Ok(Some(match (wrapped.code, wrapped.response) {
        (0, Some(said)) => Answer::Said(said),
        (0, None) => Answer::Nothing,
        _ => Answer::No(
            wrapped
                .message
                .unwrap_or_else(|| "the gateway gave no reason".to_owned()),
        ),
    }))
}
