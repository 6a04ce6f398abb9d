//! How a node's routes become a server, and how the server is found and looked at.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::{Router, extract::Request, response::Response};
use tokio::net::TcpListener;
use utoipa_axum::router::OpenApiRouter;

use super::{Around, Limits, Ops, Problem, connections, describe, docs, ops};
use crate::seams::Ids;

/// How long the program waits for its own answer to a health check.
const HEALTHCHECK_WAIT: Duration = Duration::from_secs(5);

/// Everything that a process serves: a node's calls (or several nodes', merged), the operator's
/// calls and the documentation. Its clones are the same one.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    router: Router,
    api: Around,
    /// Around the operator's calls and the documentation, which have places of their own, so that they
    /// are answered also when the node is full.
    own: Around,
}

impl App {
    /// Puts the calls of nodes together with what every process answers.
    pub fn new(
        title: &str,
        api: OpenApiRouter,
        ops: Ops,
        ids: &Arc<dyn Ids>,
        limits: Limits,
    ) -> Self {
        let (api, description) = api.split_for_parts();
        let description = describe(description, title);
        let own = ops::router(ops).merge(docs::router(&description));
        let router = api
            .merge(own)
            .fallback(async || Problem::NotFound)
            .method_not_allowed_fallback(async || Problem::MethodNotAllowed);
        Self(Arc::new(Inner {
            router,
            api: Around::new(Arc::clone(ids), limits),
            own: Around::new(Arc::clone(ids), limits),
        }))
    }

    /// Answers a request: every answer of the program leaves here.
    pub async fn answer(&self, request: Request) -> Response {
        let Inner { router, api, own } = &*self.0;
        let path = request.uri().path();
        let around = if ops::has(path) || docs::has(path) {
            own
        } else {
            api
        };
        around.carry(request, router.clone()).await
    }
}

/// Serves until `shutdown`, so many connections at once; then takes nothing new, and ends when everything is answered or
/// `stop_wait` is over.
pub async fn serve(
    app: App,
    listener: TcpListener,
    connections_max: usize,
    shutdown: impl Future<Output = ()> + Send + 'static,
    stop_wait: Duration,
) {
    let (told, mut stopping) = tokio::sync::oneshot::channel();
    let answer = move |request| {
        let app = app.clone();
        async move { app.answer(request).await }
    };
    let serving = connections::serve(answer, listener, connections_max, async move {
        shutdown.await;
        // Nobody waits any more when the server has ended by itself.
        let _ = told.send(());
    });
    let late = async move {
        if (&mut stopping).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(stop_wait).await;
    };
    tokio::select! {
        () = serving => {}
        () = late => {
            tracing::warn!(?stop_wait, "requests are still under way at the end");
        }
    }
}

/// Writes the base address to `<data>/<name>.addr`, where the tools find it: whole or not at all.
pub fn write_address(data: &Path, name: &str, address: SocketAddr) -> io::Result<()> {
    let written = data.join(format!(".{name}.addr.{}", std::process::id()));
    fs::write(&written, format!("http://{}\n", reachable(address)))?;
    fs::rename(&written, data.join(format!("{name}.addr")))
}

/// Whether the process that listens there is ready, as it says itself.
pub fn healthcheck(listen: SocketAddr) -> bool {
    match ask_ready(reachable(listen)) {
        Ok(status) => status == "200",
        Err(_) => false,
    }
}

fn ask_ready(address: SocketAddr) -> io::Result<String> {
    let mut connection = TcpStream::connect_timeout(&address, HEALTHCHECK_WAIT)?;
    connection.set_read_timeout(Some(HEALTHCHECK_WAIT))?;
    connection.set_write_timeout(Some(HEALTHCHECK_WAIT))?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    // `HTTP/1.1 200`
    let mut start = [0; 12];
    connection.read_exact(&mut start)?;
    Ok(String::from_utf8_lossy(&start[9..]).into_owned())
}

/// Where a client on this machine reaches a socket that listens on every address.
const fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
