//! The SQL that the host writes, in both dialects.
//!
//! The dialects differ in where rows come from. PostgreSQL is far away: one statement takes all rows
//! of a table, `UNNEST` of one array a column. SQLite is here: what writes takes one row and is run
//! again for the next; what reads takes multi-row `VALUES` with places for 1, 2, 4 … rows, so that
//! few texts are ever prepared (places left over stay null, and the first column never is).

use std::fmt::Write as _;

use crate::table::{Changes, Column, Kind, Table};

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// The most keys that one statement takes in SQLite.
const ROWS_MAX: usize = 256;

pub(super) const LEDGER: [Column; 13] = [
    Column::integer("partition"),
    Column::integer("number"),
    Column::text("entity"),
    Column::integer("version"),
    Column::text("origin"),
    Column::text("request_id"),
    Column::integer("digest"),
    Column::text("kind"),
    Column::text("order_id"),
    Column::integer("amount"),
    Column::integer("balance"),
    Column::text("body"),
    Column::text("at"),
];

pub(super) const REQUEST_KEY: [Column; 5] = [
    Column::text("call"),
    Column::text("key"),
    Column::integer("digest"),
    Column::text("entity"),
    Column::text("at"),
];

pub(super) const POSITION: [Column; 6] = [
    Column::text("mark"),
    Column::integer("partition"),
    Column::text("stream"),
    Column::integer("sequence"),
    Column::text("at"),
    Column::integer("number"),
];

/// The host's own columns of a state table.
const ID: Column = Column::text("id");
const PARTITION: Column = Column::integer("partition");
const VERSION: Column = Column::integer("version");
const OWING: Column = Column::boolean("owing");
const EXPECTED: Column = Column::integer("expected");

impl Dialect {
    /// How many keys one statement that reads takes, of `left`.
    pub(super) fn chunk(self, left: usize) -> usize {
        match self {
            Self::Postgres => left,
            Self::Sqlite => left.min(ROWS_MAX),
        }
    }

    /// How many places the statement that reads for `rows` keys has.
    pub(super) const fn places(self, rows: usize) -> usize {
        match self {
            // An array takes any number.
            Self::Postgres => 1,
            Self::Sqlite => rows.next_power_of_two(),
        }
    }

    /// A row source of these columns with so many places.
    fn rows(self, columns: &[Column], places: usize) -> String {
        match self {
            Self::Sqlite => {
                let rows = vec![self::places(columns); places].join(",");
                format!("SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL")
            }
            Self::Postgres => {
                let arrays: Vec<String> = columns
                    .iter()
                    .enumerate()
                    .map(|(n, column)| format!("${}::{}[]", n + 1, pg_type(column.kind)))
                    .collect();
                format!("SELECT * FROM UNNEST({})", arrays.join(","))
            }
        }
    }

    /// Inserts a row, in PostgreSQL many, with `conflict` behind.
    pub(super) fn insert(self, table: &str, columns: &[Column], conflict: &str) -> String {
        let rows = match self {
            Self::Sqlite => format!("VALUES {}", places(columns)),
            Self::Postgres => self.rows(columns, 1),
        };
        format!("INSERT INTO {table} ({}) {rows} {conflict}", names(columns))
    }

    /// The columns of an update's row source: the key, the expected version, and what is set.
    pub(super) fn update_columns(self, table: &Table) -> Vec<Column> {
        let mut columns = host_columns(&[ID, EXPECTED, VERSION], table);
        columns.retain(|column| self.updates(*column));
        columns
    }

    /// Whether an update sets this column. PostgreSQL compares values before it writes to an index.
    pub(super) fn updates(self, column: Column) -> bool {
        match column.changes {
            Changes::Often => true,
            Changes::Seldom => self == Self::Postgres,
            Changes::Never => false,
        }
    }

    /// Updates a row of a state table, in PostgreSQL many, where the expected version stands.
    pub(super) fn update_states(self, table: &Table) -> String {
        let (t, columns) = (table.name, self.update_columns(table));
        let set = |value: &dyn Fn(usize, &Column) -> String| {
            let set = columns.iter().enumerate().skip(2);
            let set = set.map(|(n, c)| format!("{} = {}", c.name, value(n, c)));
            set.collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Sqlite => format!(
                "UPDATE {t} SET {} WHERE id = ?1 AND version = ?2",
                set(&|n, _| format!("?{}", n + 1))
            ),
            Self::Postgres => format!(
                "WITH v ({}) AS ({}) UPDATE {t} SET {} FROM v WHERE {t}.id = v.id AND {t}.version = v.expected",
                names(&columns),
                self.rows(&columns, 1),
                set(&|_, c| format!("v.{}", c.name)),
            ),
        }
    }

    /// Sets the columns that seldom change where they do, unless the update has set them already:
    /// its text, and the columns, the id first.
    pub(super) fn update_seldom(self, table: &Table) -> Option<(String, Vec<Column>)> {
        let seldom = |c: &&Column| c.changes == Changes::Seldom && !self.updates(**c);
        let mut columns = vec![ID];
        columns.extend(table.columns.iter().filter(seldom));
        let each = |operator: &str, between: &str| {
            let named = columns.iter().zip(1..).skip(1);
            let named = named.map(|(c, n)| format!("{} {operator} ?{n}", c.name));
            named.collect::<Vec<_>>().join(between)
        };
        let sql = format!(
            "UPDATE {} SET {} WHERE id = ?1 AND ({})",
            table.name,
            each("=", ", "),
            each("IS NOT", " OR "),
        );
        (columns.len() > 1).then_some((sql, columns))
    }

    /// Reads `wanted` of the rows of `table` whose `keys` are among those given.
    pub(super) fn select(
        self,
        table: &str,
        wanted: &[Column],
        keys: &[Column],
        places: usize,
    ) -> String {
        let wanted: Vec<String> = wanted.iter().map(|c| format!("t.{}", c.name)).collect();
        let on: Vec<String> = keys
            .iter()
            .map(|c| format!("t.{0} = v.{0}", c.name))
            .collect();
        format!(
            "WITH v ({}) AS ({}) SELECT {} FROM v JOIN {table} t ON {}",
            names(keys),
            self.rows(keys, places),
            wanted.join(", "),
            on.join(" AND "),
        )
    }

    /// The `n`th parameter, counted from 1.
    pub(super) const fn truth(self) -> &'static str {
        match self {
            Self::Sqlite => "1",
            Self::Postgres => "TRUE",
        }
    }
}

/// The columns of an insert into a state table.
pub(super) fn insert_columns(table: &Table) -> Vec<Column> {
    host_columns(&[ID, PARTITION, VERSION], table)
}

/// The columns that are read of a state table.
pub(super) fn read_columns(table: &Table) -> Vec<Column> {
    let mut columns = vec![ID, VERSION];
    columns.extend_from_slice(table.columns);
    columns
}

fn host_columns(first: &[Column], table: &Table) -> Vec<Column> {
    let mut columns = first.to_vec();
    if table.owing {
        columns.push(OWING);
    }
    columns.extend_from_slice(table.columns);
    columns
}

/// The columns of a table of lines.
pub(super) fn line_columns(lines: &crate::table::Lines) -> Vec<Column> {
    let mut columns = vec![Column::text(lines.parent), Column::integer(lines.number)];
    columns.extend_from_slice(lines.columns);
    columns
}

/// `ON CONFLICT (keys) DO UPDATE SET` every other column.
pub(super) fn upsert(keys: &[&str], columns: &[Column]) -> String {
    let set: Vec<String> = columns
        .iter()
        .filter(|c| !keys.contains(&c.name))
        .map(|c| format!("{0} = excluded.{0}", c.name))
        .collect();
    format!(
        "ON CONFLICT ({}) DO UPDATE SET {}",
        keys.join(", "),
        set.join(", ")
    )
}

/// The names of columns, with commas between them.
pub(super) fn names(columns: &[Column]) -> String {
    columns.iter().fold(String::new(), |mut list, column| {
        let comma = if list.is_empty() { "" } else { ", " };
        write!(list, "{comma}{}", column.name).expect("writing to memory cannot fail");
        list
    })
}

/// A place a column, for one row.
fn places(columns: &[Column]) -> String {
    format!("({})", vec!["?"; columns.len()].join(","))
}

const fn pg_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Integer => "bigint",
        Kind::Boolean => "boolean",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table {
        name: "seat",
        columns: &[
            Column::text("row").fixed(),
            Column::text("status").seldom(),
            Column::integer("price"),
        ],
        owing: false,
        lines: None,
        requests_first: false,
    };

    #[test]
    fn an_update_names_no_column_that_does_not_change() {
        assert_eq!(
            Dialect::Sqlite.update_states(&TABLE),
            "UPDATE seat SET version = ?3, price = ?4 WHERE id = ?1 AND version = ?2"
        );
        let (sql, columns) = Dialect::Sqlite
            .update_seldom(&TABLE)
            .expect("one is seldom");
        assert_eq!(
            sql,
            "UPDATE seat SET status = ?2 WHERE id = ?1 AND (status IS NOT ?2)"
        );
        assert_eq!(names(&columns), "id, status");
    }

    #[test]
    fn postgresql_sets_what_seldom_changes_along_with_the_rest() {
        let columns = Dialect::Postgres.update_columns(&TABLE);
        assert_eq!(names(&columns), "id, expected, version, status, price");
        assert_eq!(Dialect::Postgres.update_seldom(&TABLE).map(|_| ()), None);
    }
}
