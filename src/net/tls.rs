//! Encryption: what a client trusts, and who it says it is.
//!
//! The cryptography is rustls', with one provider everywhere. Nothing here touches a
//! socket: the generator and the small client each carry the bytes in their own way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};

use serde::{Deserialize, Serialize};

use crate::bounds::CERTIFICATES;
use crate::error::{Error, Result};
use crate::files;

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

/// What encryption was asked for, where another machine is to do the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsAsked {
    /// The name that the server is to show.
    pub server: String,
    /// Whether HTTP/2 is spoken inside.
    pub http2: bool,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// The certificates (PEM) that are trusted in place of the system's.
    pub ca: Option<String>,
}

/// Encryption of connections to one server, ready for use.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
    /// How it was asked for.
    asked: Arc<(bool, TlsOptions)>,
}

impl Tls {
    /// Encryption to the server that the user named; `http2`: what is spoken inside (ALPN).
    ///
    /// # Errors
    ///
    /// Where the name can be no server's, or a file of `options` cannot be read
    /// or does not hold what it should.
    pub fn new(server: &str, http2: bool, options: &TlsOptions) -> Result<Self> {
        Self::with_roots(server, http2, options, || roots(options.ca.as_deref()))
    }

    /// The encryption that another machine was asked for.
    ///
    /// # Errors
    ///
    /// As [`Tls::new`].
    pub fn as_asked(asked: &TlsAsked) -> Result<Self> {
        let options = TlsOptions {
            insecure: asked.insecure,
            ..TlsOptions::default()
        };
        Self::with_roots(&asked.server, asked.http2, &options, || {
            let Some(ca) = &asked.ca else {
                return roots(None);
            };
            let unreadable = |cause: &dyn std::fmt::Display| {
                Error::usage(format!(
                    "failed to read the certificates that were sent: {cause}"
                ))
            };
            let all = parsed(ca.as_bytes()).map_err(|cause| unreadable(&cause))?;
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(all);
            Ok(roots)
        })
    }

    /// What was asked for here, for another machine to do the same.
    ///
    /// # Errors
    ///
    /// Where the client shows a certificate of its own, whose key stays on this machine, or
    /// a file can no longer be read.
    pub fn asked(&self) -> Result<TlsAsked> {
        let (http2, options) = &*self.asked;
        if options.identity.is_some() {
            return Err(Error::usage(
                "a client's own certificate cannot be used on other machines: its private key \
                 stays here",
            ));
        }
        let ca = options.ca.as_deref().map(|file| {
            let bytes = files::read(file, &CERTIFICATES);
            let bytes = bytes.map_err(|cause| unreadable(file, &cause))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        });
        Ok(TlsAsked {
            server: self.server.to_str().into_owned(),
            http2: *http2,
            insecure: options.insecure,
            ca: ca.transpose()?,
        })
    }

    fn with_roots(
        server: &str,
        http2: bool,
        options: &TlsOptions,
        roots: impl FnOnce() -> Result<RootCertStore>,
    ) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let unfit = |cause: rustls::Error| Error::usage(format!("failed to set up TLS: {cause}"));
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?;
        let builder = if options.insecure {
            let anyone = Arc::new(Anyone(provider));
            builder.dangerous().with_custom_certificate_verifier(anyone)
        } else {
            builder.with_root_certificates(roots()?)
        };
        let mut config = match &options.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain)?;
                let key = private_key(key)?;
                builder.with_client_auth_cert(chain, key).map_err(unfit)?
            }
        };
        let alpn: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
        config.alpn_protocols = vec![alpn.to_vec()];
        let server = ServerName::try_from(server.to_owned()).map_err(|_| {
            Error::usage(format!(
                "`{}` cannot be a TLS server name",
                server.escape_debug()
            ))
        })?;
        Ok(Self {
            config: Arc::new(config),
            server,
            asked: Arc::new((http2, options.clone())),
        })
    }

    /// Encryption of HTTP/1.1 to this server, which is trusted by the system's
    /// certificates, or those of a file (PEM).
    ///
    /// # Errors
    ///
    /// As [`Tls::new`].
    pub fn trusting(server: &str, ca: Option<&Path>) -> Result<Self> {
        Self::speaking(server, false, ca)
    }

    /// The same with HTTP/2 inside, where that is spoken (`http2`).
    ///
    /// # Errors
    ///
    /// As [`Tls::new`].
    pub(crate) fn speaking(server: &str, http2: bool, ca: Option<&Path>) -> Result<Self> {
        let options = TlsOptions {
            ca: ca.map(Path::to_owned),
            ..TlsOptions::default()
        };
        Self::new(server, http2, &options)
    }

    /// The same to another server.
    ///
    /// # Errors
    ///
    /// Where the name can be no server's.
    pub fn to(&self, server: &str) -> std::result::Result<Self, rustls::Error> {
        let named = ServerName::try_from(server.to_owned());
        let server = named.map_err(|_| rustls::Error::General("no name of a server".into()))?;
        Ok(Self {
            config: Arc::clone(&self.config),
            server,
            asked: Arc::clone(&self.asked),
        })
    }

    /// The client's end of a connection, before its handshake.
    ///
    /// # Errors
    ///
    /// Where rustls finds its own settings unfit.
    pub fn session(&self) -> std::result::Result<ClientConnection, rustls::Error> {
        ClientConnection::new(Arc::clone(&self.config), self.server.clone())
    }
}

/// What a server of HTTP/1.1 says it is: files with its certificate chain and private key (PEM).
///
/// # Errors
///
/// Where a file cannot be read, does not hold what it should, or the two do not belong together.
pub(crate) fn server(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(ring::default_provider());
    let unfit = |cause: rustls::Error| {
        let (chain, key) = (chain.display(), key.display());
        Error::usage(format!(
            "failed to serve TLS with {chain} and {key}: {cause}"
        ))
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(certificates(chain)?, private_key(key)?)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
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

/// Reads certificates and a key, and trusts what can be trusted.
#[cfg(feature = "testing")]
pub(crate) fn read_pem(bytes: &[u8]) {
    let mut roots = RootCertStore::empty();
    let all = CertificateDer::pem_slice_iter(bytes).filter_map(std::result::Result::ok);
    roots.add_parsable_certificates(all);
    if let Ok(key) = PrivateKeyDer::from_pem_slice(bytes) {
        let _ = ring::default_provider().key_provider.load_private_key(key);
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>> {
    let unreadable = |cause: &dyn std::fmt::Display| {
        Error::usage(format!(
            "failed to read a private key (PEM) from {}: {cause}",
            file.display()
        ))
    };
    let bytes = files::read(file, &CERTIFICATES).map_err(|cause| unreadable(&cause))?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|cause| unreadable(&cause))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = files::read(file, &CERTIFICATES).map_err(|cause| unreadable(file, &cause))?;
    parsed(&bytes).map_err(|cause| unreadable(file, &cause))
}

fn unreadable(file: &Path, cause: &dyn std::fmt::Display) -> Error {
    Error::usage(format!(
        "failed to read certificates (PEM) from {}: {cause}",
        file.display()
    ))
}

/// The certificates of a text; at least one.
fn parsed(bytes: &[u8]) -> std::result::Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(bytes)
        .collect::<std::result::Result<_, _>>()
        .map_err(|cause| cause.to_string())?;
    if certificates.is_empty() {
        return Err("it contains none".to_owned());
    }
    Ok(certificates)
}

/// What a client of any protocol trusts: the system's certificates, or those of a file (PEM).
///
/// # Errors
///
/// Where a file cannot be read, or rustls finds its own settings unfit.
pub(crate) fn trusting(ca: Option<&Path>) -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::usage(format!("failed to set up TLS: {cause}")))?;
    Ok(builder
        .with_root_certificates(roots(ca)?)
        .with_no_client_auth())
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
