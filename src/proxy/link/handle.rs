//! A proxy as its owner holds it.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};

use super::counters::{Counts, ProxyCounters};
use super::listener::{self, Order};
use super::table::{InjectedFault, Table};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::fault::{Mode, ProxyFault};
use crate::record::{DependencyCounters, FailureBook};

/// Connections that a proxy carries at a time, unless told otherwise: each needs
/// two file descriptors and 2 MiB at most.
const CONNECTIONS_MAX: u32 = 1_000;
/// Faults of one proxy at most. Each connection looks at all of them.
const FAULTS_MAX: usize = 64;
/// Orders that wait for the thread at most; each is waited for, under a lock.
const ORDERS_MAX: usize = 1;

/// How a proxy is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySpec {
    /// Its name: shares are drawn by it.
    pub name: String,
    /// Where it listens; port 0 is a free one.
    pub listen: SocketAddr,
    /// Where connections lead to. Whoever starts a proxy answers for this address:
    /// see [`AllowedHosts`](crate::net::AllowedHosts).
    pub to: SocketAddr,
    /// What it reads.
    pub mode: Mode,
    /// Seed of its shares and jitters.
    pub seed: u64,
    /// Connections at a time; those past them are closed at once, and counted.
    pub connections_max: u32,
    /// Whether it listens from the start.
    pub enabled: bool,
}

impl ProxySpec {
    /// A proxy of bytes that listens from the start.
    pub fn new(listen: SocketAddr, to: SocketAddr) -> Self {
        Self {
            name: "proxy".into(),
            listen,
            to,
            mode: Mode::Tcp,
            seed: 1,
            connections_max: CONNECTIONS_MAX,
            enabled: true,
        }
    }
}

/// What the thread of a proxy and its owner both hold.
#[derive(Debug)]
pub(super) struct Shared {
    pub name: String,
    pub seed: u64,
    pub mode: Mode,
    pub connections_max: u32,
    pub clock: Clock,
    pub counts: Counts,
    /// Connections to what is behind it that failed.
    pub failures: Arc<FailureBook>,
}

/// A proxy that serves, with a thread of its own, until it is dropped.
///
/// A change of its faults (inject, undo, clear) is in force for every connection
/// when the call returns: a connection looks at the table before each turn, and all
/// are woken. What was handed to the kernel before is on its way.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    table: watch::Sender<Arc<Table>>,
    state: Mutex<ProxyState>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct ProxyState {
    /// None once the proxy is being dropped.
    orders: Option<mpsc::Sender<Order>>,
    listen: SocketAddr,
    enabled: bool,
    next_id: u64,
}

impl Proxy {
    /// Listens, and starts the thread that serves.
    ///
    /// # Errors
    ///
    /// Where the address cannot be listened on, or no thread can be started.
    #[cfg(feature = "testing")]
    pub fn start(spec: ProxySpec) -> Result<Self> {
        Self::start_noting(spec, Arc::default())
    }

    /// The same, and notes which connections to what is behind it fail.
    ///
    /// # Errors
    ///
    /// As [`Proxy::start`].
    pub(crate) fn start_noting(spec: ProxySpec, failures: Arc<FailureBook>) -> Result<Self> {
        let table = Table {
            epoch: 0,
            upstream: spec.to,
            placed: Vec::new(),
        };
        let (table, watched) = watch::channel(Arc::new(table));
        let shared = Arc::new(Shared {
            name: spec.name,
            seed: spec.seed,
            mode: spec.mode,
            connections_max: spec.connections_max,
            clock: Clock::start(),
            counts: Counts::default(),
            failures,
        });
        let (orders, received) = mpsc::channel(ORDERS_MAX);
        let thread = run(Arc::clone(&shared), received, watched)?;
        let proxy = Self {
            shared,
            table,
            state: Mutex::new(ProxyState {
                orders: Some(orders),
                listen: spec.listen,
                enabled: false,
                next_id: 0,
            }),
            thread: Some(thread),
        };
        if spec.enabled {
            proxy.set_enabled(true)?;
        }
        Ok(proxy)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What it reads.
    pub fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// Where it listens, or would.
    pub fn address(&self) -> SocketAddr {
        self.state().listen
    }

    /// Where connections lead to.
    pub fn upstream(&self) -> SocketAddr {
        self.table.borrow().upstream
    }

    /// Whether it listens.
    pub fn enabled(&self) -> bool {
        self.state().enabled
    }

    /// The faults in force, in the order in which they were injected.
    pub fn faults(&self) -> Vec<ProxyFault> {
        let table = self.table.borrow();
        let placed = table.placed.iter();
        placed.map(|placed| placed.fault.clone()).collect()
    }

    /// Brings a fault into force, in the place of one of the same name. On
    /// connections that are open it acts from this instant on.
    ///
    /// # Errors
    ///
    /// Where a parameter is out of its range, the fault needs [`Mode::Http`], or there
    /// are too many.
    pub fn inject(&self, fault: ProxyFault) -> Result<()> {
        fault.check().map_err(|cause| {
            Error::usage(format!(
                "the fault `{}` is not possible: {cause}",
                fault.name
            ))
        })?;
        if fault.effect.matching().is_some() && self.mode() == Mode::Tcp {
            return Err(Error::usage(format!(
                "the fault `{}` needs HTTP, but the proxy `{}` is in TCP mode; start it \
                 in HTTP mode",
                fault.name,
                self.name()
            )));
        }
        let mut state = self.state();
        let id = state.next_id;
        let placed = Arc::new(InjectedFault::new(id, fault, self.shared.clock.now()));
        let mut own = self.table.borrow().placed.clone();
        let same = |own: &Arc<InjectedFault>| own.fault.name == placed.fault.name;
        match own.iter().position(same) {
            Some(index) => own[index] = placed,
            None if own.len() == FAULTS_MAX => {
                return Err(Error::usage(format!(
                    "the proxy `{}` has {FAULTS_MAX} faults, the most it can have; undo one",
                    self.name()
                )));
            }
            None => own.push(placed),
        }
        state.next_id += 1;
        self.change(|table| table.placed = own);
        Ok(())
    }

    /// Takes a fault out of force; whether there was one of this name.
    pub fn undo(&self, name: &str) -> bool {
        let _state = self.state();
        let before = self.table.borrow().placed.len();
        self.change(|table| table.placed.retain(|placed| placed.fault.name != name));
        self.table.borrow().placed.len() < before
    }

    /// Takes every fault out of force.
    pub fn clear(&self) {
        let _state = self.state();
        self.change(|table| table.placed.clear());
    }

    /// Takes the proxy down (nothing listens, and every connection is closed) or up again.
    ///
    /// # Errors
    ///
    /// Where the address cannot be listened on.
    pub fn set_enabled(&self, enabled: bool) -> Result<()> {
        let mut state = self.state();
        if state.enabled == enabled {
            return Ok(());
        }
        if enabled {
            let (bound, address) = bind(state.listen)?;
            state.order(|done| Order::Listen(bound, done))?;
            // The port that was free stays this proxy's.
            state.listen = address;
        } else {
            state.order(Order::Close)?;
            self.change(|table| table.epoch += 1);
        }
        state.enabled = enabled;
        Ok(())
    }

    /// Leads connections elsewhere from now on; those that are open are closed.
    pub fn set_upstream(&self, to: SocketAddr) {
        let _state = self.state();
        self.change(|table| {
            table.upstream = to;
            table.epoch += 1;
        });
    }

    /// What it has counted so far.
    pub fn counters(&self) -> ProxyCounters {
        let table = self.table.borrow();
        let placed = table.placed.iter();
        ProxyCounters {
            faults: placed
                .map(|placed| (placed.fault.name.clone(), placed.counters()))
                .collect(),
            ..self.shared.counts.add(|counted| counted.clone())
        }
    }

    /// What it saw of exchanges since this was asked last.
    pub(crate) fn exchanges(&self) -> DependencyCounters {
        self.shared.counts.exchanges(self.shared.clock.now())
    }

    /// Puts a changed table in the place of the present one. The state is locked.
    fn change(&self, change: impl FnOnce(&mut Table)) {
        self.table.send_modify(|table| {
            let mut next = Table::clone(table);
            change(&mut next);
            *table = Arc::new(next);
        });
    }

    fn state(&self) -> MutexGuard<'_, ProxyState> {
        self.state.lock().expect("no holder of the lock panics")
    }
}

impl ProxyState {
    /// Gives an order and waits until it has been carried out.
    fn order(
        &mut self,
        order: impl FnOnce(std_mpsc::SyncSender<std::io::Result<()>>) -> Order,
    ) -> Result<()> {
        let (done, answer) = std_mpsc::sync_channel(1);
        let orders = self.orders.as_ref();
        let given = orders.is_some_and(|orders| orders.try_send(order(done)).is_ok());
        match answer.recv() {
            Ok(Ok(())) if given => Ok(()),
            Ok(Err(cause)) => Err(Error::unfit(format!("failed to listen: {cause}"))),
            _ => Err(Error::failed("the proxy's thread has ended".to_owned())),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Without anyone to give orders the thread ends, and with it every connection.
        self.state().orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Listens at an address, which ends in a port where it named none.
fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let failed = |cause: std::io::Error| {
        Error::unfit(format!(
            "failed to listen on {listen}: {cause}; name another address, or end the program that \
             holds this one"
        ))
    };
    let bound = TcpListener::bind(listen).map_err(failed)?;
    bound.set_nonblocking(true).map_err(failed)?;
    let address = bound.local_addr().map_err(failed)?;
    Ok((bound, address))
}

fn run(
    shared: Arc<Shared>,
    orders: mpsc::Receiver<Order>,
    table: watch::Receiver<Arc<Table>>,
) -> Result<JoinHandle<()>> {
    let failed = |cause| Error::unfit(format!("failed to start the proxy's thread: {cause}"));
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    thread::Builder::new()
        .name("proxy".into())
        .spawn(move || runtime.block_on(listener::serve(orders, shared, table)))
        .map_err(failed)
}
