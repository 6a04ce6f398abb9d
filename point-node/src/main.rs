//! The program `point-node`: the points service in a process of its own.

use std::process::ExitCode;

use messages::Service;
use node::program::{self, Program};
use point_node::{rest, settings};

#[tokio::main]
async fn main() -> ExitCode {
    let program = Program {
        name: "point-node",
        about: "Keeps the points of users",
        title: "Onhand: points",
        listen: "127.0.0.1:8083",
        streams: &[Service::Point, Service::Order],
    };
    program::run(program, |process, host, settings: &settings::Settings| {
        let service = settings::service(host, process.common, settings)?;
        let api = rest::router(service.clone());
        Ok(process.part(&service, api))
    })
    .await
}
