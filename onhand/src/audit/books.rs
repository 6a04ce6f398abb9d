//! Books for tests, kept by SQL in the tables of the migrations.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tempfile::TempDir;

use super::report::Report;
use super::{DatabaseUrl, Databases, Progress, audit};

/// What the host keeps in the database of every service.
pub(super) const HOST_TABLES: &str = include_str!("../../../migrations/host/sqlite/0001_host.sql");
const PRODUCT_TABLES: &str = include_str!("../../../migrations/product/sqlite/0001_product.sql");
const ORDER_TABLES: [&str; 2] = [
    include_str!("../../../migrations/order/sqlite/0001_order.sql"),
    include_str!("../../../migrations/order/sqlite/0003_lines_in_orders.sql"),
];

pub(super) const MUG: &str = "0190a1b2-c3d4-7e5f-8a9b-0000000000aa";
pub(super) const CUP: &str = "0190a1b2-c3d4-7e5f-8a9b-0000000000bb";

/// Two products, five orders, a foreign order system and a caller with a key, all in agreement.
pub(super) struct Books {
    folder: TempDir,
    number: AtomicI64,
}

/// Product, origin, what stands before the order in the request id, order, kind, amount.
type Effect<'a> = (&'a str, &'a str, &'a str, String, &'a str, Option<i64>);

impl Books {
    pub(super) async fn keep() -> Self {
        let books = Self {
            folder: tempfile::tempdir().unwrap(),
            number: AtomicI64::new(0),
        };
        books.product(HOST_TABLES).await;
        books.product(PRODUCT_TABLES).await;
        books.order(HOST_TABLES).await;
        for tables in ORDER_TABLES {
            books.order(tables).await;
        }
        let rows: [Effect; 15] = [
            (MUG, "client", "CREATE", String::new(), "created", Some(12)),
            (MUG, "client", "edit", String::new(), "edited", None),
            (CUP, "client", "CREATE", String::new(), "created", Some(5)),
            // Confirmed: of two lines.
            (MUG, "saga", "DEC-", order(1), "reserved", Some(-3)),
            (CUP, "saga", "DEC-", order(1), "reserved", Some(-2)),
            // Cancelled.
            (MUG, "saga", "DEC-", order(2), "reserved", Some(-1)),
            (MUG, "saga", "INC-", order(2), "released", Some(1)),
            // Failed: one line refused, the other given back.
            (MUG, "saga", "DEC-", order(3), "reserved", Some(-4)),
            (MUG, "saga", "INC-", order(3), "released", Some(4)),
            // Confirmed in its second attempt; in its first the release came before the reserve
            // for one product.
            (MUG, "saga", "DEC-", order(4), "reserved", Some(-2)),
            (MUG, "saga", "INC-", order(4), "released", Some(2)),
            (
                MUG,
                "saga",
                "DEC-",
                format!("{}-2", order(4)),
                "reserved",
                Some(-2),
            ),
            // A foreign order system, one of whose orders is undone.
            (MUG, "rest", "DEC-", "shop-1".into(), "reserved", Some(-1)),
            (MUG, "rest", "INC-", "shop-1".into(), "released", Some(1)),
            (CUP, "rest", "DEC-", "shop-2".into(), "reserved", Some(-1)),
        ];
        let mut stocks = std::collections::BTreeMap::<&str, (i64, i64)>::new();
        for (product, origin, prefix, order, kind, amount) in rows {
            let (version, stock) = stocks.entry(product).or_default();
            *version += 1;
            *stock += amount.unwrap_or(0);
            let number = books.number.fetch_add(1, Ordering::Relaxed) + 1;
            let named = order.get(..36).unwrap_or(&order);
            let null = |value: Option<i64>| value.map_or("NULL".to_owned(), |v| v.to_string());
            let (amount, balance) = (null(amount), null(amount.map(|_| *stock)));
            books
                .product(&format!(
                    "INSERT INTO ledger VALUES (0, {number}, '{product}', {version}, '{origin}', \
                     '{prefix}{order}', NULL, '{kind}', nullif('{named}', ''), {amount}, {balance}, '{{}}', '')"
                ))
                .await;
        }
        for (product, (version, stock)) in stocks {
            books
                .product(&format!(
                    "INSERT INTO product VALUES ('{product}', 0, {version}, 'a', 1, {stock}, 'ACTIVE', '', '')"
                ))
                .await;
        }
        books
            .place(1, "CONFIRMED", 1, &[(MUG, 3, "held"), (CUP, 2, "held")])
            .await;
        books
            .place(2, "CANCELLED", 1, &[(MUG, 1, "released")])
            .await;
        books
            .place(
                3,
                "FAILED",
                1,
                &[(MUG, 4, "released"), (CUP, 99, "refused")],
            )
            .await;
        books.place(4, "CONFIRMED", 2, &[(MUG, 2, "held")]).await;
        books.place(5, "PENDING", 1, &[(MUG, 2, "asked")]).await;
        books
    }

    async fn place(&self, n: u32, status: &str, attempt: u32, lines: &[(&str, i64, &str)]) {
        let (id, owing) = (order(n), i32::from(status == "PENDING"));
        let lines = lines.iter().map(|(product, quantity, hold)| {
            json!({"productId": product, "quantity": quantity, "hold": hold})
        });
        let lines: serde_json::Value = lines.collect();
        self.order(&format!(
            "INSERT INTO orders VALUES ('{id}', 0, 1, {owing}, 'c{n}', 'u', '{status}', NULL, NULL, 0, \
             {attempt}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', '', '', '{lines}'); \
             INSERT INTO ledger VALUES (0, {n}, '{id}', 1, 'client', 'place', NULL, 'placed', '{id}', \
             NULL, NULL, '{{}}', '')"
        ))
        .await;
    }

    pub(super) async fn product(&self, sql: &str) {
        self.change("product.db", sql).await;
    }

    pub(super) async fn point(&self, sql: &str) {
        self.change("point.db", sql).await;
    }

    pub(super) async fn coupon(&self, sql: &str) {
        self.change("coupon.db", sql).await;
    }

    pub(super) async fn payment(&self, sql: &str) {
        self.change("payment.db", sql).await;
    }

    pub(super) async fn order(&self, sql: &str) {
        self.change("order.db", sql).await;
    }

    async fn change(&self, file: &str, sql: &str) {
        let mut connection = self.connect(file).await;
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let done = done.execute(&mut connection).await.unwrap();
        let changes = !sql.trim_start().starts_with("--");
        assert!(!changes || done.rows_affected() > 0, "nothing to do: {sql}");
        connection.close().await.unwrap();
    }

    /// As the nodes keep them, but for the wait for the disk.
    pub(super) async fn connect(&self, file: &str) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(self.file(file))
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Off)
            .create_if_missing(true);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn databases(&self) -> Databases {
        let file = |name| DatabaseUrl::Sqlite(self.file(name));
        Databases {
            product: file("product.db"),
            order: file("order.db"),
            point: super::there(self.file("point.db")),
            coupon: super::there(self.file("coupon.db")),
            payment: super::there(self.file("payment.db")),
        }
    }

    pub(super) async fn audit(&self) -> Report {
        audit(&self.databases(), &Progress::hidden()).await.unwrap()
    }
}

pub(super) fn order(n: u32) -> String {
    format!("0190a1b2-c3d4-7e5f-8a9b-{n:012}")
}

/// SQL that sets one field of all lines of an order.
pub(super) fn set_lines(field: &str, value: &str, order: &str) -> String {
    format!(
        "UPDATE orders SET lines = (SELECT json_group_array(json_set(value, '$.{field}', {value})) \
         FROM json_each(lines)) WHERE id = '{order}'"
    )
}
