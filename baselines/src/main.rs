//! What one would write instead: a small service that sells from a table, with nothing to it but
//! axum, sqlx and a lock.
//!
//! It takes the same orders and products as ours and answers in the same form, so that the same
//! load can be put on both. The lock is one on the product's row, or with `--redis-url` one in
//! Redis. Read next: `order` for what an order does, `lock` for the lock in Redis.

mod lock;
mod order;
mod product;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::routing::{get, post};
use clap::Parser;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;

use lock::Locks;

/// The service that is compared with
#[derive(Debug, Parser)]
struct Args {
    /// Where it listens, on this machine
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Its Postgres
    #[arg(long)]
    database_url: String,
    /// The Redis that has its locks; without it rows are locked
    #[arg(long)]
    redis_url: Option<String>,
    /// Connections to Postgres; sqlx's default where not said
    #[arg(long, default_value_t = 10)]
    connections: u32,
}

/// What the calls share.
#[derive(Clone)]
struct Shop {
    database: PgPool,
    locks: Option<Arc<Locks>>,
}

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS product (id bigserial PRIMARY KEY, name text NOT NULL, price bigint NOT NULL,
        version bigint NOT NULL, stock bigint NOT NULL CHECK (stock >= 0));
    CREATE TABLE IF NOT EXISTS orders (id bigserial PRIMARY KEY, buyer_id text NOT NULL, product_id bigint NOT NULL,
        quantity bigint NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE IF NOT EXISTS ledger (product_id bigint NOT NULL, order_id bigint NOT NULL, amount bigint NOT NULL,
        balance bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (product_id, order_id));";

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    ensure!(
        args.listen.ip().is_loopback(),
        "it listens on this machine only"
    );
    let database = PgPoolOptions::new()
        .max_connections(args.connections)
        .connect(&args.database_url)
        .await
        .context("cannot connect to Postgres")?;
    sqlx::raw_sql(TABLES).execute(&database).await?;
    let locks = match &args.redis_url {
        Some(url) => Some(Arc::new(Locks::connect(url).await?)),
        None => None,
    };
    let router = Router::new()
        .route("/orders", post(order::place))
        .route("/products", post(product::create))
        .route("/products/{id}", get(product::get))
        .route("/readyz", get(async || "ready"))
        .with_state(Shop { database, locks });
    let listener = TcpListener::bind(args.listen).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}
