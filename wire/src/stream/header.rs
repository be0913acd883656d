//! Stream headers (RFC 6120 section 4.7 and 4.8): what the peer's says, and how ours is written.

use super::{StreamCondition, StreamError};
use crate::jid::Jid;
use crate::ns;
use crate::xml::write::attribute;
use crate::xml::{Limits, Scope};
use compact_str::CompactString;

/// What a peer's header says, once it has been found acceptable.
#[derive(Clone, Debug)]
pub struct Header {
    /// The domain the peer wants, as it spelled it.
    pub to: Option<Jid>,
    /// Who the peer claims to be; worth nothing before authentication.
    pub from: Option<Jid>,
    pub lang: Option<CompactString>,
    /// The id that the peer gives the stream; only the answering side gives one.
    pub id: Option<CompactString>,
    /// Major and minor; None means a peer from before RFC 3920, which cannot negotiate.
    pub version: Option<(u32, u32)>,
}

impl Header {
    /// Reads and checks a header. `content` is the content namespace that this kind of stream must have.
    pub(super) fn parse(tag: &str, content: &'static str, limits: &Limits) -> Result<(Header, Scope), StreamError> {
        let (element, scope) = Scope::from_header(tag, limits).map_err(|error| StreamError::from(&error))?;
        if element.name() != "stream" || element.ns() != ns::STREAM {
            let condition =
                if element.name() == "stream" { StreamCondition::InvalidNamespace } else { StreamCondition::BadFormat };
            return Err(StreamError::with_text(
                condition,
                "expected <stream:stream> of http://etherx.jabber.org/streams",
            ));
        }
        let scope = match scope.default_ns().as_str() {
            default if default == content => scope,
            // RFC 6120 section 4.8.3: the content namespace may be declared on each stanza instead.
            ns::STREAM | "" => scope.with_content(content),
            other => {
                let text = format!("expected the content namespace {content}, found {other}");
                return Err(StreamError::with_text(StreamCondition::InvalidNamespace, text));
            }
        };
        let version = match element.attr("version") {
            None => None,
            Some(version) => Some(parse_version(version).ok_or(StreamCondition::UnsupportedVersion)?),
        };
        let address = |name: &str, condition: StreamCondition| match element.attr(name) {
            None => Ok(None),
            Some(value) => Jid::parse(value).map(Some).map_err(|_| StreamError::from(condition)),
        };
        let header = Header {
            to: address("to", StreamCondition::HostUnknown)?,
            // RFC 6120 section 4.9.1.3: empty in the header before an error of someone who is not who was wanted.
            from: match element.attr("from") {
                Some("") => None,
                _ => address("from", StreamCondition::InvalidFrom)?,
            },
            id: element.attr("id").map(CompactString::from),
            lang: element.attr_ns("lang", ns::XML).map(CompactString::from),
            version,
        };
        Ok((header, scope))
    }

    /// Whether the peer knows stream features (RFC 6120 section 4.7.5).
    pub fn is_modern(&self) -> bool {
        self.version.is_some_and(|(major, _)| major >= 1)
    }
}

/// What our header says.
pub(super) struct Ours<'a> {
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    /// None on the header that opens a stream: the other side gives the id.
    pub id: Option<&'a str>,
    /// None on component streams, which know no features (XEP-0114 section 3).
    pub version: Option<&'static str>,
}

/// Appends our header.
pub(super) fn write(out: &mut Vec<u8>, content: &str, ours: &Ours<'_>) {
    out.extend_from_slice(b"<?xml version='1.0'?><stream:stream xmlns='");
    out.extend_from_slice(content.as_bytes());
    out.extend_from_slice(b"' xmlns:stream='http://etherx.jabber.org/streams'");
    if content == ns::SERVER {
        out.extend_from_slice(b" xmlns:db='jabber:server:dialback'");
    }
    let attrs = [
        ("from", ours.from),
        ("to", ours.to),
        ("id", ours.id),
        ("version", ours.version),
        ("xml:lang", ours.version.map(|_| "en")),
    ];
    for (name, value) in attrs {
        if let Some(value) = value {
            attribute(out, name, value);
        }
    }
    out.push(b'>');
}

/// `major.minor`, each without meaning in its leading zeros (RFC 6120 section 4.7.5).
fn parse_version(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?;
    Some((number(major)?, number(minor)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: &str) -> Result<Header, StreamCondition> {
        Header::parse(tag, ns::CLIENT, &Limits::BEFORE_AUTH).map(|(header, _)| header).map_err(|error| error.condition)
    }

    #[test]
    fn headers_of_clients_in_the_wild() {
        let usual = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.example' version='1.0'>";
        let header = read(usual).unwrap();
        assert_eq!(header.to.unwrap().as_str(), "a.example");
        assert_eq!(header.version, Some((1, 0)));
        for tag in [
            "<stream xmlns='http://etherx.jabber.org/streams' to='a.example' version='1.0'>",
            "<x:stream xmlns:x='http://etherx.jabber.org/streams' xmlns='jabber:client' to='a.example' version='1.1' from='b@a.example'>",
        ] {
            assert!(read(tag).is_ok(), "{tag}");
        }
        let old =
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.example'>";
        assert!(!read(old).unwrap().is_modern());
    }

    #[test]
    fn what_is_wrong_is_named() {
        use StreamCondition::*;
        let with = |attrs: &str| {
            format!("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' {attrs}>")
        };
        assert_eq!(read("<stream xmlns='jabber:client'>").unwrap_err(), InvalidNamespace);
        assert_eq!(read("<streams xmlns='http://etherx.jabber.org/streams'>").unwrap_err(), BadFormat);
        assert_eq!(
            read("<s:stream xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams'>").unwrap_err(),
            InvalidNamespace
        );
        assert_eq!(read(&with("version='one'")).unwrap_err(), UnsupportedVersion);
        assert_eq!(read(&with("to='@'")).unwrap_err(), HostUnknown);
        assert_eq!(read(&with("from='a@@b'")).unwrap_err(), InvalidFrom);
        assert_eq!(read("<p:stream version='1.0'>").unwrap_err(), BadNamespacePrefix);
    }
}
