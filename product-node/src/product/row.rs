//! A product as a row of the table `product`.

use messages::{EntityId, Money, product::Status};
use node::table::{Column, Reader, Row, RowError, Table};

use super::{Facts, Product};

/// The table, as `migrations/product` makes it.
pub(super) const TABLE: Table = Table {
    name: "product",
    columns: &[
        Column::text("name"),
        Column::integer("price"),
        Column::integer("stock"),
        Column::text("status").seldom(),
        Column::text("created_at").fixed(),
        Column::text("updated_at"),
    ],
    owing: false,
    lines: None,
    requests_first: true,
};

/// The row of a product; a product that was never made has none.
pub(super) fn write(product: &Product) -> Row {
    let values = product.facts.as_ref().map_or_else(Vec::new, |facts| {
        vec![
            facts.name.as_str().into(),
            facts.price.get().into(),
            facts.stock.into(),
            facts.status.name().into(),
            facts.created_at.into(),
            facts.updated_at.into(),
        ]
    });
    Row {
        values,
        lines: vec![],
    }
}

/// The product of a row.
pub(super) fn read(id: &EntityId, row: Row) -> Result<Product, RowError> {
    let unreadable = |what: &str| RowError(format!("{id}: {what}"));
    let mut values = Reader::new(row.values);
    let facts = Facts {
        id: id.as_str().parse().map_err(|_| unreadable("id"))?,
        name: values.text()?,
        price: Money::new(values.integer()?).ok_or_else(|| unreadable("price"))?,
        stock: values.integer()?,
        status: Status::from_name(&values.text()?).ok_or_else(|| unreadable("status"))?,
        created_at: values.parsed()?,
        updated_at: values.parsed()?,
    };
    Ok(Product {
        id: id.clone(),
        facts: Some(facts),
    })
}
