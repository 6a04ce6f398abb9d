//! The REST API: its access tokens, what is asked again, and what an answer is wrapped in.
//!
//! What may be asked twice without harm is tried again at once; a charge is not, since its answer
//! may be lost on the way. Secrets and tokens are shown nowhere: no address holds one, and no error
//! repeats a body.

use std::{sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable as _};
use node::seams::Clock;
use reqwest::{RequestBuilder, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use crate::{gateway::Unknown, settings::Secret};

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

/// The API, as one account uses it.
pub(super) struct Api {
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

/// What the gateway said, or why that is not known.
pub(super) enum Answer<T> {
    Said(T),
    /// It said no, in these words.
    No(String),
    /// There is no such thing.
    Nothing,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Fault {
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

impl Api {
    /// No request takes longer than `wait`.
    pub(super) fn new(
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
    pub(super) async fn safely<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Answer<T>, Fault> {
        let policy = ExponentialBuilder::default()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .with_max_times(TRIES - 1)
            .with_jitter();
        (|| self.once(&request)).retry(policy).await
    }

    /// Asks once; with a new access token where the gateway no longer takes the one it had.
    pub(super) async fn once<T: DeserializeOwned>(
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
        let request = self.post("/users/getToken").json(&keys);
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

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.account.url.trim_end_matches('/'))
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
