//! The connection to a NATS server.
//!
//! It connects again by itself, for ever. What is published while there is no connection is
//! not kept: what has to arrive is sent again by whoever keeps it (`stream`), and a ping that
//! comes late says nothing.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Message, Subscriber};
use bytes::Bytes;
use futures_util::Stream as _;
use tokio::time::timeout;

use super::settings::{Auth, NatsServer};
use crate::bounds::AGENT_PACKET;
use crate::error::{Error, Result};
use crate::net::tls;

/// How long a server may take to answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long what is published may wait for room: its queue is full where the server does not
/// read.
const PUBLISH_WITHIN: Duration = Duration::from_millis(10);
/// So often it is asked whether the server is there: one that is cut off is known after three.
const PING_EVERY: Duration = Duration::from_secs(1);
/// How long what was published last may take to leave.
const FLUSH_WITHIN: Duration = Duration::from_millis(500);
/// Longest pause before it is tried to connect again: a server that restarts is back at once.
const RECONNECT_AFTER_MOST: Duration = Duration::from_millis(500);

/// What a server must take in a message: a packet.
const PACKET_MAX: usize = AGENT_PACKET.length_max();
/// Messages of a subscription that wait to be read; of those past it some are lost, and sent
/// again.
const WAITING_MAX: usize = 8_192;

/// A connection, kept up.
pub(super) struct Link {
    client: Client,
}

/// What became of a try to connect.
pub(super) enum Unconnected {
    /// The server does not let this program in; another try does not help.
    Refused(Error),
    /// There is no server, or it does not answer.
    NotThere(Error),
}

impl Unconnected {
    pub(super) fn error(self) -> Error {
        match self {
            Self::Refused(error) | Self::NotThere(error) => error,
        }
    }
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Where the server is not there, or does not let this program in.
    pub(super) async fn connect(
        server: &NatsServer,
        name: &str,
    ) -> std::result::Result<Self, Unconnected> {
        if server.auth != Auth::Nothing && !server.is_secure() {
            return Err(Unconnected::Refused(Error::usage(format!(
                "the token or password of the NATS server is a secret, and {} is neither \
                 encrypted nor on this machine; use tls://",
                server.address()
            ))));
        }
        let mut options = ConnectOptions::new()
            .name(name)
            .connection_timeout(CONNECT_WITHIN)
            .ping_interval(PING_EVERY)
            .subscription_capacity(WAITING_MAX)
            // Others that the server names were not named by the user.
            .ignore_discovered_servers()
            .reconnect_delay_callback(|tries| {
                let tries = u32::try_from(tries).unwrap_or(u32::MAX);
                (Duration::from_millis(20) * tries.min(100)).min(RECONNECT_AFTER_MOST)
            })
            .max_reconnects(None::<usize>);
        options = match &server.auth {
            Auth::Nothing => options,
            Auth::Token(token) => options.token(token.clone()),
            Auth::User(user, password) => options.user_and_password(user.clone(), password.clone()),
        };
        if server.tls {
            let config = tls::trusting(server.ca.as_deref()).map_err(Unconnected::Refused)?;
            options = options.require_tls(true).tls_client_config(config);
        }
        let connected = options.connect(server.address()).await;
        let client = connected.map_err(|cause| {
            let told = format!(
                "failed to connect to the NATS server {}: {cause}",
                server.address()
            );
            match cause.kind() {
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                    Unconnected::Refused(Error::unfit(format!(
                        "{told}; give its token in THREADBARE_NATS_TOKEN, or user and password \
                         in the URL"
                    )))
                }
                kind if kind == ConnectErrorKind::Tls || is_of_tls(&cause) => {
                    Unconnected::Refused(Error::unfit(format!(
                        "{told}; is it encrypted, and does --nats-ca (of a conductor --agents-ca) \
                     name the certificate of its authority?"
                    )))
                }
                _ => Unconnected::NotThere(Error::unfit(format!("{told}; does it run there?"))),
            }
        })?;
        if client.max_payload() < PACKET_MAX {
            return Err(Unconnected::Refused(Error::unfit(format!(
                "the NATS server {} takes messages of {} bytes at most, and agents send up to \
                 {PACKET_MAX}; raise its max_payload",
                server.address(),
                client.max_payload()
            ))));
        }
        Ok(Self { client })
    }

    /// Hears what is published there.
    ///
    /// # Errors
    ///
    /// Where the connection has been given up.
    pub(super) async fn subscribe(&self, subject: String) -> Result<Subscription> {
        let subscriber = self.client.subscribe(subject).await;
        let subscriber = subscriber.map_err(|cause| {
            Error::failed(format!("failed to hear of the NATS server: {cause}"))
        })?;
        Ok(Subscription(subscriber))
    }

    /// A subject that nobody else has.
    pub(super) fn own_subject(&self) -> String {
        self.client.new_inbox()
    }

    /// Publishes, unless there is no connection now; false where nothing can be published.
    ///
    /// It never waits for a server that does not read: whoever publishes has a lease to keep.
    pub(super) async fn publish(&self, subject: String, payload: Bytes) -> bool {
        let publish = self.client.publish(subject, payload);
        self.is_up() && matches!(timeout(PUBLISH_WITHIN, publish).await, Ok(Ok(())))
    }

    /// The same with a subject for answers.
    pub(super) async fn ask(&self, subject: String, answers: String, payload: Bytes) -> bool {
        let publish = self.client.publish_with_reply(subject, answers, payload);
        self.is_up() && matches!(timeout(PUBLISH_WITHIN, publish).await, Ok(Ok(())))
    }

    /// Waits until what was published has left, for a while.
    pub(super) async fn flush(&self) {
        if self.is_up() {
            let _ = timeout(FLUSH_WITHIN, self.client.flush()).await;
        }
    }

    /// Whether there is a connection now.
    pub(super) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }
}

/// Whether a connection came to nothing by what its encryption asks for, as by a certificate
/// that is not trusted; another try does not help.
fn is_of_tls(cause: &ConnectError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(cause);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        let within = io.and_then(io::Error::get_ref);
        if within.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) {
            return true;
        }
        next = error.source();
    }
    false
}

/// What is published at a subject.
pub(super) struct Subscription(Subscriber);

impl Subscription {
    /// The next message; none once the connection has been given up.
    pub(super) async fn next(&mut self) -> Option<Message> {
        poll_fn(|context| Pin::new(&mut self.0).poll_next(context)).await
    }
}
