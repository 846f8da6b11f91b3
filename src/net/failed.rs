//! Why a request had no usable answer: the cause, and what is said of it.

use std::fmt;
use std::io;

use rustix::io::Errno;
use rustls::CertificateError;

use crate::model::FailureCause;

/// A request without a usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Why; none where nothing was sent, since it cannot be.
    pub cause: Option<FailureCause>,
    /// The status, where one was not expected.
    pub status: Option<u16>,
    /// The same as a clause. It holds no figure that varies, so that the same failure
    /// is counted as one.
    pub words: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl From<FailureCause> for Failed {
    fn from(cause: FailureCause) -> Self {
        Self::new(cause, cause.clause())
    }
}

impl Failed {
    /// One of this cause, in these words.
    pub(crate) fn new(cause: FailureCause, words: impl Into<String>) -> Self {
        Self {
            cause: Some(cause),
            status: None,
            words: words.into(),
        }
    }

    /// A request that cannot be sent.
    pub(crate) fn unsendable(words: impl Into<String>) -> Self {
        Self {
            cause: None,
            status: None,
            words: words.into(),
        }
    }

    /// An answer with a status that was not expected.
    pub(crate) fn of_status(status: u16, words: impl Into<String>) -> Self {
        Self {
            cause: Some(FailureCause::of_status(status)),
            status: Some(status),
            words: words.into(),
        }
    }

    /// What a socket said; `waited`: what it means that the time was over.
    pub(crate) fn of_io(error: &io::Error, waited: FailureCause) -> Self {
        let inner = error.get_ref();
        if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::new(of_tls(error), tls_in_words(error));
        }
        if error.kind() == io::ErrorKind::TimedOut {
            return waited.into();
        }
        let established = waited != FailureCause::ConnectTimedOut;
        match Errno::from_io_error(error) {
            Some(errno) => of_errno(errno, established).into(),
            None if error.kind() == io::ErrorKind::UnexpectedEof => FailureCause::Closed.into(),
            None => Self::new(FailureCause::Reset, error.to_string()),
        }
    }
}

/// What the kernel's word on a connection means; `established`: it had been made.
pub(crate) const fn of_errno(error: Errno, established: bool) -> FailureCause {
    use FailureCause::{
        ConnectTimedOut, NoDescriptor, NoPort, QueueFull, Refused, Reset, Unreachable,
    };
    match error {
        Errno::MFILE | Errno::NFILE => NoDescriptor,
        Errno::ADDRNOTAVAIL => NoPort,
        _ if established => Reset,
        // Nobody listens on the path of a Unix socket, or nothing is there.
        Errno::CONNREFUSED | Errno::NOENT => Refused,
        // connect(2), of Unix sockets.
        Errno::AGAIN => QueueFull,
        Errno::TIMEDOUT => ConnectTimedOut,
        Errno::CONNRESET | Errno::PIPE => Reset,
        _ => Unreachable,
    }
}

/// What it means that the two sides do not agree on encryption.
pub(crate) const fn of_tls(error: &rustls::Error) -> FailureCause {
    match error {
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
            FailureCause::NotTls
        }
        _ => FailureCause::Tls,
    }
}

/// The same in words; times of a certificate vary, and are left out.
fn tls_in_words(cause: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(cause) = cause else {
        return match cause {
            rustls::Error::InvalidMessage(_) => {
                "the server does not speak TLS; should its URL begin with http://?".into()
            }
            cause => format!("TLS failed: {cause}"),
        };
    };
    let why = match cause {
        // The latter where one who is trusted has the same name as who signed it.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no trusted authority signed it; name a file with the certificate of the one that did \
             as `ca`"
                .into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name than the URL's host".into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".into()
        }
        cause => cause.to_string(),
    };
    format!("the server's certificate was not accepted: {why}")
}
