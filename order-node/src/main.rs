//! The program `order-node`: the orders service in a process of its own.

use std::process::ExitCode;

use messages::Service;
use node::program::{self, Program};
use order_node::{rest, settings};

#[tokio::main]
async fn main() -> ExitCode {
    let program = Program {
        name: "order-node",
        about: "Takes orders and sees each one through",
        title: "Onhand: orders",
        listen: "127.0.0.1:8082",
        streams: &Service::ALL,
    };
    program::run(program, |process, host, settings: &settings::Settings| {
        let service = settings::service(host, process.common, settings)?;
        let api = rest::router(service.clone(), settings);
        Ok(process.part(&service, api))
    })
    .await
}
