//! How a stream is read, in order and from a position of our own.

use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        consumer::{DeliverPolicy, pull::OrderedConfig},
        message::StreamMessage,
    },
};
use async_trait::async_trait;
use futures::{StreamExt as _, stream::BoxStream};
use messages::Timestamp;

use super::fault;
use crate::bus::{BusFault, Delivery, Reader, Start};

/// How many messages a reader hands on at once.
const CHUNK_MAX: usize = 256;

type Messages =
    BoxStream<'static, Vec<Result<jetstream::Message, jetstream::consumer::pull::OrderedError>>>;

/// An ordered reader of a stream.
pub(super) struct NatsReader(Messages);

impl NatsReader {
    pub(super) async fn open(
        streams: &jetstream::Context,
        stream: &str,
        subjects: Vec<String>,
        start: Start,
    ) -> Result<Self, BusFault> {
        let stream = streams.get_stream(stream).await.map_err(fault)?;
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
        Ok(Self(messages.ready_chunks(CHUNK_MAX).boxed()))
    }
}

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

/// A message that was asked for by its sequence.
pub(super) fn stored(message: StreamMessage) -> Delivery {
    Delivery {
        subject: message.subject.to_string(),
        sequence: message.sequence,
        at: timestamp(message.time.unix_timestamp_nanos()),
        pending: 0,
        headers: headers(Some(&message.headers)),
        payload: message.payload,
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
