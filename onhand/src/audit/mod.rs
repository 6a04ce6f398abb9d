//! `onhand audit`: reads the services' databases and says whether the books agree.
//!
//! What a product's ledger must say of its stock, and a wallet's of its points: `account`; a
//! campaign's of its coupons: `coupon`. What an order's state demands of the products: `order`; of
//! the other participants: `taken`. How two databases are read side by side: `merge`, and once more
//! where a difference may only be in flight: `again`. Invariant: participants are read first and orders
//! last, each in one read transaction, so that an effect without its order is never a race.
//! Memory: ordered scans, one product or order at a time, plus what is listed; sorting is the
//! databases' own, on disk. Invariant: it writes nothing; what undoes an effect without an order is
//! named, and sent to its owner where a person says so: `release`. A long read transaction keeps SQLite's log from being cut meanwhile.

mod account;
mod again;
#[cfg(test)]
mod books;
mod coupon;
#[cfg(test)]
mod coupon_tests;
mod ledger;
mod merge;
mod order;
mod orphan;
mod payment;
#[cfg(test)]
mod payment_tests;
#[cfg(test)]
mod point_tests;
mod progress;
mod release;
mod report;
mod snapshot;
mod taken;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use messages::Service;
use node::config::Broker;
use node::store::DatabaseUrl;

use self::progress::Progress;
use self::report::Report;
use self::snapshot::Snapshot;
use self::taken::{ALL_ROWS, Participant};

/// Checks that stock, ledgers and orders agree, also while the system runs
///
/// Exits 0 where they do, 1 with a list of what is off, 2 where that cannot be found out.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The data folder, where the databases are files in it
    #[arg(long, env = "ONHAND_DATA", default_value = "./data")]
    data: PathBuf,
    /// The orders' database (default: order.db in the data folder)
    #[arg(long, env = "ONHAND_ORDER_DATABASE_URL", hide_env_values = true)]
    order_database_url: Option<DatabaseUrl>,
    /// The products' database (default: product.db in the data folder)
    #[arg(long, env = "ONHAND_PRODUCT_DATABASE_URL", hide_env_values = true)]
    product_database_url: Option<DatabaseUrl>,
    /// The points' database (default: point.db in the data folder, where there is one)
    #[arg(long, env = "ONHAND_POINT_DATABASE_URL", hide_env_values = true)]
    point_database_url: Option<DatabaseUrl>,
    /// The coupons' database (default: coupon.db in the data folder, where there is one)
    #[arg(long, env = "ONHAND_COUPON_DATABASE_URL", hide_env_values = true)]
    coupon_database_url: Option<DatabaseUrl>,
    /// The payments' database (default: payment.db in the data folder, where there is one)
    #[arg(long, env = "ONHAND_PAYMENT_DATABASE_URL", hide_env_values = true)]
    payment_database_url: Option<DatabaseUrl>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Send the owners the releases that undo effects whose order is gone (asks first)
    ///
    /// Exits 0 then where nothing else is off.
    #[arg(long)]
    release: bool,
    /// Do not ask
    #[arg(long, short, requires = "release")]
    yes: bool,
    #[command(flatten)]
    broker: Broker,
}

/// Neither clean nor off: the databases could not be read.
const CANNOT_AUDIT: u8 = 2;

/// Audits, and prints what was found.
pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    if args.release && !args.yes && !release::can_ask() {
        eprintln!("nobody is there to be asked: say --yes to send releases");
        return Ok(ExitCode::FAILURE);
    }
    let file = |name: &str| DatabaseUrl::Sqlite(args.data.join(name));
    let databases = Databases {
        product: args
            .product_database_url
            .unwrap_or_else(|| file("product.db")),
        order: args.order_database_url.unwrap_or_else(|| file("order.db")),
        point: args
            .point_database_url
            .or_else(|| there(args.data.join("point.db"))),
        coupon: args
            .coupon_database_url
            .or_else(|| there(args.data.join("coupon.db"))),
        payment: args
            .payment_database_url
            .or_else(|| there(args.data.join("payment.db"))),
    };
    let report = match audit(&databases, &Progress::on_terminal()).await {
        Ok(report) => report,
        Err(fault) => {
            eprintln!("cannot audit: {}", one_line(&fault));
            return Ok(ExitCode::from(CANNOT_AUDIT));
        }
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    let releases = report.releases();
    if !args.release || releases.is_empty() {
        return Ok(exit(report.is_clean()));
    }
    if !args.yes && !release::confirmed(&releases)? {
        eprintln!("nothing was sent");
        return Ok(ExitCode::FAILURE);
    }
    release::send(&releases, &databases, &args.broker, &args.data).await?;
    Ok(exit(report.is_undone_by_releases()))
}

fn exit(well: bool) -> ExitCode {
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A database that is a file, where it is there: not every system runs every service.
fn there(file: PathBuf) -> Option<DatabaseUrl> {
    file.is_file().then_some(DatabaseUrl::Sqlite(file))
}

/// A fault and its causes; a driver's error often repeats its cause, which is said once.
fn one_line(fault: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in fault
        .chain()
        .map(|cause| cause.to_string().replace('\n', " "))
    {
        if !line.contains(&cause) {
            let colon = if line.is_empty() { "" } else { ": " };
            line = line + colon + &cause;
        }
    }
    line
}

/// Where the services keep their books.
struct Databases {
    product: DatabaseUrl,
    order: DatabaseUrl,
    /// None where the service has never run, as of those below.
    point: Option<DatabaseUrl>,
    coupon: Option<DatabaseUrl>,
    payment: Option<DatabaseUrl>,
}

impl Databases {
    /// The database of a service.
    fn of(&self, service: Service) -> Result<&DatabaseUrl> {
        let found = match service {
            Service::Order => Some(&self.order),
            Service::Product => Some(&self.product),
            Service::Point => self.point.as_ref(),
            Service::Coupon => self.coupon.as_ref(),
            Service::Payment => self.payment.as_ref(),
        };
        found.with_context(|| format!("there is no database of {service}s"))
    }

    /// The participants besides the products.
    fn participants(&self) -> [Participant<'_>; 3] {
        let points = Participant {
            service: Service::Point,
            whose: "points",
            step: "points",
            took: "used",
            gave_back: "refunded",
            told_as: Some("points_used"),
            rows: ALL_ROWS,
            database: self.point.as_ref(),
        };
        let coupons = Participant {
            service: Service::Coupon,
            whose: "coupons",
            step: "coupon",
            took: "used",
            gave_back: "restored",
            told_as: None,
            rows: ALL_ROWS,
            database: self.coupon.as_ref(),
        };
        let payments = Participant {
            service: Service::Payment,
            whose: "payments",
            step: "payment",
            took: "authorised",
            gave_back: "cancelled",
            // An order without a payment is settled outside.
            told_as: Some("CASE WHEN payment IS NULL THEN 0 ELSE amount_due END"),
            // What the gateway is asked on the way stands under ids of its own.
            rows: "amount IS NOT NULL",
            database: self.payment.as_ref(),
        };
        [points, coupons, payments]
    }

    /// One moment of each: of the products first.
    async fn snapshots(&self) -> Result<(Snapshot, Snapshot)> {
        let product = open("products", &self.product, &["product", "ledger"]).await?;
        let order = open("orders", &self.order, &["orders", "ledger"]).await?;
        Ok((product, order))
    }
}

async fn open(whose: &str, url: &DatabaseUrl, tables: &[&str]) -> Result<Snapshot> {
    if let DatabaseUrl::Sqlite(path) = url {
        must_be_there(whose, path)?;
    }
    Snapshot::open(url, tables)
        .await
        .with_context(|| format!("the {whose}' database {url}"))
}

fn must_be_there(whose: &str, path: &Path) -> Result<()> {
    if path.is_file() {
        return Ok(());
    }
    bail!(
        "the {whose}' database {} does not exist: name the data folder with --data, or the database \
         with --product-database-url and --order-database-url",
        path.display()
    );
}

/// Reads everything once, and what looks off once more.
async fn audit(databases: &Databases, progress: &Progress) -> Result<Report> {
    let (mut product, mut order) = databases.snapshots().await?;
    let mut report = Report::default();
    ledger::check_numbers("product", &mut product, &mut report, progress).await?;
    ledger::check_numbers("order", &mut order, &mut report, progress).await?;
    report.checked.products =
        account::check(account::STOCK, &mut product, &mut report, progress).await?;
    ledger::check_foreign(&mut product, &mut report, progress).await?;
    ledger::check_versions(&mut order, &mut report, progress).await?;
    let suspects = merge::check(&mut product, &mut order, &mut report, progress).await?;
    product.close().await;
    order.close().await;
    again::check(databases, suspects, &mut report, progress).await?;
    if let Some(url) = &databases.point {
        let mut points = open("points", url, &["wallet", "ledger"]).await?;
        ledger::check_numbers("point", &mut points, &mut report, progress).await?;
        report.checked.wallets =
            account::check(account::POINTS, &mut points, &mut report, progress).await?;
        points.close().await;
    }
    if let Some(url) = &databases.coupon {
        let mut coupons = open("coupons", url, &["coupon", "coupon_issue", "ledger"]).await?;
        ledger::check_numbers("coupon", &mut coupons, &mut report, progress).await?;
        coupon::check(&mut coupons, &mut report, progress).await?;
        coupons.close().await;
    }
    if let Some(url) = &databases.payment {
        let mut payments = open("payments", url, &["payment", "sandbox_charge", "ledger"]).await?;
        ledger::check_numbers("payment", &mut payments, &mut report, progress).await?;
        payment::check(&mut payments, &mut report, progress).await?;
        payments.close().await;
    }
    for participant in databases.participants() {
        taken::check(&participant, databases, &mut report, progress).await?;
    }
    progress.done();
    Ok(report)
}
