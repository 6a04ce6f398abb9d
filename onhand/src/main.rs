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
    /// Runs every service in one process
    Up(Box<up::Args>),
    /// Turns MessagePack on standard input into JSON
    Decode(decode::Args),
    /// Checks the services' books against each other
    Audit(audit::Args),
    /// Looks at dead letters, sends them again, or drops them
    Dead(dead::Args),
    /// Shows events as JSON, one a line, or writes them to files
    Events(events::Args),
    /// Measures how many orders it takes, and checks every answer
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
