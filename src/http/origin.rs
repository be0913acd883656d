//! Who a client really is, when proxies stand between it and this server.

use crate::config::Http;
use axum::http::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// The client behind a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    /// Whether what it sends is encrypted on its way here.
    pub encrypted: bool,
}

/// The client of a request that came from `peer`, over TLS or not.
///
/// What headers say counts only as far as trusted proxies say it. Each adds to the end of the list by whom it was asked; so the list
/// is read from its end, as long as who was named last is a trusted proxy, too. Everything before may have been made up.
pub fn client(http: &Http, peer: SocketAddr, tls: bool, headers: &HeaderMap) -> Client {
    let mut client = Client { address: peer.ip().to_canonical(), encrypted: tls };
    for hop in hops(headers).into_iter().rev() {
        if !http.trusts(client.address) {
            break;
        }
        // What counts is how the client itself was connected: the stretches between proxies are their operators' affair.
        client.encrypted = hop.encrypted.unwrap_or(client.encrypted);
        match hop.address {
            Some(address) => client.address = address.to_canonical(),
            None => break,
        }
    }
    client
}

/// One stretch of the way, as the proxy at its end tells it.
#[derive(Debug, Default, PartialEq)]
struct Hop {
    /// None: it does not say, or hides it.
    address: Option<IpAddr>,
    encrypted: Option<bool>,
}

/// The stretches, the first one first: as `Forwarded` (RFC 7239) has it, or else the older fields.
fn hops(headers: &HeaderMap) -> Vec<Hop> {
    let standard = elements(headers, "forwarded");
    if !standard.is_empty() {
        return standard.iter().map(|element| Hop::of(element)).collect();
    }
    let addresses = elements(headers, "x-forwarded-for");
    let mut hops: Vec<Hop> = addresses.iter().map(|text| Hop { address: address(text), encrypted: None }).collect();
    // Proxies overwrite this one, or add to it; the last word is that of the proxy that has the last word above, too.
    if let Some(scheme) = elements(headers, "x-forwarded-proto").pop() {
        match hops.last_mut() {
            Some(last) => last.encrypted = Some(is_encrypted(&scheme)),
            None => hops.push(Hop { address: None, encrypted: Some(is_encrypted(&scheme)) }),
        }
    }
    hops
}

impl Hop {
    /// RFC 7239 section 4: pairs of a name and a token or a quoted string. Of a pair that comes twice the first one counts.
    fn of(element: &str) -> Hop {
        let pairs = parts(element, ';');
        let value = |wanted: &str| {
            pairs.iter().find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                name.trim().eq_ignore_ascii_case(wanted).then(|| unquoted(value.trim()))
            })
        };
        Hop {
            address: value("for").and_then(|text| address(&text)),
            encrypted: value("proto").map(|scheme| is_encrypted(&scheme)),
        }
    }
}

fn is_encrypted(scheme: &str) -> bool {
    ["https", "wss"].iter().any(|one| scheme.eq_ignore_ascii_case(one))
}

/// The elements of a list that may stretch over several fields. A field that is no text is not looked at, nor what is before it.
fn elements(headers: &HeaderMap, name: &str) -> Vec<String> {
    let mut elements = Vec::new();
    for field in headers.get_all(name) {
        match field.to_str() {
            Ok(text) => elements.extend(parts(text, ',')),
            Err(_) => elements.clear(),
        }
    }
    elements
}

/// What stands between separators that are not quoted, without what is empty.
fn parts(text: &str, separator: char) -> Vec<String> {
    let (mut quoted, mut escaped) = (false, false);
    let pieces = text.split(|c: char| {
        let separates = c == separator && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        separates
    });
    pieces.map(|piece| piece.trim().to_owned()).filter(|piece| !piece.is_empty()).collect()
}

/// The text of a token or of a quoted string (RFC 9110 section 5.6.4).
fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return value.to_owned() };
    let mut escaped = false;
    inner
        .chars()
        .filter(|c| {
            escaped = *c == '\\' && !escaped;
            !escaped
        })
        .collect()
}

/// An address with or without brackets and a port, which may be a name (RFC 7239 section 6).
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0.parse().ok().map(IpAddr::V6),
        None => text.split_once(':')?.0.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    /// What is believed of the client behind `peer`.
    fn of(peer: &str, fields: &[(&str, &str)]) -> (String, bool) {
        let http = Http {
            trusted_proxies: vec!["127.0.0.0/8".parse().unwrap(), "2001:db8:ffff::/48".parse().unwrap()],
            ..Http::default()
        };
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let client = client(&http, peer.parse().unwrap(), false, &headers);
        (client.address.to_string(), client.encrypted)
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_its_own_word() {
        let x = ("x-forwarded-for", "10.0.0.1, 192.0.2.7");
        let https = ("x-forwarded-proto", "https");
        let forwarded = ("forwarded", "for=10.0.0.1;proto=https, For=\"[2001:db8::7]:47011\";Proto=HTTPS;by=_x");
        for fields in [&[x, https][..], &[forwarded], &[forwarded, x, https]] {
            assert_eq!(of("198.51.100.1:99", fields), ("198.51.100.1".into(), false), "no proxy of ours");
        }
        assert_eq!(of("127.0.0.1:99", &[x, https]), ("192.0.2.7".into(), true));
        assert_eq!(of("127.0.0.1:99", &[x]), ("192.0.2.7".into(), false));
        assert_eq!(of("127.0.0.1:99", &[]), ("127.0.0.1".into(), false));
        assert_eq!(of("127.0.0.1:99", &[https]), ("127.0.0.1".into(), true));
        assert_eq!(of("127.0.0.1:99", &[("x-forwarded-for", "1.1.1.1"), x]), ("192.0.2.7".into(), false));
        assert_eq!(of("[::ffff:127.0.0.1]:99", &[forwarded, x]), ("2001:db8::7".into(), true));
        let made_up = ("forwarded", "for=127.0.0.1;proto=https, for=192.0.2.7;proto=http");
        assert_eq!(of("127.0.0.1:99", &[made_up]), ("192.0.2.7".into(), false), "what a client says of itself");
    }

    #[test]
    fn a_chain_of_trusted_proxies_is_followed_to_its_first_link() {
        let x = ("x-forwarded-for", "10.0.0.1, 192.0.2.7, 127.0.0.3, 2001:db8:ffff::1");
        assert_eq!(of("127.0.0.1:99", &[x]), ("192.0.2.7".into(), false));
        let forwarded =
            [("forwarded", "for=192.0.2.7;proto=https"), ("forwarded", "for=\"[2001:db8:ffff::1]\";proto=http")];
        assert_eq!(of("127.0.0.1:99", &forwarded), ("192.0.2.7".into(), true));
    }

    #[test]
    fn the_whole_grammar_of_forwarded_is_read() {
        let proxy = "127.0.0.1:99";
        for (element, expected) in [
            ("for=192.0.2.7", "192.0.2.7"),
            ("FOR=192.0.2.7", "192.0.2.7"),
            ("for=\"192.0.2.7:8080\"", "192.0.2.7"),
            ("for=\"192.0.2.7:_port\"", "192.0.2.7"),
            ("for=\"[2001:db8::7]\"", "2001:db8::7"),
            ("for=\"[2001:db8::7]:_x\"", "2001:db8::7"),
            ("for=\"\\[2001:db8::\\7]\"", "2001:db8::7"),
            (" ; by=203.0.113.43 ; for=192.0.2.7 ; host=a", "192.0.2.7"),
            ("host=\"a;for=10.0.0.1\";for=192.0.2.7", "192.0.2.7"),
            ("host=\"a\\\";for=10.0.0.1\";for=192.0.2.7", "192.0.2.7"),
            ("for=192.0.2.7;host=\"a,for=10.0.0.1\"", "192.0.2.7"),
            ("for=192.0.2.7,", "192.0.2.7"),
            ("for=unknown", "127.0.0.1"),
            ("for=_hidden", "127.0.0.1"),
            ("for=\"[192.0.2.7]\"", "127.0.0.1"),
            ("for=192.0.2", "127.0.0.1"),
            ("for=", "127.0.0.1"),
            ("nonsense", "127.0.0.1"),
            ("for=10.0.0.1, proto=https", "127.0.0.1"),
        ] {
            assert_eq!(of(proxy, &[("forwarded", element)]).0, expected, "{element}");
        }
    }
}
