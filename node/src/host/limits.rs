//! Every limit of the host, by name: nothing grows without one.

use std::time::Duration;

use clap::builder::RangedU64ValueParser;

use crate::events::WINDOW;

/// The most that can be counted to: room for as many is taken at once.
const COUNT_MAX: u64 = 1_000_000;
/// What a broker takes in one message where nobody says otherwise, less room for headers.
const BYTES_MAX: u64 = 1_000_000;
/// A year: longer than anything here can sensibly take.
const MS_MAX: u64 = 365 * 24 * 60 * 60 * 1000;

/// A number of things that can be used: at least one.
pub fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=COUNT_MAX)
}

/// No more than what a reader of events allows one to come late by.
fn events() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=WINDOW.cast_unsigned())
}

/// Longer than anybody wants to wait for what others have sold.
fn gathering() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(0..=1_000)
}

fn bytes() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=BYTES_MAX)
}

/// A time in ms that can be used: at least `least`, and no more than a year.
pub fn ms(least: u64) -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(least..=MS_MAX)
}

/// Limits of one service's host. Each is a flag and a variable of the same name.
#[derive(Clone, Debug, clap::Args)]
pub struct Limits {
    /// How many commands may be under way at once; beyond it the edge answers 503
    #[arg(long, env = "ONHAND_IN_FLIGHT_MAX", default_value_t = 8192, value_parser = count())]
    pub in_flight_max: usize,
    /// How many HTTP requests may be under way at once, those in line included; beyond it the edge answers 503
    #[arg(long, env = "ONHAND_REQUESTS_MAX", default_value_t = 12_288, value_parser = count())]
    pub requests_max: usize,
    /// How many HTTP connections may be open at once; others wait until one is closed
    #[arg(long, env = "ONHAND_CONNECTIONS_MAX", default_value_t = 16_384, value_parser = count())]
    pub connections_max: usize,
    /// How many decisions one commit makes durable
    #[arg(long, env = "ONHAND_BATCH_MAX", default_value_t = 128, value_parser = count())]
    pub batch_max: usize,
    /// How many commands one look into the ledger asks for
    #[arg(long, env = "ONHAND_LOOKUP_MAX", default_value_t = 256, value_parser = count())]
    pub lookup_max: usize,
    /// How many requests of orders are remembered, so that the ledger is not asked about those that are new
    #[arg(long, env = "ONHAND_REMEMBERED_MAX", default_value_t = 65_536, value_parser = count())]
    pub remembered_max: usize,
    /// How many bytes of envelopes, or of events, one message carries
    #[arg(long, env = "ONHAND_MESSAGE_BYTES_MAX", default_value_t = 262_144, value_parser = bytes())]
    pub message_bytes_max: usize,
    /// How many envelopes may wait for one subject; commands beyond it are sent later, replies when asked again
    #[arg(long, env = "ONHAND_LANE_MAX", default_value_t = 16_384, value_parser = count())]
    pub lane_max: usize,
    /// How many answers may wait for entities that are busy; what is beyond it is asked for again
    #[arg(long, env = "ONHAND_BUSY_MAX", default_value_t = 16_384, value_parser = count())]
    pub busy_max: usize,
    /// How many events may be on their way to the broker at once
    #[arg(long, env = "ONHAND_EVENTS_IN_FLIGHT_MAX", default_value_t = 1024, value_parser = events())]
    pub events_in_flight_max: usize,
    /// How many ms events wait for others, so that many leave together
    #[arg(long, env = "ONHAND_EVENTS_GATHER_MS", default_value_t = 5, value_parser = gathering())]
    pub events_gather_ms: u64,
    /// How many events that wait at once leave in a message each; of more, those of a kind share one
    #[arg(long, env = "ONHAND_EVENTS_ALONE_MAX", default_value_t = 16)]
    pub events_alone_max: usize,
    /// How many entities of a service are kept in memory; idle ones beyond it are put away
    #[arg(long, env = "ONHAND_ENTITIES_MAX", default_value_t = 10_000, value_parser = count())]
    pub entities_max: usize,
    /// After how many ms an idle entity is put away
    #[arg(long, env = "ONHAND_ENTITY_IDLE_MS", default_value_t = 60_000, value_parser = ms(0))]
    pub entity_idle_ms: u64,
    /// How many ms a commit to PostgreSQL may take before its outcome counts as unknown
    #[arg(long, env = "ONHAND_COMMIT_WAIT_MS", default_value_t = 15_000, value_parser = ms(1))]
    pub commit_wait_ms: u64,
    /// How many ms the edge waits for an owner that is away before it answers 503
    #[arg(long, env = "ONHAND_ASK_WAIT_MS", default_value_t = 5_000, value_parser = ms(0))]
    pub ask_wait_ms: u64,
    /// After how many ms an unanswered command is sent again, at first
    #[arg(long, env = "ONHAND_RESEND_MS", default_value_t = 500, value_parser = ms(1))]
    pub resend_ms: u64,
    /// After how many ms an unanswered command is sent again, at most
    #[arg(long, env = "ONHAND_RESEND_MAX_MS", default_value_t = 15_000, value_parser = ms(1))]
    pub resend_max_ms: u64,
    /// How many calls to the outside are under way at once; more wait for their turn
    #[arg(long, env = "ONHAND_CALLS_MAX", default_value_t = 64, value_parser = count())]
    pub calls_max: usize,
    /// How many ms a call to the outside may take before its outcome counts as unknown
    #[arg(long, env = "ONHAND_CALL_WAIT_MS", default_value_t = 10_000, value_parser = ms(1))]
    pub call_wait_ms: u64,
    /// By how many ms reading and telling go back where the broker has forgotten messages; more than the broker's sync interval
    #[arg(long, env = "ONHAND_REREAD_MS", default_value_t = 300_000, value_parser = ms(0))]
    pub reread_ms: u64,
    /// How many ms of events are told again where the broker has lost them all: its age limit
    #[arg(long, env = "ONHAND_EVENTS_AGE_MS", default_value_t = 604_800_000, value_parser = ms(0))]
    pub events_age_ms: u64,
    /// How many ms work under way may take to finish when the process stops
    #[arg(long, env = "ONHAND_STOP_WAIT_MS", default_value_t = 10_000, value_parser = ms(0))]
    pub stop_wait_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight_max: 8192,
            requests_max: 12_288,
            connections_max: 16_384,
            batch_max: 128,
            lookup_max: 256,
            remembered_max: 65_536,
            message_bytes_max: 262_144,
            lane_max: 16_384,
            busy_max: 16_384,
            events_in_flight_max: 1024,
            events_gather_ms: 5,
            events_alone_max: 16,
            entities_max: 10_000,
            entity_idle_ms: 60_000,
            commit_wait_ms: 15_000,
            ask_wait_ms: 5_000,
            resend_ms: 500,
            resend_max_ms: 15_000,
            calls_max: 64,
            call_wait_ms: 10_000,
            reread_ms: 300_000,
            events_age_ms: 604_800_000,
            stop_wait_ms: 10_000,
        }
    }
}

impl Limits {
    /// [`Limits::ask_wait_ms`] as a duration.
    pub const fn ask_wait(&self) -> Duration {
        Duration::from_millis(self.ask_wait_ms)
    }

    /// [`Limits::commit_wait_ms`] as a duration.
    pub const fn commit_wait(&self) -> Duration {
        Duration::from_millis(self.commit_wait_ms)
    }

    /// [`Limits::call_wait_ms`] as a duration.
    pub const fn call_wait(&self) -> Duration {
        Duration::from_millis(self.call_wait_ms)
    }

    /// [`Limits::reread_ms`] as a duration.
    pub const fn reread(&self) -> Duration {
        Duration::from_millis(self.reread_ms)
    }

    /// [`Limits::stop_wait_ms`] as a duration.
    pub const fn stop_wait(&self) -> Duration {
        Duration::from_millis(self.stop_wait_ms)
    }
}
