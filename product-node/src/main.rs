//! The program `product-node`: the products service in a process of its own.

use std::process::ExitCode;

use messages::Service;
use node::program::{self, Program};
use product_node::{rest, settings};

#[tokio::main]
async fn main() -> ExitCode {
    let program = Program {
        name: "product-node",
        about: "Keeps products and their stock",
        title: "Onhand: products",
        listen: "127.0.0.1:8081",
        streams: &[Service::Product, Service::Order],
    };
    program::run(program, |process, host, settings: &settings::Settings| {
        let service = settings::service(host, process.common, settings)?;
        let api = rest::router(service.clone());
        Ok(process.part(&service, api))
    })
    .await
}
