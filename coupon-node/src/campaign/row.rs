//! A campaign as a row of the table `coupon`, and its coupons as rows of `coupon_issue`.

use messages::{
    EntityId, Money,
    coupon::{Discount, DiscountKind},
};
use node::table::{Column, Line, Lines, Reader, Row, RowError, Table, TouchedLines, Value};

use super::{
    Campaign,
    state::{About, Coupon, Coupons, Facts, Usage},
};

/// The tables, as `migrations/coupon` makes them.
pub(super) const TABLE: Table = Table {
    name: "coupon",
    columns: &[
        Column::text("name"),
        Column::text("discount_kind"),
        Column::integer("discount_value"),
        Column::integer("discount_maximum"),
        Column::integer("minimum_amount"),
        Column::integer("quantity"),
        Column::integer("issued"),
        Column::text("valid_from"),
        Column::text("valid_until"),
        Column::text("created_at"),
    ],
    owing: false,
    lines: Some(Lines {
        name: "coupon_issue",
        parent: "coupon_id",
        number: "number",
        columns: &[
            Column::text("user_id"),
            Column::text("issued_at"),
            Column::text("order_id"),
            Column::text("used_at"),
        ],
    }),
    requests_first: true,
};

/// The row of a campaign, with those coupons that were touched; one that was never made has none.
pub(super) fn write(campaign: &Campaign, touched: &TouchedLines) -> Row {
    campaign
        .facts
        .as_ref()
        .map_or_else(Row::default, |facts| Row {
            values: values(facts),
            lines: match touched {
                TouchedLines::All => facts.coupons.iter().map(line).collect(),
                TouchedLines::Some(numbers) => numbers
                    .iter()
                    .filter_map(|number| u32::try_from(*number).ok())
                    .filter_map(|number| Some(line((number, facts.coupons.get(number)?))))
                    .collect(),
            },
        })
}

fn values(facts: &Facts) -> Vec<Value> {
    let about = &*facts.about;
    vec![
        about.name.as_str().into(),
        about.discount.kind.name().into(),
        about.discount.value.into(),
        about.discount.maximum.map(Money::get).into(),
        about.minimum_amount.get().into(),
        i64::from(about.quantity).into(),
        i64::from(facts.coupons.issued()).into(),
        about.valid_from.map(|time| time.to_string()).into(),
        about.valid_until.map(|time| time.to_string()).into(),
        about.created_at.into(),
    ]
}

fn line((number, coupon): (u32, &Coupon)) -> Line {
    let usage = coupon.usage;
    Line {
        number: i64::from(number),
        values: vec![
            coupon.user_id.as_str().into(),
            coupon.issued_at.into(),
            usage.map(|usage| usage.order_id.to_string()).into(),
            usage.map(|usage| usage.used_at.to_string()).into(),
        ],
    }
}

/// The campaign of a row.
pub(super) fn read(id: &EntityId, row: Row) -> Result<Campaign, RowError> {
    let unreadable = |what: &str| RowError(format!("{id}: {what}"));
    let mut values = Reader::new(row.values);
    let name = values.text()?;
    let discount = Discount {
        kind: DiscountKind::from_name(&values.text()?).ok_or_else(|| unreadable("discount"))?,
        value: values.integer()?,
        maximum: values
            .integer_or_null()?
            .map(|maximum| Money::new(maximum).ok_or_else(|| unreadable("maximum")))
            .transpose()?,
    };
    let minimum_amount = Money::new(values.integer()?).ok_or_else(|| unreadable("minimum"))?;
    let quantity = u32::try_from(values.integer()?).map_err(|_| unreadable("quantity"))?;
    let issued = values.integer()?;
    let about = About {
        id: id.as_str().parse().map_err(|_| unreadable("id"))?,
        name,
        discount,
        minimum_amount,
        quantity,
        valid_from: values.parsed_or_null()?,
        valid_until: values.parsed_or_null()?,
        created_at: values.parsed()?,
    };
    let mut coupons = Coupons::default();
    for line in row.lines {
        if line.number != i64::from(coupons.issued()) + 1 {
            return Err(unreadable("the numbers of its coupons have a gap"));
        }
        coupons.push(read_line(line.values)?);
    }
    if i64::from(coupons.issued()) != issued {
        return Err(unreadable("not as many coupons as were issued"));
    }
    Ok(Campaign {
        id: id.clone(),
        facts: Some(Facts {
            about: about.into(),
            coupons,
        }),
    })
}

fn read_line(values: Vec<Value>) -> Result<Coupon, RowError> {
    let mut values = Reader::new(values);
    let (user_id, issued_at) = (values.parsed()?, values.parsed()?);
    let (order_id, used_at) = (values.parsed_or_null()?, values.parsed_or_null()?);
    let usage = order_id
        .zip(used_at)
        .map(|(order_id, used_at)| Usage { order_id, used_at });
    Ok(Coupon {
        user_id,
        issued_at,
        usage,
    })
}
