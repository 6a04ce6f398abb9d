//! Tables as a service declares them, and rows as the host writes and reads them.
//!
//! A service names its columns and turns its state into values; the host alone writes the SQL, in
//! both dialects. Read next: `crate::store::sql`.

use std::collections::BTreeSet;

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

/// When the value of a column changes after the row was made.
///
/// It matters for a column that an index is made of: SQLite writes the entry of an index anew for
/// every update that names such a column, whether its value changes or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// With many updates: every update sets it.
    Often,
    /// Hardly ever: it is set where it differs.
    Seldom,
    /// Never: no update sets it.
    Never,
}

/// A column of a state table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// When it changes.
    pub changes: Changes,
}

impl Column {
    pub(crate) const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            changes: Changes::Often,
        }
    }

    /// The column, which hardly ever changes.
    #[must_use]
    pub const fn seldom(self) -> Self {
        Self {
            changes: Changes::Seldom,
            ..self
        }
    }

    /// The column, which keeps the value that the row was made with.
    #[must_use]
    pub const fn fixed(self) -> Self {
        Self {
            changes: Changes::Never,
            ..self
        }
    }

    /// A column of text.
    pub const fn text(name: &'static str) -> Self {
        Self::new(name, Kind::Text)
    }

    /// A column of integers.
    pub const fn integer(name: &'static str) -> Self {
        Self::new(name, Kind::Integer)
    }

    /// A column of truth values.
    pub const fn boolean(name: &'static str) -> Self {
        Self::new(name, Kind::Boolean)
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
    /// Whether the ledger's index of requests begins with the request, as it is best where entities
    /// live long and many orders ask each: then the last request of all is found at once.
    pub requests_first: bool,
}

/// A table of lines: keyed by the entity and the line's number.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    /// Its name.
    pub name: &'static str,
    /// The column that names the entity.
    pub parent: &'static str,
    /// The column that numbers the entity's lines.
    pub number: &'static str,
    /// The service's own columns, behind the parent and the number.
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
    /// The rows of its lines: all of them, or those that changed, by number.
    pub lines: Vec<Line>,
}

/// A line of an entity as its table holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number: what names it within its entity, and never changes.
    pub number: i64,
    /// The service's own columns, in their order.
    pub values: Vec<Value>,
}

/// Which of an entity's lines one change touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// None of them.
    None,
    /// The one of this number.
    One(i64),
    /// It may be any of them.
    All,
}

/// Which of an entity's lines several changes touched: those that are to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TouchedLines {
    /// Those of these numbers.
    Some(BTreeSet<i64>),
    /// All that there are.
    All,
}

impl Default for TouchedLines {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
    }
}

impl TouchedLines {
    /// Takes another change along.
    pub fn add(&mut self, touch: Touch) {
        match (self, touch) {
            (Self::All, _) | (_, Touch::None) => {}
            (Self::Some(numbers), Touch::One(number)) => {
                numbers.insert(number);
            }
            (this, Touch::All) => *this = Self::All,
        }
    }

    /// Whether the line of this number is to be written.
    pub fn holds(&self, number: i64) -> bool {
        match self {
            Self::Some(numbers) => numbers.contains(&number),
            Self::All => true,
        }
    }
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

    /// The next value: text that is read as a `T`, or null.
    pub fn parsed_or_null<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
    ) -> Result<Option<T>, RowError> {
        self.text_or_null()?
            .map(|text| {
                text.parse()
                    .map_err(|error| RowError(format!("{text:?}: {error}")))
            })
            .transpose()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_touched_by_any_of_several_changes() {
        let mut touched = TouchedLines::default();
        assert_eq!((0..4).find(|n| touched.holds(*n)), None);
        for touch in [Touch::One(2), Touch::None, Touch::One(0), Touch::One(2)] {
            touched.add(touch);
        }
        assert_eq!(touched, TouchedLines::Some([0, 2].into()));
        touched.add(Touch::All);
        touched.add(Touch::One(7));
        assert_eq!(touched, TouchedLines::All);
        assert!((0..4).all(|n| touched.holds(n)));
    }
}
