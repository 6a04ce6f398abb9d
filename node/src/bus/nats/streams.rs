//! The streams: which there are, how long they keep what, and how they are made.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    context::GetStreamErrorKind,
    stream::{Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType, Stream},
};
use messages::subject;

use super::{Settings, fault};
use crate::bus::BusFault;

const DAY: Duration = Duration::from_hours(24);
const MIB: i64 = 1 << 20;
/// The key in a stream's metadata under which the number of partitions is fixed.
const PARTITIONS: &str = "onhand-partitions";

/// The streams that a process uses.
///
/// What the databases have as well the broker may acknowledge before it has written it: of that, what
/// it loses when it is killed is sent again. It does so for streams without replicas only.
pub(super) fn configs(settings: &Settings) -> Vec<Config> {
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
    let transport = |config: Config| Config {
        persist_mode: (config.num_replicas == 1).then_some(PersistenceMode::Async),
        ..config
    };
    let mut configs: Vec<Config> = settings
        .services
        .iter()
        .map(|service| {
            let subject = service.inbox_subject(messages::Partition(0)).to_string();
            let all = subject.trim_end_matches('0').to_owned() + "*";
            transport(stream(service.inbox(), all, DAY, 512 * MIB))
        })
        .collect();
    configs.push(Config {
        // Readers know by an event's id what they have had: what the broker remembers of the ids,
        // three an order, need only last over a publish that is tried again.
        duplicate_window: Duration::from_secs(20),
        ..transport(stream(
            subject::EVENTS.0,
            subject::EVENTS.1.to_owned(),
            7 * DAY,
            2048 * MIB,
        ))
    });
    // No database has these: what is acknowledged outlives the broker's death.
    configs.push(stream(
        subject::DEAD.0,
        subject::DEAD.1.to_owned(),
        30 * DAY,
        256 * MIB,
    ));
    configs
}

/// Makes those that are missing.
///
/// # Errors
/// Also where one was made for another number of partitions.
pub(super) async fn ensure(
    streams: &jetstream::Context,
    wanted: &[Config],
) -> Result<(), BusFault> {
    for config in wanted {
        let stream = match streams.get_stream(&config.name).await {
            Ok(stream) => stream,
            Err(error) if is_missing(error.kind()) => make(streams, config.clone()).await?,
            Err(error) => return Err(fault(error)),
        };
        let fixed = stream.cached_info().config.metadata.get(PARTITIONS);
        let wanted = config.metadata.get(PARTITIONS);
        if fixed.is_some() && fixed != wanted {
            return Err(BusFault(format!(
                "the stream {} was made for {} partitions, and {} are configured: the number cannot change",
                config.name,
                fixed.map_or("", String::as_str),
                wanted.map_or("", String::as_str),
            )));
        }
    }
    Ok(())
}

fn is_missing(kind: GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.code() == 404)
}

/// Makes one, with what this server knows: it refuses a setting that it does not. Its version is known
/// since it has answered.
async fn make(streams: &jetstream::Context, mut config: Config) -> Result<Stream, BusFault> {
    if !streams.client().is_server_compatible(2, 12, 0) {
        config.persist_mode = None;
    }
    streams.create_stream(config).await.map_err(fault)
}
