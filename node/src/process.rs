//! A process: it serves the calls of its services, runs them, and stops in good order.
//!
//! Stopping: no new requests, those under way are answered, then the services finish and give
//! their locks back.

use std::{io, net::SocketAddr, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    config::Common,
    edge,
    entity::Entity,
    events::{Projection, Reading},
    host::{Service, StartError},
    seams::SystemIds,
};

/// The allocator of every program: most of what a command takes are small, short-lived pieces.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A service of a process: its calls, and its life.
pub struct Part {
    api: OpenApiRouter,
    missing: edge::Missing,
    run: BoxFuture<'static, Result<(), StartError>>,
}

/// A process that is about to serve.
pub struct Process<'a> {
    /// The program's name, by which tools find its address.
    pub name: &'static str,
    /// The title of its documentation.
    pub title: &'static str,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its settings.
    pub common: &'a Common,
    /// What it counts.
    pub metrics: PrometheusHandle,
    /// Turns true when the services are to end.
    pub stop: watch::Sender<bool>,
}

impl Process<'_> {
    /// Puts a service in.
    pub fn part<E: Entity>(&self, service: &Service<E>, api: OpenApiRouter) -> Part {
        let (watched, running, stop) = (service.clone(), service.clone(), self.stop.subscribe());
        Part {
            api,
            missing: Arc::new(move || watched.missing()),
            run: async move { running.run(stop).await }.boxed(),
        }
    }

    /// Puts a reader of events in.
    pub fn reader<P: Projection>(&self, reading: &Reading<P>, api: OpenApiRouter) -> Part {
        let (watched, running, stop) = (reading.clone(), reading.clone(), self.stop.subscribe());
        Part {
            api,
            missing: Arc::new(move || watched.missing()),
            run: async move { running.run(stop).await }.boxed(),
        }
    }

    /// Serves until SIGTERM, Ctrl-C or the end of `end`; calls `announce` when it listens.
    ///
    /// # Errors
    /// One line that says why it cannot run.
    pub async fn serve(
        self,
        parts: Vec<Part>,
        end: impl Future<Output = ()> + Send + 'static,
        announce: impl FnOnce(SocketAddr),
    ) -> Result<(), StartError> {
        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            StartError(format!(
                "cannot listen on {}: {error}; choose another address with ONHAND_LISTEN",
                self.listen
            ))
        })?;
        let address = listener
            .local_addr()
            .map_err(|error| StartError(error.to_string()))?;
        let mut api = OpenApiRouter::new();
        let mut missing = Vec::new();
        let mut running = JoinSet::new();
        for part in parts {
            api = api.merge(part.api);
            missing.push(part.missing);
            running.spawn(part.run);
        }
        let ops = edge::Ops {
            missing,
            metrics: self.metrics,
        };
        let limits = edge::Limits {
            requests_max: self.common.limits.requests_max,
        };
        let ids: Arc<dyn crate::seams::Ids> = Arc::new(SystemIds::default());
        let app = edge::App::new(self.title, api, ops, &ids, limits);
        edge::write_address(&self.common.data, self.name, address).map_err(|error| {
            StartError(format!(
                "the data folder {} cannot be written: {error}",
                self.common.data.display()
            ))
        })?;
        announce(address);
        let interrupted = interrupted().map_err(|error| StartError(error.to_string()))?;
        let asked = async move {
            tokio::select! {
                () = interrupted => {}
                () = end => {}
            }
            tracing::info!("stopping: answering what is under way");
        };
        let limits = &self.common.limits;
        let connections_max = limits.connections_max;
        let serving = edge::serve(app, listener, connections_max, asked, limits.stop_wait());
        tokio::select! {
            () = serving => {}
            // A service that ends before it was asked to cannot run at all.
            Some(ended) = running.join_next() => {
                self.stop.send_replace(true);
                while running.join_next().await.is_some() {}
                return match ended {
                    Ok(result) => result,
                    Err(error) => Err(StartError(error.to_string())),
                };
            }
        }
        self.stop.send_replace(true);
        while let Some(ended) = running.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::error!(%error, "while stopping");
            }
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// Waits for SIGTERM or Ctrl-C.
fn interrupted() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
