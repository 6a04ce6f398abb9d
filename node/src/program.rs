//! The program of one node: one service in a process of its own.
//!
//! Owns what all of them have in common, from the arguments to the exit status; a node's `main`
//! says only what is its own.

use std::{net::SocketAddr, process::ExitCode};

use clap::{Args as _, FromArgMatches as _, Parser};
use messages::Service;
use tokio::sync::watch;

use crate::{
    bus::nats,
    config::Common,
    edge,
    host::{Host, StartError},
    process::{Part, Process},
    telemetry,
};

/// Where the broker is when nobody says.
const NATS_URL: &str = "nats://127.0.0.1:4222";

/// What a node's program is called, and where it is found.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name, such as `product-node`.
    pub name: &'static str,
    /// What it does, in one line of its help.
    pub about: &'static str,
    /// The title of its documentation.
    pub title: &'static str,
    /// Where it listens when nobody says.
    pub listen: &'static str,
}

/// The arguments that every node has.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where it listens; port 0 takes any free one
    #[arg(long, env = "ONHAND_LISTEN", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Asks the one that listens there whether it is ready, and exits with 0 where it is
    #[arg(long)]
    healthcheck: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs a node until SIGTERM or Ctrl-C. `S` is what it is told besides, and `part` makes its
/// service and its calls of it.
pub async fn run<S: clap::Args>(
    program: Program,
    part: impl FnOnce(&Process<'_>, Host, &S) -> Result<Part, StartError>,
) -> ExitCode {
    let (args, settings) = parse::<S>(program);
    if args.healthcheck {
        return ExitCode::from(u8::from(!edge::healthcheck(args.listen)));
    }
    match serve(program, &args, |process, host| {
        part(process, host, &settings)
    })
    .await
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", program.name);
            ExitCode::FAILURE
        }
    }
}

/// What the command line and the environment say; ends the process where they cannot be used.
fn parse<S: clap::Args>(program: Program) -> (Args, S) {
    // The node's own settings come first in its help.
    let command = S::augment_args(clap::Command::new(program.name));
    let command = Args::augment_args(command)
        .version(env!("CARGO_PKG_VERSION"))
        .about(program.about)
        .mut_arg("listen", |listen| listen.default_value(program.listen));
    let matches = command.get_matches();
    let read = || {
        Ok((
            Args::from_arg_matches(&matches)?,
            S::from_arg_matches(&matches)?,
        ))
    };
    read().unwrap_or_else(|error: clap::Error| error.exit())
}

async fn serve(
    program: Program,
    args: &Args,
    part: impl FnOnce(&Process<'_>, Host) -> Result<Part, StartError>,
) -> Result<(), StartError> {
    let common = &args.common;
    let metrics = telemetry::init(&common.log, common.log_format).map_err(unusable)?;
    common.prepare()?;
    let url = common.broker.nats_url.as_deref().unwrap_or(NATS_URL);
    // Whoever publishes on a stream makes it, whichever node starts first.
    let bus = common
        .broker
        .connect(url, program.name, common.partitions, &Service::ALL)
        .await
        .map_err(unusable)?;
    let process = Process {
        name: program.name,
        title: program.title,
        listen: args.listen,
        common,
        metrics,
        stop: watch::Sender::new(false),
    };
    let part = part(&process, common.host(bus))?;
    let broker = nats::shown(url);
    let announce = |address| tracing::info!("listening on http://{address}, broker {broker}");
    process
        .serve(vec![part], std::future::pending(), announce)
        .await
}

fn unusable(error: impl std::error::Error) -> StartError {
    StartError(error.to_string())
}
