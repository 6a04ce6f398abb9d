//! Tables as a service declares them, and rows as the host writes and reads them.
//!
//! A service names its columns and turns its state into values; the host alone writes the SQL, in
//! both dialects. Read next: `crate::store::sql`.

use messages::Timestamp;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text; times are RFC 3339 text.
    Text,
    /// A 64 bit integer.
    Integer,
    /// A truth value.
    Boolean,
}

/// A column of a state table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

impl Column {
    /// A column of text.
    pub const fn text(name: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Text,
        }
    }

    /// A column of integers.
    pub const fn integer(name: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Integer,
        }
    }

    /// A column of truth values.
    pub const fn boolean(name: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Boolean,
        }
    }
}

/// Where the state of a service's entities is kept: one row an entity, with the columns `id`,
/// `partition` and `version` of the host's before those named here.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The service's own columns.
    pub columns: &'static [Column],
    /// Whether entities may owe something: then the table has a column `owing`, and recovery
    /// reads the rows that are marked in it.
    pub owing: bool,
    /// The table of the entity's lines, where it has lines.
    pub lines: Option<Lines>,
}

/// A table of lines: keyed by the entity and the line's number, counted from 0.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    /// Its name.
    pub name: &'static str,
    /// The column that names the entity.
    pub parent: &'static str,
    /// The service's own columns, behind the parent and `line`.
    pub columns: &'static [Column],
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, or null.
    Text(Option<String>),
    /// An integer, or null.
    Integer(Option<i64>),
    /// A truth value, or null.
    Boolean(Option<bool>),
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}
impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}
impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(Some(integer))
    }
}
impl From<Option<i64>> for Value {
    fn from(integer: Option<i64>) -> Self {
        Self::Integer(integer)
    }
}
impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Boolean(Some(truth))
    }
}
impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Text(Some(time.into()))
    }
}

/// The state of an entity as its tables hold it: the service's own columns, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The row of the state table.
    pub values: Vec<Value>,
    /// The rows of its lines.
    pub lines: Vec<Vec<Value>>,
}

/// A row that does not hold what its service writes.
#[derive(Debug, thiserror::Error)]
#[error("unreadable row: {0}")]
pub struct RowError(pub String);

/// Reads the values of a row one after another.
pub struct Reader(std::vec::IntoIter<Value>);

impl Reader {
    /// Starts at the first value.
    pub fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    /// The next value: text.
    pub fn text(&mut self) -> Result<String, RowError> {
        self.text_or_null()?
            .ok_or_else(|| RowError("null where text is expected".into()))
    }

    /// The next value: text, or null.
    pub fn text_or_null(&mut self) -> Result<Option<String>, RowError> {
        match self.0.next() {
            Some(Value::Text(text)) => Ok(text),
            other => Err(RowError(format!("{other:?} where text is expected"))),
        }
    }

    /// The next value: text that is read as a `T`.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self) -> Result<T, RowError> {
        let text = self.text()?;
        text.parse()
            .map_err(|error| RowError(format!("{text:?}: {error}")))
    }

    /// The next value: an integer.
    pub fn integer(&mut self) -> Result<i64, RowError> {
        self.integer_or_null()?
            .ok_or_else(|| RowError("null where an integer is expected".into()))
    }

    /// The next value: an integer, or null.
    pub fn integer_or_null(&mut self) -> Result<Option<i64>, RowError> {
        match self.0.next() {
            Some(Value::Integer(integer)) => Ok(integer),
            other => Err(RowError(format!("{other:?} where an integer is expected"))),
        }
    }

    /// The next value: a truth value.
    pub fn boolean(&mut self) -> Result<bool, RowError> {
        match self.0.next() {
            Some(Value::Boolean(Some(truth))) => Ok(truth),
            other => Err(RowError(format!(
                "{other:?} where a truth value is expected"
            ))),
        }
    }
}
