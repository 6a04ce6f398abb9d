//! The program `ranking-node`: the ranking in a process of its own.

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use clap::Parser;
use node::{config::Common, edge, process::Process, seams::SystemClock, telemetry};
use ranking_node::{best::Best, rest, settings};
use tokio::sync::watch;

/// Where the broker is when nobody says.
const NATS_URL: &str = "nats://127.0.0.1:4222";

/// Knows which products sell best
#[derive(Parser)]
#[command(name = "ranking-node", version)]
struct Args {
    /// Where it listens; port 0 takes any free one
    #[arg(
        long,
        env = "ONHAND_LISTEN",
        default_value = "127.0.0.1:8086",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// Asks the one that listens there whether it is ready, and exits with 0 where it is
    #[arg(long)]
    healthcheck: bool,
    #[command(flatten)]
    settings: settings::Settings,
    #[command(flatten)]
    common: Common,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if args.healthcheck {
        return ExitCode::from(u8::from(!edge::healthcheck(args.listen)));
    }
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ranking-node: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until SIGTERM or Ctrl-C.
async fn run(args: Args) -> anyhow::Result<()> {
    let common = &args.common;
    let metrics = telemetry::init(&common.log, common.log_format)?;
    common.prepare()?;
    let url = common.broker.nats_url.as_deref().unwrap_or(NATS_URL);
    // It makes no stream: those who tell events do.
    let bus = common
        .broker
        .connect(url, "ranking-node", common.partitions, &[])
        .await?;
    let reading = settings::reading(bus, common, &args.settings)?;
    let best = Best::new(reading.database().clone(), Arc::new(SystemClock));
    let process = Process {
        name: "ranking-node",
        title: "Onhand: best sellers",
        listen: args.listen,
        common,
        metrics,
        stop: watch::Sender::new(false),
    };
    let parts = vec![process.reader(&reading, rest::router(best))];
    let announce = |address| tracing::info!("listening on http://{address}, broker {url}");
    process
        .serve(parts, std::future::pending(), announce)
        .await?;
    Ok(())
}
