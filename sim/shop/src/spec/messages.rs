//! Messages, by hand: what leaves a process is committed, and what lies behind a position is
//! decided.

use std::collections::BTreeMap;

use messages::{
    EntityId, Origin, Partition, Refusal, RequestId, Service, Subject, Timestamp, envelope, event,
    order, point, product, wire,
};
use node::bus::Outbound;

use super::Spec;

/// What a partition was sent, and how far it is decided.
#[derive(Default)]
pub(crate) struct Inbox {
    position: u64,
    sent: BTreeMap<u64, (Timestamp, Vec<Sent>)>,
}

/// A command that can be told to be decided.
struct Sent {
    entity: EntityId,
    request: RequestId,
    origin: Origin,
    /// How much it is to take; a release, where it takes nothing.
    takes: Option<i64>,
    /// How many changes its entity had when it was sent.
    since: usize,
}

impl Spec {
    /// The broker took a message.
    pub(crate) fn sent(&mut self, message: &Outbound, sequence: u64, at: Timestamp) {
        if message.subject.starts_with("event.") {
            for id in event::ids(&message.payload) {
                if !self.is_told(&id) {
                    self.wrong(|| format!("event {id} is told before its row is committed"));
                }
            }
            return;
        }
        let Ok(subject) = message.subject.parse::<Subject>() else {
            return;
        };
        let (service, partition) = (subject.service(), subject.partition());
        match subject {
            Subject::Command(..) => {
                let sent = self.commands(service, &message.payload);
                let inbox = self.inboxes.entry((service, partition)).or_default();
                inbox.sent.insert(sequence, (at, sent));
            }
            Subject::Reply(..) => self.replies(&message.payload),
            Subject::Dead(..) => {
                self.aside.insert(message.id.clone());
            }
            Subject::Ask(..) => {}
        }
    }

    /// A dead letter is sent again.
    pub(crate) fn replayed(&mut self, id: &str) {
        self.aside.remove(id);
    }

    /// Whether word of a request was put aside, and the broker lost that: nobody can know of it but
    /// by an audit.
    pub(crate) fn is_lost(&self, request: &RequestId) -> bool {
        // `dead/<stream>/<sequence>/<request>/<entity>`
        let of = |id: &str| id.split('/').nth(3) == Some(request.as_str());
        self.aside.iter().any(|id| of(id))
    }

    /// Whether this may have been taken by a copy that another owner of the order sent. The first
    /// owner trusts the refusal of the only copy that he knows of; the lock that is broken here is
    /// what keeps this away, and an audit finds it where the answer to the second copy is lost too.
    pub(crate) fn may_be_anothers(
        &self,
        service: Service,
        entity: &EntityId,
        request: &RequestId,
    ) -> bool {
        let reserve = (service, entity.clone(), request.clone());
        self.copies.get(&reserve).is_some_and(|copies| *copies > 1)
            && !self.accepted.contains(&reserve)
    }

    /// A service's stream has lost messages: its sequences are given out again.
    pub(crate) fn lost(&mut self, service: Service) {
        if service == Service::Order {
            self.accepted.clear();
        }
        let inboxes = self.inboxes.iter_mut();
        for (_, inbox) in inboxes.filter(|((of, _), _)| *of == service) {
            *inbox = Inbox::default();
        }
    }

    /// A position is committed: everything up to it is decided.
    pub(crate) fn passed(
        &mut self,
        service: Service,
        partition: Partition,
        sequence: u64,
        at: Timestamp,
    ) -> Result<(), String> {
        let Some(inbox) = self.inboxes.get_mut(&(service, partition)) else {
            return Ok(());
        };
        // Of a stream that was lost meanwhile: whoever reads on sees that this is another message.
        if inbox
            .sent
            .get(&sequence)
            .is_none_or(|(sent, _)| *sent != at)
        {
            return Ok(());
        }
        let behind = inbox.position.min(sequence);
        inbox.position = sequence;
        if behind == sequence {
            return Ok(());
        }
        let inbox = &self.inboxes[&(service, partition)];
        let decided = inbox.sent.range(behind + 1..=sequence);
        for sent in decided.flat_map(|(_, (_, sent))| sent) {
            if !self.allowed.put_aside && !self.is_decided(service, sent) {
                return Err(format!(
                    "the position of {service} {partition} is behind {} for {}, which is not decided",
                    sent.request, sent.entity
                ));
            }
        }
        Ok(())
    }

    fn is_decided(&self, service: Service, sent: &Sent) -> bool {
        let Some(account) = self.account(service, &sent.entity) else {
            return service != Service::Point || sent.takes.is_some();
        };
        let deed = |request: &RequestId| account.deeds.get(&(sent.origin, request.clone()));
        match sent.takes {
            Some(amount) => {
                // Refused, where that could be: nothing is kept of it.
                let since = sent.since.saturating_sub(1).min(account.versions.len());
                let short = |v: &super::account::Version| v.holding < amount || !v.on_sale;
                // A wallet that nobody had charged yet had nothing.
                sent.since == 0
                    || deed(&sent.request).is_some()
                    || account.versions[since..].iter().any(short)
            }
            None => sent
                .request
                .counterpart()
                .and_then(|reserve| deed(&reserve))
                .is_some_and(|deed| deed.back || !deed.taken),
        }
    }

    fn commands(&mut self, service: Service, payload: &[u8]) -> Vec<Sent> {
        let mut all = Vec::new();
        for piece in wire::split(payload).into_iter().flatten() {
            let sent = match service {
                Service::Product => envelope::decode::<product::Command>(piece).ok().map(|e| {
                    let takes = match &e.body {
                        product::Command::Reserve(reserve) => Some(reserve.quantity.get().into()),
                        _ => None,
                    };
                    (e.entity, e.request_id, e.origin, e.source, takes)
                }),
                Service::Point => envelope::decode::<point::Command>(piece).ok().map(|e| {
                    let takes = match &e.body {
                        point::Command::Use(using) => Some(using.amount.get()),
                        _ => None,
                    };
                    (e.entity, e.request_id, e.origin, e.source, takes)
                }),
                Service::Order | Service::Coupon | Service::Payment => None,
            };
            let Some((entity, request, origin, source, takes)) = sent else {
                continue;
            };
            let known = source.as_ref().and_then(|order| self.order(order));
            if known.is_none() {
                self.wrong(|| format!("{request} leaves an order that is not committed"));
            }
            if self.allowed.sent_by_two && takes.is_some() {
                let reserve = (service, entity.clone(), request.clone());
                *self.copies.entry(reserve).or_default() += 1;
            }
            let since = self.version(service, &entity);
            all.push(Sent {
                entity,
                request,
                origin,
                takes,
                since,
            });
        }
        all
    }

    fn replies(&mut self, payload: &[u8]) {
        for piece in wire::split(payload).into_iter().flatten() {
            let Ok(reply) = envelope::decode::<order::Command>(piece) else {
                self.wrong(|| "a reply that no order can read".into());
                continue;
            };
            let (Some(source), request) = (reply.source, reply.request_id) else {
                continue;
            };
            if let Some(why) = self.unfounded(&source, &request, &reply.body) {
                self.wrong(|| format!("{source} answers {request}: {why}"));
            }
            if !self.allowed.sent_by_two {
                continue;
            }
            let taken = match &reply.body {
                order::Command::Product(Ok(product::Reply::Reserved(_))) => Service::Product,
                order::Command::Point(Ok(point::Reply::Used(_))) => Service::Point,
                _ => continue,
            };
            self.accepted.insert((taken, source, request));
        }
    }

    /// Why an answer does not rest on what is committed.
    fn unfounded(
        &self,
        source: &EntityId,
        request: &RequestId,
        answer: &order::Command,
    ) -> Option<String> {
        let taken = |service| {
            let deed = self.deed(service, source, Origin::Saga, request);
            let is = deed.is_some_and(|deed| deed.taken);
            (!is).then(|| format!("taken, and the ledger has {deed:?}"))
        };
        let back = |service| {
            let reserve = request.counterpart()?;
            let deed = self.deed(service, source, Origin::Saga, &reserve);
            let is = deed.is_none_or(|deed| deed.back || !deed.taken);
            (!is).then(|| format!("given back, and the ledger has {deed:?}"))
        };
        let left = |service, available| {
            let was = self.was_left(service, source, 0, available);
            (!was).then(|| format!("{available} left, which was never so"))
        };
        match answer {
            order::Command::Product(Ok(product::Reply::Reserved(_))) => taken(Service::Product),
            order::Command::Product(Ok(product::Reply::Released(_))) => back(Service::Product),
            order::Command::Product(Err(Refusal::InsufficientStock { available, .. })) => {
                left(Service::Product, *available)
            }
            order::Command::Point(Ok(point::Reply::Used(_))) => taken(Service::Point),
            order::Command::Point(Ok(point::Reply::Refunded(_))) => back(Service::Point),
            order::Command::Point(Err(Refusal::InsufficientPoints { available, .. })) => {
                left(Service::Point, *available)
            }
            order::Command::Coupon(Ok(messages::coupon::Reply::Used(_))) => taken(Service::Coupon),
            order::Command::Coupon(Ok(messages::coupon::Reply::Restored)) => back(Service::Coupon),
            order::Command::Payment(Ok(messages::payment::Reply::Authorised(_))) => {
                taken(Service::Payment)
            }
            order::Command::Payment(Ok(messages::payment::Reply::Cancelled(_))) => {
                back(Service::Payment)
            }
            _ => None,
        }
    }

    /// Whether the ledger row of an event, `{service}-{partition}-{number}`, is committed.
    fn is_told(&self, id: &str) -> bool {
        let mut parts = id.split('-');
        let row = (|| {
            let service: Service = parts.next()?.parse().ok()?;
            let partition: u16 = parts.next()?.parse().ok()?;
            let number: i64 = parts.next()?.parse().ok()?;
            Some((service, Partition(partition), number))
        })();
        row.is_some_and(|(service, partition, number)| {
            let last = self.numbers.get(&(service, partition));
            last.is_some_and(|last| number <= *last)
        })
    }
}
