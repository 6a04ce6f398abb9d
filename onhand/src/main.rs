//! Onhand in one program: every service in one process, and the tools.

mod audit;
mod bench;
mod broker;
mod connect;
mod dead;
mod decode;
mod demo;
mod events;
mod up;

use std::process::ExitCode;

use clap::Parser;

/// Takes orders and never oversells.
#[derive(Parser)]
#[command(name = "onhand", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Up(Box<up::Args>),
    Decode(decode::Args),
    Audit(audit::Args),
    Dead(dead::Args),
    Events(events::Args),
    Bench(bench::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Up(args) => up::run(*args).await,
        Command::Decode(args) => decode::run(args),
        Command::Audit(args) => audit::run(args).await,
        Command::Dead(args) => dead::run(args).await,
        Command::Events(args) => events::run(args).await,
        Command::Bench(args) => bench::run(args).await,
    };
    result.unwrap_or_else(|error| {
        eprintln!("onhand: {error:#}");
        ExitCode::FAILURE
    })
}
