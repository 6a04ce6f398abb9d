//! Where things stand on this machine: the project, the programs under test, free ports.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

/// The project's root folder.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are a folder of the project")
}

/// The build's target folder.
pub fn target() -> PathBuf {
    profile()
        .parent()
        .expect("a profile is a folder of the target folder")
        .to_owned()
}

/// One of the programs under test, as built in the profile that the tests were built in.
pub fn program(name: &str) -> PathBuf {
    let path = profile().join(name);
    assert!(
        path.is_file(),
        "{} is not there: build it first with `cargo build --workspace --bins`",
        path.display()
    );
    path
}

/// The nats-server to test with: named by `ONHAND_NATS_SERVER`, on the path, or the project's own.
pub fn nats_server() -> PathBuf {
    let own = project().join(".tools/bin/nats-server");
    std::env::var_os("ONHAND_NATS_SERVER")
        .map(PathBuf::from)
        .or_else(|| on_path("nats-server"))
        .or_else(|| own.is_file().then_some(own))
        .expect("no nats-server: `make tools` installs one into the project's tools folder")
}

/// A Postgres program: from `ONHAND_POSTGRES_BIN`, Debian's newest, or on the path.
pub fn postgres(name: &str) -> PathBuf {
    std::env::var_os("ONHAND_POSTGRES_BIN")
        .map(|folder| PathBuf::from(folder).join(name))
        .or_else(|| debian_postgres(name))
        .or_else(|| on_path(name))
        .unwrap_or_else(|| panic!("no {name}: Postgres is needed for the tests"))
}

/// A port of the loopback that nobody listens on.
///
/// It lies below the range that outgoing connections are given their ports from: while a killed
/// server is away, no client may happen to sit on the port that it comes back to.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_300;
    const COUNT: u32 = 20_000;
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    loop {
        let taken = u32::from(TAKEN.fetch_add(1, Ordering::Relaxed));
        let offset = (std::process::id() * 41 + taken) % COUNT;
        let port = u16::try_from(FIRST + offset).expect("the range ends below 65,536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn profile() -> PathBuf {
    let exe = std::env::current_exe().expect("a running program has a path");
    let deps = exe.parent().expect("a program lies in a folder");
    deps.parent()
        .expect("tests are built into a folder of the profile")
        .to_owned()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn debian_postgres(name: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(Result::ok)
        .map(|version| version.path().join("bin").join(name))
        .filter(|file| file.is_file())
        .max()
}
