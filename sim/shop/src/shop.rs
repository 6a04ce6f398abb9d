//! The whole shop of a run: every service as it is shipped, on a broker and databases in memory.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use coupon_node::campaign::Campaign;
use messages::{Service, Timestamp};
use order_node::order::Order;
use payment_node::{Handler, payment::Payment};
use point_node::wallet::Wallet;
use product_node::product::Product;
use sim::{Broker, Chance, Stage};

use crate::{
    bank::Bank,
    fault::Kind,
    nodes::{Hurt, Nodes},
    plan::Plan,
    spec::{Allowed, Spec},
    trace::Trace,
};

/// How long the gateway may take to answer.
const GATEWAY_WAIT: Duration = Duration::from_millis(700);
/// For how long the gateway is looked through for what nobody is to pay.
const GRACE: Duration = Duration::from_secs(5);

/// Everything that a run consists of.
pub(crate) struct Shop {
    pub(crate) stage: Arc<Stage>,
    pub(crate) orders: Nodes<Order>,
    pub(crate) products: Nodes<Product>,
    pub(crate) points: Nodes<Wallet>,
    pub(crate) coupons: Nodes<Campaign>,
    pub(crate) payments: Nodes<Payment>,
    pub(crate) bank: Bank,
    pub(crate) trace: Trace,
    spec: Arc<Mutex<Spec>>,
}

impl Shop {
    /// A shop whose processes are not started yet.
    pub(crate) fn new(plan: &Plan, trace: &Trace) -> Self {
        let stage = Arc::new(Stage::new(plan.seed, plan.partitions));
        let bank = Bank::new(plan.seed);
        let [orders, products, points, coupons, payments] = plan.processes;
        let limits = &plan.limits;
        let gateway = bank.clone();
        let shop = Self {
            orders: Nodes::new(&stage, orders, limits, |_, service| service),
            products: Nodes::new(&stage, products, limits, |_, service| service),
            points: Nodes::new(&stage, points, limits, |_, service| service),
            coupons: Nodes::new(&stage, coupons, limits, |_, service| service),
            payments: Nodes::new(&stage, payments, limits, move |machine, service| {
                let (gateway, clock) = (Arc::new(gateway.clone()), Arc::clone(&machine.clock));
                let handler = Handler::new(gateway, clock, GATEWAY_WAIT, GRACE);
                service.calling(Arc::new(handler))
            }),
            stage,
            bank,
            trace: trace.clone(),
            spec: Arc::default(),
        };
        let strikes = |kind| plan.faults.iter().any(|(_, fault)| fault.kind == kind);
        let mut faults = plan.faults.iter().map(|(_, fault)| fault);
        let sent_by_two =
            faults.any(|it| it.kind == Kind::TwoOwners && it.struck() == Service::Order);
        shop.spec().allowed = Allowed {
            put_aside: strikes(Kind::RefusedCommits) || strikes(Kind::TwoOwners),
            outdated: strikes(Kind::TwoOwners),
            sent_by_two,
        };
        shop.watch();
        shop.take_time(plan);
        shop
    }

    /// The services, each with the name that it is hurt by.
    pub(crate) fn service(&self, service: Service) -> &dyn Hurt {
        match service {
            Service::Order => &self.orders,
            Service::Product => &self.products,
            Service::Point => &self.points,
            Service::Coupon => &self.coupons,
            Service::Payment => &self.payments,
        }
    }

    /// What time it is to the broker.
    pub(crate) fn now(&self) -> Timestamp {
        self.stage.clock.now()
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.stage.broker
    }

    pub(crate) fn spec(&self) -> MutexGuard<'_, Spec> {
        self.spec.lock().expect("no panic while it is locked")
    }

    /// Starts every process that does not run.
    pub(crate) fn start_all(&self) {
        for service in Service::ALL {
            let nodes = self.service(service);
            (0..nodes.processes()).for_each(|process| nodes.start(process));
        }
    }

    /// Has the second book told of all that is committed and said.
    fn watch(&self) {
        for service in Service::ALL {
            let (spec, trace) = (Arc::clone(&self.spec), self.trace.clone());
            self.service(service).database().observe(move |batch| {
                for row in &batch.ledger {
                    trace.line(|| {
                        let moved = row.amount.map(|n| format!(" {n:+}")).unwrap_or_default();
                        let left = row
                            .balance
                            .map(|n| format!(", {n} left"))
                            .unwrap_or_default();
                        format!(
                            "{service:<7} {}-{} {} v{} {} {}{moved}{left}",
                            row.partition,
                            row.number,
                            row.entity,
                            row.version,
                            row.kind,
                            row.request_id
                        )
                    });
                }
                for write in &batch.positions {
                    trace.line(|| {
                        let (of, at, number) =
                            (write.partition, write.position.sequence, write.number);
                        format!("{service:<7} {} {of} at {at} ({number})", write.mark.name())
                    });
                }
                let mut spec = spec.lock().expect("no panic while it is locked");
                spec.committed(service, batch);
            });
        }
        let (spec, trace) = (Arc::clone(&self.spec), self.trace.clone());
        let clock = Arc::clone(&self.stage.clock);
        self.broker().observe(move |message, sequence| {
            trace.line(|| format!("broker  {} {sequence} {}", message.subject, message.id));
            let mut spec = spec.lock().expect("no panic while it is locked");
            spec.sent(message, sequence, clock.now());
        });
    }

    fn take_time(&self, plan: &Plan) {
        let (seed, most) = (plan.seed, plan.latency_ms);
        let chance = Chance::new(seed, "latency", 0);
        self.broker()
            .take_time(move || Duration::from_millis(chance.between(1, most)));
        self.broker().remember_ids(plan.window_ms);
        for (service, n) in Service::ALL.into_iter().zip(0..) {
            let (chance, most) = (Chance::new(seed, "commits", n), plan.commit_ms);
            let disk = self.service(service).database();
            disk.take_time(move || Duration::from_millis(chance.between(1, most)));
        }
    }
}
