//! One child process: its log, its signals, its end.
//!
//! Children stay in the test's own process group, so that a test runner that kills a test which
//! takes too long takes them along.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{SOON, eventually_within};
use crate::{World, files};

/// A running child; dropped, it is killed.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    // The folder must outlive whoever writes into it.
    _world: World,
}

impl Process {
    /// Starts a command with its output going to a log of the test's folder.
    pub fn start(world: &World, name: &str, command: &mut Command) -> Self {
        let log = world.log(name);
        let file = File::create(&log).expect("the test's folder can be written");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file handle can be copied"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|why| panic!("{name} does not start: {why}"));
        Self {
            name: name.to_owned(),
            child,
            log,
            _world: world.clone(),
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal)
            .unwrap_or_else(|why| panic!("{} takes no {signal:?}: {why}", self.name));
    }

    /// Kills it at once, and waits until it is gone.
    pub fn kill9(mut self) {
        self.end();
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        self.ended_within(SOON).await
    }

    /// Waits for its end, so long at most.
    pub async fn ended_within(&mut self, deadline: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        eventually_within(deadline, &what, async || self.outcome().ok_or("it runs")).await
    }

    /// How it ended, when it did.
    pub fn outcome(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// What it wrote last.
    pub fn log_tail(&self) -> String {
        files::tail(&self.log, 40)
    }

    /// All that it wrote.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).expect("the log of a process is a file");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
