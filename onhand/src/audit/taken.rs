//! What orders took of a participant besides stock, side by side with the parts that the orders
//! say they hold: used exactly once, or given back exactly once.
//!
//! One scan of each database in the order of the order's id, the participant's first and the
//! orders' last; what looks off is looked at again, since it may have been in flight. What is off:
//! `judge`.

mod judge;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use messages::Service;
use node::store::DatabaseUrl;
use node::table::{Kind, Reader, RowError};

use super::merge::{Groups, earlier, take};
use super::progress::Progress;
use super::report::{Finding, Report};
use super::snapshot::Snapshot;
use super::{Databases, open};
use judge::judge;

/// How often what looks off is looked at before it is reported.
const LOOKS_MAX: u32 = 3;
/// How long what is in flight has to land between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 500 });

/// A participant, and how its ledger and the orders speak of it.
pub(super) struct Participant<'a> {
    /// Whose it is.
    pub(super) service: Service,
    /// Whose database it is, for a person: `coupons`.
    pub(super) whose: &'static str,
    /// The step in an order's parts: `coupon`.
    pub(super) step: &'static str,
    /// What its ledger calls an effect that took: `used`.
    pub(super) took: &'static str,
    /// And one that gave back: `restored`.
    pub(super) gave_back: &'static str,
    /// What of an order's row says how much it took in all, where there is such: `points_used`.
    pub(super) told_as: Option<&'static str>,
    /// Which rows of its ledger are effects of a step.
    pub(super) rows: &'static str,
    /// Its database; none where the service has never run.
    pub(super) database: Option<&'a DatabaseUrl>,
}

/// What a saga did to the participant.
struct Effect {
    entity: String,
    request_id: String,
    kind: String,
    /// By how much the balance changed, where there is one.
    amount: Option<i64>,
}

const EFFECT: &[Kind] = &[
    Kind::Text,
    Kind::Text,
    Kind::Text,
    Kind::Text,
    Kind::Integer,
];
const EFFECT_SQL: &str = "SELECT substr(request_id, 5, 36), entity, request_id, kind, amount \
     FROM ledger WHERE origin = 'saga'";
/// Every row that a saga asked for.
pub(super) const ALL_ROWS: &str = "1 = 1";

/// An order, and what it says of its parts.
struct Order {
    status: String,
    in_flight: bool,
    /// How much it says that it took in all.
    told: Option<i64>,
    parts: Vec<Part>,
}

/// A part of any step, as an order's row has it.
#[derive(serde::Deserialize)]
struct Part {
    #[serde(default)]
    step: String,
    #[serde(default)]
    entity: String,
    #[serde(default)]
    attempt: i64,
    #[serde(default)]
    amount: i64,
    #[serde(default)]
    hold: String,
    /// Whether it was taken when the order no longer wanted it.
    #[serde(default)]
    late: bool,
}

impl Part {
    /// Whether a confirmed order has it: also what it wanted to give back, and could not.
    fn is_held(&self) -> bool {
        self.hold == "held" || self.hold == "kept" && !self.late
    }
}

const ORDER: &[Kind] = &[
    Kind::Text,
    Kind::Text,
    Kind::Boolean,
    Kind::Boolean,
    Kind::Integer,
    Kind::Text,
];

/// Checks what orders took of this participant; what looks off is told once it stays so.
pub(super) async fn check(
    participant: &Participant<'_>,
    databases: &Databases,
    report: &mut Report,
    progress: &Progress,
) -> Result<()> {
    let mut suspects: Option<BTreeSet<String>> = None;
    for look in 1..=LOOKS_MAX {
        let findings = scan(participant, databases, suspects.as_ref(), progress).await?;
        if findings.is_empty() {
            return Ok(());
        }
        if look == LOOKS_MAX {
            report.found_all(findings.into_values().flatten().collect());
            return Ok(());
        }
        suspects = Some(findings.into_keys().collect());
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Ok(())
}

/// What is off, by order; of these orders alone, where they are named.
async fn scan(
    participant: &Participant<'_>,
    databases: &Databases,
    only: Option<&BTreeSet<String>>,
    progress: &Progress,
) -> Result<BTreeMap<String, Vec<Finding>>> {
    progress.part("orders and what they took besides stock:");
    let mut theirs = match participant.database {
        Some(url) => Some(open(participant.whose, url, &["ledger"]).await?),
        None => None,
    };
    let mut orders = open("orders", &databases.order, &["orders"]).await?;
    let mut findings = BTreeMap::new();
    {
        let mut effects = theirs.as_mut().map(|snapshot| {
            let sql = format!(
                "{EFFECT_SQL} AND {} ORDER BY substr(request_id, 5, 36){}",
                participant.rows,
                snapshot.by_bytes()
            );
            Groups::new(snapshot.rows(sql, &[], EFFECT), effect_of)
        });
        let told = participant.told_as.unwrap_or("CAST(NULL AS BIGINT)");
        let sql = format!(
            "SELECT id, status, owing, cancelling, {told}, parts FROM orders ORDER BY id{}",
            orders.by_bytes()
        );
        let mut orders = Groups::new(orders.rows(sql, &[], ORDER), order_of);
        let mut effect = match &mut effects {
            Some(effects) => effects.next(progress).await?,
            None => None,
        };
        let mut order = orders.next(progress).await?;
        while let Some(id) = earlier(order.as_ref(), effect.as_ref()) {
            let row = take(&mut order, &id);
            let done = take(&mut effect, &id).unwrap_or_default();
            if row.is_some() {
                order = orders.next(progress).await?;
            }
            if let (false, Some(effects)) = (done.is_empty(), &mut effects) {
                effect = effects.next(progress).await?;
            }
            let row = row.and_then(|rows| rows.into_iter().next());
            if only.is_none_or(|only| only.contains(&id)) {
                let found = judge(participant, &id, row.as_ref(), &done);
                if !found.is_empty() {
                    findings.insert(id, found);
                }
            }
        }
    }
    for snapshot in theirs.into_iter().chain([orders]) {
        Snapshot::close(snapshot).await;
    }
    Ok(findings)
}

fn effect_of(mut row: Reader) -> Result<(String, Effect), RowError> {
    Ok((
        row.text()?,
        Effect {
            entity: row.text()?,
            request_id: row.text()?,
            kind: row.text()?,
            amount: row.integer_or_null()?,
        },
    ))
}

fn order_of(mut row: Reader) -> Result<(String, Order), RowError> {
    let (id, status) = (row.text()?, row.text()?);
    let (owing, cancelling) = (row.boolean()?, row.boolean()?);
    let told = row.integer_or_null()?;
    let parts = row.text_or_null()?;
    let order = Order {
        in_flight: status == "PENDING" || owing || cancelling,
        status,
        told,
        parts: parts
            .map(|json| serde_json::from_str(&json))
            .transpose()
            .map_err(|error| RowError(format!("parts of order {id}: {error}")))?
            .unwrap_or_default(),
    };
    Ok((id, order))
}
