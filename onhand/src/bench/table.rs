//! The comparisons: every line of [`super::lines`] is run, ours and its rivals in turns, so that what
//! else the machine does hits all of them.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use serde::Serialize;

use super::comparison::{Comparison, Measured, text};
use super::figures::{Figures, median};
use super::lines::{Kind, Line, Rival, lines};
use super::machine::Machine;
use super::redis;
use super::report::Versions;
use super::session::{Session, environment, write_json};
use super::sides::{Came, Side};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    machine: Machine,
    versions: Versions,
    environment: Vec<String>,
    seconds: u64,
    warm_up_seconds: u64,
    lines: Vec<Measured>,
}

/// Runs the lines that are wanted, and prints and writes what came of them.
pub(super) async fn run(mut session: Session) -> Result<ExitCode> {
    let mut wanted = lines(session.args.times());
    if let Some(name) = session.args.only.clone() {
        let names: Vec<_> = wanted.iter().map(|line| line.name).collect();
        wanted.retain(|line| line.name == name);
        ensure!(
            !wanted.is_empty(),
            "there is no line {name}, only {}",
            names.join(", ")
        );
    } else if !session.args.full {
        wanted.retain(|line| !line.long);
    }
    let mut notes = Vec::new();
    for line in &mut wanted {
        line.rivals.retain(|rival| session.args.full || !rival.long);
        let before = line.rivals.len();
        line.rivals
            .retain(|rival| !needs_redis(rival) || redis::is_there());
        if line.rivals.len() < before {
            notes.push(format!(
                "{}: not compared with a lock in Redis, there is no redis-server",
                line.name
            ));
        }
    }
    let mut measured = Vec::new();
    for (number, line) in wanted.iter().enumerate() {
        if !std::io::stderr().is_terminal() {
            eprintln!("{} ({} of {})", line.name, number + 1, wanted.len());
        }
        measured.push(self::measure(&mut session, line).await?);
        // What is there is written at once: who stops early keeps it.
        write(&session, &measured)?;
    }
    let mut out = std::io::stdout();
    writeln!(out, "{}", text(&measured))?;
    for note in notes.iter().chain(&session.faults) {
        eprintln!("{note}");
    }
    Ok(if session.faults.is_empty() {
        eprintln!("stock checked by REST; audits clean");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn needs_redis(rival: &Rival) -> bool {
    matches!(rival.kind, Kind::Service(super::service::Lock::Redis))
}

async fn measure(session: &mut Session, line: &Line) -> Result<Measured> {
    let (mut shared, mut sides) = (None, Vec::new());
    let mut ours = Side::onhand(session, line.setting).await?;
    let mut well = Ok(());
    for rival in &line.rivals {
        match Side::rival(session, line, rival, &mut shared).await {
            Ok(side) => sides.push(side),
            Err(fault) => well = Err(fault),
        }
    }
    let mut came = Turns::default();
    if well.is_ok() {
        well = turns(session, line, &mut ours, &sides, &mut came).await;
    }
    let resident_mib = ours.resident_mib().unwrap_or(0);
    // Whatever happened, nothing stays behind.
    for side in std::iter::once(ours).chain(sides) {
        let ended = side.end(session, well.is_ok()).await;
        well = well.and(ended);
    }
    well?;
    Ok(came.measured(line, resident_mib))
}

/// What came of the turns: of ours, and of each rival.
#[derive(Default)]
struct Turns {
    ours: Vec<Figures>,
    theirs: Vec<Vec<f64>>,
}

async fn turns(
    session: &mut Session,
    line: &Line,
    ours: &mut Side,
    sides: &[Side],
    came: &mut Turns,
) -> Result<()> {
    came.theirs = vec![Vec::new(); sides.len()];
    for number in 1..=session.args.runs {
        if line.cold && number > 1 {
            let warm = std::mem::replace(ours, Side::Known);
            warm.end(session, true).await?;
            *ours = Side::onhand(session, line.setting).await?;
        }
        if !line.at_half {
            came.ours.extend(figures(ours.run(session, number).await?));
        }
        for ((rival, side), theirs) in line.rivals.iter().zip(sides).zip(&mut came.theirs) {
            theirs.push(match (side.run(session, number).await?, rival.kind) {
                (Came::Figures(figures), _) => rival.metrics.1.of(&figures),
                (Came::Rate(rate), _) => rate,
                (Came::Nothing, Kind::Known(value)) => value,
                (Came::Nothing, _) => f64::NAN,
            });
        }
        if line.at_half {
            let highest = came.theirs.first().and_then(|rates| rates.last());
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rate is far from both"
            )]
            ours.pace(highest.map_or(1, |rate| (rate / 2.0) as u64));
            came.ours.extend(figures(ours.run(session, number).await?));
        }
    }
    Ok(())
}

fn figures(came: Came) -> Option<Figures> {
    match came {
        Came::Figures(figures) => Some(figures),
        Came::Rate(_) | Came::Nothing => None,
    }
}

impl Turns {
    fn measured(self, line: &Line, resident_mib: u64) -> Measured {
        let comparisons = line.rivals.iter().zip(self.theirs).map(|(rival, theirs)| {
            let metric = rival.metrics.0;
            let ours_runs: Vec<f64> = self.ours.iter().map(|run| metric.of(run)).collect();
            let (ours, their) = (median(&ours_runs), median(&theirs));
            Comparison {
                scenario: line.name,
                baseline: rival.name,
                clients: rival.clients,
                ours,
                theirs: their,
                ratio: metric.ratio(ours, their),
                runs: ours_runs.len(),
                unit: metric.unit(),
                ours_runs,
                theirs_runs: theirs,
            }
        });
        Measured {
            scenario: line.name,
            comparisons: comparisons.collect(),
            median: Figures::median(&self.ours),
            runs: self.ours,
            resident_mib,
        }
    }
}

fn write(session: &Session, measured: &[Measured]) -> Result<()> {
    let all = measured.iter().flat_map(|line| &line.comparisons);
    write_json(session.args.list.as_deref(), &all.collect::<Vec<_>>())?;
    let lines: Vec<serde_json::Value> = measured
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<_, _>>()?;
    let mut whole = serde_json::to_value(Whole {
        machine: Machine::look(Some(&std::env::temp_dir())),
        versions: Versions::default(),
        environment: environment(),
        seconds: session.args.seconds,
        warm_up_seconds: session.args.warm_up_seconds,
        lines: Vec::new(),
    })?;
    whole["lines"] = lines.into();
    write_json(session.args.json.as_deref(), &whole)
}
