//! A statement, and the rows that it is run on: borrowed from what is to be written.

use std::borrow::Cow;

use messages::Timestamp;

use crate::table::{Column, Value};

/// A statement on rows.
pub(super) struct Statement<'a> {
    /// Its text: in SQLite it takes one row, in PostgreSQL an array a column.
    pub(super) sql: Cow<'a, str>,
    /// What the rows hold.
    pub(super) columns: &'a [Column],
    /// The rows.
    pub(super) rows: Vec<Vec<Field<'a>>>,
    /// Whether each row must change one row of the database.
    pub(super) every: bool,
}

/// One value of a row that is written.
#[derive(Clone)]
pub(super) enum Field<'a> {
    /// Text, or null.
    Text(Option<Cow<'a, str>>),
    /// An integer, or null.
    Integer(Option<i64>),
    /// A truth value, or null.
    Boolean(Option<bool>),
}

impl<'a> From<&'a Value> for Field<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Text(text) => text.as_deref().into(),
            Value::Integer(integer) => Self::Integer(*integer),
            Value::Boolean(truth) => Self::Boolean(*truth),
        }
    }
}
impl<'a> From<&'a str> for Field<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}
impl<'a> From<Option<&'a str>> for Field<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}
impl From<i64> for Field<'_> {
    fn from(integer: i64) -> Self {
        Self::Integer(Some(integer))
    }
}
impl From<Option<i64>> for Field<'_> {
    fn from(integer: Option<i64>) -> Self {
        Self::Integer(integer)
    }
}
impl From<bool> for Field<'_> {
    fn from(truth: bool) -> Self {
        Self::Boolean(Some(truth))
    }
}
impl From<Timestamp> for Field<'_> {
    fn from(time: Timestamp) -> Self {
        Self::Text(Some(Cow::Owned(time.into())))
    }
}
