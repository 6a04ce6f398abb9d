//! What must hold when everything has come to rest, whatever was done before.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};

use crate::load::{Load, Outcome, POINTS, Told, buyer};
use crate::{Client, System, eventually};

const READERS: usize = 16;
/// Of so many keys one is asked for again.
const ONE_IN: usize = 10;

/// Everything at once: see the functions below.
pub async fn at_rest(system: &System, load: &Load, told: &[Told]) {
    let client = system.client();
    every_order_is_final(&client).await;
    every_client_was_told_the_truth(&client, told).await;
    every_key_names_its_order(load, told).await;
    nothing_was_made_twice(&client, told).await;
    every_piece_is_accounted_for(&client, load, told).await;
    audit_is_clean(system).await;
}

/// No order is left running.
pub async fn every_order_is_final(client: &Client) {
    eventually("every order to be final", async || {
        match client.orders_in("PENDING").await {
            0 => Ok(()),
            left => Err(format!("{left} are PENDING")),
        }
    })
    .await;
}

/// What a client was told once is what it is told now.
pub async fn every_client_was_told_the_truth(client: &Client, told: &[Told]) {
    let lies: Vec<String> = stream::iter(told)
        .map(async |told| {
            let now = client.order(&told.order).await;
            let (status, reason) = (&now["status"], &now["failReason"]);
            let holds = match &told.outcome {
                Outcome::Confirmed => status == "CONFIRMED",
                Outcome::Refused(why) => status == "FAILED" && reason.to_string().contains(why),
                Outcome::Running => status == "CONFIRMED" || status == "FAILED",
            };
            (!holds).then(|| format!("{told:?}: {now}"))
        })
        .buffer_unordered(READERS)
        .filter_map(async |lie| lie)
        .collect()
        .await;
    assert!(lies.is_empty(), "{} lies: {:?}", lies.len(), lies.first());
}

/// Whoever asks again under his key is told of the same order.
pub async fn every_key_names_its_order(load: &Load, told: &[Told]) {
    let again: Vec<(&Told, Told)> = stream::iter(told.iter().step_by(ONE_IN))
        .map(async |told| (told, load.ask_until_told(told.number).await))
        .buffer_unordered(READERS)
        .collect()
        .await;
    for (told, again) in again {
        assert_eq!(told.order, again.order, "another order under one key");
    }
}

/// There are exactly the orders that clients were told of, each under one key.
pub async fn nothing_was_made_twice(client: &Client, told: &[Told]) {
    let orders: std::collections::BTreeSet<_> = told.iter().map(|told| &told.order).collect();
    assert_eq!(orders.len(), told.len(), "an order under two keys");
    let total = client.orders_in("").await;
    assert_eq!(total, told.len() as u64, "an order that no client knows");
}

/// Opening stock = what confirmed orders took + what is left, for each product.
pub async fn every_piece_is_accounted_for(client: &Client, load: &Load, told: &[Told]) {
    let statuses: Vec<(usize, String)> = stream::iter(told.iter().enumerate())
        .map(async |(index, told)| {
            let status = client.order(&told.order).await["status"].to_string();
            Ok::<_, String>((index, status))
        })
        .buffer_unordered(READERS)
        .try_collect()
        .await
        .expect("an order can be read");
    let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
    for (index, _) in statuses
        .iter()
        .filter(|(_, status)| status.contains("CONFIRMED"))
    {
        for (product, quantity) in &told[*index].lines {
            *sold.entry(product).or_default() += quantity;
        }
    }
    for product in &load.products {
        let expected = load.stock - sold.get(product.as_str()).unwrap_or(&0);
        // What a failed order gives back may still be on its way.
        eventually("every piece to be accounted for", async || {
            match client.stock(product).await {
                stock if stock == expected => Ok(()),
                stock => Err(format!("{stock} of {product} left, not {expected}")),
            }
        })
        .await;
    }
}

/// What each buyer had is what his confirmed order used and what is left, once what failed orders
/// give back has arrived.
pub async fn points_agree(client: &Client, told: &[Told]) {
    eventually(
        "the points of buyers to agree",
        async || match points_off(client, told).await {
            off if off.is_empty() => Ok(()),
            off => Err(format!("{} wallets: {:?}", off.len(), off.first())),
        },
    )
    .await;
}

/// Where what a buyer had is not what his confirmed order used and what is left.
async fn points_off(client: &Client, told: &[Told]) -> Vec<String> {
    stream::iter(told)
        .map(async |told| {
            let order = client.order(&told.order).await;
            let confirmed = order["status"] == "CONFIRMED";
            let used = order["pointsUsed"].as_i64().filter(|_| confirmed);
            let left = client.points(&buyer(told.number)).await;
            (left + used.unwrap_or_default() != POINTS)
                .then(|| format!("{left} left after {order}"))
        })
        .buffer_unordered(READERS)
        .filter_map(async |off| off)
        .collect()
        .await
}

/// `onhand audit` finds nothing off, and says what it looked at.
pub async fn audit_is_clean(system: &System) {
    let output = system.tool(&["audit"]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the audit:\n{said}\n{errors}");
    assert!(
        said.contains(|c: char| c.is_ascii_digit()),
        "the audit counts nothing:\n{said}"
    );
}
