//! The connections of a server: taken in, served, and ended in good order.
//!
//! In place of `axum::serve`, which cannot be told how long a client may take to ask.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    response::Response,
    serve::{Listener, ListenerExt as _},
};
use futures::FutureExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, sync::Semaphore};

/// How long a connection may stay without a whole head of a request, its first or its next: one
/// that sends a byte now and then would otherwise be kept for ever. Above what most pools of
/// clients keep an idle connection for, so that it is they who close it.
const HEAD_WAIT: Duration = Duration::from_secs(100);

/// Serves until `shutdown`, so many connections at once; then takes nothing new, and ends when
/// everything is answered.
pub(super) async fn serve<A>(
    answer: impl Fn(Request) -> A + Clone + Send + 'static,
    listener: TcpListener,
    connections_max: usize,
    shutdown: impl Future<Output = ()>,
) where
    A: Future<Output = Response> + Send + 'static,
{
    let mut listener = listener.tap_io(|connection| {
        // An answer is one small packet, which must not wait for another.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection cannot be told to send at once");
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    // Head and body as one piece: most answers are small.
    http.writev(false);
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
    tokio::pin!(shutdown);
    loop {
        // Whoever finds no place waits where the system queues him.
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await.0, place)
        };
        let (connection, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        let answer = answer.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            answer(request.map(Body::new)).map(Ok::<_, Infallible>)
        });
        let served = http.serve_connection(TokioIo::new(connection), service);
        let served = connections.watch(served);
        tokio::spawn(async move {
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    connections.shutdown().await;
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use futures::future::BoxFuture;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
        sync::oneshot,
    };
    use tower::ServiceExt as _;

    use super::*;

    /// The clock stands still while anything can go on, and leaps when nothing can.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_ends_its_request_is_let_go() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(
            by(Router::new()),
            listener,
            1,
            std::future::pending(),
        ));
        let mut client = TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a")
            .await
            .unwrap();
        let read = async { client.read_to_end(&mut Vec::new()).await };
        let ended = tokio::time::timeout(2 * HEAD_WAIT, read).await;
        assert!(ended.is_ok(), "the connection is still open");
    }

    #[tokio::test]
    async fn a_connection_too_many_waits_for_another_to_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "hello"));
        tokio::spawn(serve(by(router), listener, 1, std::future::pending()));
        let ask = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(ask).await.unwrap();
        let mut answer = [0; 15];
        first.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");

        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(ask).await.unwrap();
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        let nothing = second.try_read(&mut answer).unwrap_err();
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);

        drop(first);
        second.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }

    #[tokio::test]
    async fn what_is_under_way_at_the_end_is_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stop = std::sync::Arc::new(std::sync::Mutex::new(Some(stop)));
        let last = async move || {
            // The server is told to end while this request is under way.
            drop(stop.lock().unwrap().take());
            tokio::task::yield_now().await;
            "the last answer"
        };
        let router = Router::new().route("/", get(last));
        let serving = tokio::spawn(serve(by(router), listener, 1, async {
            let _ = stopped.await;
        }));
        let mut client = TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.ends_with("the last answer"), "{answer}");
        serving.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    fn by(router: Router) -> impl Fn(Request) -> BoxFuture<'static, Response> + Clone {
        move |request| {
            let answer = router.clone().oneshot(request);
            answer.map(|Ok(response)| response).boxed()
        }
    }
}
