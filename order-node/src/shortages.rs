//! Which products ran short lately: they are asked once more before an order of theirs is written.
//!
//! In a sale most orders come too late, and each would be written, sent, refused and written again.
//! So an order of a product that refused another lately waits at the door until that product has
//! said how many pieces are left, once for all who wait; where that is too few, it is turned away
//! in one commit and nothing is sent. The note only says whom to ask. The refusal is the product's
//! own word, asked for after the order had come, and durable as all its answers are.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use messages::{
    ProductId, Refusal, RequestId, Service as Name,
    order::{Item, Reply, Shortage},
    product,
};
use node::host::Service;
use tokio::{sync::oneshot, time::timeout};

use crate::order::Order;

/// How many products are noted at most. One that is forgotten costs an order the usual way.
const NOTED_MAX: usize = 10_000;
/// How long a product may take to answer before its orders go the usual way.
const PATIENCE: Duration = Duration::from_millis(500);

/// The products that ran short, and who waits for what they say now.
#[derive(Clone)]
pub struct Shortages {
    service: Service<Order>,
    noted: Arc<Mutex<HashMap<ProductId, Noted>>>,
}

/// A product that ran short.
#[derive(Default)]
struct Noted {
    /// Who came since it was last asked: an answer counts for those who came before the question.
    waiting: Vec<Waiting>,
    /// Whether somebody asks it for all who wait.
    asked: bool,
}

/// An order at the door.
struct Waiting {
    /// How many pieces it wants.
    quantity: i64,
    /// Takes how many are left where that is too few; dropped where the order may go on.
    short: oneshot::Sender<i64>,
}

impl Shortages {
    /// Nothing is noted yet; products are asked through this service's process.
    pub fn new(service: Service<Order>) -> Self {
        Self {
            service,
            noted: Arc::default(),
        }
    }

    /// Notes what an order failed of.
    pub fn heard(&self, reply: &Reply) {
        if let Some(Refusal::InsufficientStock { .. }) = reply.refusal {
            // A line whose pieces were taken has a name.
            let short = reply.order.items.iter().filter(|line| line.name.is_none());
            self.note(short.map(|line| line.product_id));
        }
    }

    /// Notes products that ran short.
    pub fn note(&self, products: impl IntoIterator<Item = ProductId>) {
        let mut noted = self.lock();
        if noted.len() >= NOTED_MAX {
            noted.retain(|_, product| product.asked);
        }
        let room = NOTED_MAX.saturating_sub(noted.len());
        for product in products.into_iter().take(room) {
            noted.entry(product).or_default();
        }
    }

    /// The first line whose product has not enough left for it now, of those that ran short lately.
    pub async fn of(&self, items: &[Item]) -> Option<Shortage> {
        let mut first = None;
        for (product_id, short) in self.ask(items) {
            // Who came too late for one question waits for the next; after that nobody asks any more.
            if let Ok(Ok(available)) = timeout(3 * PATIENCE, short).await {
                first.get_or_insert(Shortage {
                    product_id,
                    available,
                });
            }
        }
        first
    }

    /// Has those products asked that are noted.
    fn ask(&self, items: &[Item]) -> Vec<(ProductId, oneshot::Receiver<i64>)> {
        let mut noted = self.lock();
        let mut asked = Vec::new();
        for item in items {
            let Some(product) = noted.get_mut(&item.product_id) else {
                continue;
            };
            let (sender, receiver) = oneshot::channel();
            product.waiting.push(Waiting {
                quantity: item.quantity.get().into(),
                short: sender,
            });
            asked.push((item.product_id, receiver));
            if !std::mem::replace(&mut product.asked, true) {
                tokio::spawn(self.clone().ask_for_all(item.product_id));
            }
        }
        asked
    }

    /// Asks a product as long as it is short for somebody who waits.
    async fn ask_for_all(self, product: ProductId) {
        while let Some(waiting) = self.who_waits(product) {
            // Who does not answer is asked the usual way.
            let left = self.left(product).await.unwrap_or(i64::MAX);
            let (short, enough): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|one| one.quantity > left);
            drop(enough);
            if short.is_empty() {
                // Who has come meanwhile goes the usual way too.
                self.lock().remove(&product);
                return;
            }
            for one in short {
                // A client that is gone waits no more.
                let _ = one.short.send(left);
            }
        }
    }

    /// Who has come since the product was asked; `None` where it need not be asked again.
    fn who_waits(&self, product: ProductId) -> Option<Vec<Waiting>> {
        let mut noted = self.lock();
        let product = noted.get_mut(&product)?;
        product.asked = !product.waiting.is_empty();
        product.asked.then(|| std::mem::take(&mut product.waiting))
    }

    /// How many pieces are left; `None` where the product does not say so in time, or cannot be
    /// ordered at all.
    async fn left(&self, product: ProductId) -> Option<i64> {
        let (look, product) = (RequestId::from("LEFT"), product.entity());
        let get = product::Command::Get;
        let answer = self
            .service
            .ask_elsewhere(Name::Product, product, look, get, None);
        let answer: product::Answer = timeout(PATIENCE, answer).await.ok()?.ok()?;
        match answer {
            Ok(product::Reply::Product(product)) if product.status == product::Status::Active => {
                Some(product.stock)
            }
            // What is the matter with it, it says to the order.
            Ok(_) | Err(_) => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProductId, Noted>> {
        self.noted
            .lock()
            .expect("no panic while the notes are locked")
    }
}
