//! How faults strike, and how what they did is mended.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use messages::{Service, subject};
use sim::{Chance, Fate, Verdict};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    fault::{Fault, Kind},
    shop::Shop,
};

/// After how long without a word a database ends a connection.
const FORGOTTEN_AFTER: Duration = Duration::from_millis(1_200);

/// How old at most, in ms, are the events that a broker loses with its power: it syncs its disk more
/// often than readers go back.
const UNSYNCED_MS: i64 = 2_500;

/// How often each kind of fault has struck.
pub(crate) type Struck = Arc<Mutex<BTreeMap<Kind, u64>>>;

/// Strikes with every fault when its time has come, and returns when the last is mended.
pub(crate) async fn strike_all(shop: Arc<Shop>, faults: Vec<(u64, Fault)>, struck: Struck) {
    let begun = Instant::now();
    let mut under_way = tokio::task::JoinSet::new();
    for (number, (at, fault)) in (0..).zip(faults) {
        sleep_until(begun + Duration::from_millis(at)).await;
        let shop = Arc::clone(&shop);
        shop.trace.line(|| format!("FAULT   {number} {fault:?}"));
        *struck
            .lock()
            .expect("no panic while it is locked")
            .entry(fault.kind)
            .or_default() += 1;
        under_way.spawn(async move {
            strike(&shop, fault, number).await;
            shop.trace
                .line(|| format!("MENDED  {number} {:?}", fault.kind));
        });
    }
    while under_way.join_next().await.is_some() {}
}

/// Mends everything that may still be hurt.
pub(crate) fn mend_all(shop: &Shop) {
    let broker = shop.broker();
    broker.be_kind();
    broker
        .stream_names()
        .for_each(|stream| broker.let_go(stream));
    shop.bank.lose(0);
    for service in Service::ALL {
        let nodes = shop.service(service);
        let disk = nodes.database();
        disk.judge(|_| Verdict::Write);
        disk.let_commits_go();
        disk.let_lookups_go();
        disk.be_away(false);
        for process in 0..nodes.processes() {
            if let Some(machine) = nodes.machine(process) {
                machine.life.go_on();
                machine.clock.jump(0);
            }
        }
    }
    shop.start_all();
}

async fn strike(shop: &Shop, fault: Fault, number: u64) {
    let lasts = Duration::from_millis(fault.lasts_ms);
    match fault.kind {
        Kind::Crash
        | Kind::Pause
        | Kind::Restart
        | Kind::ClockJump
        | Kind::Partition
        | Kind::Silence
        | Kind::LostLock
        | Kind::TwoOwners => strike_process(shop, fault, lasts).await,
        Kind::SlowCommits
        | Kind::BrokenCommits
        | Kind::RefusedCommits
        | Kind::HungCommits
        | Kind::SlowLookups
        | Kind::DatabaseAway => strike_database(shop, fault, lasts, number).await,
        Kind::GatewayTrouble => {
            shop.bank.lose(fault.amount);
            sleep(lasts).await;
            shop.bank.lose(0);
        }
        _ => strike_broker(shop, fault, lasts, number).await,
    }
}

async fn strike_process(shop: &Shop, fault: Fault, lasts: Duration) {
    let nodes = shop.service(fault.struck());
    let Some(machine) = nodes.machine(fault.process) else {
        return;
    };
    match fault.kind {
        Kind::Crash => {
            machine.life.end_after(fault.amount);
            // One that has nothing to say dies all the same.
            tokio::select! {
                biased;
                () = machine.life.over() => {}
                () = sleep(lasts) => machine.life.end(),
            }
            sleep(lasts).await;
            nodes.start(fault.process);
        }
        Kind::Restart => {
            nodes.stop(fault.process).await;
            sleep(lasts).await;
            nodes.start(fault.process);
        }
        Kind::Pause => {
            machine.life.stop();
            sleep(lasts.min(FORGOTTEN_AFTER)).await;
            if lasts > FORGOTTEN_AFTER {
                machine.access.be_forgotten();
                sleep(lasts.saturating_sub(FORGOTTEN_AFTER)).await;
            }
            machine.life.go_on();
        }
        Kind::ClockJump => {
            let ahead = i64::try_from(fault.amount).unwrap_or(0) - 3_000;
            machine.clock.jump(ahead);
            sleep(lasts).await;
            machine.clock.jump(0);
        }
        Kind::Partition => {
            machine.client.disconnect();
            sleep(lasts).await;
            machine.client.reconnect();
        }
        Kind::Silence => {
            machine.client.fall_silent();
            sleep(lasts).await;
            machine.client.reconnect();
        }
        Kind::TwoOwners => {
            machine.access.be_doubted();
            nodes.start_beside(fault.process);
            sleep(lasts).await;
            machine.life.end();
        }
        _ => machine.access.be_forgotten(),
    }
}

async fn strike_database(shop: &Shop, fault: Fault, lasts: Duration, number: u64) {
    let disk = shop.service(fault.struck()).database();
    match fault.kind {
        Kind::SlowCommits => {
            disk.hold_commits();
            sleep(lasts).await;
            disk.let_commits_go();
        }
        Kind::SlowLookups => {
            disk.hold_lookups();
            sleep(lasts).await;
            disk.let_lookups_go();
        }
        Kind::DatabaseAway => {
            disk.be_away(true);
            sleep(lasts).await;
            disk.be_away(false);
        }
        kind => {
            let chance = Chance::new(number, "verdicts", fault.amount);
            let mut left = fault.amount;
            disk.judge(move |_| {
                if left == 0 || !chance.percent(50) {
                    return Verdict::Write;
                }
                left -= 1;
                match (kind, chance.percent(50)) {
                    (Kind::RefusedCommits, _) => Verdict::Refuse,
                    (Kind::BrokenCommits, true) => Verdict::BreakBefore,
                    (Kind::BrokenCommits, false) => Verdict::BreakAfter,
                    (_, true) => Verdict::HangBefore,
                    (_, false) => Verdict::HangAfter,
                }
            });
            sleep(lasts).await;
            disk.judge(|_| Verdict::Write);
        }
    }
}

async fn strike_broker(shop: &Shop, fault: Fault, lasts: Duration, number: u64) {
    let broker = shop.broker();
    let stream = fault.struck().inbox();
    let messages = usize::try_from(fault.amount).unwrap_or(0);
    match fault.kind {
        Kind::BrokerRestart | Kind::TailLoss | Kind::BrokerLoss => {
            let synced = shop.now().plus_millis(-UNSYNCED_MS);
            broker.disconnect();
            sleep(lasts).await;
            match fault.kind {
                Kind::TailLoss => {
                    let before = broker.messages(stream).len();
                    broker.lose_tail(stream, messages);
                    shop.trace
                        .line(|| format!("broker  {stream}: {messages} of {before} lost"));
                    shop.spec().lost(fault.struck());
                    let events = subject::EVENTS.0;
                    let lost = broker.lose_since(events, synced);
                    shop.trace.line(|| format!("broker  {events}: {lost} lost"));
                }
                Kind::BrokerLoss => {
                    broker.lose_everything();
                    for service in Service::ALL {
                        shop.spec().lost(service);
                    }
                }
                _ => {}
            }
            broker.reconnect();
        }
        Kind::Expiry => {
            broker.expire(stream, messages);
            shop.spec().lost(fault.struck());
        }
        Kind::ForgottenIds => broker.forget_ids(),
        Kind::Delay => {
            broker.hold(stream);
            sleep(lasts).await;
            broker.let_go(stream);
        }
        kind => {
            let (chance, percent) = (Chance::new(number, "fates", fault.amount), fault.amount);
            broker.judge(move |_| {
                if !chance.percent(percent) {
                    return Fate::Keep;
                }
                match kind {
                    Kind::Duplicates => Fate::Double,
                    Kind::RefusedPublishes => Fate::Refuse,
                    _ => Fate::LoseAcknowledgement,
                }
            });
            sleep(lasts).await;
            broker.be_kind();
        }
    }
}
