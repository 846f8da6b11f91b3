//! The thread of a proxy: accepts, and serves every connection.

use std::io;
use std::net::TcpListener as Bound;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::connection::Connection;
use super::handle::Shared;
use super::table::Table;

/// How long to wait when no file descriptor is free for a connection.
const NO_DESCRIPTOR_PAUSE: Duration = Duration::from_millis(10);

/// What the thread is told; each order is answered once it has been carried out.
pub(super) enum Order {
    /// Accept at this listener from now on.
    Listen(Bound, SyncSender<io::Result<()>>),
    /// Accept nothing: the port is free once this is answered.
    Close(SyncSender<io::Result<()>>),
}

/// Accepts and serves until nobody can give orders any more.
pub(super) async fn serve(
    mut orders: mpsc::Receiver<Order>,
    shared: Arc<Shared>,
    table: watch::Receiver<Arc<Table>>,
) {
    let mut listener: Option<TcpListener> = None;
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                None => return,
                Some(Order::Close(done)) => {
                    listener = None;
                    let _ = done.send(Ok(()));
                }
                Some(Order::Listen(bound, done)) => {
                    let taken = TcpListener::from_std(bound);
                    let _ = done.send(taken.map(|taken| listener = Some(taken)));
                }
            },
            accepted = accept(listener.as_ref()) => match accepted {
                Ok(client) => admit(client, &shared, &table),
                Err(_) => tokio::time::sleep(NO_DESCRIPTOR_PAUSE).await,
            },
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(client, _)| client),
        None => std::future::pending().await,
    }
}

fn admit(client: TcpStream, shared: &Arc<Shared>, table: &watch::Receiver<Arc<Table>>) {
    let number = shared.counts.add(|counted| {
        if counted.open >= u64::from(shared.connections_max) {
            counted.refused += 1;
            return None;
        }
        counted.open += 1;
        counted.accepted += 1;
        Some(counted.accepted - 1)
    });
    // The number decides which shares meet it, so it follows the order of arrival.
    let Some(number) = number else { return };
    let connection = Connection::new(client, number, Arc::clone(shared), table.clone());
    tokio::spawn(connection.carry());
}
