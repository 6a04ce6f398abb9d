//! The program `ranking-node`: the ranking in a process of its own.

use std::{process::ExitCode, sync::Arc};

use node::program::{self, Program};
use ranking_node::{rest, settings};

#[tokio::main]
async fn main() -> ExitCode {
    let program = Program {
        name: "ranking-node",
        about: "Knows which products sell best",
        title: "Onhand: best sellers",
        listen: "127.0.0.1:8086",
        // Those who tell events make their stream.
        streams: &[],
    };
    program::run(program, |process, host, settings: &settings::Settings| {
        let clock = Arc::clone(&host.clock);
        let (reading, best) = settings::reading(host.bus, clock, process.common, settings)?;
        Ok(process.reader(&reading, rest::router(best)))
    })
    .await
}
