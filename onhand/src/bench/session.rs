//! One call of the bench from its first line to its exit code: settings, runs, checks, report.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};

use super::args::{Args, Setting};
use super::baseline::{Baseline, Transactions};
use super::figures::Figures;
use super::load::Load;
use super::machine::{self, Machine};
use super::progress;
use super::report::{Measured, Report, Versions};
use super::server::{self, Server};
use super::shop::Shop;
use super::stop::{Stop, Stopped};
use super::tally::Sold;
use super::target::Target;

/// Runs the bench: success where every answer, the stock and the audit are as they must be.
/// What went wrong is told here, in a line and without a backtrace, whoever calls.
pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    match session(args).await {
        Err(fault) if fault.is::<Stopped>() => {
            eprintln!("{fault}");
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(fault) => {
            eprintln!("{fault:#}");
            Ok(ExitCode::FAILURE)
        }
        done => done,
    }
}

/// What shells report of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

async fn session(args: Args) -> Result<ExitCode> {
    let target = args.url.as_deref().map(Target::parse).transpose()?;
    if let Some(folder) = args.json.as_deref().and_then(Path::parent) {
        let there = folder.as_os_str().is_empty() || folder.is_dir();
        ensure!(there, "{} is no folder to write to", folder.display());
    }
    machine::allow_many_files();
    let stop = Stop::on_signals()?;
    Session {
        args,
        target,
        stop,
        baseline: None,
        faults: Vec::new(),
    }
    .run()
    .await
}

struct Session {
    args: Args,
    target: Option<Target>,
    stop: Stop,
    baseline: Option<Arc<Mutex<Baseline>>>,
    /// What is off; each a line or more for a person.
    faults: Vec<String>,
}

impl Session {
    async fn run(mut self) -> Result<ExitCode> {
        let mut versions = Versions {
            onhand: env!("CARGO_PKG_VERSION"),
            postgres: None,
        };
        if self.args.pgbench {
            let baseline = self.stop.block(Baseline::start).await?;
            versions.postgres = Some(baseline.version().to_owned());
            self.baseline = Some(Arc::new(Mutex::new(baseline)));
        }
        let mut results = Vec::new();
        for setting in self.args.settings() {
            results.push(match self.target {
                Some(target) => {
                    self.stop.or(server::ready(target)).await?;
                    self.measure(target, setting).await?
                }
                None => self.measure_own(setting).await?,
            });
        }
        let own = self.target.is_none();
        let report = Report {
            machine: Machine::look(own.then(std::env::temp_dir).as_deref()),
            versions,
            environment: if own { environment() } else { Vec::new() },
            seconds: self.args.seconds,
            warm_up_seconds: self.args.warm_up_seconds,
            results,
        };
        self.finish(&report)
    }

    fn finish(&self, report: &Report) -> Result<ExitCode> {
        writeln!(std::io::stdout(), "{}", report.text())?;
        if let Some(file) = &self.args.json {
            let json = serde_json::to_string_pretty(report)?;
            std::fs::write(file, json + "\n")
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        for fault in &self.faults {
            eprintln!("{fault}");
        }
        if self.target.is_some() {
            eprintln!("the audit is still to be run: onhand audit, where the databases are");
        } else if self.faults.is_empty() {
            eprintln!("stock checked by REST; audit clean");
        }
        Ok(if self.faults.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Measures a fresh Onhand, which ends before this does whatever happens.
    async fn measure_own(&mut self, setting: Setting) -> Result<Measured> {
        let faults_before = self.faults.len();
        let mut server = Server::spawn()?;
        let measured = match self.stop.clone().or(server.ready()).await {
            Ok(target) => self.measure(target, setting).await,
            Err(fault) => Err(fault),
        };
        let stopped = server.stop().await;
        // The first fault is the one that tells; a stop that went wrong usually follows from it.
        let measured = measured?;
        let data = stopped?;
        match self.stop.or(data.audit()).await {
            Err(fault) if !fault.is::<Stopped>() => self.faults.push(format!("{fault:#}")),
            audited => audited?,
        }
        if self.faults.len() > faults_before {
            self.faults
                .push(format!("its data is kept in {}", data.keep().display()));
        }
        Ok(measured)
    }

    async fn measure(&mut self, target: Target, setting: Setting) -> Result<Measured> {
        let mut runs = Vec::new();
        let mut transactions = Vec::new();
        for number in 1..=self.args.runs {
            runs.push(self.run_once(target, setting, number).await?);
            if let Some(baseline) = &self.baseline {
                transactions.push(compare(&self.stop, Arc::clone(baseline), setting).await?);
            }
        }
        Ok(Measured::new(setting, runs, transactions))
    }

    async fn run_once(
        &mut self,
        target: Target,
        setting: Setting,
        number: usize,
    ) -> Result<Figures> {
        let plan = setting.scenario.plan();
        let shop = Arc::new(self.stop.or(Shop::open(target, plan)).await?);
        let confirmed = Arc::new(AtomicU64::new(0));
        let load = Load {
            target,
            shop: Arc::clone(&shop),
            setting,
            stop: self.stop.clone(),
            confirmed: Arc::clone(&confirmed),
        };
        let what = format!(
            "{}, {} connections, run {number}/{}",
            plan.name,
            setting.pace.connections(),
            self.args.runs
        );
        let done = self.stop.block(|| load.run());
        let tally = progress::show(what, setting, confirmed, done).await?;
        let figures = Figures::of(&tally, setting.measured);
        if figures.error_count() > 0 {
            self.faults.push(format!(
                "{} of {}'s answers are not what they must be: {:?}",
                figures.error_count(),
                plan.name,
                figures.errors
            ));
        }
        if figures.orders_per_second == 0.0 {
            self.faults
                .push(format!("no order of {} was confirmed", plan.name));
        }
        self.check(&shop, target, tally.products()).await?;
        Ok(figures)
    }

    async fn check(&mut self, shop: &Shop, target: Target, sold: &[Sold]) -> Result<()> {
        match self.stop.or(shop.check(target, sold)).await {
            Err(fault) if !fault.is::<Stopped>() => self.faults.push(format!("{fault:#}")),
            checked => checked?,
        }
        Ok(())
    }
}

async fn compare(
    stop: &Stop,
    baseline: Arc<Mutex<Baseline>>,
    setting: Setting,
) -> Result<Transactions> {
    let flag = stop.clone();
    stop.block(move || baseline.lock().expect("one at a time").run(setting, &flag))
        .await
}

/// The server's limits and the like; what may hold a secret is left out.
fn environment() -> Vec<String> {
    let secret = ["URL", "CREDS", "USER", "PASSWORD", "KEY", "TOKEN", "SECRET"];
    let mut named: Vec<_> = std::env::vars()
        .filter(|(name, _)| name.starts_with("ONHAND_"))
        .filter(|(name, _)| !secret.iter().any(|word| name.contains(word)))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    named.sort();
    named
}
