//! An order as a row of the table `orders` and its lines as rows of `order_line`.

use messages::{
    CouponId, EntityId, Money, Quantity,
    order::{Status, Step},
};
use node::table::{self, Column, Lines, Reader, Row, RowError, Table, TouchedLines, Value};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Order,
    part::Part,
    state::{Failure, Line, State},
    transition::{Hold, Phase},
    wish::Wish,
};

/// The tables, as `migrations/order` makes them.
pub(super) const TABLE: Table = Table {
    name: "orders",
    columns: &[
        Column::text("code").fixed(),
        Column::text("buyer_id").fixed(),
        Column::text("status"),
        Column::text("fail_reason"),
        Column::text("fail_detail"),
        Column::boolean("cancelling"),
        Column::integer("attempt"),
        Column::integer("points"),
        Column::text("coupon_id"),
        Column::text("payment"),
        Column::integer("subtotal"),
        Column::integer("discount"),
        Column::integer("points_used"),
        Column::integer("amount_due"),
        Column::text("parts"),
        Column::text("traceparent"),
        Column::text("deadline_at"),
        Column::text("created_at").fixed(),
        Column::text("updated_at"),
    ],
    owing: true,
    lines: Some(Lines {
        name: "order_line",
        parent: "order_id",
        number: "line",
        columns: &[
            Column::text("product_id"),
            Column::integer("quantity"),
            Column::text("name"),
            Column::integer("unit_price"),
            Column::text("hold"),
        ],
    }),
    requests_first: false,
};

/// The row of an order, with those lines that were touched; one that was never placed has none.
pub(super) fn write(order: &Order, touched: &TouchedLines) -> Row {
    order.state.as_ref().map_or_else(Row::default, |state| Row {
        values: values(state),
        lines: (0..)
            .zip(state.lines.iter().zip(asked(state)))
            .filter(|(number, _)| touched.holds(*number))
            .map(|(number, of)| table::Line {
                number,
                values: line(of),
            })
            .collect(),
    })
}

fn values(state: &State) -> Vec<Value> {
    let amounts = state.amounts();
    let money = |amount: Option<Money>| Value::from(amount.map(Money::get));
    vec![
        state.code.as_str().into(),
        state.buyer_id.as_str().into(),
        state.phase.status().name().into(),
        state.fail_reason().into(),
        state.failure.as_ref().map(json).into(),
        (state.phase == Phase::Cancelling).into(),
        i64::from(state.attempt).into(),
        money(state.wish.points),
        state.wish.coupon_id.map(|id| id.to_string()).into(),
        state.wish.payment.as_ref().map(json).into(),
        money(amounts.subtotal),
        money(amounts.discount),
        money(amounts.points_used),
        money(amounts.amount_due),
        parts(state).into(),
        state.traceparent.clone().into(),
        state.deadline_at.into(),
        state.created_at.into(),
        state.updated_at.into(),
    ]
}

/// The parts of the lines in the present attempt, in their order: stock is asked for first.
fn asked(state: &State) -> impl Iterator<Item = &Part> {
    let stock = |part: &&Part| part.step == Step::Stock && part.attempt == state.attempt;
    state.parts.iter().filter(stock)
}

/// What the rows of the lines do not say of the parts.
fn parts(state: &State) -> Option<String> {
    let parts = state.parts.iter().filter(|part| !in_line(state, part));
    let parts: Vec<&Part> = parts.collect();
    (!parts.is_empty()).then(|| json(&parts))
}

/// Whether the row of a line says all that is to be said of this part.
fn in_line(state: &State, part: &Part) -> bool {
    part.step == Step::Stock && part.attempt == state.attempt && !part.late
}

/// A line, and its part of the present attempt.
fn line((line, part): (&Line, &Part)) -> Vec<Value> {
    vec![
        line.product_id.to_string().into(),
        i64::from(line.quantity.get()).into(),
        line.name.clone().into(),
        line.unit_price.map(Money::get).into(),
        part.hold.name().into(),
    ]
}

/// The order of a row.
pub(super) fn read(id: &EntityId, row: Row) -> Result<Order, RowError> {
    let unreadable = |what: &str| RowError(format!("{id}: {what}"));
    let mut values = Reader::new(row.values);
    let code = values.text()?;
    let buyer_id = values.parsed()?;
    let status = Status::from_name(&values.text()?).ok_or_else(|| unreadable("status"))?;
    // The code of the refusal, which the detail has in full.
    values.text_or_null()?;
    let failure: Option<Failure> = from_json(values.text_or_null()?)?;
    let phase =
        Phase::of(status, values.boolean()?).ok_or_else(|| unreadable("status and cancelling"))?;
    let attempt = u32::try_from(values.integer()?).map_err(|_| unreadable("attempt"))?;
    let wish = Wish {
        points: money(&mut values)?,
        coupon_id: coupon(values.text_or_null()?)?,
        payment: from_json(values.text_or_null()?)?,
    };
    // The subtotal and the amount due follow from the others.
    values.integer_or_null()?;
    let discount = money(&mut values)?.filter(|_| wish.coupon_id.is_some());
    // Points that are not asked for are none.
    let points_used = money(&mut values)?.filter(|points| *points > Money::ZERO);
    values.integer_or_null()?;
    let mut others: Vec<Part> = from_json(values.text_or_null()?)?.unwrap_or_default();
    let mut lines = Vec::with_capacity(row.lines.len());
    let mut parts = Vec::with_capacity(row.lines.len() + others.len());
    for row in row.lines {
        let (line, hold) = read_line(row.values)?;
        let (entity, pieces) = (line.product_id.entity(), line.quantity.get());
        let mut part = Part::new(Step::Stock, entity, attempt, pieces.into());
        part.hold = hold;
        let said = others
            .iter()
            .position(|other| other.is(part.step, &part.entity, attempt));
        parts.push(said.map_or(part, |n| others.remove(n)));
        lines.push(line);
    }
    parts.append(&mut others);
    let mut state = State {
        id: id.as_str().parse().map_err(|_| unreadable("id"))?,
        code,
        buyer_id,
        phase,
        failure,
        attempt,
        wish,
        lines,
        points_used,
        discount,
        parts,
        traceparent: values.text_or_null()?,
        deadline_at: values.parsed()?,
        created_at: values.parsed()?,
        updated_at: values.parsed()?,
    };
    state.sort();
    Ok(Order {
        id: id.clone(),
        state: Some(state),
    })
}

fn read_line(values: Vec<Value>) -> Result<(Line, Hold), RowError> {
    let unreadable = |what: &str| RowError(format!("line: {what}"));
    let mut values = Reader::new(values);
    let line = Line {
        product_id: values.parsed()?,
        quantity: u32::try_from(values.integer()?)
            .ok()
            .and_then(Quantity::new)
            .ok_or_else(|| unreadable("quantity"))?,
        name: values.text_or_null()?,
        unit_price: money(&mut values)?,
    };
    let hold = Hold::from_name(&values.text()?).ok_or_else(|| unreadable("hold"))?;
    Ok((line, hold))
}

fn money(values: &mut Reader) -> Result<Option<Money>, RowError> {
    let amount = values.integer_or_null()?;
    amount
        .map(|amount| Money::new(amount).ok_or_else(|| RowError(format!("amount {amount}"))))
        .transpose()
}

fn coupon(id: Option<String>) -> Result<Option<CouponId>, RowError> {
    let read = |id: String| id.parse().map_err(|_| RowError(format!("coupon {id}")));
    id.map(read).transpose()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("text and integers are JSON")
}

fn from_json<T: DeserializeOwned>(text: Option<String>) -> Result<Option<T>, RowError> {
    text.map(|text| serde_json::from_str(&text).map_err(|e| RowError(format!("{text:?}: {e}"))))
        .transpose()
}
