//! How long an Onhand that was killed takes until what was in flight moves again: so many orders,
//! each with everything held and waiting for its payment.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use axum::http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::args::Setting;
use super::labels::whole;
use super::machine::Machine;
use super::many::for_each;
use super::scenario::Scenario;
use super::server::Server;
use super::session::{Session, write_json};
use super::shop::Shop;
use super::target::Target;

/// So many of the orders are paid afterwards, from the first to the last.
const PAID: usize = 200;

/// What was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Restarted {
    machine: Machine,
    orders: usize,
    /// From the start of the process until it says that it can work.
    ready_s: f64,
    /// Until those that are paid are confirmed.
    moving_s: f64,
}

/// Kills an Onhand with so many orders in flight, starts it again, and pays some of them.
pub(super) async fn run(mut session: Session, orders: usize) -> Result<ExitCode> {
    let mut setting = Setting::usual(Scenario::Hot, 1, session.args.times());
    setting.ground.store = session.args.store;
    let ground = setting.ground;
    let mut server = session.stop.block(move || Server::spawn(ground)).await?;
    let placed = match session.stop.or(server.ready()).await {
        Ok(targets) => session.stop.or(place(targets[0], setting, orders)).await,
        Err(fault) => Err(fault),
    };
    let placed = match placed {
        Ok(placed) => placed,
        Err(fault) => {
            let _ = server.stop().await;
            return Err(fault);
        }
    };
    let data = server.kill().await?;
    let began = Instant::now();
    let mut server = session.stop.block(move || Server::on(data)).await?;
    let moved = async {
        let target = server.ready().await?[0];
        let ready_s = began.elapsed().as_secs_f64();
        let every = (placed.len() / PAID).max(1);
        let some: Vec<&Value> = placed.iter().step_by(every).collect();
        pay(target, &some).await?;
        Ok((ready_s, began.elapsed().as_secs_f64()))
    };
    let moved = session.stop.clone().or(moved).await;
    session.end(server, moved.is_ok()).await?;
    let (ready_s, moving_s) = moved?;
    let restarted = Restarted {
        machine: Machine::look(Some(&std::env::temp_dir())),
        orders,
        ready_s,
        moving_s,
    };
    let orders = whole(super::figures::float(orders as u64));
    writeln!(
        std::io::stdout(),
        "{orders} orders in flight, killed and started: ready after {ready_s:.2} s, \
         those that were paid then confirmed after {moving_s:.2} s"
    )?;
    write_json(session.args.json.as_deref(), &restarted)?;
    for fault in &session.faults {
        eprintln!("{fault}");
    }
    Ok(if session.faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Places orders that wait for a payment made outside.
async fn place(target: Target, setting: Setting, orders: usize) -> Result<Vec<Value>> {
    let shop = Shop::open(target, setting.plan).await?;
    let body = json!({
        "buyerId": "u-1",
        "items": [{ "productId": shop.id(0), "quantity": 1 }],
        "payment": { "method": "external" },
    });
    let bodies = vec![body.to_string(); orders];
    for_each(target, &bodies, async |connection, body| {
        connection
            .json(Method::POST, "/orders", body, StatusCode::ACCEPTED)
            .await
    })
    .await
    .context("cannot place the orders")
}

/// Pays orders at the sandbox, and demands that they are confirmed.
async fn pay(target: Target, orders: &[&Value]) -> Result<()> {
    for_each(target, orders, async |connection, order| {
        let (id, due) = (&order["id"], &order["amountDue"]);
        let body = json!({ "merchantUid": id, "amount": due }).to_string();
        let paid = connection
            .json(
                Method::POST,
                "/sandbox/payments",
                &body,
                StatusCode::CREATED,
            )
            .await?;
        let path = format!("/orders/{}/payment", id.as_str().unwrap_or_default());
        let body = json!({ "impUid": paid["impUid"], "price": due });
        connection
            .json(Method::POST, &path, &body.to_string(), StatusCode::OK)
            .await
    })
    .await
    .context("an order that was in flight does not go on")?;
    Ok(())
}
