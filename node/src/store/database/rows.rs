//! Rows of the host's own tables, as they are read.

use messages::{EntityId, Origin, Partition, RequestId};

use crate::{
    store::{Creation, LedgerRow},
    table::{Reader, RowError, Value},
};

pub(super) fn ledger_row(row: Vec<Value>) -> Result<LedgerRow, RowError> {
    let mut row = Reader::new(row);
    Ok(LedgerRow {
        partition: Partition(u16::try_from(row.integer()?).map_err(|e| RowError(e.to_string()))?),
        number: row.integer()?,
        entity: EntityId::from(row.text()?.as_str()),
        version: row.integer()?,
        origin: Origin::from_name(&row.text()?).ok_or_else(|| RowError("unknown origin".into()))?,
        request_id: RequestId::from(row.text()?),
        digest: row.integer_or_null()?.map(messages::Digest::from_stored),
        kind: row.text()?,
        order_id: row.text_or_null()?,
        amount: row.integer_or_null()?,
        balance: row.integer_or_null()?,
        body: row.text()?,
        at: row.parsed()?,
    })
}

pub(super) fn creation(row: Vec<Value>) -> Result<Creation, RowError> {
    let mut row = Reader::new(row);
    Ok(Creation {
        call: row.text()?,
        key: row.text()?,
        digest: messages::Digest::from_stored(row.integer()?),
        entity: EntityId::from(row.text()?.as_str()),
        at: row.parsed()?,
    })
}
