//! `onhand dead`: looks at dead letters, sends them again, or drops them.
//!
//! A dead letter is what a service could not understand or carry out, kept in the stream `DEAD`
//! with the reason. How one is read: `letter`. What is done with them: `work`. Invariant: a letter
//! goes only when it was sent again and the broker has it, or when a person said so.

mod letter;
#[cfg(test)]
mod tests;
mod work;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use node::bus::Bus;
use node::config::Broker;
use node::seams::{Clock as _, SystemClock};

use crate::connect::connect;

/// Looks at dead letters, sends them again, or drops them
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// The data folder, where `onhand up` leaves the address of its broker
    #[arg(long, env = "ONHAND_DATA", default_value = "./data", global = true)]
    data: PathBuf,
    #[command(flatten)]
    broker: Broker,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Action {
    /// One line a letter: number, time, where it came from, what it asked for, why it is dead
    List {
        /// Print JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// One letter in full: its headers, and its payload as JSON or, where it is none, as bytes
    Show {
        /// Its number, as `list` shows it
        number: u64,
    },
    /// Sends letters again to where they came from, and takes them from the dead ones
    ///
    /// A command that was done meanwhile is not done twice: its request id is known.
    Replay(Which),
    /// Deletes letters
    Drop {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// Which letters.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Their numbers, as `list` shows them
    numbers: Vec<u64>,
    /// All that are there now
    #[arg(long)]
    all: bool,
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
    if let Action::Drop { yes: false, .. } = args.action {
        ensure!(
            io::stdin().is_terminal(),
            "nobody is there to be asked: say --yes to drop dead letters"
        );
    }
    let bus = connect(&args.broker, &args.data, "onhand dead").await?;
    let bus = bus.as_ref();
    let mut output = io::stdout().lock();
    match args.action {
        Action::List { json } => work::list(bus, json, &mut output).await,
        Action::Show { number } => work::show(bus, number, &mut output).await,
        Action::Replay(which) => {
            let numbers = numbers(bus, which).await?;
            work::replay(bus, &numbers, SystemClock.now(), &mut output).await
        }
        Action::Drop { which, yes } => {
            let numbers = numbers(bus, which).await?;
            if !yes && !numbers.is_empty() && !confirmed(numbers.len())? {
                bail!("nothing was dropped");
            }
            work::drop_letters(bus, &numbers, &mut output).await
        }
    }
}

async fn numbers(bus: &dyn Bus, which: Which) -> Result<Vec<u64>> {
    if which.all {
        work::numbers(bus).await
    } else {
        Ok(which.numbers)
    }
}

fn confirmed(count: usize) -> Result<bool> {
    eprint!("drop {count} dead letters for good? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
