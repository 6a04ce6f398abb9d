//! The end of a run: everything comes to rest, and then the books must agree.
//!
//! At rest every order is final and owes nothing, every message is decided, every event is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use messages::{Partition, Service, event, subject};
use node::{
    bus::{Outbound, publish},
    store::Mark,
};
use tokio::time::{Instant, sleep};

use crate::shop::Shop;

/// How long everything may take to come to rest: far longer than any deadline and pause.
const REST_WAIT: Duration = Duration::from_mins(3);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Waits until the shop is at rest, or says what is not.
pub(crate) async fn rest(shop: &Shop) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        sleep(LOOK).await;
        if let Some(trouble) = shop.spec().trouble() {
            return Err(trouble.to_owned());
        }
        match unrest(shop) {
            None => return Ok(()),
            Some(what) if begun.elapsed() > REST_WAIT => return Err(format!("no rest: {what}")),
            Some(_) => {}
        }
    }
}

/// The first thing that is not at rest.
fn unrest(shop: &Shop) -> Option<String> {
    for service in Service::ALL {
        let owing = shop.service(service).database().read(|tables| {
            let mut states = tables.states.iter();
            let owing = states.find(|(_, kept)| kept.owing);
            owing.map(|(id, kept)| format!("{service} {id} owes: {:?}", kept.row))
        });
        if owing.is_some() {
            return owing;
        }
    }
    let pending = shop.spec().orders().find_map(|(id, book)| {
        let stand = book.stand()?;
        let rests = stand.status != messages::order::Status::Pending && !stand.cancelling;
        (!rests).then(|| format!("order {id} is {stand:?}"))
    });
    pending.or_else(|| unread(shop)).or_else(|| untold(shop))
}

/// A message that no position is behind.
fn unread(shop: &Shop) -> Option<String> {
    for service in Service::ALL {
        let mut last = BTreeMap::<Partition, u64>::new();
        shop.broker().read(service.inbox(), |message| {
            if let Ok(subject) = message.subject.parse::<messages::Subject>() {
                last.insert(subject.partition(), message.sequence);
            }
        });
        let behind = shop.service(service).database().read(|tables| {
            last.into_iter().find(|(partition, last)| {
                let position = tables.positions.get(&(Mark::Inbox, *partition));
                position.is_none_or(|(position, _)| position.sequence < *last)
            })
        });
        if let Some((partition, last)) = behind {
            return Some(format!("{service} {partition} has not come to {last}"));
        }
    }
    None
}

/// An event that the stream does not have.
fn untold(shop: &Shop) -> Option<String> {
    let mut told = BTreeSet::new();
    shop.broker().read(subject::EVENTS.0, |message| {
        told.extend(event::ids(&message.payload));
    });
    let spec = shop.spec();
    let missing = spec.events().find(|id| !told.contains(*id));
    missing.map(|id| format!("event {id} is not told"))
}

/// Sends what was put aside again, as an operator does once the database takes everything; says
/// whether there was something.
pub(crate) async fn replay(shop: &Shop) -> Result<bool, String> {
    if !shop.spec().allowed.put_aside {
        return Ok(false);
    }
    let letters = shop.broker().messages(subject::DEAD.0);
    let client = shop.broker().client(&Arc::default());
    for letter in &letters {
        let header = |name| letter.headers.iter().find(|(known, _)| known == name);
        let (Some((_, origin)), Some((_, id))) = (header("Onhand-Subject"), header("Nats-Msg-Id"))
        else {
            return Err(format!("a dead letter of nobody: {:?}", letter.headers));
        };
        let message = Outbound {
            subject: origin.clone(),
            id: format!("replay/{}", letter.sequence),
            headers: Vec::new(),
            payload: letter.payload.clone(),
        };
        let sent = publish(&*client, message).await;
        sent.map_err(|error| format!("a dead letter is not sent again: {error}"))?;
        shop.spec().replayed(id);
    }
    Ok(!letters.is_empty())
}

/// Stops every process in order, and says what is left over.
pub(crate) async fn close(shop: &Shop) -> Result<(), String> {
    let dead = shop.broker().messages(subject::DEAD.0);
    if let (Some(letter), false) = (dead.first(), shop.spec().allowed.put_aside) {
        return Err(format!("a dead letter: {:?}", letter.headers));
    }
    for service in Service::ALL {
        let nodes = shop.service(service);
        for process in 0..nodes.processes() {
            nodes.stop(process).await;
        }
    }
    Ok(())
}
