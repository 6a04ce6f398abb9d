//! A service's database as text, and back: what an upgrade is tested with.

use std::path::Path;
use std::process::Command;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

use crate::place;

/// Writes an SQLite file as statements that make it anew: its tables, indexes and rows.
pub async fn of_sqlite(file: &Path) -> String {
    let mut connection = sqlite(file).await;
    let made = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' \
                ORDER BY type = 'index', name";
    let mut lines: Vec<String> = texts(&mut connection, made).await;
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
                  ORDER BY name";
    for table in texts(&mut connection, tables).await {
        let columns = format!(
            "SELECT group_concat('quote(\"' || name || '\")', ' || '', '' || ') \
             FROM pragma_table_info('{table}')"
        );
        let columns = texts(&mut connection, &columns).await.concat();
        let rows = format!(
            "SELECT 'INSERT INTO {table} VALUES (' || {columns} || ')' FROM {table} ORDER BY 1"
        );
        lines.extend(texts(&mut connection, &rows).await);
    }
    connection
        .close()
        .await
        .expect("a database that was read closes");
    lines.join(";\n") + ";\n"
}

/// Makes an SQLite file of such statements.
pub async fn into_sqlite(file: &Path, dump: &str) {
    let mut connection = sqlite(file).await;
    let run = sqlx::raw_sql(AssertSqlSafe(dump)).execute(&mut connection);
    run.await.expect("a dump can be read");
    connection
        .close()
        .await
        .expect("a database that was written closes");
}

/// Writes a database of Postgres as statements that make it anew.
pub fn of_postgres(url: &str) -> String {
    let output = Command::new(place::postgres("pg_dump"))
        .args(["--inserts", "--no-owner", "--no-privileges", url])
        .output()
        .expect("pg_dump is where the server is");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "pg_dump: {said}");
    let dump = String::from_utf8(output.stdout).expect("a dump is text");
    // What is for psql alone, and settings that another version may not know.
    let kept = dump.lines().filter(|line| {
        let other = ["\\", "SET ", "SELECT pg_catalog.set_config", "--"];
        !line.is_empty() && !other.iter().any(|start| line.starts_with(start))
    });
    kept.collect::<Vec<_>>().join("\n") + "\n"
}

/// Fills an empty database of Postgres with such statements.
pub async fn into_postgres(url: &str, dump: &str) {
    let connected = PgConnection::connect(url).await;
    let mut connection = connected.expect("a running cluster takes its owner's connection");
    let run = sqlx::raw_sql(AssertSqlSafe(dump)).execute(&mut connection);
    run.await.expect("a dump can be read");
    connection.close().await.expect("a connection closes");
}

async fn sqlite(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    SqliteConnection::connect_with(&options)
        .await
        .unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

async fn texts(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await;
    let rows = rows.unwrap_or_else(|why| panic!("{sql}: {why}"));
    rows.iter().map(|row| row.get(0)).collect()
}
