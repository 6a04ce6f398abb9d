//! Pages of lists, and cursors into long ones.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de};
use utoipa::IntoParams;

use super::Problem;
use crate::{
    store::Database,
    table::{Kind, Reader, RowError, Value},
};

/// How many items a page has when nobody says.
pub const SIZE_DEFAULT: u32 = 20;
/// How many items a page may have.
pub const SIZE_MAX: u32 = 200;
/// How many items a step of a cursor gives when nobody says.
pub const CURSOR_ITEMS_MAX: u32 = 100;
/// How many items may lie before a page: counting past them costs the database as much as
/// reading them, and a cursor does not.
const ITEMS_BEFORE_MAX: u32 = 1_000_000;

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its number, counted from 0.
    pub page: u32,
    /// How many items it has at most.
    pub size: u32,
}

impl Page {
    /// Checks what a query asks for.
    pub fn new(page: Option<u32>, size: Option<u32>) -> Result<Self, Problem> {
        let (page, size) = (page.unwrap_or(0), size.unwrap_or(SIZE_DEFAULT));
        if !(1..=SIZE_MAX).contains(&size) {
            return Err(Problem::field("size", format!("is 1 to {SIZE_MAX}")));
        }
        if page.saturating_mul(size) > ITEMS_BEFORE_MAX {
            let why = format!("lies more than {ITEMS_BEFORE_MAX} items into the list");
            return Err(Problem::field("page", why));
        }
        Ok(Self { page, size })
    }

    /// How many items lie before it.
    pub const fn before(self) -> u32 {
        self.page * self.size
    }
}

/// Where to go on in an entity's ledger: behind this version, in the list's order. Opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub i64);

/// A text that is no cursor of ours.
#[derive(Debug, thiserror::Error)]
#[error("must be a nextCursor that was answered before")]
pub struct CursorError;

const PREFIX: &str = "v";

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let digits = text.strip_prefix(PREFIX).ok_or(CursorError)?;
        let version = i64::from_str_radix(digits, 16).map_err(|_| CursorError)?;
        // Only the text that we wrote ourselves, not another spelling of its number.
        (version > 0 && Self(version).to_string() == text)
            .then_some(Self(version))
            .ok_or(CursorError)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// The one number that a `SELECT` finds: how many items there are on all pages.
///
/// # Errors
/// Where the database is away.
pub async fn count(database: &Database, sql: String, parameters: &[Value]) -> Result<i64, Problem> {
    let rows = database.query(sql, parameters, &[Kind::Integer]).await?;
    let row = rows.into_iter().next().unwrap_or_default();
    Ok(Reader::new(row).integer()?)
}

/// Where to go on in a long list.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct After {
    /// The `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    pub cursor: Option<Cursor>,
}

/// The items of a step through an entity's ledger, and where to go on.
///
/// Each row begins with its version, and there is one row more than [`CURSOR_ITEMS_MAX`] where the
/// list goes on.
///
/// # Errors
/// A row that does not hold what its service writes.
pub fn cut<T>(
    rows: Vec<Vec<Value>>,
    item: impl Fn(Reader) -> Result<T, RowError>,
) -> Result<(Vec<T>, Option<String>), RowError> {
    let shown = CURSOR_ITEMS_MAX as usize;
    let more = rows.len() > shown;
    let mut last = None;
    let mut items = Vec::with_capacity(rows.len().min(shown));
    for row in rows.into_iter().take(shown) {
        let mut row = Reader::new(row);
        last = Some(Cursor(row.integer()?));
        items.push(item(row)?);
    }
    Ok((
        items,
        last.filter(|_| more).map(|cursor| cursor.to_string()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_sensible_bounds() {
        let first = Page { page: 0, size: 20 };
        assert_eq!(Page::new(None, None), Ok(first));
        assert_eq!(Page::new(Some(3), Some(200)).map(Page::before), Ok(600));
        for (page, size) in [
            (Some(0), Some(0)),
            (Some(0), Some(201)),
            (Some(5_001), Some(200)),
            (Some(u32::MAX), Some(200)),
        ] {
            let problem = Page::new(page, size).expect_err("out of bounds");
            assert_eq!(problem.code(), "VALIDATION_ERROR");
        }
    }

    #[test]
    fn a_page_says_where_to_go_on_only_where_there_is_more() {
        let rows = |count: i64| {
            (1..=count)
                .rev()
                .map(|version| vec![version.into(), "x".into()])
        };
        let step = |count| cut(rows(count).collect(), |mut row| row.text()).expect("a page");
        let full = i64::from(CURSOR_ITEMS_MAX);
        assert_eq!(step(0), (vec![], None));
        assert_eq!(step(full), (vec!["x".to_owned(); 100], None));
        // The last one shown has version 2: the next page begins behind it.
        let next = Some(Cursor(2).to_string());
        assert_eq!(step(full + 1), (vec!["x".to_owned(); 100], next));
    }

    proptest::proptest! {
        #[test]
        fn a_cursor_is_read_as_it_was_written(version in 1..=i64::MAX) {
            let cursor = Cursor(version);
            assert_eq!(cursor.to_string().parse::<Cursor>().ok(), Some(cursor));
        }

        #[test]
        fn no_other_text_is_a_cursor(text in ".{0,20}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
