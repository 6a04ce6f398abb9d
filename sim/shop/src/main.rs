//! `onhand-sim`: replays one seed with its trace, or runs many.

use std::{ops::RangeInclusive, process::ExitCode};

use clap::Parser;
use sim_shop::{
    many,
    plan::{Part, Plan},
    run, shrink,
};

/// How many runs making a failure smaller may take.
const SHRINK_RUNS_MAX: u32 = 200;

/// The whole of Onhand in one thread under a seed
#[derive(Parser)]
struct Args {
    /// Replay this seed and print what happens
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run these seeds, both ends included, such as 0..300
    #[arg(long, default_value = "0..300", value_parser = range)]
    seeds: RangeInclusive<u64>,
    /// On so many threads
    #[arg(long, default_value_t = many::processors())]
    threads: usize,
    /// Stop at the first seed that fails
    #[arg(long)]
    first: bool,
    /// Do not make a failing seed smaller
    #[arg(long)]
    whole: bool,
    /// With --seed: no more customers than these
    #[arg(long)]
    customers: Option<u64>,
    /// With --seed: no more orders of each
    #[arg(long)]
    orders: Option<u64>,
    /// With --seed: these faults alone, by their numbers in the trace; empty for none
    #[arg(long, value_parser = numbers)]
    faults: Option<Numbers>,
}

/// The numbers of faults.
#[derive(Clone)]
struct Numbers(Vec<usize>);

fn numbers(text: &str) -> Result<Numbers, std::num::ParseIntError> {
    let numbers = text.split(',').filter(|number| !number.is_empty());
    numbers
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map(Numbers)
}

fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("as in 0..300")?;
    let parse = |number: &str| number.parse::<u64>().map_err(|error| error.to_string());
    Ok(parse(from)?..=parse(to)?)
}

fn main() -> ExitCode {
    let args = Args::parse();
    match args.seed {
        Some(seed) => replay(seed, args),
        None => run_many(&args),
    }
}

fn replay(seed: u64, args: Args) -> ExitCode {
    let part = Part {
        customers: args.customers,
        orders_each: args.orders,
        faults: args.faults.map(|numbers| numbers.0),
    };
    let outcome = run(Plan::of(seed).only(&part), true);
    for line in &outcome.trace {
        println!("{line}");
    }
    let (crashes, faults) = (outcome.crashes(), outcome.faults());
    let orders = outcome.orders;
    let (passed, failed) = match outcome.failure {
        None => (1, 0),
        Some(why) => {
            println!("seed {seed}: {why}");
            (0, 1)
        }
    };
    println!(
        "{passed} passed, {failed} failed; {orders} orders, {crashes} crashes, {faults} faults"
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run_many(args: &Args) -> ExitCode {
    let tell = |line: &str| println!("{line}");
    let sum = many::run_all(args.seeds.clone(), args.threads, args.first, tell);
    if let (Some(seed), false) = (sum.failed.keys().next(), args.whole) {
        println!("making seed {seed} smaller");
        match shrink::shrink(*seed, SHRINK_RUNS_MAX) {
            Some((part, why)) => println!("{}\n  {why}", shrink::command(*seed, &part)),
            None => {
                println!("seed {seed} does not fail again: the simulation draws lots somewhere");
            }
        }
    }
    println!("{sum}");
    if sum.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
