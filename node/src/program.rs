//! The program of one node: one service in a process of its own.
//!
//! Owns what all of them have in common, from the arguments to the exit status; a node's `main`
//! says only what is its own.

use std::{net::SocketAddr, process::ExitCode};

use clap::{Args as _, FromArgMatches as _};
use messages::Service;
use tokio::sync::watch;

use crate::{
    bus::nats,
    config::Common,
    edge,
    host::{Host, StartError},
    process::{Part, Process},
    telemetry,
};

/// Where the broker is when nobody says.
const NATS_URL: &str = "nats://127.0.0.1:4222";

/// What a node's program is called, and where it is found.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name, such as `product-node`.
    pub name: &'static str,
    /// What it does, in one line of its help.
    pub about: &'static str,
    /// The title of its documentation.
    pub title: &'static str,
    /// Where it listens when nobody says.
    pub listen: &'static str,
    /// Whose streams it makes where they are missing: whoever publishes on one makes it, whichever
    /// node starts first.
    pub streams: &'static [Service],
}

/// Where a node serves, or whether one does.
#[derive(clap::Args)]
struct Serving {
    /// Where it listens; port 0 takes any free one
    #[arg(long, env = "ONHAND_LISTEN", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Asks the one that listens there whether it is ready, and exits with 0 where it is
    #[arg(long)]
    healthcheck: bool,
}

/// Runs a node until SIGTERM or Ctrl-C. `S` is what it is told besides, and `part` makes its
/// service and its calls of it.
pub async fn run<S: clap::Args>(
    program: Program,
    part: impl FnOnce(&Process<'_>, Host, &S) -> Result<Part, StartError>,
) -> ExitCode {
    let (serving, settings, common) = parse::<S>(program);
    if serving.healthcheck {
        return ExitCode::from(u8::from(!edge::healthcheck(serving.listen)));
    }
    let part = |process: &Process<'_>, host| part(process, host, &settings);
    match serve(program, serving.listen, &common, part).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", program.name);
            ExitCode::FAILURE
        }
    }
}

/// What the command line and the environment say; ends the process where they cannot be used.
fn parse<S: clap::Args>(program: Program) -> (Serving, S, Common) {
    let matches = command::<S>(program).get_matches();
    let read = || {
        let serving = Serving::from_arg_matches(&matches)?;
        let settings = S::from_arg_matches(&matches)?;
        Ok((serving, settings, Common::from_arg_matches(&matches)?))
    };
    read().unwrap_or_else(|error: clap::Error| error.exit())
}

/// In the order of the help: where it serves, what is its own, what all programs share.
fn command<S: clap::Args>(program: Program) -> clap::Command {
    let command = Serving::augment_args(clap::Command::new(program.name));
    let command = Common::augment_args(S::augment_args(command))
        // Last, since each of them would put its own description there.
        .about(program.about)
        .version(env!("CARGO_PKG_VERSION"));
    command.mut_arg("listen", |listen| {
        listen.required(false).default_value(program.listen)
    })
}

async fn serve(
    program: Program,
    listen: SocketAddr,
    common: &Common,
    part: impl FnOnce(&Process<'_>, Host) -> Result<Part, StartError>,
) -> Result<(), StartError> {
    let metrics = telemetry::init(&common.log, common.log_format).map_err(unusable)?;
    common.prepare()?;
    let url = common.broker.nats_url.as_deref().unwrap_or(NATS_URL);
    let bus = common
        .broker
        .connect(url, program.name, common.partitions, program.streams)
        .await
        .map_err(unusable)?;
    let process = Process {
        name: program.name,
        title: program.title,
        listen,
        common,
        metrics,
        stop: watch::Sender::new(false),
    };
    let part = part(&process, common.host(bus))?;
    let broker = nats::shown(url);
    let announce = |address| tracing::info!("listening on http://{address}, broker {broker}");
    process
        .serve(vec![part], std::future::pending(), announce)
        .await
}

fn unusable(error: impl std::error::Error) -> StartError {
    StartError(error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::builder::Resettable;

    use super::*;

    #[derive(Debug, PartialEq, clap::Args)]
    struct Own {
        #[arg(long, default_value_t = 7)]
        own: u16,
    }

    fn read(arguments: &[&str]) -> Result<(SocketAddr, Own), clap::Error> {
        let program = Program {
            name: "toy-node",
            about: "Plays",
            title: "Toys",
            listen: "127.0.0.1:8099",
            streams: &[],
        };
        let command = command::<Own>(program);
        command.clone().debug_assert();
        assert_eq!(command.get_about().unwrap().to_string(), "Plays");
        // Whatever this machine's variables say.
        let command = command.mut_args(|argument| argument.env(Resettable::Reset));
        let arguments = ["toy-node"].iter().chain(arguments);
        let matches = command.try_get_matches_from(arguments)?;
        Common::from_arg_matches(&matches)?;
        let serving = Serving::from_arg_matches(&matches)?;
        Ok((serving.listen, Own::from_arg_matches(&matches)?))
    }

    #[test]
    fn a_node_listens_where_it_is_told_or_at_an_address_of_its_own() {
        let (listen, own) = read(&[]).unwrap();
        assert_eq!(listen.to_string(), "127.0.0.1:8099");
        assert_eq!(own, Own { own: 7 });
        let (listen, own) = read(&["--listen", "[::1]:80", "--own", "9"]).unwrap();
        assert_eq!(listen.to_string(), "[::1]:80");
        assert_eq!(own, Own { own: 9 });
        assert!(read(&["--listen", "nowhere"]).is_err());
    }
}
