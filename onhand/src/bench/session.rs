//! One call of the bench from its first line to its exit code: settings, runs, checks, report.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};

use super::args::{Args, Setting};
use super::baseline::{Baseline, CLIENTS, Script, Transactions};
use super::figures::Figures;
use super::growth;
use super::labels;
use super::load::Load;
use super::machine::{self, Machine};
use super::progress;
use super::report::{Measured, Report, Versions};
use super::restart;
use super::server::{self, Server};
use super::sold::Sold;
use super::stop::{Stop, Stopped};
use super::table;
use super::target::Target;
use super::work::Work;

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
    for folder in [&args.json, &args.list]
        .into_iter()
        .flatten()
        .filter_map(|f| f.parent())
    {
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

pub(super) struct Session {
    pub(super) args: Args,
    target: Option<Target>,
    pub(super) stop: Stop,
    baseline: Option<Arc<Mutex<Baseline>>>,
    /// What is off; each a line or more for a person.
    pub(super) faults: Vec<String>,
}

impl Session {
    async fn run(mut self) -> Result<ExitCode> {
        if self.args.table {
            return table::run(self).await;
        }
        if let Some(orders) = self.args.restart {
            return restart::run(self, orders).await;
        }
        if self.args.growth {
            return growth::run(self).await;
        }
        let mut versions = Versions::default();
        if self.args.pgbench {
            let slow_disk_ms = self.args.slow_disk_ms.unwrap_or(0);
            let baseline = self
                .stop
                .block(move || Baseline::start(slow_disk_ms))
                .await?;
            versions.postgres = Some(baseline.version().to_owned());
            self.baseline = Some(Arc::new(Mutex::new(baseline)));
        }
        let mut results = Vec::new();
        for setting in self.args.settings() {
            results.push(match self.target {
                Some(target) => {
                    self.stop.or(server::ready(target)).await?;
                    self.measure(&[target], setting).await?
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
        write_json(self.args.json.as_deref(), report)?;
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
        let ground = setting.ground;
        let mut server = self.stop.block(move || Server::spawn(ground)).await?;
        let measured = match self.stop.clone().or(server.ready()).await {
            Ok(targets) => self.measure(&targets, setting).await,
            Err(fault) => Err(fault),
        };
        let resident = server.resident_mib();
        self.end(server, measured.is_ok()).await?;
        measured.map(|measured| measured.holding(resident))
    }

    /// Stops a server of the bench's own and audits its books, where all went well so far: the
    /// first fault is the one that tells, and another usually follows from it.
    pub(super) async fn end(&mut self, server: Server, well: bool) -> Result<()> {
        let before = self.faults.len();
        let stopped = server.stop().await;
        if !well {
            return Ok(());
        }
        let data = stopped?;
        match self.stop.or(data.audit()).await {
            Err(fault) if !fault.is::<Stopped>() => self.faults.push(format!("{fault:#}")),
            audited => audited?,
        }
        if self.faults.len() > before {
            self.faults
                .push(format!("its data is kept in {}", data.keep().display()));
        }
        Ok(())
    }

    async fn measure(&mut self, targets: &[Target], setting: Setting) -> Result<Measured> {
        let mut runs = Vec::new();
        let mut transactions = Vec::new();
        for number in 1..=self.args.runs {
            let what = labels::name(setting);
            runs.push(self.run_once(targets, setting, (what, number)).await?);
            if let Some(baseline) = &self.baseline {
                transactions.push(compare(&self.stop, Arc::clone(baseline), setting).await?);
            }
        }
        Ok(Measured::new(setting, runs, transactions))
    }

    /// One run of what a name is shown for, checked; one address must be given at least.
    pub(super) async fn run_once(
        &mut self,
        targets: &[Target],
        setting: Setting,
        (what, number): (String, usize),
    ) -> Result<Figures> {
        let (plan, target) = (setting.plan, targets[0]);
        let work = Arc::new(self.stop.or(Work::prepare(target, plan)).await?);
        let done = Arc::new(AtomicU64::new(0));
        let load = Load {
            targets: targets.to_vec(),
            work: Arc::clone(&work),
            setting,
            stop: self.stop.clone(),
            done: Arc::clone(&done),
        };
        let what = format!(
            "{what}, {} connections, run {number}/{}",
            setting.pace.connections(),
            self.args.runs
        );
        let ran = self.stop.block(|| load.run());
        let tally = progress::show(what, setting, done, ran).await?;
        let measured = match plan.requests_max {
            Some(_) => tally.took(),
            None => setting.measured,
        };
        let figures = Figures::of(&tally, measured);
        if figures.error_count() > 0 {
            self.faults.push(format!(
                "{} of {}'s answers are not what they must be: {:?}",
                figures.error_count(),
                plan.name,
                figures.errors
            ));
        }
        if figures.orders_per_second + figures.refused_per_second == 0.0 {
            self.faults.push(format!(
                "nothing of {} was answered as it must be",
                plan.name
            ));
        }
        self.check(&work, target, tally.products()).await?;
        Ok(figures)
    }

    async fn check(&mut self, work: &Work, target: Target, sold: &[Sold]) -> Result<()> {
        match self.stop.or(work.check(target, sold)).await {
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
    let how = (Script::ForUpdate, CLIENTS);
    stop.block(move || {
        baseline
            .lock()
            .expect("one at a time")
            .run(setting, how, &flag)
    })
    .await
}

/// Writes what programs read, where somebody wants it.
pub(super) fn write_json(file: Option<&Path>, value: &impl serde::Serialize) -> Result<()> {
    let Some(file) = file else {
        return Ok(());
    };
    let json = serde_json::to_string_pretty(value)?;
    std::fs::write(file, json + "\n").with_context(|| format!("cannot write {}", file.display()))
}

/// The server's limits and the like; what may hold a secret is left out.
pub(super) fn environment() -> Vec<String> {
    let secret = ["URL", "CREDS", "USER", "PASSWORD", "KEY", "TOKEN", "SECRET"];
    let mut named: Vec<_> = std::env::vars()
        .filter(|(name, _)| name.starts_with("ONHAND_"))
        .filter(|(name, _)| !secret.iter().any(|word| name.contains(word)))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    named.sort();
    named
}
