//! The program `payment-node`: the payments service in a process of its own.

use std::process::ExitCode;

use messages::Service;
use node::program::{self, Program};
use payment_node::{rest, settings};

#[tokio::main]
async fn main() -> ExitCode {
    let program = Program {
        name: "payment-node",
        about: "Takes the money for orders, and gives it back",
        title: "Onhand: payments",
        listen: "127.0.0.1:8085",
        streams: &[Service::Payment, Service::Order],
    };
    program::run(program, |process, host, settings: &settings::Settings| {
        let (service, payments) = settings::service(host, process.common, settings)?;
        let api = rest::router(service.clone(), payments);
        Ok(process.part(&service, api))
    })
    .await
}
