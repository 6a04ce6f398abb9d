//! The broker on NATS JetStream.
//!
//! Two connections: one that publishes and asks, one that reads and answers, since one that does
//! both can wait for itself. Both reconnect for ever.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        consumer::{DeliverPolicy, pull::OrderedConfig},
        context::PublishErrorKind,
        message::PublishMessage,
        stream::{Config, DiscardPolicy, RawMessageErrorKind, RetentionPolicy, StorageType},
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use messages::{Service, Timestamp, subject};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::{
    Acknowledgement, Bus, BusFault, Delivery, Link, Outbound, Reader, Request, Start, StreamState,
};

const DAY: Duration = Duration::from_hours(24);
const MIB: i64 = 1 << 20;
/// How long the broker may take to acknowledge; a lost acknowledgement shows only in this.
const ACK_WAIT: Duration = Duration::from_secs(2);
/// How many messages a reader hands on at once.
const CHUNK_MAX: usize = 256;
/// How many requests are answered side by side.
const REQUESTS_MAX: usize = 1024;
/// The key in a stream's metadata under which the number of partitions is fixed.
const PARTITIONS: &str = "onhand-partitions";

/// How the broker is reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Addresses, with commas between them.
    pub url: String,
    /// A credentials file.
    pub creds: Option<PathBuf>,
    /// A user and its password.
    pub user: Option<(String, String)>,
    /// The certificate of the authority that signed the servers' certificates.
    pub ca: Option<PathBuf>,
    /// The name by which operators see this connection.
    pub name: String,
    /// How many copies of each stream a cluster keeps.
    pub replicas: usize,
    /// The number of partitions.
    pub partitions: u16,
    /// The services whose streams this process uses.
    pub services: Vec<Service>,
}

/// The broker on NATS JetStream.
pub struct Nats {
    streams_wanted: Arc<[Config]>,
    out: async_nats::Client,
    streams: jetstream::Context,
    inward: async_nats::Client,
    inward_streams: jetstream::Context,
    link: watch::Receiver<Link>,
}

impl Nats {
    /// Starts connecting; goes on trying in the background where the broker is away.
    ///
    /// # Errors
    /// Where the settings cannot be used at all.
    pub async fn connect(settings: Settings) -> Result<Arc<Self>, BusFault> {
        let (state, link) = watch::channel(Link::default());
        let out = client(&settings, "out", Some(state)).await?;
        let inward = client(&settings, "in", None).await?;
        let context = |client: &async_nats::Client| {
            jetstream::ContextBuilder::new()
                .timeout(ACK_WAIT)
                .build(client.clone())
        };
        let (streams, inward_streams) = (context(&out), context(&inward));
        Ok(Arc::new(Self {
            streams_wanted: configs(&settings).into(),
            out,
            streams,
            inward,
            inward_streams,
            link,
        }))
    }
}

/// The streams that a process uses.
fn configs(settings: &Settings) -> Vec<Config> {
    let stream = |name: &str, subjects: String, max_age: Duration, max_bytes: i64| Config {
        name: name.to_owned(),
        subjects: vec![subjects],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        storage: StorageType::File,
        max_age,
        max_bytes,
        duplicate_window: Duration::from_mins(2),
        allow_direct: true,
        num_replicas: settings.replicas.max(1),
        metadata: [(PARTITIONS.to_owned(), settings.partitions.to_string())].into(),
        ..Config::default()
    };
    let mut configs: Vec<Config> = settings
        .services
        .iter()
        .map(|service| {
            let subject = service.inbox_subject(messages::Partition(0)).to_string();
            let all = subject.trim_end_matches('0').to_owned() + "*";
            stream(service.inbox(), all, DAY, 1024 * MIB)
        })
        .collect();
    configs.push(stream(
        subject::EVENTS.0,
        subject::EVENTS.1.to_owned(),
        7 * DAY,
        2048 * MIB,
    ));
    configs.push(stream(
        subject::DEAD.0,
        subject::DEAD.1.to_owned(),
        30 * DAY,
        256 * MIB,
    ));
    configs
}

async fn client(
    settings: &Settings,
    direction: &str,
    state: Option<watch::Sender<Link>>,
) -> Result<async_nats::Client, BusFault> {
    let mut options = async_nats::ConnectOptions::new()
        .name(format!("{} ({direction})", settings.name))
        .max_reconnects(None)
        .retry_on_initial_connect()
        .connection_timeout(Duration::from_secs(3))
        .ping_interval(Duration::from_secs(5))
        .subscription_capacity(65_536)
        .client_capacity(8_192)
        .reconnect_delay_callback(|attempts| {
            Duration::from_millis((50 * attempts.min(20) as u64).max(20))
        });
    if let Some((user, password)) = &settings.user {
        options = options
            .user_and_password(user.clone(), password.clone())
            .custom_inbox_prefix(format!("_INBOX_{user}"));
    }
    if let Some(creds) = &settings.creds {
        options = options
            .credentials_file(creds)
            .await
            .map_err(|error| BusFault(format!("credentials {}: {error}", creds.display())))?;
    }
    if let Some(ca) = &settings.ca {
        options = options.add_root_certificates(ca.clone()).require_tls(true);
    }
    let direction = direction.to_owned();
    let state = state.map(Arc::new);
    options = options.event_callback(move |event| {
        match &event {
            async_nats::Event::Connected => tracing::info!(direction, "connected to the broker"),
            async_nats::Event::Closed => {
                tracing::debug!(direction, "the connection to the broker is closed");
            }
            other => tracing::warn!(direction, "broker: {other}"),
        }
        if let Some(state) = &state {
            match event {
                async_nats::Event::Connected => state.send_modify(|link| {
                    link.connected = true;
                    link.connections += 1;
                }),
                async_nats::Event::Disconnected | async_nats::Event::Closed => {
                    state.send_modify(|link| link.connected = false);
                }
                _ => {}
            }
        }
        std::future::ready(())
    });
    let addresses: Vec<async_nats::ServerAddr> = settings
        .url
        .split(',')
        .map(|address| {
            address
                .trim()
                .parse()
                .map_err(|error| BusFault(format!("{address:?}: {error}")))
        })
        .collect::<Result<_, _>>()?;
    options.connect(addresses).await.map_err(fault)
}

#[async_trait]
impl Bus for Nats {
    async fn ensure_streams(&self) -> Result<(), BusFault> {
        for config in self.streams_wanted.iter().cloned() {
            let wanted = config.metadata.get(PARTITIONS).cloned();
            let name = config.name.clone();
            let stream = self
                .streams
                .get_or_create_stream(config)
                .await
                .map_err(fault)?;
            let fixed = stream
                .cached_info()
                .config
                .metadata
                .get(PARTITIONS)
                .cloned();
            if fixed.is_some() && fixed != wanted {
                return Err(BusFault(format!(
                    "the stream {name} was made for {} partitions, and {} are configured: the number cannot change",
                    fixed.unwrap_or_default(),
                    wanted.unwrap_or_default(),
                )));
            }
        }
        Ok(())
    }

    async fn send(&self, message: Outbound) -> Result<Acknowledgement, BusFault> {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", messages::wire::CONTENT_TYPE);
        for (name, value) in &message.headers {
            headers.insert(*name, value.as_str());
        }
        let publish = PublishMessage::build()
            .payload(message.payload)
            .headers(headers)
            .message_id(message.id);
        let ack = self
            .streams
            .send_publish(message.subject, publish)
            .await
            .map_err(fault)?;
        let streams = self.streams.clone();
        let configs = Arc::clone(&self.streams_wanted);
        Ok(Box::pin(async move {
            match ack.await {
                Ok(ack) => Ok(ack.sequence),
                Err(error) => {
                    if error.kind() == PublishErrorKind::StreamNotFound {
                        // The broker lost its disk: the streams are made again, the sender tries again.
                        for config in configs.iter().cloned() {
                            streams.get_or_create_stream(config).await.map_err(fault)?;
                        }
                    }
                    Err(fault(error))
                }
            }
        }))
    }

    async fn stream(&self, stream: &str) -> Result<StreamState, BusFault> {
        let info = self.streams.get_stream(stream).await.map_err(fault)?;
        let info = info.cached_info();
        Ok(StreamState {
            identity: info.created.to_string(),
            first: info.state.first_sequence,
            last: info.state.last_sequence,
        })
    }

    async fn message(&self, stream: &str, sequence: u64) -> Result<Option<Delivery>, BusFault> {
        let stream = self
            .streams
            .get_stream_no_info(stream)
            .await
            .map_err(fault)?;
        match stream.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(Delivery {
                subject: message.subject.to_string(),
                sequence: message.sequence,
                at: timestamp(message.time.unix_timestamp_nanos()),
                pending: 0,
                headers: headers(Some(&message.headers)),
                payload: message.payload,
            })),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    async fn read(
        &self,
        stream: &str,
        subjects: Vec<String>,
        start: Start,
    ) -> Result<Box<dyn Reader>, BusFault> {
        let stream = self
            .inward_streams
            .get_stream(stream)
            .await
            .map_err(fault)?;
        let deliver_policy = match start {
            Start::Sequence(sequence) => DeliverPolicy::ByStartSequence {
                start_sequence: sequence.max(1),
            },
            Start::Time(at) => DeliverPolicy::ByStartTime {
                start_time: time_of(at)
                    .ok_or_else(|| BusFault(format!("{at} cannot be asked for")))?,
            },
        };
        let config = OrderedConfig {
            filter_subjects: subjects,
            deliver_policy,
            ..OrderedConfig::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(fault)?;
        let messages = consumer.messages().await.map_err(fault)?;
        Ok(Box::new(NatsReader(
            messages.ready_chunks(CHUNK_MAX).boxed(),
        )))
    }

    async fn delete(&self, stream: &str, sequence: u64) -> Result<(), BusFault> {
        let stream = self
            .streams
            .get_stream_no_info(stream)
            .await
            .map_err(fault)?;
        stream
            .delete_message(sequence)
            .await
            .map(drop)
            .map_err(fault)
    }

    async fn request(
        &self,
        subject: String,
        payload: Bytes,
        wait: Duration,
    ) -> Result<Bytes, BusFault> {
        let request = async_nats::Request::new()
            .payload(payload)
            .timeout(Some(wait));
        self.out
            .send_request(subject, request)
            .await
            .map(|message| message.payload)
            .map_err(fault)
    }

    async fn serve(&self, subjects: Vec<String>) -> Result<mpsc::Receiver<Request>, BusFault> {
        let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
        let places = Arc::new(Semaphore::new(REQUESTS_MAX));
        for subject in subjects {
            let mut subscription = self.inward.subscribe(subject).await.map_err(fault)?;
            let (requests, client, places) =
                (requests.clone(), self.inward.clone(), Arc::clone(&places));
            tokio::spawn(async move {
                loop {
                    let message = tokio::select! {
                        message = subscription.next() => message,
                        () = requests.closed() => None,
                    };
                    let Some(message) = message else { break };
                    let Some(reply) = message.reply else { continue };
                    let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                        break;
                    };
                    let (answer, answered) = oneshot::channel();
                    let request = Request {
                        subject: message.subject.to_string(),
                        payload: message.payload,
                        answer,
                    };
                    if requests.send(request).await.is_err() {
                        break;
                    }
                    let client = client.clone();
                    tokio::spawn(async move {
                        if let Ok(payload) = answered.await {
                            // Where this fails the asker's wait ends, and it asks again.
                            let _ = client.publish(reply, payload).await;
                        }
                        drop(place);
                    });
                }
            });
        }
        Ok(receiver)
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }
}

type Messages =
    BoxStream<'static, Vec<Result<jetstream::Message, jetstream::consumer::pull::OrderedError>>>;

struct NatsReader(Messages);

#[async_trait]
impl Reader for NatsReader {
    async fn next(&mut self) -> Result<Vec<Delivery>, BusFault> {
        let chunk = self
            .0
            .next()
            .await
            .ok_or_else(|| BusFault("the reader has ended".into()))?;
        chunk
            .into_iter()
            .map(|message| {
                let message = message.map_err(fault)?;
                let info = message
                    .info()
                    .map_err(|error| BusFault(error.to_string()))?;
                let (sequence, pending) = (info.stream_sequence, info.pending);
                let at = timestamp(info.published.unix_timestamp_nanos());
                let message = message.message;
                Ok(Delivery {
                    subject: message.subject.to_string(),
                    sequence,
                    at,
                    pending,
                    headers: headers(message.headers.as_ref()),
                    payload: message.payload,
                })
            })
            .collect()
    }
}

fn headers(map: Option<&HeaderMap>) -> Vec<(String, String)> {
    map.into_iter()
        .flat_map(HeaderMap::iter)
        .flat_map(|(name, values)| {
            values
                .iter()
                .map(|value| (name.to_string(), value.to_string()))
        })
        .collect()
}

fn timestamp(nanos: i128) -> Timestamp {
    Timestamp::from_millis(i64::try_from(nanos / 1_000_000).unwrap_or(0))
}

fn time_of(at: Timestamp) -> Option<time::OffsetDateTime> {
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000).ok()
}

fn fault(error: impl std::fmt::Display) -> BusFault {
    BusFault(error.to_string())
}
