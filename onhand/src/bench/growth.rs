//! What grows, and what it does to speed: the same load with more products, clients, lines,
//! partitions or processes, and on a ledger that gets longer. What should be flat is to be seen to be flat.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use super::args::{Pace, Setting, Store};
use super::figures::Figures;
use super::machine::Machine;
use super::report::Versions;
use super::scenario::Scenario;
use super::session::{Session, write_json};
use super::sides::{Came, Side};

/// Something that grows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    name: &'static str,
    /// What is counted along the way.
    grows: &'static str,
    points: Vec<Point>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    x: u64,
    resident_mib: u64,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Growth<'a> {
    machine: Machine,
    versions: Versions,
    seconds: u64,
    series: &'a [Series],
}

/// Points of a short measurement, and those that a full one adds.
const PRODUCTS: (&[usize], &[usize]) = (&[1, 10, 100, 1_000, 10_000], &[100_000, 1_000_000]);
const CLIENTS: (&[usize], &[usize]) = (&[1, 4, 16, 64, 256, 1_024], &[4_096, 10_000]);
const LINES: (&[usize], &[usize]) = (&[1, 2, 5, 10, 20, 50], &[100]);
const PARTITIONS: (&[usize], &[usize]) = (&[1, 4, 16, 64], &[256, 1_024]);
const PROCESSES: (&[usize], &[usize]) = (&[1, 2, 4], &[8]);
/// How often the ledger is looked at while it grows.
const LEDGER_LOOKS: (usize, usize) = (6, 60);
/// Orders of many lines come from fewer clients, or each would wait for seconds.
const CLIENTS_OF_LINES: usize = 64;

/// Measures every series, and writes after each what is known.
pub(super) async fn run(mut session: Session) -> Result<ExitCode> {
    let mut done: Vec<Series> = Vec::new();
    let usual = |scenario| Setting::usual(scenario, 256, session.args.times());
    let full = session.args.full;
    let take = |(short, more): (&[usize], &[usize])| {
        let more = if full { more } else { &[] };
        [short, more].concat()
    };
    let (hot, catalogue) = (usual(Scenario::Hot), usual(Scenario::Catalogue));
    let products = take(PRODUCTS).into_iter().map(|goods| {
        let mut setting = catalogue;
        setting.plan.goods = goods;
        (goods, setting)
    });
    let clients = take(CLIENTS).into_iter().map(|clients| {
        let pace = Pace::Closed { clients };
        (clients, Setting { pace, ..hot })
    });
    let lines = take(LINES).into_iter().map(|lines| {
        let mut setting = catalogue;
        setting.plan.lines = lines;
        setting.pace = Pace::Closed {
            clients: CLIENTS_OF_LINES,
        };
        (lines, setting)
    });
    let partitions = take(PARTITIONS).into_iter().map(|partitions| {
        let mut setting = catalogue;
        setting.ground.partitions = u16::try_from(partitions).ok();
        (partitions, setting)
    });
    let processes = take(PROCESSES).into_iter().map(|processes| {
        let mut setting = catalogue;
        setting.ground.store = Store::Postgres;
        setting.ground.processes = processes;
        (processes, setting)
    });
    let series: [(_, _, Vec<_>); 5] = [
        ("products", "products", products.collect()),
        ("clients", "clients", clients.collect()),
        ("lines", "lines an order", lines.collect()),
        (
            "partitions",
            "partitions of each service",
            partitions.collect(),
        ),
        (
            "processes",
            "processes on one Postgres",
            processes.collect(),
        ),
    ];
    for (name, grows, settings) in series {
        let mut points = Vec::new();
        for (x, setting) in settings {
            say(&format!("{name}: {x}"));
            points.extend(
                measure(&mut session, setting, 1)
                    .await?
                    .into_iter()
                    .map(|point| Point {
                        x: x as u64,
                        ..point
                    }),
            );
        }
        done.push(Series {
            name,
            grows,
            points,
        });
        write(&session, &done)?;
    }
    let looks = if full { LEDGER_LOOKS.1 } else { LEDGER_LOOKS.0 };
    say("ledger");
    done.push(Series {
        name: "ledger",
        grows: "orders in the databases",
        points: measure(&mut session, hot, looks).await?,
    });
    write(&session, &done)?;
    for fault in &session.faults {
        eprintln!("{fault}");
    }
    Ok(if session.faults.is_empty() {
        eprintln!("stock checked by REST; audits clean");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Measures so often on one server; each point is at the number of orders that there were before.
async fn measure(session: &mut Session, setting: Setting, looks: usize) -> Result<Vec<Point>> {
    let side = Side::onhand(session, setting).await?;
    let (mut points, mut orders, mut well) = (Vec::new(), 0, Ok(()));
    for number in 1..=looks {
        match side.run(session, number).await {
            Ok(Came::Figures(figures)) => {
                let x = orders;
                orders += figures.done;
                points.push(Point {
                    x,
                    resident_mib: side.resident_mib().unwrap_or(0),
                    figures,
                });
            }
            Ok(Came::Rate(_) | Came::Nothing) => {}
            Err(fault) => {
                well = Err(fault);
                break;
            }
        }
    }
    let ended = side.end(session, well.is_ok()).await;
    well.and(ended)?;
    Ok(points)
}

fn say(what: &str) {
    if !std::io::stderr().is_terminal() {
        eprintln!("{what}");
    }
}

fn write(session: &Session, series: &[Series]) -> Result<()> {
    let growth = Growth {
        machine: Machine::look(Some(&std::env::temp_dir())),
        versions: Versions::default(),
        seconds: session.args.seconds,
        series,
    };
    write_json(session.args.json.as_deref(), &growth)
}
