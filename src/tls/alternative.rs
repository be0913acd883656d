//! The names in a certificate that mean something here (RFC 6120 section 13.7.1, RFC 9525).

use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use x509_parser::{
    asn1_rs::{Any, Class, Tag},
    extensions::GeneralName,
    oid_registry::{Oid, asn1_rs::oid},
    prelude::{FromDer, X509Certificate},
};

/// id-on-xmppAddr (RFC 6120 section 13.7.1.4).
const XMPP_ADDR: Oid<'static> = oid!(1.3.6.1.5.5.7.8.5);
/// id-on-dnsSRV (RFC 4985 section 2).
const SRV_NAME: Oid<'static> = oid!(1.3.6.1.5.5.7.8.7);

/// A subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alternative {
    /// A domain, perhaps with a wildcard.
    Dns(String),
    /// A service of a domain, as `_xmpp-server.example.org`.
    Srv(String),
    /// A JID.
    Xmpp(String),
    Address(IpAddr),
}

/// The alternative names of a certificate. The subject never counts (RFC 9525 section 2).
pub(crate) fn alternatives(certificate: &CertificateDer<'_>) -> Vec<Alternative> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(san)) = certificate.subject_alternative_name() else { return Vec::new() };
    san.value.general_names.iter().filter_map(alternative).collect()
}

fn alternative(name: &GeneralName<'_>) -> Option<Alternative> {
    match name {
        GeneralName::DNSName(name) => Some(Alternative::Dns((*name).to_owned())),
        GeneralName::OtherName(oid, value) if *oid == SRV_NAME => text(value, Tag::Ia5String).map(Alternative::Srv),
        GeneralName::OtherName(oid, value) if *oid == XMPP_ADDR => text(value, Tag::Utf8String).map(Alternative::Xmpp),
        GeneralName::IPAddress(octets) => {
            let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from));
            address.ok().map(Alternative::Address)
        }
        _ => None,
    }
}

/// The text in `[0] EXPLICIT` of a type.
fn text(value: &[u8], tag: Tag) -> Option<String> {
    let (_, explicit) = Any::from_der(value).ok()?;
    if explicit.class() != Class::ContextSpecific || explicit.tag() != Tag(0) {
        return None;
    }
    let (_, text) = Any::from_der(explicit.data).ok()?;
    if text.tag() != tag {
        return None;
    }
    std::str::from_utf8(text.data).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_are_texts_of_their_type() {
        // [0] EXPLICIT IA5String, as in a certificate.
        let value = [&[0xa0, 0x06, 0x16, 0x04][..], b"_a.b"].concat();
        assert_eq!(text(&value, Tag::Ia5String).as_deref(), Some("_a.b"));
        assert_eq!(text(&value, Tag::Utf8String), None);
        assert_eq!(text(&value[2..], Tag::Ia5String), None, "not explicit");
    }
}
