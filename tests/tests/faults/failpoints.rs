//! Processes that die at every named point of a command's way, under load, and come back.
//!
//! The books are audited after each death, while what died is down: nothing is under way then, so
//! that they must agree at once.

use std::os::unix::process::ExitStatusExt;

use messages::Service;
use node::failpoint::{Death, PROCESS, Point};
use onhand_tests::{Database, Load, System, check, load};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};

const VARIABLE: &str = "ONHAND_FAILPOINT";
/// More than are ordered before the last death.
const ORDERS: usize = 5_000;

#[tokio::test(flavor = "multi_thread")]
async fn onhand_dies_at_every_point_and_nothing_is_lost() {
    let mut system = System::all_in_one(Database::Sqlite).await;
    let mut deaths = Vec::new();
    for service in Service::ALL {
        deaths.extend(of_service(service));
    }
    deaths.extend(Point::OF_READERS.map(|point| death("ranking", point, 2)));
    // Of whichever service comes so many-eth.
    for time in [1, 2, 3, 5, 8] {
        deaths.extend(Point::OF_PROCESSES.map(|point| death(PROCESS, point, time)));
    }
    let deaths = deaths.into_iter().map(|death| ("onhand", death)).collect();
    die(&mut system, deaths).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_dies_at_every_point_on_postgres_and_nothing_is_lost() {
    let mut system = System::separate(Database::Postgres).await;
    die(&mut system, of_nodes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_dies_at_every_point_and_nothing_is_lost() {
    let mut system = System::separate(Database::Sqlite).await;
    die(&mut system, of_nodes()).await;
}

fn of_nodes() -> Vec<(&'static str, Death)> {
    let mut deaths = Vec::new();
    for (service, program) in [
        (Service::Order, "order-node"),
        (Service::Product, "product-node"),
        (Service::Point, "point-node"),
        (Service::Coupon, "coupon-node"),
        (Service::Payment, "payment-node"),
    ] {
        let of_process = Point::OF_PROCESSES.map(|point| death(PROCESS, point, 3));
        let all = of_service(service).into_iter().chain(of_process);
        deaths.extend(all.map(|death| (program, death)));
    }
    deaths
}

fn of_service(service: Service) -> Vec<Death> {
    let mut points = Point::OF_SERVICES.to_vec();
    if service == Service::Payment {
        points.extend(Point::OF_CALLERS);
    }
    let of = |point| {
        // Once a start is all there is of this one.
        let time = if point == Point::Recovered { 1 } else { 3 };
        death(service.name(), point, time)
    };
    points.into_iter().map(of).collect()
}

fn death(scope: &str, point: Point, time: u32) -> Death {
    Death {
        scope: scope.to_owned(),
        point,
        time,
    }
}

/// Lets programs die, one after another, while clients order; then everything must agree.
async fn die(system: &mut System, deaths: Vec<(&'static str, Death)>) {
    // Nobody wants to read the memory of the dead.
    let unwanted = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, unwanted).unwrap();
    let load = of_everything(system).await;
    let running = load.start();
    let mut last = "";
    for (program, death) in deaths {
        if program != last {
            if !last.is_empty() {
                system.node(last).start_again().await;
            }
            system.node(program).kill9();
            last = program;
        }
        let node = system.node(program);
        node.set(VARIABLE, &death.to_string());
        node.launch();
        let (end, said) = node.ended().await;
        assert_eq!(
            end.signal(),
            Some(Signal::ABORT.as_raw()),
            "{program} at {death} ended with {end}:\n{said}"
        );
        node.unset(VARIABLE);
        check::audit_is_clean(system).await;
    }
    system.node(last).start_again().await;
    running.reached_more(20).await;

    let told = running.enough().await;
    check::at_rest(system, &load, &told).await;
    let client = system.client();
    check::points_agree(&client, &told).await;
}

async fn of_everything(system: &System) -> Load {
    let load = load(&system.client(), 20, 1_000).await;
    load.orders(ORDERS).clients(4).of_everything().await
}
