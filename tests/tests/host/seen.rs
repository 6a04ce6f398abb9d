//! What a reader of events remembers of their ids, in both databases.

use std::path::Path;

use node::store::{DatabaseUrl, EventBatch, EventDatabase, EventWriter, SeenRow};
use onhand_tests::{Postgres, World};
use ranking_node::settings::MIGRATIONS;
use sqlx::{
    Connection as _, PgConnection, SqliteConnection,
    migrate::{Migration, Migrator},
    sqlite::SqliteConnectOptions,
};

/// What the first version had a row each for.
const BEFORE: &str = "INSERT INTO event_seen (source, number) VALUES
    ('order-0', 1), ('order-0', 63), ('order-0', 64), ('order-0', 127), ('order-0', 128), ('order-1', 191)";

#[tokio::test]
async fn ids_are_remembered_until_they_are_forgotten_and_those_of_an_earlier_version_too() {
    let world = World::new();
    let file = world.folder("data").join("ranking.db");
    left_by_the_first_version(&file).await;
    remembers(DatabaseUrl::Sqlite(file)).await;
}

#[tokio::test]
async fn ids_are_remembered_on_postgres_as_well() {
    let world = World::new();
    let postgres = Postgres::start(&world).await;
    let url = postgres.database("ranking").await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let first = first_of(MIGRATIONS.postgres);
    first
        .run_direct(None, &mut connection, false)
        .await
        .unwrap();
    sqlx::raw_sql(BEFORE)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    remembers(DatabaseUrl::Postgres(url)).await;
}

async fn left_by_the_first_version(file: &Path) {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let first = first_of(MIGRATIONS.sqlite);
    first
        .run_direct(None, &mut connection, false)
        .await
        .unwrap();
    sqlx::raw_sql(BEFORE)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

fn first_of(all: &Migrator) -> Migrator {
    let first: Vec<Migration> = all.iter().take(1).cloned().collect();
    Migrator::with_migrations(first)
}

async fn remembers(url: DatabaseUrl) {
    let database = EventDatabase::new("ranking", url, MIGRATIONS).unwrap();
    let mut writer = database.writer().await.unwrap().expect("nobody writes");
    let zero = |numbers: &[i64]| of("order-0", numbers);
    let one = of("order-1", &[191]);
    let before = [zero(&[1, 63, 64, 127, 128]), one.clone()].concat();
    assert_eq!(seen(&mut writer).await, before);

    let more = EventBatch {
        seen: [zero(&[2, 127, 130]), of("order-2", &[63])].concat(),
        ..EventBatch::default()
    };
    writer.commit(more).await.unwrap();
    let two = of("order-2", &[63]);
    let all = [
        zero(&[1, 2, 63, 64, 127, 128, 130]),
        one.clone(),
        two.clone(),
    ]
    .concat();
    assert_eq!(seen(&mut writer).await, all);

    for (up_to, left) in [
        (62, zero(&[1, 2, 63, 64, 127, 128, 130])),
        (63, zero(&[64, 127, 128, 130])),
        // The rest of a block goes with the last of it.
        (128, zero(&[128, 130])),
    ] {
        let forget = EventBatch {
            forget: of("order-0", &[up_to]),
            ..EventBatch::default()
        };
        writer.commit(forget).await.unwrap();
        let left = [left, one.clone(), two.clone()].concat();
        assert_eq!(seen(&mut writer).await, left, "up to {up_to}");
    }
    writer.close().await;
}

async fn seen(writer: &mut EventWriter) -> Vec<SeenRow> {
    let mut seen = writer.standing().await.unwrap().seen;
    seen.sort();
    seen
}

fn of(source: &str, numbers: &[i64]) -> Vec<SeenRow> {
    let row = |number: &i64| (source.to_owned(), *number);
    numbers.iter().map(row).collect()
}
