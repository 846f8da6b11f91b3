//! Encryption: what a client trusts, who it says it is, and a stream that does it.
//!
//! The cryptography is rustls'. It never touches a socket by itself: it is
//! given bytes and gives bytes, so an encrypted connection waits in the same
//! epoll as any other.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::socket::{self, Fault};
use crate::error::{Error, Result};

/// What a client trusts and who it says it is.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// Whether any certificate will do.
    pub insecure: bool,
    /// A file with the certificates (PEM) that are trusted in place of the system's.
    pub ca: Option<PathBuf>,
    /// Files with the client's own certificate chain and private key (PEM).
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Encryption of connections to one server, ready for use.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

impl Tls {
    /// Encryption to the server that the user named; `http2`: what is spoken inside (ALPN).
    ///
    /// # Errors
    ///
    /// Where the name can be no server's, or a file of `options` cannot be read
    /// or does not hold what it should.
    pub fn new(server: &str, http2: bool, options: &TlsOptions) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let unfit = |cause: rustls::Error| Error::usage(format!("failed to set up TLS: {cause}"));
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?;
        let builder = if options.insecure {
            let anyone = Arc::new(Anyone(provider));
            builder.dangerous().with_custom_certificate_verifier(anyone)
        } else {
            builder.with_root_certificates(roots(options.ca.as_deref())?)
        };
        let mut config = match &options.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain)?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(|cause| {
                    Error::usage(format!(
                        "failed to read a private key (PEM) from {}: {cause}",
                        key.display()
                    ))
                })?;
                builder.with_client_auth_cert(chain, key).map_err(unfit)?
            }
        };
        let alpn: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
        config.alpn_protocols = vec![alpn.to_vec()];
        let server = ServerName::try_from(server.to_owned()).map_err(|_| {
            Error::usage(format!(
                "`{}` is no name of a server that a certificate could be for",
                server.escape_debug()
            ))
        })?;
        Ok(Self {
            config: Arc::new(config),
            server,
        })
    }

    /// A stream over a socket whose handshake may still be under way.
    pub(super) fn begin(&self, socket: OwnedFd) -> std::result::Result<TlsStream, Fault> {
        let mut session = ClientConnection::new(Arc::clone(&self.config), self.server.clone())?;
        // What the engine hands over is one request, or what a bounded backlog holds.
        session.set_buffer_limit(None);
        Ok(TlsStream { socket, session })
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let trusted = match ca {
        Some(file) => certificates(file)?,
        // What of the system's cannot be read is missing, and a server that
        // needs it is not trusted, with that reason.
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(trusted);
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |cause: &dyn std::fmt::Display| {
        Error::usage(format!(
            "failed to read certificates (PEM) from {}: {cause}",
            file.display()
        ))
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|cause| unreadable(&cause))?;
    if certificates.is_empty() {
        return Err(unreadable(&"it holds none"));
    }
    Ok(certificates)
}

/// Trusts anyone who can do the handshake, as the user asked.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Reads of the socket that bring nothing to read, at most: a handshake needs
/// fewer, and a server that goes on like that would hold the thread for ever.
const READS_MAX: usize = 256;

/// An encrypted connection.
#[derive(Debug)]
pub(super) struct TlsStream {
    pub(super) socket: OwnedFd,
    session: ClientConnection,
}

impl TlsStream {
    /// Whether there are bytes that the kernel has not taken yet.
    pub(super) fn pending(&self) -> bool {
        self.session.wants_write()
    }

    /// Hands to the kernel what it takes of the handshake and of what was sent.
    pub(super) fn flush(&mut self) -> std::result::Result<(), Fault> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Wire(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(Fault::from(&error)),
            }
        }
        Ok(())
    }

    /// As [`socket::transmit`]; what is taken may wait here for the handshake.
    pub(super) fn transmit(&mut self, bytes: &[u8]) -> std::result::Result<Option<usize>, Fault> {
        self.flush()?;
        if self.pending() {
            return Ok(None);
        }
        let taken = self.session.writer().write(bytes);
        let taken = taken.map_err(|error| Fault::from(&error))?;
        self.flush()?;
        Ok(Some(taken))
    }

    /// As [`socket::receive`]. On the way it answers what the handshake asks.
    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
    ) -> std::result::Result<Option<usize>, Fault> {
        for _ in 0..READS_MAX {
            match self.session.reader().read(buffer) {
                Ok(received) => return Ok(Some(received)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Closed without saying so: the end of the stream all the same.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(0)),
                Err(error) => return Err(Fault::from(&error)),
            }
            match self.session.read_tls(&mut Wire(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(Fault::from(&error)),
            }
            let processed = self.session.process_new_packets();
            // An alert that says what was wrong leaves before the connection ends.
            self.flush()?;
            processed?;
        }
        Err(rustls::Error::General(
            "the server sends records without end and nothing in them".into(),
        )
        .into())
    }
}

/// The socket as rustls wants it.
struct Wire<'a>(&'a OwnedFd);

fn blocked<T>(result: std::result::Result<Option<T>, rustix::io::Errno>) -> io::Result<T> {
    result?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

impl io::Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        blocked(socket::receive(self.0, buffer))
    }
}

impl io::Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        blocked(socket::transmit(self.0, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
