//! `onhand events export`: every event into files, once.
//!
//! The files are the position: a line and that it was read are one write. So it goes on behind the
//! last whole line, and needs nothing else to be true; what is written besides only spares reading
//! old files again.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use messages::subject;
use node::bus::{Bus, Delivery};
use node::events::Place;
use node::store::Position;

use super::{Source, files::Folder, line::lines};

/// Where to, and how long.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// The folder that the files are in; made where it is missing
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
    /// Begin another file when one has so many bytes; one begins each day anyway
    #[arg(long, default_value_t = 64 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    file_bytes_max: u64,
    /// End when all that is there is written
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(bus: Arc<dyn Bus>, subject: String, args: Args) -> Result<()> {
    let mut folder = Folder::open(&args.dir, args.file_bytes_max)
        .with_context(|| format!("{} cannot be used", args.dir.display()))?;
    let unwritten = || format!("{} cannot be written", args.dir.display());
    let (place, cut) = place(&*bus, folder.last_line()).await?;
    folder.write(&cut).with_context(unwritten)?;
    let mut source = Source::new(bus, subject, place, args.once);
    let mut stop = std::pin::pin!(stopped()?);
    loop {
        let deliveries = tokio::select! {
            deliveries = source.next() => deliveries?,
            () = &mut stop => return Ok(()),
        };
        let Some(deliveries) = deliveries else {
            return Ok(());
        };
        folder.write(&deliveries).with_context(unwritten)?;
    }
}

/// Behind the last line, where the stream still has that very event; else from its beginning: what
/// is in the files already is known by its id. With it, where the line is not the last of its message,
/// that message.
async fn place(bus: &dyn Bus, last: Option<(&str, u64)>) -> Result<(Place, Vec<Delivery>)> {
    let Some((text, sequence)) = last else {
        return Ok((Place::First, Vec::new()));
    };
    let name = subject::EVENTS.0;
    let stream = bus.stream(name).await?;
    if let Some(message) = bus.message(name, sequence).await? {
        let lines = lines(&message);
        if let Some(line) = lines.iter().position(|line| line.text == text) {
            let behind = Place::Behind(Position {
                stream: stream.identity,
                sequence,
                at: message.at,
            });
            let cut = line + 1 < lines.len();
            return Ok((behind, cut.then_some(message).into_iter().collect()));
        }
    }
    eprintln!(
        "the broker does not have the last event that was written any more: what it forgot since \
         then is not in the files"
    );
    Ok((Place::First, Vec::new()))
}

/// SIGTERM or Ctrl-C.
fn stopped() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
