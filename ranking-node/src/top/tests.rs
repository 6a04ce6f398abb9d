//! The short way finds what adding up everything finds, whatever was sold, on a real database.

use node::{
    store::{DatabaseUrl, EventBatch, Write},
    table::Column,
};
use tempfile::TempDir;

use super::*;
use crate::settings::MIGRATIONS;

const COLUMNS: [Column; 4] = [
    Column::text("product_id"),
    Column::text("day"),
    Column::text("name"),
    Column::integer("quantity"),
];

/// What was sold: product, how many days ago, how many pieces.
type Sale = (u32, i64, i64);

#[tokio::test]
async fn the_best_of_the_wanted_days_come_first_and_no_other() {
    let sales = [
        (1, 0, 5),
        (1, 2, 5),
        // Too long ago.
        (1, 3, 90),
        (2, 1, 12),
        (3, 0, 11),
        (4, 0, 1),
    ];
    let (database, _folder) = sold(&sales).await;
    let found = top(&database, today(), 3, 3).await.expect("a ranking");
    let found: Vec<(ProductId, i64)> = found.iter().map(|s| (s.product_id, s.quantity)).collect();
    assert_eq!(found, [(id(2), 12), (id(3), 11), (id(1), 10)]);
}

#[tokio::test]
async fn a_day_with_more_cancels_than_sales_counts_nothing() {
    let (database, _folder) = sold(&[(1, 0, 5), (1, 1, -3), (2, 0, 0), (3, 1, -1)]).await;
    let found = top(&database, today(), 3, 5).await.expect("a ranking");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].product_id, found[0].quantity), (id(1), 5));
}

#[tokio::test]
async fn where_nothing_was_sold_nothing_is_best() {
    let (database, _folder) = sold(&[(1, 9, 5)]).await;
    let found = top(&database, today(), 3, 5).await.expect("a ranking");
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn a_product_that_is_nowhere_the_best_of_a_day_may_be_the_best_of_all() {
    // Each of the first products leads on one day alone; the last sells well every day.
    let mut sales: Vec<Sale> = (0..600).map(|n| (n, i64::from(n % 3), 1_000)).collect();
    sales.extend((0..3).map(|day| (9_999, day, 999)));
    let (database, _folder) = sold(&sales).await;
    let found = top(&database, today(), 3, 1).await.expect("a ranking");
    assert_eq!((found[0].product_id, found[0].quantity), (id(9_999), 2_997));
}

#[tokio::test]
async fn the_short_way_finds_what_adding_up_everything_finds() {
    for spread in [3, 50, 100_000] {
        let mut chance = 7_u64;
        let mut sales = Vec::new();
        for product in 0..3_000 {
            for day in 0..6 {
                chance = chance
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let quantity = i64::try_from((chance >> 33) % spread).expect("a small number");
                sales.push((product, day, quantity - 1));
            }
        }
        let (database, _folder) = sold(&sales).await;
        for (days, limit) in [(1, 1), (1, 100), (3, 5), (6, 10), (30, 100)] {
            let (short, long) = tokio::join!(
                top(&database, today(), days, limit),
                add_up(&database, today(), days, limit)
            );
            let quantities = |found: Result<Vec<Seller>, TopFault>| -> Vec<i64> {
                let found = found.expect("a ranking");
                found.iter().map(|seller| seller.quantity).collect()
            };
            // Of those who sold the same, either is as good.
            assert_eq!(
                quantities(short),
                quantities(long),
                "{spread} {days} {limit}"
            );
        }
    }
}

/// A database of these sales; it lives as long as the folder.
pub(crate) async fn sold(sales: &[Sale]) -> (EventDatabase, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = DatabaseUrl::Sqlite(folder.path().join("ranking.db"));
    let database = EventDatabase::new("ranking", url, MIGRATIONS).expect("a database");
    let writer = database.writer().await.expect("it can be written");
    let mut writer = writer.expect("nobody else writes");
    let rows = sales.iter().map(|(product, ago, quantity)| {
        vec![
            id(*product).to_string().into(),
            today().before(*ago).to_string().into(),
            format!("product {product}").into(),
            (*quantity).into(),
        ]
    });
    let write = Write {
        table: "sales_daily",
        columns: &COLUMNS,
        conflict: "",
        rows: rows.collect(),
    };
    let batch = EventBatch {
        writes: vec![write],
        ..EventBatch::default()
    };
    writer.commit(batch).await.expect("rows");
    writer.close().await;
    (database, folder)
}

pub(crate) fn id(product: u32) -> ProductId {
    format!("01930000-0000-7000-8000-{product:012x}")
        .parse()
        .expect("an id")
}

pub(crate) fn today() -> Day {
    Day::of("2026-01-31T12:00:00.000Z".parse().expect("a time"))
}
