//! The program `payment-node`: the payments service in a process of its own.

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use messages::Service as Name;
use node::{config::Common, edge, process::Process, telemetry};
use payment_node::{rest, settings};
use tokio::sync::watch;

/// Where the broker is when nobody says.
const NATS_URL: &str = "nats://127.0.0.1:4222";

/// Takes the money for orders, and gives it back
#[derive(Parser)]
#[command(name = "payment-node", version)]
struct Args {
    /// Where it listens; port 0 takes any free one
    #[arg(
        long,
        env = "ONHAND_LISTEN",
        default_value = "127.0.0.1:8085",
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
            eprintln!("payment-node: {error:#}");
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
    // Whoever publishes on a stream makes it, whichever node starts first.
    let streams = [Name::Payment, Name::Order];
    let bus = common
        .broker
        .connect(url, "payment-node", common.partitions, &streams)
        .await?;
    let (service, payments) = settings::service(common.host(bus), common, &args.settings)?;
    let api = rest::router(service.clone(), payments);
    let process = Process {
        name: "payment-node",
        title: "Onhand: payments",
        listen: args.listen,
        common,
        metrics,
        stop: watch::Sender::new(false),
    };
    let parts = vec![process.part(&service, api)];
    let announce = |address| tracing::info!("listening on http://{address}, broker {url}");
    process
        .serve(parts, std::future::pending(), announce)
        .await?;
    Ok(())
}
