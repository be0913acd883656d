//! What can be wrong with certificates and keys, in one line that names the file.

use std::{io, path::PathBuf};

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read or written.
    #[error("{}: {error}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The content of a file is not what it should be.
    #[error("{}: {problem}", file.display())]
    Content {
        /// Which file.
        file: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// Key and certificate are not a pair.
    #[error("{}: this is not the key of the certificate in {}", key.display(), certificate.display())]
    NotAPair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// A certificate is not one that can be understood.
    #[error("the certificate is not a valid X.509 certificate")]
    NotX509,
    /// There is no host, or no certificate for it.
    #[error("there is no host to have a certificate for")]
    NoHost,
    /// A self-made certificate could not be made.
    #[error("cannot make a certificate for {domain}: {problem}")]
    Make {
        /// For which host.
        domain: String,
        /// What failed.
        problem: String,
    },
    /// The TLS library refuses the settings.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
}
