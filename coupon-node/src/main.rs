//! The program `coupon-node`: the coupons service in a process of its own.

use std::process::ExitCode;

use coupon_node::{rest, settings};
use messages::Service;
use node::program::{self, Program};

#[tokio::main]
async fn main() -> ExitCode {
    let program = Program {
        name: "coupon-node",
        about: "Issues coupons and keeps what uses them",
        title: "Onhand: coupons",
        listen: "127.0.0.1:8084",
        streams: &[Service::Coupon, Service::Order],
    };
    program::run(program, |process, host, settings: &settings::Settings| {
        let service = settings::service(host, process.common, settings)?;
        let api = rest::router(service.clone());
        Ok(process.part(&service, api))
    })
    .await
}
