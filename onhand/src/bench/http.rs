//! A client of HTTP/1.1 on one connection that is kept alive, one request at a time.
//!
//! By hand, around the parser of a library: the load shares two cores with the server that it
//! measures. A request is one write and an answer mostly one read, in the memory of those before.
//! It takes what our servers answer and those that are compared with: bodies whose length is told.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use axum::http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    /// The path, and the query where there is one.
    pub(super) path: &'a str,
    pub(super) idempotency_key: Option<&'a str>,
    /// JSON, or nothing.
    pub(super) body: &'a str,
}

/// An answer, in the memory of its connection.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: StatusCode,
    pub(super) body: &'a [u8],
}

/// A connection.
pub(super) struct Client {
    stream: TcpStream,
    host: String,
    /// The last request.
    written: Vec<u8>,
    /// Its answer, as far as it has come.
    read: Vec<u8>,
    /// Whether it was read to its end, and is not the last one of this connection.
    open: bool,
}

/// The most headers that an answer may have.
const HEADERS_MAX: usize = 32;
/// How much is read at once at least, in bytes: more than most answers.
const READ: usize = 4096;

impl Client {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        // A request is one small packet, which must not wait for another.
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            host: address.to_string(),
            written: Vec::new(),
            read: Vec::new(),
            open: true,
        })
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn send(&mut self, call: Call<'_>) -> io::Result<Answer<'_>> {
        // What may be left of an answer would be taken for the next one's.
        self.open = false;
        self.written.clear();
        call.write(&self.host, &mut self.written)?;
        self.stream.write_all(&self.written).await?;
        self.read.clear();
        let head = loop {
            self.read_more().await?;
            if let Some(head) = Head::of(&self.read)? {
                break head;
            }
        };
        while self.read.len() < head.end {
            self.read_more().await?;
        }
        if self.read.len() > head.end {
            return Err(wrong("more than was asked for"));
        }
        self.open = !head.last;
        Ok(Answer {
            status: head.status,
            body: &self.read[head.body..],
        })
    }

    /// Whether another request may be sent.
    pub(super) fn usable(&self) -> bool {
        let silent = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        self.open && self.stream.try_read(&mut [0]).is_err_and(silent)
    }

    async fn read_more(&mut self) -> io::Result<()> {
        self.read.reserve(READ);
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl<'a> Call<'a> {
    /// Without a key.
    pub(super) const fn new(method: &'a Method, path: &'a str, body: &'a str) -> Self {
        Self {
            method,
            path,
            idempotency_key: None,
            body,
        }
    }

    fn write(self, host: &str, bytes: &mut Vec<u8>) -> io::Result<()> {
        let Self { method, path, .. } = self;
        let length = self.body.len();
        write!(
            bytes,
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n"
        )?;
        if length > 0 {
            bytes.extend_from_slice(b"content-type: application/json\r\n");
        }
        if let Some(key) = self.idempotency_key {
            write!(bytes, "idempotency-key: {key}\r\n")?;
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.body.as_bytes());
        Ok(())
    }
}

/// What stands above the body of an answer.
struct Head {
    status: StatusCode,
    /// Where the body begins, and ends.
    body: usize,
    end: usize,
    /// Whether the server closes the connection behind it.
    last: bool,
}

impl Head {
    /// That of an answer; `None` where more of it is to come.
    fn of(bytes: &[u8]) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut headers);
        let parsed = answer.parse(bytes).map_err(wrong)?;
        let httparse::Status::Complete(body) = parsed else {
            return Ok(None);
        };
        let status = answer.code.map(StatusCode::from_u16);
        let status = status.and_then(Result::ok);
        let header = |name: &str| {
            let mut headers = answer.headers.iter();
            let header = headers.find(|header| header.name.eq_ignore_ascii_case(name))?;
            str::from_utf8(header.value).ok()
        };
        let length = header("content-length").and_then(|length| length.parse::<u32>().ok());
        let length = length.ok_or_else(|| wrong("no content-length"))?;
        Ok(Some(Self {
            status: status.ok_or_else(|| wrong("no status"))?,
            body,
            end: body + usize::try_from(length).map_err(wrong)?,
            last: header("connection").is_some_and(|how| how.eq_ignore_ascii_case("close")),
        }))
    }
}

fn wrong(what: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("not an answer that is understood here: {what}"))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::net::TcpListener;

    use super::*;

    const ASK: Call<'_> = Call::new(&Method::POST, "/orders", r#"{"a":1}"#);

    #[test]
    fn a_request_is_one_piece() {
        let mut bytes = Vec::new();
        let call = Call {
            idempotency_key: Some("k-1"),
            ..ASK
        };
        call.write("127.0.0.1:80", &mut bytes).unwrap();
        let text = "POST /orders HTTP/1.1\r\nhost: 127.0.0.1:80\r\ncontent-length: 7\r\n\
            content-type: application/json\r\nidempotency-key: k-1\r\n\r\n{\"a\":1}";
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }

    #[tokio::test]
    async fn answers_are_read_however_they_are_cut_and_as_long_as_they_say() {
        let whole = "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello";
        for cut in 0..whole.len() {
            let (first, second) = whole.split_at(cut);
            let mut client = answered_by(vec![first.to_owned(), second.to_owned()]).await;
            let answer = client.send(ASK).await.unwrap();
            assert_eq!(
                (answer.status, answer.body),
                (StatusCode::CREATED, &b"hello"[..])
            );
        }
    }

    #[tokio::test]
    async fn one_request_follows_another_until_the_server_has_had_enough() {
        let last = "HTTP/1.1 503 Later\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let mut client = answered_by(vec![last.to_owned()]).await;
        assert!(client.usable());
        let answer = client.send(ASK).await.unwrap();
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!client.usable());
    }

    #[tokio::test]
    async fn what_is_no_whole_answer_is_an_error_and_the_end_of_the_connection() {
        for wrong in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello!",
            "SSH-2.0-OpenSSH_9.2\r\n",
        ] {
            let mut client = answered_by(vec![wrong.to_owned()]).await;
            client.send(ASK).await.expect_err(wrong);
            assert!(!client.usable(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_nobody_waited_for_ends_the_connection() {
        let mut client = answered_by(Vec::new()).await;
        assert!(client.send(ASK).now_or_never().is_none());
        assert!(!client.usable());
    }

    /// Connected to a server that says this to a request, piece after piece, and then nothing more.
    async fn answered_by(pieces: Vec<String>) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::open(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        server.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let mut request = [0; 1024];
            let _ = server.read(&mut request).await;
            for piece in pieces {
                server.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        client
    }
}
