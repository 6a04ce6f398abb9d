//! Whether the gateway has what the payments say, where the gateway is the sandbox: its books
//! stand beside theirs, so that one moment shows both.
//!
//! A payment that still owes the gateway a question is in flight, and left out.

use anyhow::Result;
use futures::StreamExt as _;
use node::table::Kind;

use super::progress::Progress;
use super::report::{Finding, Report};
use super::snapshot::Snapshot;

/// What the sandbox has of payments at rest that do not say so: charged cards, and what a customer
/// paid by himself for an order that was given up, when the search for that had not ended yet.
const FOR_NOTHING: &str = "SELECT c.gateway_id, c.merchant_uid, c.amount FROM sandbox_charge c \
     JOIN payment p ON p.id = substr(c.merchant_uid, 1, 36) \
     WHERE c.status = 'PAID' AND NOT p.owing \
     AND (c.by_card OR (p.status = 'CANCELLED' AND c.created_at < p.updated_at)) \
     AND NOT (p.status = 'AUTHORISED' AND p.gateway_id = c.gateway_id AND p.amount = c.amount) \
     ORDER BY c.gateway_id";
/// Payments at rest that say that money was taken, where the sandbox has none.
const NOT_CHARGED: &str = "SELECT p.gateway_id, p.id, p.amount FROM payment p \
     WHERE p.status = 'AUTHORISED' AND p.gateway = 'sandbox' AND NOT p.owing \
     AND NOT EXISTS (SELECT 1 FROM sandbox_charge c WHERE c.gateway_id = p.gateway_id \
     AND c.status = 'PAID' AND c.amount = p.amount) ORDER BY p.id";
const ROW: &[Kind] = &[Kind::Text, Kind::Text, Kind::Integer];

/// Compares the sandbox's books with ours.
pub(super) async fn check(
    payments: &mut Snapshot,
    report: &mut Report,
    progress: &Progress,
) -> Result<()> {
    progress.part("payments and what the sandbox has:");
    for (sql, of_gateway) in [(FOR_NOTHING, true), (NOT_CHARGED, false)] {
        let mut rows = payments.rows(sql.to_owned(), &[], ROW);
        while let Some(row) = rows.next().await {
            let mut row = row?;
            let (gateway_id, whose, amount) = (row.text()?, row.text()?, row.integer()?);
            progress.row();
            let what = format!("payment {gateway_id} at the sandbox");
            let amount = amount.to_string();
            let (expected, found) = if of_gateway {
                ("given back", amount.as_str())
            } else {
                (amount.as_str(), "none, or given back")
            };
            let whose = format!("order {whose}");
            report.found_all(vec![Finding::new(whose, what, expected, found)]);
        }
    }
    Ok(())
}
