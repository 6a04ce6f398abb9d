//! A private Redis for a comparison: in a temporary folder, on a socket in it alone, keeping nothing.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// A Redis of the bench's own, gone with this.
pub(super) struct Redis {
    url: String,
    _child: Child,
    _folder: TempDir,
}

const READY_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Redis {
    /// Starts it and waits until it listens.
    pub(super) async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("onhand-redis-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let socket = folder.path().join("redis.sock");
        let child = Command::new(program()?)
            .args(["--port", "0", "--save", "", "--appendonly", "no"])
            .arg("--unixsocket")
            .arg(&socket)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start redis-server")?;
        let deadline = Instant::now() + READY_WITHIN;
        while UnixStream::connect(&socket).await.is_err() {
            ensure!(Instant::now() < deadline, "redis-server does not start");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(Self {
            url: format!("redis+unix://{}", socket.display()),
            _child: child,
            _folder: folder,
        })
    }

    /// Its address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

/// Whether there is one to start.
pub(super) fn is_there() -> bool {
    program().is_ok()
}

fn program() -> Result<PathBuf> {
    let named = std::env::var_os("ONHAND_REDIS_SERVER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join("redis-server"));
    named
        .into_iter()
        .chain(places.find(|place| place.is_file()))
        .find(|place: &PathBuf| Path::is_file(place))
        .context("there is no redis-server: install Redis or set ONHAND_REDIS_SERVER to it")
}
