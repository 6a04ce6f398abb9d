//! Those who are compared in a line: each is started once, and run in turns with the others.

use std::sync::{Arc, Mutex};

use anyhow::Result;

use super::args::{Pace, Setting};
use super::baseline::{Baseline, Script};
use super::figures::Figures;
use super::labels;
use super::lines::{Kind, Line, Rival};
use super::server::Server;
use super::service::Service;
use super::session::Session;
use super::target::Target;

/// One of those who are compared, ready to run.
pub(super) enum Side {
    /// An Onhand.
    Onhand {
        server: Box<Server>,
        targets: Vec<Target>,
        setting: Setting,
    },
    /// A service of the usual kind.
    Service {
        service: Box<Service>,
        target: Target,
        setting: Setting,
        name: &'static str,
    },
    /// A database alone.
    Pgbench {
        baseline: Arc<Mutex<Baseline>>,
        setting: Setting,
        how: (Script, u32),
    },
    /// Nothing to run.
    Known,
}

/// What came of one run.
pub(super) enum Came {
    /// All there is to know.
    Figures(Figures),
    /// Orders a second.
    Rate(f64),
    /// Nothing: it was known before.
    Nothing,
}

impl Side {
    /// Starts ours.
    pub(super) async fn onhand(session: &mut Session, setting: Setting) -> Result<Self> {
        let ground = setting.ground;
        let mut server = session.stop.block(move || Server::spawn(ground)).await?;
        match session.stop.or(server.ready()).await {
            Ok(targets) => Ok(Self::Onhand {
                server: Box::new(server),
                targets,
                setting,
            }),
            Err(fault) => {
                let _ = server.stop().await;
                Err(fault)
            }
        }
    }

    /// Starts a rival of a line; the databases alone share one.
    pub(super) async fn rival(
        session: &mut Session,
        line: &Line,
        rival: &Rival,
        shared: &mut Option<Arc<Mutex<Baseline>>>,
    ) -> Result<Self> {
        let setting = line.setting;
        match rival.kind {
            Kind::Known(_) => Ok(Self::Known),
            Kind::Own(setting) => Self::onhand(session, setting).await,
            Kind::Service(lock) => {
                let starting = Service::start(lock, setting.ground);
                let (service, target) = session.stop.or(starting).await?;
                Ok(Self::Service {
                    service: Box::new(service),
                    target,
                    setting,
                    name: rival.name,
                })
            }
            Kind::Pgbench(script) => {
                let slow_disk_ms = setting.ground.slow_disk_ms;
                if shared.is_none() {
                    let started = session.stop.block(move || Baseline::start(slow_disk_ms));
                    *shared = Some(Arc::new(Mutex::new(started.await?)));
                }
                Ok(Self::Pgbench {
                    baseline: Arc::clone(shared.as_ref().expect("it was just started")),
                    setting,
                    how: (script, u32::try_from(rival.clients).unwrap_or(1)),
                })
            }
        }
    }

    /// Runs once.
    pub(super) async fn run(&self, session: &mut Session, number: usize) -> Result<Came> {
        let came = match self {
            Self::Onhand {
                targets, setting, ..
            } => {
                let what = labels::name(*setting);
                Came::Figures(session.run_once(targets, *setting, (what, number)).await?)
            }
            Self::Service {
                service,
                target,
                setting,
                name,
            } => {
                let what = format!("{}: {name}", labels::name(*setting));
                let figures = session
                    .run_once(&[*target], *setting, (what, number))
                    .await?;
                service.settle()?;
                Came::Figures(figures)
            }
            Self::Pgbench {
                baseline,
                setting,
                how,
            } => {
                let (flag, setting, how) = (session.stop.clone(), *setting, *how);
                let baseline = Arc::clone(baseline);
                let run = move || {
                    baseline
                        .lock()
                        .expect("one at a time")
                        .run(setting, how, &flag)
                };
                Came::Rate(session.stop.block(run).await?.per_second)
            }
            Self::Known => Came::Nothing,
        };
        Ok(came)
    }

    /// Sets the rate at which orders become due.
    pub(super) fn pace(&mut self, per_second: u64) {
        if let Self::Onhand { setting, .. } = self {
            setting.pace = Pace::Open {
                per_second: per_second.max(1),
                outstanding_max: 1_024,
            };
        }
    }

    /// How much memory it holds, of ours.
    pub(super) fn resident_mib(&self) -> Option<u64> {
        match self {
            Self::Onhand { server, .. } => Some(server.resident_mib()),
            _ => None,
        }
    }

    /// Ends it; of ours the books are audited where all went well.
    pub(super) async fn end(self, session: &mut Session, well: bool) -> Result<()> {
        match self {
            Self::Onhand { server, .. } => session.end(*server, well).await,
            Self::Service { service, .. } => service.stop().await,
            Self::Pgbench { .. } | Self::Known => Ok(()),
        }
    }
}
