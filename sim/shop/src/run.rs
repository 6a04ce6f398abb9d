//! One run of the whole shop under a seed, on one thread and a clock of its own.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Once},
    time::Duration,
};

use tokio::{runtime::Builder, sync::watch, task::JoinSet, time::Instant};

use crate::{
    audit, customer::Customer, fault::Kind, keeper, plan::Plan, quiet, shop::Shop, striking,
    trace::Trace,
};

/// How long all customers may take: far longer than any of them should.
const VISITS_WAIT: Duration = Duration::from_mins(15);

thread_local! {
    /// What is known of panics on this thread.
    static PANIC: RefCell<Panics> = const { RefCell::new(Panics::OfNoRun) };
}

/// The panics of a run.
#[derive(Default)]
enum Panics {
    /// No run is under way on this thread.
    #[default]
    OfNoRun,
    /// There was none.
    None,
    /// The first.
    First(String),
}

/// What became of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many orders were placed.
    pub orders: u64,
    /// How often each kind of fault struck.
    pub faults: BTreeMap<Kind, u64>,
    /// How much virtual time passed, in ms.
    pub virtual_ms: u64,
    /// What was wrong, if anything.
    pub failure: Option<String>,
    /// What happened, where that was asked for.
    pub trace: Vec<String>,
}

impl Outcome {
    /// How often a process died.
    pub fn crashes(&self) -> u64 {
        self.faults.get(&Kind::Crash).copied().unwrap_or(0)
    }

    /// How often anything went wrong, crashes included.
    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }
}

/// Runs a plan.
pub fn run(plan: Plan, traced: bool) -> Outcome {
    remember_panics();
    PANIC.set(Panics::None);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime on one thread needs nothing");
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(whole(plan, traced))));
    let mut outcome = outcome.unwrap_or_default();
    // Whatever still waits is dropped with it, and may panic in vain.
    drop(runtime);
    if let Panics::First(panic) = PANIC.take() {
        outcome.failure.get_or_insert(panic);
    }
    outcome
}

async fn whole(plan: Plan, traced: bool) -> Outcome {
    let begun = Instant::now();
    let trace = Trace::new(traced);
    trace.line(|| format!("{plan:?}"));
    let plan = Arc::new(plan);
    let shop = Arc::new(Shop::new(&plan, &trace));
    let struck = striking::Struck::default();
    let ended = through(&shop, &plan, &struck).await;
    if let Err(why) = &ended {
        trace.line(|| format!("WRONG   {why}"));
    }
    let orders = shop.spec().orders().count();
    let faults = struck.lock().expect("no panic while it is locked").clone();
    Outcome {
        orders: u64::try_from(orders).unwrap_or(u64::MAX),
        faults,
        virtual_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        failure: ended.err(),
        trace: trace.take(),
    }
}

async fn through(
    shop: &Arc<Shop>,
    plan: &Arc<Plan>,
    struck: &striking::Struck,
) -> Result<(), String> {
    shop.start_all();
    let shelves = keeper::open(shop, plan).await;
    let faults = tokio::spawn(striking::strike_all(
        Arc::clone(shop),
        plan.faults.clone(),
        Arc::clone(struck),
    ));
    let (close, closing) = watch::channel(false);
    let keeper = keeper::keep(Arc::clone(shop), Arc::clone(plan), shelves.clone(), closing);
    let keeper = tokio::spawn(keeper);
    let mut visits = JoinSet::new();
    for number in 0..plan.customers {
        visits.spawn(Customer::new(shop, plan, &shelves, number).visit());
    }
    let visited = async {
        while let Some(visit) = visits.join_next().await {
            visit.map_err(|error| format!("a customer broke off: {error}"))?;
            if let Some(trouble) = shop.spec().trouble() {
                return Err(trouble.to_owned());
            }
        }
        Ok(())
    };
    tokio::time::timeout(VISITS_WAIT, visited)
        .await
        .map_err(|_| "customers still wait".to_owned())??;
    close.send_replace(true);
    let joined = |error: tokio::task::JoinError| error.to_string();
    faults.await.map_err(joined)?;
    keeper.await.map_err(joined)?;
    striking::mend_all(shop);
    quiet::rest(shop).await?;
    if quiet::replay(shop).await? {
        quiet::rest(shop).await?;
    }
    audit::check(shop)?;
    quiet::close(shop).await?;
    match shop.spec().trouble() {
        Some(trouble) => Err(trouble.to_owned()),
        None => Ok(()),
    }
}

/// Keeps the first panic of each run, wherever it is caught, and shows those of no run.
fn remember_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let of_a_run = PANIC.try_with(|kept| match kept.try_borrow_mut().as_deref_mut() {
                Ok(first @ Panics::None) => {
                    *first = Panics::First(format!("a panic: {panic}"));
                    true
                }
                Ok(Panics::First(_)) => true,
                Ok(Panics::OfNoRun) | Err(_) => false,
            });
            if !of_a_run.unwrap_or(false) {
                before(panic);
            }
        }));
    });
}
