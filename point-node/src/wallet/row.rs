//! A wallet as a row of the table `wallet`.

use messages::EntityId;
use node::table::{Column, Reader, Row, RowError, Table};

use super::Wallet;

/// The table, as `migrations/point` makes it.
pub(super) const TABLE: Table = Table {
    name: "wallet",
    columns: &[
        Column::integer("balance"),
        Column::text("created_at"),
        Column::text("updated_at"),
    ],
    owing: false,
    lines: None,
    requests_first: true,
};

/// The row of a wallet; one that never changed has none.
pub(super) fn write(wallet: &Wallet) -> Row {
    let values = wallet.changed.map_or_else(Vec::new, |(first, last)| {
        vec![wallet.balance.into(), first.into(), last.into()]
    });
    Row {
        values,
        lines: vec![],
    }
}

/// The wallet of a row.
pub(super) fn read(id: &EntityId, row: Row) -> Result<Wallet, RowError> {
    let mut values = Reader::new(row.values);
    Ok(Wallet {
        user: id.clone(),
        balance: values.integer()?,
        changed: Some((values.parsed()?, values.parsed()?)),
    })
}
