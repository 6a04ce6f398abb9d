//! The nats-server that `onhand up` starts for itself where no broker is named.
//!
//! Its store, address and pid are in the data folder, where the tools find them. It is started
//! again when it dies, and stopped with the program; one that outlived a `kill -9` of the program
//! is found by its pid file and stopped first.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    num::NonZero,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, kill_process},
};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
    time::Instant,
};

/// How long the server may take to answer, or to end.
const WAIT: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long to wait before a server that died is started again.
const AGAIN: Duration = Duration::from_millis(200);

/// A nats-server of our own.
pub(crate) struct OwnBroker {
    /// Its address.
    pub(crate) url: String,
    _folder: Folder,
    stop: watch::Sender<bool>,
    keeper: JoinHandle<()>,
}

impl OwnBroker {
    /// Starts it, with its store in the data folder.
    pub(crate) async fn start(
        data: &Path,
        wanted: SocketAddr,
        program: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let data = fs::canonicalize(data)
            .with_context(|| format!("the data folder {}", data.display()))?;
        let program = find(program)?;
        let folder = Folder::take(&data)?;
        stop_orphan(&data).await?;
        let address = free(wanted).await?;
        let config = data.join("nats.conf");
        fs::write(&config, configuration(&data, address))
            .context("the broker's configuration cannot be written")?;
        let child = launch(&program, &config, &data, address).await?;
        let url = format!("nats://{address}");
        write_whole(&data.join("nats.url"), &format!("{url}\n"))?;
        let (stop, stopping) = watch::channel(false);
        let keeper = tokio::spawn(keep(child, program, config, data, address, stopping));
        Ok(Self {
            url,
            _folder: folder,
            stop,
            keeper,
        })
    }

    /// Stops it.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.keeper.await;
    }
}

/// The data folder, locked: whoever holds it alone may stop a broker that was left behind there.
struct Folder(#[expect(dead_code, reason = "the open file is the lock")] fs::File);

impl Folder {
    fn take(data: &Path) -> anyhow::Result<Self> {
        let path = data.join("onhand.lock");
        let file = fs::File::create(&path)
            .with_context(|| format!("{} cannot be made", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(_) => bail!(
                "another onhand runs on {}: stop it first, or choose another folder with ONHAND_DATA",
                data.display()
            ),
        }
    }
}

/// Starts the server again whenever it ends, until it is to stop.
async fn keep(
    mut child: Child,
    program: PathBuf,
    config: PathBuf,
    data: PathBuf,
    address: SocketAddr,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let status = tokio::select! {
            status = child.wait() => Some(status),
            _ = stop.wait_for(|stop| *stop) => None,
        };
        let Some(status) = status else {
            end(&mut child).await;
            let _ = fs::remove_file(data.join("nats.pid"));
            let _ = fs::remove_file(data.join("nats.url"));
            return;
        };
        tracing::warn!(?status, "the broker ended: starting it again");
        child = loop {
            tokio::time::sleep(AGAIN).await;
            if *stop.borrow() {
                return;
            }
            match launch(&program, &config, &data, address).await {
                Ok(child) => break child,
                Err(error) => tracing::error!("{error:#}"),
            }
        };
    }
}

async fn launch(
    program: &Path,
    config: &Path,
    data: &Path,
    address: SocketAddr,
) -> anyhow::Result<Child> {
    let log =
        fs::File::create(data.join("nats.log")).context("the broker's log cannot be written")?;
    let mut child = Command::new(program)
        .arg("-c")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C is ours: the broker stays until everything is answered.
        .process_group(0)
        .env("GOMAXPROCS", threads())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    if let Some(pid) = child.id() {
        write_whole(&data.join("nats.pid"), &format!("{pid}\n"))?;
    }
    let until = Instant::now() + WAIT;
    while !answers(address).await {
        if let Some(status) = child.try_wait()? {
            let log = fs::read_to_string(data.join("nats.log")).unwrap_or_default();
            let last = log
                .lines()
                .rev()
                .find(|line| line.contains("[FTL]") || line.contains("[ERR]"))
                .unwrap_or("no reason in its log");
            bail!(
                "the broker ended at once ({status}): {last}; see {}",
                data.join("nats.log").display()
            );
        }
        if Instant::now() > until {
            bail!(
                "the broker does not answer on {address}; see {}",
                data.join("nats.log").display()
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(child)
}

/// How many threads of the broker may run at once: half of what there is, since every node runs
/// beside it. With more it spends its time on looking for work between the few messages at a time.
fn threads() -> OsString {
    std::env::var_os("GOMAXPROCS").unwrap_or_else(|| {
        let all = std::thread::available_parallelism().map_or(1, NonZero::get);
        all.div_ceil(2).to_string().into()
    })
}

/// A server greets with `INFO`.
async fn answers(address: SocketAddr) -> bool {
    let greet = async {
        let mut connection = TcpStream::connect(address).await?;
        let mut greeting = [0; 4];
        connection.read_exact(&mut greeting).await?;
        Ok::<_, std::io::Error>(&greeting == b"INFO")
    };
    matches!(
        tokio::time::timeout(Duration::from_secs(1), greet).await,
        Ok(Ok(true))
    )
}

/// The wanted address, or another port of it where that one is taken.
async fn free(wanted: SocketAddr) -> anyhow::Result<SocketAddr> {
    let listener = match TcpListener::bind(wanted).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::info!("{wanted} is taken ({error}): the broker gets a free port");
            TcpListener::bind(SocketAddr::new(wanted.ip(), 0))
                .await
                .context("the broker finds no port")?
        }
    };
    Ok(listener.local_addr()?)
}

/// Stops the server that a killed program left behind in this folder.
async fn stop_orphan(data: &Path) -> anyhow::Result<()> {
    let Ok(text) = fs::read_to_string(data.join("nats.pid")) else {
        return Ok(());
    };
    let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    // The pid may belong to somebody else by now: only a server with our configuration is ours.
    let ours = data.join("nats.conf");
    if !command_line(pid).is_some_and(|line| line.contains(&*ours.to_string_lossy())) {
        return Ok(());
    }
    tracing::info!(
        pid = pid.as_raw_nonzero(),
        "stopping the broker that an earlier life left behind"
    );
    let _ = kill_process(pid, Signal::TERM);
    let until = Instant::now() + WAIT;
    while command_line(pid).is_some_and(|line| line.contains(&*ours.to_string_lossy())) {
        if Instant::now() > until {
            let _ = kill_process(pid, Signal::KILL);
        }
        if Instant::now() > until + WAIT {
            bail!(
                "the broker with pid {} does not stop: stop it by hand",
                pid.as_raw_nonzero()
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// The command line of a process, where there is one.
fn command_line(pid: Pid) -> Option<String> {
    let pid = pid.as_raw_nonzero();
    if Path::new("/proc/self").exists() {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&line).replace('\0', " "));
    }
    let output = std::process::Command::new("ps")
        .args(["-p", &pid.to_string(), "-o", "command="])
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn end(child: &mut Child) {
    if let Some(pid) = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw)
    {
        let _ = kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(WAIT, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

fn find(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    on_path
        .map(|folder| folder.join("nats-server"))
        .chain([PathBuf::from(".tools/bin/nats-server")])
        .find(|path| path.is_file())
        .context("no nats-server found: `make run` installs one; or name one with ONHAND_NATS_SERVER, or a running broker with ONHAND_NATS_URL")
}

fn configuration(data: &Path, address: SocketAddr) -> String {
    format!(
        "# Written by onhand at every start; changes are lost. For a broker of your own see nats/.\n\
         server_name: onhand\n\
         listen: \"{address}\"\n\
         max_payload: 1MB\n\
         jetstream {{\n  store_dir: \"{}\"\n  max_memory_store: 64MB\n  max_file_store: 20GB\n}}\n",
        data.join("nats").display()
    )
}

/// Writes a file whole or not at all.
fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    fs::write(&draft, text)
        .and_then(|()| fs::rename(&draft, path))
        .with_context(|| format!("{} cannot be written", path.display()))
}
