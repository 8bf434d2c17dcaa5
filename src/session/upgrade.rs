//! The way past actix-http: a connection whose first bytes are a whole WebSocket request goes to
//! the direct engine at once, without the buffers and the state of an HTTP connection. Whatever else
//! comes is left untouched to HTTP, which reads it anew. Wired in by the app; must decide nothing
//! about who comes in.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_service::{Service, ServiceFactory};
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::timeout;
use futures_util::future::LocalBoxFuture;
use httparse::{EMPTY_HEADER, Header, Request, Status};
use tokio::io::ReadBuf;

use crate::protocol::Gate;

use super::door::{self, Head, Knock, Refusal};
use super::newcomer::{Host, Newcomer, finish};

/// Longest head that is read here.
const HEAD_BYTES: usize = 8 * 1_024;
/// Most lines of one.
const HEADERS: usize = 64;

const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

thread_local! {
    static HEAD: RefCell<Box<[u8]>> = RefCell::new(vec![0; HEAD_BYTES].into());
}

/// Makes a worker's [`Front`].
pub struct FrontFactory<F> {
    /// HTTP.
    pub http: F,
    /// Lets sockets in.
    pub host: Arc<Host>,
    /// How long a client may take to send its request.
    pub head_timeout: Duration,
}

impl<F> ServiceFactory<TcpStream> for FrontFactory<F>
where
    F: ServiceFactory<TcpStream, Config = (), Response = ()>,
    F::Service: 'static,
    F::Future: 'static,
    F::InitError: 'static,
{
    type Response = ();
    type Error = F::Error;
    type Config = ();
    type Service = Front<F::Service>;
    type InitError = F::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, Self::InitError>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let http = self.http.new_service(());
        let (host, head_timeout) = (Arc::clone(&self.host), self.head_timeout);
        Box::pin(async move { Ok(Front { http: Rc::new(http.await?), host, head_timeout }) })
    }
}

/// What stands in front of HTTP on a worker.
pub struct Front<S> {
    http: Rc<S>,
    host: Arc<Host>,
    head_timeout: Duration,
}

impl<S> Service<TcpStream> for Front<S>
where
    S: Service<TcpStream, Response = ()> + 'static,
{
    type Response = ();
    type Error = S::Error;
    type Future = LocalBoxFuture<'static, Result<(), S::Error>>;

    fn poll_ready(&self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.http.poll_ready(task)
    }

    fn call(&self, io: TcpStream) -> Self::Future {
        let (http, host) = (Rc::clone(&self.http), Arc::clone(&self.host));
        let limit = self.head_timeout;
        Box::pin(async move {
            let Ok(peer) = io.peer_addr() else { return Ok(()) };
            match timeout(limit, first(&io, peer.ip(), &host)).await {
                Ok(Ok(First::Upgrade(Ok(newcomer)))) => newcomer.welcome(io).await,
                Ok(Ok(First::Upgrade(Err(refusal)))) => {
                    Box::pin(host.refuse(io, Vec::new(), &refusal)).await;
                }
                // In a box of its own, so that sockets do not pay for its size.
                Ok(Ok(First::Http)) => return Box::pin(http.call(io)).await,
                Ok(Err(_)) => {}
                Err(_) => Box::pin(finish(io, TOO_SLOW)).await,
            }
            Ok(())
        })
    }
}

/// What a connection begins with.
enum First {
    /// A whole request for an upgrade, which is read by now.
    Upgrade(Result<Box<Newcomer>, Box<Refusal>>),
    /// Something else; nothing of it is read.
    Http,
}

/// Waits for a connection's first bytes and looks at them.
fn first<'a>(
    io: &'a TcpStream,
    peer: IpAddr,
    host: &'a Arc<Host>,
) -> impl Future<Output = io::Result<First>> + 'a {
    poll_fn(move |task| {
        HEAD.with_borrow_mut(|head| {
            let mut head = ReadBuf::new(head);
            ready!(io.poll_peek(task, &mut head))?;
            let head = head.filled_mut();
            let Some((knock, end)) = upgrade(head, peer, &host.gate) else {
                return Poll::Ready(Ok(First::Http));
            };
            // What was seen is there to be read.
            io.try_read(&mut head[..end])?;
            let host = Arc::clone(host);
            let newcomer = |knock| Newcomer { host, knock, unread: Vec::new(), answer: Vec::new() };
            let asked = knock.map(|knock| Box::new(newcomer(knock))).map_err(Box::new);
            Poll::Ready(Ok(First::Upgrade(asked)))
        })
    })
}

/// The decision on a whole upgrade request without a body, and its length.
fn upgrade(head: &[u8], peer: IpAddr, gate: &Gate) -> Option<(Result<Knock, Refusal>, usize)> {
    let mut lines = [EMPTY_HEADER; HEADERS];
    let mut request = Request::new(&mut lines);
    let Ok(Status::Complete(end)) = request.parse(head) else { return None };
    let seen = Seen { method: request.method?, target: request.path?, lines: request.headers };
    let has = |name| seen.all(name).next().is_some();
    let says = |name, word| {
        let is_word = |part: &[u8]| part.trim_ascii().eq_ignore_ascii_case(word);
        seen.all(name).any(|line| line.split(|byte| *byte == b',').any(is_word))
    };
    let is_ours = seen.method == "GET"
        && request.version == Some(1)
        && seen.target.starts_with("/ws")
        && says("upgrade", b"websocket")
        && says("connection", b"upgrade")
        && !has("content-length")
        && !has("transfer-encoding")
        && seen.all("host").count() == 1;
    is_ours.then(|| (door::knock(&seen, peer, gate), end))
}

/// A request's head, as httparse has it.
struct Seen<'a> {
    method: &'a str,
    target: &'a str,
    lines: &'a [Header<'a>],
}

impl<'a> Seen<'a> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.lines.iter().filter(move |line| line.name.eq_ignore_ascii_case(name));
        lines.map(|line| line.value)
    }
}

impl Head for Seen<'_> {
    fn method(&self) -> &str {
        self.method
    }
    fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }
    fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
    fn header(&self, name: &str) -> Option<&str> {
        text(self.all(name).next()?)
    }
    fn list(&self, name: &str) -> Option<String> {
        let lines = self.all(name).filter_map(text);
        lines.map(str::to_owned).reduce(|all, line| all + "," + &line)
    }
}

/// What HTTP calls text: visible ASCII, spaces and tabs.
fn text(value: &[u8]) -> Option<&str> {
    let is_text = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    std::str::from_utf8(value).ok().filter(|_| is_text)
}
