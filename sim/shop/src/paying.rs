//! A customer who pays outside: at the gateway, under the order's id, and then tells the order.

use messages::{
    Money, Refusal, RequestId, Service,
    order::{Command, Pay, Reply, View},
    payment::{self, Reject},
};
use tokio::time::{Duration, sleep, timeout};

use crate::{asking, customer::Customer};

/// How often he says it: he has paid.
const UNTIL_ANSWERED: u64 = 100_000;
/// How long he waits for the answer to one question.
const PATIENCE: Duration = Duration::from_secs(9);

/// Pays what an order waits for, or too much, or nothing at all; and says so until he is heard.
pub(crate) async fn pay(customer: &mut Customer, view: &View) -> Option<View> {
    let due = view.amount_due?;
    let shop = std::sync::Arc::clone(&customer.shop);
    let (uid, chance) = (view.id.to_string(), &customer.chance);
    let (imp_uid, price) = match chance.below(10) {
        0 => ("imp_unknown".to_owned(), due),
        1 => {
            let more = due.plus(Money::new(5)?)?;
            (shop.bank.pay(&uid, more), due)
        }
        2 => return None,
        _ => (shop.bank.pay(&uid, due), due),
    };
    shop.trace.line(|| format!("bank    {imp_uid} pays {uid}"));
    let order = view.id.entity();
    let key = customer.key();
    let pay = Command::Pay(Pay {
        imp_uid: imp_uid.clone(),
        price,
        deadline_ms: customer.plan.deadline_ms,
    });
    let ask = asking::of(&order, pay, Some(&format!("pay {key}")));
    let since = shop.spec().order_version(&order);
    let told = asking::often(&shop.orders, &customer.chance, &ask, UNTIL_ANSWERED).await?;
    match told {
        Ok(Reply { order: view, .. }) => {
            let mut spec = shop.spec();
            if !spec.order_was(&order, since, view.status, view.cancelling, view.updated_at) {
                spec.wrong(|| {
                    format!("the payer of {order} was told {view:?}, which was never so")
                });
            }
            Some(view)
        }
        Err(Refusal::InvalidState { .. }) => {
            reject(customer, view, &imp_uid).await;
            None
        }
        Err(refusal) => {
            let mut spec = shop.spec();
            spec.wrong(|| format!("the payer of {order} was told {refusal:?}"));
            None
        }
    }
}

/// What the edge does with a payment that no order takes: it has it given back before it answers,
/// and who has no answer says it again.
async fn reject(customer: &Customer, view: &View, imp_uid: &str) {
    let request_id = RequestId::from(format!("reject {imp_uid}"));
    let command = payment::Command::Reject(Reject {
        order_id: view.id,
        imp_uid: imp_uid.to_owned(),
    });
    loop {
        let found = customer.shop.orders.any(&customer.chance);
        if let Some((service, life)) = found {
            let asked = service.ask_elsewhere::<payment::Answer>(
                Service::Payment,
                view.id.entity(),
                request_id.clone(),
                command.clone(),
                None,
            );
            let answered = timeout(PATIENCE, asked);
            let answer = tokio::select! {
                biased;
                () = life.over() => None,
                answer = answered => answer.ok().and_then(Result::ok),
            };
            if answer.is_some() {
                return;
            }
        }
        sleep(Duration::from_millis(200)).await;
    }
}
