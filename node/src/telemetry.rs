//! What a process tells of itself: logs, and what it counts.
//!
//! Every metric's name stands in [`names`], with what it means in [`init`].

use std::{io::IsTerminal as _, str::FromStr, time::Duration};

pub use metrics_exporter_prometheus::PrometheusHandle;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The names of all metrics.
pub mod names {
    /// How long each `stage` takes, in seconds.
    pub const STAGE: &str = "onhand_stage_seconds";
    /// Changes that one commit of the journal holds, by `service`.
    pub const JOURNAL_BATCH: &str = "onhand_journal_batch";
    /// HTTP requests under way.
    pub const IN_FLIGHT: &str = "onhand_in_flight";
    /// Those of them that wait in line until others are done, by `call`.
    pub const WAITING: &str = "onhand_waiting";
    /// Commands that wait for their entities, by `service`.
    pub const MAILBOX: &str = "onhand_mailbox";
    /// Messages that a reader has not read yet, by `service`.
    pub const READER_BEHIND: &str = "onhand_reader_behind";
    /// Requests seen again and answered from what was done the first time, by `service`.
    pub const REPEATS: &str = "onhand_repeats_total";
    /// Commands sent again because no answer had come, by `service`.
    pub const RESENDS: &str = "onhand_resends_total";
    /// Calls to the outside, by `service` and whether their `outcome` is known.
    pub const CALLS: &str = "onhand_calls_total";
    /// Messages that could not be understood or carried out, by `service`.
    pub const DEAD_LETTERS: &str = "onhand_dead_letters_total";
    /// Partitions that this process owns, by `service`.
    pub const PARTITIONS_OWNED: &str = "onhand_partitions_owned";
    /// Entities in memory, by `service`.
    pub const ENTITIES: &str = "onhand_entities";
    /// Events committed, by `kind`.
    pub const EVENTS: &str = "onhand_events_total";
    /// Events that a reader of them took in, by `reader` and `outcome`: `new`, `repeat`,
    /// `unreadable`, or `refused` by its database.
    pub const EVENTS_TAKEN: &str = "onhand_events_taken_total";
    /// Envelopes let go because too many wait for their subject.
    pub const LANE_FULL: &str = "onhand_lane_full_total";
    /// HTTP requests answered, by `status`.
    pub const HTTP_REQUESTS: &str = "onhand_http_requests_total";
    /// How long each took from its head to its answer, in seconds.
    pub const HTTP_SECONDS: &str = "onhand_http_request_seconds";
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For a person.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Why a process cannot tell of itself.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter of the log cannot be read.
    #[error("{0:?} is no log filter: {1}")]
    Filter(String, String),
    /// Something else in this process has begun already.
    #[error("telemetry is begun already: {0}")]
    Begun(String),
}

/// Bounds in seconds: from a commit on a fast disk to an order that gives up.
const SECONDS: [f64; 14] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
const BATCHES: [f64; 11] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];
/// What the broker's client says of a connection, we say; whoever wants both names it.
const QUIET: &str = "async_nats=warn";
/// How often samples are put into their buckets when nobody asks for them.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Begins to log and to count, once a process, inside its runtime.
pub fn init(log_filter: &str, format: LogFormat) -> Result<PrometheusHandle, TelemetryError> {
    let filter = EnvFilter::from_str(&format!("{QUIET},{log_filter}"))
        .map_err(|error| TelemetryError::Filter(log_filter.to_owned(), error.to_string()))?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let begun = match format {
        LogFormat::Pretty => registry.with(lines.with_ansi(in_colour())).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
    begun.map_err(|error| TelemetryError::Begun(error.to_string()))?;
    count()
}

/// On a terminal only, and not where its user wants none (<https://no-color.org>).
fn in_colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !unwanted
}

fn count() -> Result<PrometheusHandle, TelemetryError> {
    let begun =
        |error: metrics_exporter_prometheus::BuildError| TelemetryError::Begun(error.to_string());
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(names::STAGE.into()), &SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Full(names::HTTP_SECONDS.into()), &SECONDS)
        })
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Full(names::JOURNAL_BATCH.into()), &BATCHES)
        })
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(begun)?;
    describe();
    let kept = metrics.clone();
    // Without this, samples pile up while nobody looks at the metrics.
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP_EVERY);
        loop {
            ticks.tick().await;
            kept.run_upkeep();
        }
    });
    Ok(metrics)
}

fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!(
        names::EVENTS,
        "events committed, by kind: orders by result are order.confirmed, order.failed, order.cancelled"
    );
    describe_counter!(
        names::EVENTS_TAKEN,
        "events that a reader took in: new, repeat, unreadable, or refused by its database"
    );
    describe_gauge!(names::ENTITIES, "entities in memory");
    describe_counter!(
        names::LANE_FULL,
        "envelopes let go because too many wait for their subject"
    );
    describe_histogram!(names::STAGE, Unit::Seconds, "how long each stage takes");
    describe_histogram!(names::JOURNAL_BATCH, "changes that one commit holds");
    describe_gauge!(names::IN_FLIGHT, "HTTP requests under way");
    describe_gauge!(
        names::WAITING,
        "HTTP requests that wait in line until others are done"
    );
    describe_gauge!(names::MAILBOX, "commands that wait for their entities");
    describe_gauge!(names::READER_BEHIND, "messages that are not read yet");
    describe_counter!(
        names::REPEATS,
        "requests answered from what was done before"
    );
    describe_counter!(names::RESENDS, "commands sent again for want of an answer");
    describe_counter!(names::CALLS, "calls to the outside that were made");
    describe_counter!(names::DEAD_LETTERS, "messages put aside as dead letters");
    describe_gauge!(names::PARTITIONS_OWNED, "partitions that this process owns");
    describe_counter!(names::HTTP_REQUESTS, "HTTP requests answered, by status");
    describe_histogram!(
        names::HTTP_SECONDS,
        Unit::Seconds,
        "how long a request took from its head to its answer"
    );
}
