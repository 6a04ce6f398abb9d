//! How long best sellers take to find: 2,000,000 rows of 30 days and 100,000 products.
//!
//! Once as a shop sells, where few products sell much, and once with sales that no product leads,
//! which is as hard as it gets. `cargo bench -p ranking-node` prints the figures; with
//! `ONHAND_BENCH_DATABASE_URL` it fills and asks that empty database instead of a new SQLite file.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use messages::Timestamp;
use node::{
    events::Mirror as _,
    seams::Clock,
    store::{DatabaseUrl, EventBatch, EventDatabase, Write},
    table::{Column, Value},
};
use ranking_node::{
    best::Best,
    day::Day,
    settings::MIGRATIONS,
    top::{self, Seller, TopFault},
};

/// How many days, and how many products, are asked for.
const QUESTIONS: [(u32, u32); 3] = [(3, 5), (7, 10), (30, 100)];
const PRODUCTS: u32 = 100_000;
const DAYS: i64 = 30;
/// On so many of the days each product sells, so that there are 2,000,000 rows.
const DAYS_SOLD: i64 = 20;
/// For so long a question is asked again and again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many rows one commit writes.
const ROWS_MAX: usize = 20_000;

const COLUMNS: [Column; 4] = [
    Column::text("product_id"),
    Column::text("day"),
    Column::text("name"),
    Column::integer("quantity"),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("ONHAND_BENCH_DATABASE_URL").ok();
    for (name, sell) in [
        ("few products sell much", skewed as fn(u32, u64) -> i64),
        ("no product leads", even),
    ] {
        let folder = tempfile::tempdir()?;
        let url: DatabaseUrl = match &url {
            Some(url) => url.parse()?,
            None => DatabaseUrl::Sqlite(folder.path().join("ranking.db")),
        };
        let database = EventDatabase::new("ranking", url, MIGRATIONS)?;
        let rows = fill(&database, sell).await?;
        println!("{name}: {rows} rows");
        measure(&database).await?;
    }
    Ok(())
}

async fn measure(database: &EventDatabase) -> anyhow::Result<()> {
    let today = today();
    let began = Instant::now();
    let found = top::top(database, today, 3, 5).await?;
    show(
        "top 5 of 3 days, first question of all",
        &mut [began.elapsed()],
    );
    let all = top::add_up(database, today, 3, 5).await?;
    anyhow::ensure!(found == all, "{found:?} is not {all:?}");

    let best = Best::new(database.clone(), Arc::new(Fixed));
    for (days, limit) in QUESTIONS {
        let search = async || top::top(database, today, days, limit).await;
        show(
            &format!("top {limit} of {days} days, cold, in the database"),
            &mut times(search).await?,
        );
    }
    let began = Instant::now();
    best.load(database).await?;
    show("30 days into memory", &mut [began.elapsed()]);
    for (days, limit) in QUESTIONS {
        let question = (today, days, limit);
        let all = best.search(question).await?;
        let database = top::top(database, today, days, limit).await?;
        let quantities = |found: &[Seller]| found.iter().map(|s| s.quantity).collect::<Vec<_>>();
        anyhow::ensure!(quantities(&all) == quantities(&database), "{question:?}");
        show(
            &format!("top {limit} of {days} days, cold, in memory"),
            &mut times(async || best.search(question).await).await?,
        );
    }
    let mut times = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        black_box(top::add_up(database, today, 3, 5).await?);
        times.push(began.elapsed());
    }
    show("top 5 of 3 days by adding up all rows", &mut times);

    let sellers = async || best.sellers(3, 5).await;
    sellers().await?;
    let mut times = Vec::new();
    for _ in 0..100_000 {
        let began = Instant::now();
        black_box(sellers().await?);
        times.push(began.elapsed());
    }
    show("top 5 of 3 days, warm", &mut times);
    Ok(())
}

/// How long each of many searches takes.
async fn times<T>(search: impl AsyncFn() -> Result<T, TopFault>) -> anyhow::Result<Vec<Duration>> {
    let (mut times, all) = (Vec::new(), Instant::now());
    while times.len() < 50 && (times.len() < 3 || all.elapsed() < PATIENCE) {
        let began = Instant::now();
        black_box(search().await?);
        times.push(began.elapsed());
    }
    Ok(times)
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a place in a short list"
        )]
        let place = ((times.len() - 1) as f64 * share) as usize;
        times[place].as_secs_f64() * 1_000.0
    };
    println!(
        "  {what:42} p50 {:9.4} ms, p99 {:9.4} ms, most {:9.4} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Makes the rows; answers how many there are.
async fn fill(database: &EventDatabase, sell: fn(u32, u64) -> i64) -> anyhow::Result<usize> {
    let mut writer = database
        .writer()
        .await?
        .ok_or_else(|| anyhow::anyhow!("another process has the database"))?;
    let (mut chance, mut count) = (0x9e37_79b9_7f4a_7c15, 0);
    let mut rows = Vec::with_capacity(ROWS_MAX);
    for product in 0..PRODUCTS {
        // Ids in no order of what is sold.
        let id = mixed(u64::from(product));
        let id = format!("{:08x}-0000-7000-8000-{product:012x}", id >> 32);
        let first = i64::try_from(mixed(u64::from(product) + 1) % 30)?;
        for n in 0..DAYS_SOLD {
            let day = today().before((first + n) % DAYS);
            chance = mixed(chance);
            rows.push(vec![
                Value::from(id.clone()),
                day.to_string().into(),
                format!("product {product}").into(),
                sell(product, chance).into(),
            ]);
            count += 1;
        }
        if rows.len() >= ROWS_MAX || product + 1 == PRODUCTS {
            let batch = EventBatch {
                writes: vec![Write {
                    table: "sales_daily",
                    columns: &COLUMNS,
                    conflict: "ON CONFLICT (product_id, day) DO UPDATE SET quantity = excluded.quantity",
                    rows: std::mem::take(&mut rows),
                }],
                ..EventBatch::default()
            };
            writer.commit(batch).await?;
        }
    }
    writer.close().await;
    Ok(count)
}

/// The best sells ten thousand times what the last does, as in any shop.
fn skewed(product: u32, chance: u64) -> i64 {
    let popular = 200_000 / (i64::from(product) + 10);
    let swing = i64::try_from(chance % 100).expect("a small number") + 50;
    1 + popular * swing / 100
}

/// Anything from 1 to 1,000.
fn even(_: u32, chance: u64) -> i64 {
    1 + i64::try_from(chance % 1_000).expect("a small number")
}

/// A number that has nothing to do with this one (splitmix64).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A day on which nobody waits for midnight.
fn today() -> Day {
    Day::of(Fixed.now())
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        "2026-01-31T12:00:00.000Z".parse().expect("a time")
    }
}
