//! A payment as a row of the table `payment`.

use messages::EntityId;
use node::table::{Column, Reader, Row, RowError, Table, Value};

use super::{Payment, state::State};

/// The table, as `migrations/payment` makes it. `work` holds all there is; the columns before it
/// repeat what a reader looks for.
pub(super) const TABLE: Table = Table {
    name: "payment",
    columns: &[
        Column::text("user_id"),
        Column::integer("amount"),
        Column::text("status"),
        Column::text("gateway"),
        Column::text("gateway_id"),
        Column::text("work"),
        Column::text("created_at"),
        Column::text("updated_at"),
    ],
    owing: true,
    lines: None,
    requests_first: false,
};

/// The row of a payment; one that nobody ever asked for has none.
pub(super) fn write(payment: &Payment) -> Row {
    let values = payment.state.as_ref().map_or_else(Vec::new, |state| {
        let view = state.view();
        let view = view.as_ref();
        vec![
            state.user_id.as_ref().map(ToString::to_string).into(),
            view.map(|view| view.amount.get()).into(),
            view.map(|view| view.status.name().to_owned()).into(),
            view.and_then(|view| view.gateway.clone()).into(),
            view.and_then(|view| view.gateway_id.clone()).into(),
            Value::from(serde_json::to_string(&state.work).expect("plain data is always JSON")),
            state.created_at.into(),
            state.updated_at.into(),
        ]
    });
    Row {
        values,
        lines: vec![],
    }
}

/// The payment of a row.
pub(super) fn read(id: &EntityId, row: Row) -> Result<Payment, RowError> {
    let unreadable = |what: &dyn std::fmt::Display| RowError(format!("{id}: {what}"));
    let mut values = Reader::new(row.values);
    let user_id = values.text_or_null()?;
    values.integer_or_null()?;
    for _ in ["status", "gateway", "gateway_id"] {
        values.text_or_null()?;
    }
    let state = State {
        order_id: id.as_str().parse().map_err(|_| unreadable(&"id"))?,
        user_id: user_id
            .map(|user| user.parse())
            .transpose()
            .map_err(|error: messages::id::NameError| unreadable(&error))?,
        work: serde_json::from_str(&values.text()?).map_err(|error| unreadable(&error))?,
        created_at: values.parsed()?,
        updated_at: values.parsed()?,
    };
    Ok(Payment {
        id: id.clone(),
        state: Some(state),
    })
}
