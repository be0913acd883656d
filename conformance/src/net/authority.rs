//! Certificates that the suite shows as other servers: made for the run, or issued by an authority whom the server under test
//! trusts (XEP-0178 section 3, RFC 6120 section 13.7).

use crate::play::Worth;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::path::Path;

/// A certificate and its key, to be shown in a handshake.
pub struct Shown {
    /// The own one first.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// Issues certificates.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// From a PEM file that has the authority's certificate and its private key.
    pub fn from_file(path: &Path) -> Result<Authority, String> {
        let failed = |error: &dyn fmt::Display| format!("{}: {error}", path.display());
        let certificate = CertificateDer::from_pem_file(path).map_err(|error| failed(&error))?;
        let key = PrivateKeyDer::from_pem_file(path).map_err(|error| failed(&error))?;
        let key = KeyPair::try_from(&key).map_err(|error| failed(&error))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|error| failed(&error))?;
        Ok(Authority { certificate, issuer })
    }

    /// A certificate for these domains.
    pub fn issue(&self, domains: &[String], worth: Worth) -> Result<Shown, String> {
        let failed = |error: rcgen::Error| format!("a certificate for {}: {error}", domains.join(", "));
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(domains.to_vec()).map_err(failed)?;
        params.is_ca = IsCa::ExplicitNoCa;
        if worth == Worth::Expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let stranger = match worth {
            Worth::Strange => Some(stranger().map_err(failed)?),
            Worth::Good | Worth::Expired | Worth::SelfSigned => None,
        };
        let (issuer, above) = match &stranger {
            Some((issuer, certificate)) => (issuer, certificate),
            None => (&self.issuer, &self.certificate),
        };
        let chain = match worth {
            Worth::SelfSigned => vec![params.self_signed(&key).map_err(failed)?.der().clone()],
            _ => vec![params.signed_by(&key, issuer).map_err(failed)?.der().clone(), above.clone()],
        };
        Ok(Shown { chain, key: key.into() })
    }
}

/// An authority nobody knows.
fn stranger() -> Result<(Issuer<'static, KeyPair>, CertificateDer<'static>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key)?.der().clone();
    Ok((Issuer::new(params, key), certificate))
}

/// A self-signed certificate for these domains: worth nothing, and enough for dialback.
pub fn self_signed(domains: &[String]) -> Result<Shown, String> {
    let made = rcgen::generate_simple_self_signed(domains.to_vec());
    let made = made.map_err(|error| format!("a certificate for other servers: {error}"))?;
    Ok(Shown { chain: vec![made.cert.der().clone()], key: made.signing_key.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> Authority {
        let (issuer, certificate) = stranger().unwrap();
        Authority { certificate, issuer }
    }

    #[test]
    fn what_is_issued_has_the_authority_above_it_and_what_is_self_signed_nobody() {
        let (authority, names) = (authority(), ["verona.example".to_owned(), "*.verona.example".to_owned()]);
        let chain = |worth| authority.issue(&names, worth).unwrap().chain;
        assert_eq!(&chain(Worth::Good)[1..], std::slice::from_ref(&authority.certificate));
        assert_eq!(&chain(Worth::Expired)[1..], std::slice::from_ref(&authority.certificate));
        assert!(chain(Worth::Strange).len() == 2 && chain(Worth::Strange)[1] != authority.certificate);
        assert_eq!(chain(Worth::SelfSigned).len(), 1);
    }

    #[test]
    fn a_file_that_is_no_authority_is_named() {
        let missing = Authority::from_file(Path::new("no-such-file.pem")).err().unwrap();
        assert!(missing.starts_with("no-such-file.pem: "), "{missing}");
    }
}
