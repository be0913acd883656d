//! Who a client really is, when a proxy stands between it and this server.

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

/// The client of a request that came from `peer`, over TLS or not. What headers say counts only when a trusted proxy says it,
/// and then only its own last word: everything before that the client may have made up.
pub fn client(http: &Http, peer: SocketAddr, tls: bool, headers: &HeaderMap) -> Client {
    let peer = peer.ip().to_canonical();
    if !http.trusts(peer) {
        return Client { address: peer, encrypted: tls };
    }
    let (address, protocol) = forwarded(headers).unwrap_or_else(|| {
        let for_whom = last(headers, "x-forwarded-for").and_then(address);
        (for_whom, last(headers, "x-forwarded-proto").map(str::to_owned))
    });
    Client {
        address: address.unwrap_or(peer).to_canonical(),
        encrypted: tls || protocol.is_some_and(|protocol| matches!(&*protocol.to_ascii_lowercase(), "https" | "wss")),
    }
}

/// RFC 7239 section 4: the last element of `Forwarded`.
fn forwarded(headers: &HeaderMap) -> Option<(Option<IpAddr>, Option<String>)> {
    let element = last(headers, "forwarded")?;
    let value = |wanted: &str| {
        element.split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim_matches('"'))
        })
    };
    Some((value("for").and_then(address), value("proto").map(str::to_owned)))
}

/// The last element of a list, which may stretch over several fields.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let field = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    field.rsplit(',').next().map(str::trim).filter(|element| !element.is_empty())
}

/// An address with or without brackets and a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[');
    let bare = bare.split_once(']').map_or(bare, |(address, _)| address);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn of(peer: &str, fields: &[(&str, &str)]) -> (String, bool) {
        let http = Http { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..Http::default() };
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
        assert_eq!(of("198.51.100.1:99", &[x, https]), ("198.51.100.1".into(), false));
        assert_eq!(of("127.0.0.1:99", &[x, https]), ("192.0.2.7".into(), true));
        assert_eq!(of("127.0.0.1:99", &[]), ("127.0.0.1".into(), false));
        assert_eq!(of("127.0.0.1:99", &[("x-forwarded-for", "1.1.1.1"), x]), ("192.0.2.7".into(), false));
        let forwarded = ("forwarded", "for=10.0.0.1, For=\"[2001:db8::7]:47011\";proto=https");
        assert_eq!(of("127.0.0.1:99", &[forwarded, x]), ("2001:db8::7".into(), true));
        assert_eq!(of("127.0.0.1:99", &[("forwarded", "for=unknown")]), ("127.0.0.1".into(), false));
    }
}
