//! Where the server of a domain is, as its website says (XEP-0487): another source beside DNS. Pure: chance is handed in.
//!
//! What the website says leads to a place and proves nothing there: the certificate at that place must prove the domain, or the
//! server of the domain prove itself by dialback, as everywhere. So keys that are pinned are not looked at.

use super::dns::{Host, Place, Security};
use super::srv::in_order;
use serde::Deserialize;
use serde_json::Value;
use std::net::IpAddr;

/// The file, on the website of a domain.
pub const FILE: &str = "/.well-known/host-meta.json";

/// Links and addresses that are looked at: nobody has to go through a long list for others.
const LINKS: usize = 32;
const ADDRESSES: usize = 16;

const S2S_TLS: &str = "urn:xmpp:alt-connections:s2s-tls";

#[derive(Deserialize)]
struct Document {
    /// Where this is missing, the file is one of XEP-0156 and says nothing of servers.
    xmpp: Option<Value>,
    #[serde(default)]
    links: Vec<Value>,
}

/// TLS from the first byte, at each of some addresses.
#[derive(Deserialize)]
struct Link {
    rel: String,
    port: u16,
    priority: u16,
    weight: u16,
    sni: String,
    ips: Vec<IpAddr>,
}

/// The places for other servers, in the order in which they are to be tried: by priority and weight as in RFC 2782, and at each
/// place all its addresses. A link that cannot be read is passed over. `below(n)` is a random number below `n`.
///
/// # Errors
/// What is wrong with the file, for people.
pub fn places(json: &str, below: impl FnMut(u32) -> u32) -> Result<Vec<Place>, String> {
    let document: Document = serde_json::from_str(json).map_err(|error| format!("it cannot be read: {error}"))?;
    if document.xmpp.is_none_or(|xmpp| !xmpp.is_object()) {
        return Err("it has no \"xmpp\" object (XEP-0487)".to_owned());
    }
    let read = |link| serde_json::from_value::<Link>(link).ok();
    let links = document.links.into_iter().take(LINKS).filter_map(read);
    let links = links.filter(|link| link.rel == S2S_TLS && link.port != 0 && !link.sni.is_empty()).collect();
    let places: Vec<Place> = in_order(links, |link: &Link| (link.priority, link.weight), below)
        .into_iter()
        .flat_map(|Link { port, sni, ips, .. }| {
            let at = move |address| Host::Named { address, sni: sni.clone() };
            let place = move |address| Place { host: at(address), port, security: Security::Direct };
            ips.into_iter().take(ADDRESSES).map(place)
        })
        .collect();
    if places.is_empty() { Err(format!("it has no link {S2S_TLS}")) } else { Ok(places) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(rel: &str, port: u16, priority: u16, ips: &[&str]) -> Value {
        serde_json::json!({ "rel": rel, "port": port, "priority": priority, "weight": 5, "sni": "x.example", "ips": ips })
    }

    fn read(links: &[Value]) -> Result<Vec<String>, String> {
        let text = serde_json::json!({ "xmpp": { "ttl": 60 }, "links": links }).to_string();
        let told = |place: Place| match place.host {
            Host::Named { address, sni } => format!("{sni} {address} {} {:?}", place.port, place.security),
            _ => panic!("an address and a name"),
        };
        places(&text, |_| 0).map(|places| places.into_iter().map(told).collect())
    }

    #[test]
    fn places_are_read_in_their_order() {
        let clients = link("urn:xmpp:alt-connections:tls", 5223, 1, &["192.0.2.9"]);
        let found =
            read(&[link(S2S_TLS, 5270, 20, &["192.0.2.1"]), clients, link(S2S_TLS, 443, 10, &["192.0.2.2", "::1"])]);
        let expected =
            ["x.example 192.0.2.2 443 Direct", "x.example ::1 443 Direct", "x.example 192.0.2.1 5270 Direct"];
        assert_eq!(found.unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over_or_said() {
        let mut nameless = link(S2S_TLS, 443, 1, &["192.0.2.1"]);
        nameless["sni"] = Value::Null;
        let bad = [link(S2S_TLS, 0, 1, &["192.0.2.1"]), link(S2S_TLS, 443, 1, &["a.example"]), nameless, Value::Null];
        assert_eq!(read(&bad).unwrap_err(), format!("it has no link {S2S_TLS}"));
        assert_eq!(read(&[&bad[..], &[link(S2S_TLS, 443, 1, &["192.0.2.1"])]].concat()).unwrap().len(), 1);
        for (text, why) in
            [("<XRD/>", "it cannot be read"), ("[]", "it cannot be read"), ("{\"links\":[]}", "no \"xmpp\"")]
        {
            assert!(places(text, |_| 0).unwrap_err().contains(why), "{text}");
        }
        let many: Vec<Value> = (0..100).map(|_| link(S2S_TLS, 443, 1, &["192.0.2.1"; 100])).collect();
        assert_eq!(read(&many).unwrap().len(), LINKS * ADDRESSES);
    }
}
