//! `onhand up`: every service in one process.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use messages::Service as Name;
use node::{bus::nats, config::Common, process::Process, telemetry};
use tokio::sync::watch;

use crate::{broker::OwnBroker, demo};

/// Runs every service in one process, with a broker of its own where none is named
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where it listens; port 0 takes any free one
    #[arg(
        long,
        env = "ONHAND_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// Where its own broker listens; another port where that one is taken
    #[arg(
        long,
        env = "ONHAND_NATS_LISTEN",
        default_value = "127.0.0.1:4222",
        value_name = "ADDRESS"
    )]
    nats_listen: SocketAddr,
    /// The nats-server that is started [default: on the PATH, else .tools/bin/nats-server]
    #[arg(long, env = "ONHAND_NATS_SERVER", value_name = "FILE")]
    nats_server: Option<PathBuf>,
    /// Fills an empty catalogue with a few products, and prints where to look
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    orders: order_node::settings::Settings,
    #[command(flatten)]
    products: product_node::settings::Settings,
    #[command(flatten)]
    points: point_node::settings::Settings,
    #[command(flatten)]
    ranking: ranking_node::settings::Settings,
    #[command(flatten)]
    coupons: coupon_node::settings::Settings,
    #[command(flatten)]
    payments: payment_node::settings::Settings,
    #[command(flatten)]
    common: Common,
}

/// Runs until SIGTERM or Ctrl-C.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let common = &args.common;
    let metrics = telemetry::init(&common.log, common.log_format)?;
    common.prepare()?;
    let own = match &common.broker.nats_url {
        Some(_) => None,
        None => Some(
            OwnBroker::start(&common.data, args.nats_listen, args.nats_server.as_deref()).await?,
        ),
    };
    let url = match (&common.broker.nats_url, &own) {
        (Some(url), _) => url.clone(),
        (None, Some(own)) => own.url.clone(),
        (None, None) => unreachable!("a broker is named or started"),
    };
    let result = serve(&args, &url, metrics).await;
    if let Some(own) = own {
        own.stop().await;
    }
    result?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &Args, url: &str, metrics: telemetry::PrometheusHandle) -> anyhow::Result<()> {
    let common = &args.common;
    let bus = common
        .broker
        .connect(url, "onhand", common.partitions, &Name::ALL)
        .await?;
    let host = common.host(bus);
    let products = product_node::settings::service(host.clone(), common, &args.products)?;
    let points = point_node::settings::service(host.clone(), common, &args.points)?;
    let (bus, clock) = (Arc::clone(&host.bus), Arc::clone(&host.clock));
    let (ranking, best) = ranking_node::settings::reading(bus, clock, common, &args.ranking)?;
    let coupons = coupon_node::settings::service(host.clone(), common, &args.coupons)?;
    let (payments, at_gateway) =
        payment_node::settings::service(host.clone(), common, &args.payments)?;
    let orders = order_node::settings::service(host, common, &args.orders)?;
    let process = Process {
        name: "onhand",
        title: "Onhand",
        listen: args.listen,
        common,
        metrics,
        stop: watch::Sender::new(false),
    };
    let parts = vec![
        process.part(&products, product_node::rest::router(products.clone())),
        process.part(&points, point_node::rest::router(points.clone())),
        process.part(&coupons, coupon_node::rest::router(coupons.clone())),
        process.part(
            &payments,
            payment_node::rest::router(payments.clone(), at_gateway),
        ),
        process.part(
            &orders,
            order_node::rest::router(orders.clone(), &args.orders),
        ),
        process.reader(&ranking, ranking_node::rest::router(best)),
    ];
    let (demo, url) = (args.demo, nats::shown(url));
    let data = std::path::absolute(&common.data)?;
    let announce = move |address: SocketAddr| {
        tracing::info!("listening on http://{address}, broker {url}");
        if demo {
            tokio::spawn(demo::fill_and_tell(products, address, url, data));
        }
    };
    process
        .serve(parts, std::future::pending(), announce)
        .await?;
    Ok(())
}
