//! A TCP proxy that can fall silent: connections stay open, nothing is forwarded any longer, as
//! when a phone leaves its cell. Ends with the runtime of the test that made it.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A proxy that runs.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    open: watch::Sender<bool>,
}

impl Proxy {
    /// In front of this address.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let (open, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let state = state.clone();
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    let (near_reads, near_writes) = near.into_split();
                    let (far_reads, far_writes) = far.into_split();
                    tokio::spawn(pump(near_reads, far_writes, state.clone()));
                    pump(far_reads, near_writes, state).await;
                });
            }
        });
        Self { addr, open }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Forwards nothing from now on, not even that a side has gone.
    pub fn silence(&self) {
        self.open.send_replace(false);
    }

    /// Forwards again, what was held back first.
    pub fn heal(&self) {
        self.open.send_replace(true);
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if state.wait_for(|open| *open).await.is_err() || read == 0 {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
