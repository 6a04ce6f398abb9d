//! The second look: while the system runs, two databases are never seen at one moment, so that
//! what looks off may only have been in flight. It is reported when it looks off every time.

use std::time::Duration;

use anyhow::Result;

use super::Databases;
use super::merge::{EFFECT, EFFECT_SQL, ORDER, ORDER_SQL, Suspect, effect_of, judge, order_of};
use super::order::{Effect, Order};
use super::progress::Progress;
use super::report::{Finding, Report};
use super::snapshot::Snapshot;

/// How often a suspect is looked at before it is reported.
const LOOKS_MAX: u32 = 3;
/// How long what is in flight has to land between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 500 });
/// How many attempts more than an order had when it was first looked at.
const ATTEMPTS_AHEAD: i64 = 2;

/// Looks at the suspects again, and reports those that stay off.
pub(super) async fn check(
    databases: &Databases,
    mut suspects: Vec<Suspect>,
    report: &mut Report,
    progress: &Progress,
) -> Result<()> {
    report.checked.looked_at_again = suspects.len() as u64;
    let mut findings = Vec::new();
    for _ in 0..LOOKS_MAX {
        if suspects.is_empty() {
            return Ok(());
        }
        progress.part("what looked off, once more:");
        tokio::time::sleep(BETWEEN_LOOKS).await;
        findings.clear();
        let mut left = Vec::new();
        let (mut products, mut orders) = databases.snapshots().await?;
        for mut suspect in suspects {
            progress.row();
            let found = look(&mut suspect, &mut products, &mut orders).await?;
            if !found.is_empty() {
                findings.extend(found);
                left.push(suspect);
            }
        }
        products.close().await;
        orders.close().await;
        suspects = left;
    }
    report.found_all(findings);
    Ok(())
}

async fn look(
    suspect: &mut Suspect,
    products: &mut Snapshot,
    orders: &mut Snapshot,
) -> Result<Vec<Finding>> {
    let order = order(&suspect.order, orders).await?;
    if let Some(order) = &order {
        suspect.attempts = suspect.attempts.max(order.attempt);
        let of_lines = order.lines.iter().map(|line| line.product.clone());
        suspect.products.extend(of_lines);
    }
    let effects = effects(suspect, products).await?;
    Ok(judge(&suspect.order, order.as_ref(), &effects))
}

/// What the order did to each of these products, by the ledger's unique key: a scan for each
/// suspect would take as long as the first look.
async fn effects(suspect: &Suspect, products: &mut Snapshot) -> Result<Vec<Effect>> {
    let attempts = 1..=suspect.attempts + ATTEMPTS_AHEAD;
    let ids: Vec<String> = attempts
        .flat_map(|attempt| {
            let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
            [
                messages::RequestId::reserve(&suspect.order, attempt).to_string(),
                messages::RequestId::release(&suspect.order, attempt).to_string(),
            ]
        })
        .collect();
    let mut effects = Vec::new();
    for product in &suspect.products {
        for ids in ids.chunks(256) {
            let places: Vec<String> = (0..ids.len()).map(|n| format!("${}", n + 2)).collect();
            let sql = format!(
                "{EFFECT_SQL} AND entity = $1 AND request_id IN ({})",
                places.join(", ")
            );
            let mut parameters = vec![product.clone()];
            parameters.extend_from_slice(ids);
            for row in products.all(sql, &parameters, EFFECT).await? {
                effects.push(effect_of(row)?.1);
            }
        }
    }
    Ok(effects)
}

async fn order(id: &str, orders: &mut Snapshot) -> Result<Option<Order>> {
    let sql = format!("{ORDER_SQL} WHERE id = $1");
    let rows = orders.all(sql, &[id.to_owned()], ORDER).await?;
    let order = rows.into_iter().next().map(order_of).transpose()?;
    Ok(order.map(|(_, order)| order))
}
