//! The streams: which there are, how long they keep what, and how they are made.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use messages::subject;

use super::{Settings, fault};
use crate::bus::BusFault;

const DAY: Duration = Duration::from_hours(24);
const MIB: i64 = 1 << 20;
/// The key in a stream's metadata under which the number of partitions is fixed.
const PARTITIONS: &str = "onhand-partitions";

/// The streams that a process uses.
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
    let mut configs: Vec<Config> = settings
        .services
        .iter()
        .map(|service| {
            let subject = service.inbox_subject(messages::Partition(0)).to_string();
            let all = subject.trim_end_matches('0').to_owned() + "*";
            stream(service.inbox(), all, DAY, 512 * MIB)
        })
        .collect();
    configs.push(Config {
        // Readers know by an event's id what they have had: what the broker remembers of the ids,
        // three an order, need only last over a publish that is tried again.
        duplicate_window: Duration::from_secs(20),
        ..stream(
            subject::EVENTS.0,
            subject::EVENTS.1.to_owned(),
            7 * DAY,
            2048 * MIB,
        )
    });
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
    for config in wanted.iter().cloned() {
        let wanted = config.metadata.get(PARTITIONS).cloned();
        let name = config.name.clone();
        let stream = streams.get_or_create_stream(config).await.map_err(fault)?;
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
