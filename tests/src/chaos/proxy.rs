//! A TCP proxy whose network can be made bad.
//!
//! It knows nothing of what passes. Connections that are cut end by a reset, as they do when a
//! machine or a path is gone.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes that are passed on at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// How the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// Everything passes at once.
    Open,
    /// Every new connection is reset.
    Refused,
    /// Connections stay, and nothing passes.
    Stalled,
    /// Every piece is late, and no more than so much passes in a second.
    Slow {
        /// Delay of every piece.
        latency_ms: u64,
        /// Bytes a second, each way, for every connection.
        bytes_per_sec: u64,
    },
}

/// What all connections of a proxy watch.
#[derive(Debug, Clone, Copy)]
struct State {
    network: Network,
    /// Connections of an earlier generation are cut.
    generation: u64,
}

/// A proxy on a free port of 127.0.0.1. Dropping it cuts everything.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// From whom to whom, for messages.
    pub(crate) name: String,
    port: u16,
    usual: Network,
    state: watch::Sender<State>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Listens, and passes everything on to `upstream`, a port of 127.0.0.1, over a network that
    /// usually is as it is said here.
    pub(crate) async fn start(name: String, upstream: u16, usual: Network) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (state, watched) = watch::channel(State { network: usual, generation: 0 });
        let listening = tokio::spawn(listen(listener, SocketAddr::from((Ipv4Addr::LOCALHOST, upstream)), watched));
        Self { name, port, usual, state, listening }
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Makes the network so from now on, for connections old and new.
    pub(crate) fn set(&self, network: Network) {
        self.state.send_modify(|state| state.network = network);
    }

    /// Makes the network as it usually is.
    pub(crate) fn restore(&self) {
        self.set(self.usual);
    }

    /// Cuts every connection there is.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, upstream: SocketAddr, state: watch::Receiver<State>) {
    while let Ok((client, _)) = listener.accept().await {
        if state.borrow().network == Network::Refused {
            reset(&client);
            continue;
        }
        tokio::spawn(pass(client, upstream, state.clone()));
    }
}

/// Passes bytes both ways until one side ends or the connection is cut.
async fn pass(client: TcpStream, upstream: SocketAddr, mut state: watch::Receiver<State>) {
    let generation = state.borrow_and_update().generation;
    let Ok(server) = TcpStream::connect(upstream).await else {
        reset(&client);
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    // An orderly end has been passed on by the time of the drop; any other end is a reset.
    reset(&client);
    reset(&server);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = state.clone();
    let both = async { tokio::join!(pump(from_client, to_server, state.clone()), pump(from_server, to_client, state)) };
    tokio::select! {
        _ = both => {}
        // The generation has changed, or the proxy is gone.
        _ = cut.wait_for(|state| state.generation != generation) => {}
    }
}

/// Passes bytes one way. When one direction ends the other may go on, as TCP allows.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(read) = from.read(&mut piece).await {
        if read == 0 {
            break;
        }
        if delay(&mut state, read).await.is_err() || to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// Waits as long as the network makes the piece wait.
async fn delay(state: &mut watch::Receiver<State>, read: usize) -> Result<(), watch::error::RecvError> {
    let network = state.wait_for(|state| state.network != Network::Stalled).await?.network;
    if let Network::Slow { latency_ms, bytes_per_sec } = network {
        let transfer = Duration::from_secs_f64(read as f64 / bytes_per_sec as f64);
        tokio::time::sleep(Duration::from_millis(latency_ms) + transfer).await;
    }
    Ok(())
}

/// Makes the connection end by a reset when it is dropped.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
