//! The broker on NATS JetStream.
//!
//! Two connections: one that publishes and asks, one that reads and answers, since one that does
//! both can wait for itself. Both reconnect for ever.

mod answering;
mod connect;
mod reading;
mod streams;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::{
    HeaderMap, HeaderName,
    header::{NATS_EXPECTED_LAST_MESSAGE_ID, NATS_MESSAGE_ID},
    jetstream::{
        self,
        context::PublishErrorKind,
        message::PublishMessage,
        stream::{Config, RawMessageErrorKind},
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Mutex, mpsc, watch};

pub use self::connect::{InboxPrefix, InboxPrefixError, Settings, shown};
use self::reading::NatsReader;
use super::{
    Acknowledgement, Bus, BusFault, Delivery, Link, Outbound, Reader, Request, Start, StreamState,
};

/// How long the broker may take to acknowledge; a lost acknowledgement shows only in this.
const ACK_WAIT: Duration = Duration::from_secs(2);
const CONTENT_TYPE: HeaderName = HeaderName::from_static("Content-Type");

/// The broker on NATS JetStream.
pub struct Nats {
    streams_wanted: Arc<[Config]>,
    out: async_nats::Client,
    streams: jetstream::Context,
    inward: async_nats::Client,
    inward_streams: jetstream::Context,
    link: watch::Receiver<Link>,
    /// Held while the messages of a row are handed over.
    row: Mutex<()>,
}

impl Nats {
    /// Starts connecting; goes on trying in the background where the broker is away.
    ///
    /// # Errors
    /// Where the settings cannot be used at all.
    pub async fn connect(settings: Settings) -> Result<Arc<Self>, BusFault> {
        let (state, link) = watch::channel(Link::default());
        let out = connect::client(&settings, "out", Some(state)).await?;
        let inward = connect::client(&settings, "in", None).await?;
        let context = |client: &async_nats::Client| {
            jetstream::ContextBuilder::new()
                .timeout(ACK_WAIT)
                .build(client.clone())
        };
        let (streams, inward_streams) = (context(&out), context(&inward));
        Ok(Arc::new(Self {
            streams_wanted: streams::configs(&settings).into(),
            out,
            streams,
            inward,
            inward_streams,
            link,
            row: Mutex::default(),
        }))
    }
}

impl Nats {
    /// Publishes a message that is acknowledged.
    async fn publish(
        &self,
        message: Outbound,
        headers: HeaderMap,
        copies: Copies,
    ) -> Result<Acknowledgement, BusFault> {
        let publish = PublishMessage::build()
            .payload(message.payload)
            .headers(headers);
        let ack = self
            .streams
            .send_publish(message.subject, publish)
            .await
            .map_err(fault)?;
        let streams = self.streams.clone();
        let configs = Arc::clone(&self.streams_wanted);
        Ok(Box::pin(async move {
            match ack.await {
                Ok(ack) if ack.duplicate && copies == Copies::Break => {
                    Err(BusFault("the last of a row was there before".into()))
                }
                Ok(ack) => Ok(ack.sequence),
                Err(error) => {
                    if error.kind() == PublishErrorKind::StreamNotFound {
                        // The broker lost its disk: the streams are made again, the sender tries again.
                        // Boxed, since every acknowledgement would else be as large as this.
                        Box::pin(streams::ensure(&streams, &configs)).await?;
                    }
                    Err(fault(error))
                }
            }
        }))
    }

    /// Publishes messages of which each follows the one before; the last is acknowledged.
    async fn publish_in_a_row(&self, messages: Vec<Outbound>) -> Result<Acknowledgement, BusFault> {
        // So that nothing of this process comes between.
        let _row = self.row.lock().await;
        let mut messages = messages.into_iter().peekable();
        let mut before: Option<String> = None;
        while let Some(message) = messages.next() {
            let mut headers = headers(&message);
            if let Some(before) = before.replace(message.id.clone()) {
                // The server refuses what does not follow it, so that the last one's acknowledgement
                // speaks for all.
                headers.insert(NATS_EXPECTED_LAST_MESSAGE_ID, before);
            }
            if messages.peek().is_none() {
                return self.publish(message, headers, Copies::Break).await;
            }
            self.out
                .publish_with_headers(message.subject, headers, message.payload)
                .await
                .map_err(fault)?;
        }
        Err(BusFault("nothing to send".into()))
    }
}

/// What it means that the stream has a message already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copies {
    /// It is where it should be.
    Welcome,
    /// It does not follow what it should.
    Break,
}

fn headers(message: &Outbound) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, messages::wire::CONTENT_TYPE);
    for (name, value) in &message.headers {
        headers.insert(*name, value.as_str());
    }
    headers.insert(NATS_MESSAGE_ID, message.id.as_str());
    headers
}

#[async_trait]
impl Bus for Nats {
    async fn ensure_streams(&self) -> Result<(), BusFault> {
        streams::ensure(&self.streams, &self.streams_wanted).await
    }

    async fn send(&self, message: Outbound) -> Result<Acknowledgement, BusFault> {
        let headers = headers(&message);
        let _between_rows = self.row.lock().await;
        self.publish(message, headers, Copies::Welcome).await
    }

    async fn send_in_a_row(&self, messages: Vec<Outbound>) -> Result<Acknowledgement, BusFault> {
        // Others wait meanwhile: not for as long as the broker is away.
        tokio::time::timeout(ACK_WAIT, self.publish_in_a_row(messages))
            .await
            .unwrap_or_else(|_| Err(BusFault("nothing is taken".into())))
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
            Ok(message) => Ok(Some(reading::stored(message))),
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
        let reader = NatsReader::open(&self.inward_streams, stream, subjects, start).await?;
        Ok(Box::new(reader))
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
        answering::serve(&self.inward, subjects).await
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    fn connection(&self) -> u64 {
        // Counted before anything is sent on it; the event that it is there takes its time.
        self.out.statistics().connects.load(Ordering::Acquire)
    }
}

fn fault(error: impl std::fmt::Display) -> BusFault {
    BusFault(error.to_string())
}
