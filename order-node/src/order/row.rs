//! An order as a row of the table `orders`.

use std::borrow::Cow;

use messages::{
    CouponId, EntityId, Money, ProductId, Quantity,
    order::{Status, Step},
};
use node::table::{Column, Reader, Row, RowError, Table, Value};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Order,
    part::Part,
    state::{Failure, Line, State},
    transition::{Hold, Phase},
    wish::Wish,
};

/// The table, as `migrations/order` makes it.
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
        Column::text("lines"),
        Column::text("parts"),
        Column::text("traceparent"),
        Column::text("deadline_at"),
        Column::text("created_at").fixed(),
        Column::text("updated_at"),
    ],
    owing: true,
    lines: None,
    requests_first: false,
};

/// A line as the column `lines` has it, in a list of them as they were asked for: with its part of
/// the present attempt.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenLine<'a> {
    product_id: ProductId,
    quantity: Quantity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit_price: Option<Money>,
    hold: Hold,
}

/// The row of an order; one that was never placed has none.
pub(super) fn write(order: &Order) -> Row {
    let values = order.state.as_ref().map(values).unwrap_or_default();
    Row {
        values,
        lines: Vec::new(),
    }
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
        lines(state).into(),
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

/// The lines, each with its part.
fn lines(state: &State) -> String {
    let lines = state.lines.iter().zip(asked(state));
    let lines = lines.map(|(line, part)| WrittenLine {
        product_id: line.product_id,
        quantity: line.quantity,
        name: line.name.as_deref().map(Cow::Borrowed),
        unit_price: line.unit_price,
        hold: part.hold,
    });
    json(&lines.collect::<Vec<_>>())
}

/// What the lines do not say of the parts.
fn parts(state: &State) -> Option<String> {
    let parts = state.parts.iter().filter(|part| !in_line(state, part));
    let parts: Vec<&Part> = parts.collect();
    (!parts.is_empty()).then(|| json(&parts))
}

/// Whether a line says all that is to be said of this part.
fn in_line(state: &State, part: &Part) -> bool {
    part.step == Step::Stock && part.attempt == state.attempt && !part.late
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
    let failure: Option<Failure> = from_json_or_null(values.text_or_null()?)?;
    let phase =
        Phase::of(status, values.boolean()?).ok_or_else(|| unreadable("status and cancelling"))?;
    let attempt = u32::try_from(values.integer()?).map_err(|_| unreadable("attempt"))?;
    let wish = Wish {
        points: money(&mut values)?,
        coupon_id: coupon(values.text_or_null()?)?,
        payment: from_json_or_null(values.text_or_null()?)?,
    };
    // The subtotal and the amount due follow from the others.
    values.integer_or_null()?;
    let discount = money(&mut values)?.filter(|_| wish.coupon_id.is_some());
    // Points that are not asked for are none.
    let points_used = money(&mut values)?.filter(|points| *points > Money::ZERO);
    values.integer_or_null()?;
    let written: Vec<WrittenLine<'_>> = from_json(&values.text()?)?;
    let mut others: Vec<Part> = from_json_or_null(values.text_or_null()?)?.unwrap_or_default();
    let mut lines = Vec::with_capacity(written.len());
    let mut parts = Vec::with_capacity(written.len() + others.len());
    for line in written {
        let (entity, pieces) = (line.product_id.entity(), line.quantity.get());
        let mut part = Part::new(Step::Stock, entity, attempt, pieces.into());
        part.hold = line.hold;
        let said = others
            .iter()
            .position(|other| other.is(part.step, &part.entity, attempt));
        parts.push(said.map_or(part, |n| others.remove(n)));
        lines.push(Line {
            product_id: line.product_id,
            quantity: line.quantity,
            name: line.name.map(Cow::into_owned),
            unit_price: line.unit_price,
        });
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

fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, RowError> {
    serde_json::from_str(text).map_err(|error| RowError(format!("{text:?}: {error}")))
}

fn from_json_or_null<T: DeserializeOwned>(text: Option<String>) -> Result<Option<T>, RowError> {
    text.map(|text| from_json(&text)).transpose()
}
