//! `onhand events`: what the services tell, as JSON, one event a line.
//!
//! Changes nothing at the broker. Invariant: an event is shown, or written, once, however often the
//! broker has it. Read next: [`mod@line`] for what a line says, [`files`] for how files are kept.

mod export;
mod files;
mod line;
#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use messages::{Timestamp, subject};
use node::bus::{Bus, Delivery};
use node::config::Broker;
use node::events::{Follower, Place, Seen};

use self::line::lines;
use crate::connect::connect;

/// How far it goes back where the broker forgot what was read: more than its sync interval.
const REREAD_MS: u64 = 300_000;
/// When nothing comes for so long, nothing is there.
const SILENCE: Duration = Duration::from_secs(2);

/// Shows events as JSON, one a line, or writes them to files
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Go on with what is told from now on
    #[arg(long, short)]
    follow: bool,
    /// Only those on this subject, such as event.order.confirmed or 'event.order.>'
    #[arg(long, default_value = subject::EVENTS.1, global = true)]
    subject: String,
    /// Only those told since then, such as 2026-01-31T12:00:00Z [default: all that the broker has]
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// The data folder, where `onhand up` leaves the address of its broker
    #[arg(long, env = "ONHAND_DATA", default_value = "./data", global = true)]
    data: PathBuf,
    #[command(flatten)]
    broker: Broker,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Action {
    /// Writes events to files of one event a line, and goes on where it stopped
    ///
    /// Files are named by the day in UTC and a number, events-2026-01-31-000001.ndjson, and only
    /// the last one grows. However the program ends, every event that the broker kept meanwhile is
    /// in them once when it has run again.
    Export(export::Args),
}

/// Does what is asked. What went wrong is told here, in one line.
pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    match act(args).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(fault) => {
            eprintln!("{fault:#}");
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn act(args: Args) -> Result<()> {
    let bus = connect(&args.broker, &args.data, "onhand events").await?;
    if let Some(Action::Export(export)) = args.action {
        return export::run(bus, args.subject, export).await;
    }
    let place = args.since.map_or(Place::First, Place::Since);
    let mut source = Source::new(bus, args.subject, place, !args.follow);
    let mut seen = Seen::default();
    while let Some(mut deliveries) = source.next().await? {
        // A time beyond its own counting makes the broker begin at its first message.
        deliveries.retain(|delivery| args.since.is_none_or(|since| delivery.at >= since));
        let mut output = io::stdout().lock();
        let shown = show(&deliveries, &mut seen, &mut output);
        match shown {
            // Whoever read it has read enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            shown => shown.context("the output cannot be written")?,
        }
    }
    Ok(())
}

fn show(deliveries: &[Delivery], seen: &mut Seen, output: &mut impl Write) -> io::Result<()> {
    for line in deliveries.iter().flat_map(lines) {
        if line.id.is_none_or(|id| seen.insert(&id)) {
            output.write_all(line.text.as_bytes())?;
        }
    }
    output.flush()
}

/// The messages of a subject; an end where only those that are there are wanted.
struct Source {
    bus: Arc<dyn Bus>,
    follower: Follower,
    /// The last message that is wanted, where there is one; found out at first.
    until: Until,
}

enum Until {
    /// Told to stop.
    Never,
    /// All is read that there was at first.
    Sequence(Option<u64>),
    /// Nothing more is wanted.
    Over,
}

impl Source {
    fn new(bus: Arc<dyn Bus>, subject: String, place: Place, once: bool) -> Self {
        let follower = Follower::new(Arc::clone(&bus), vec![subject], place, REREAD_MS);
        let until = if once {
            Until::Sequence(None)
        } else {
            Until::Never
        };
        Self {
            bus,
            follower,
            until,
        }
    }

    /// The next messages; nothing at the end.
    async fn next(&mut self) -> Result<Option<Vec<Delivery>>> {
        let end = match self.until {
            Until::Over => return Ok(None),
            Until::Never => return Ok(Some(self.follower.next().await)),
            Until::Sequence(Some(end)) => end,
            Until::Sequence(None) => {
                let stream = self.bus.stream(subject::EVENTS.0).await?;
                self.until = Until::Sequence(Some(stream.last));
                stream.last
            }
        };
        let Ok(deliveries) = tokio::time::timeout(SILENCE, self.follower.next()).await else {
            return Ok(None);
        };
        if deliveries
            .last()
            .is_some_and(|last| last.pending == 0 || last.sequence >= end)
        {
            self.until = Until::Over;
        }
        Ok(Some(deliveries))
    }
}
