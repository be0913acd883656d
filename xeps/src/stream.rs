//! What connections themselves implement: the statements of the stream machine of `wire` and of the server's TLS, which know
//! no features. They stand beside the features' own in the table of XEPs.

use crate::feature::{About, Coverage, Xep};

/// One statement per part of a connection. They name no hooks, no requests and nothing for service discovery.
pub static ABOUTS: [About; 6] = [
    About {
        name: "stream",
        xeps: &[
            Xep { number: 170, version: "1.0", coverage: Coverage::Complete, note: "" },
            Xep {
                number: 198,
                version: "1.6.3",
                coverage: Coverage::Complete,
                note: "resumption also after a restart of the server; between servers also both ways and by dialback, and after a restart of the one that was called",
            },
            Xep {
                number: 352,
                version: "1.0.0",
                coverage: Coverage::Complete,
                note: "holds back presence and chat states",
            },
        ],
        ..About::NOTHING
    },
    About {
        name: "tls",
        xeps: &[Xep {
            number: 368,
            version: "1.1.0",
            coverage: Coverage::Complete,
            note: "for clients, and both ways between servers",
        }],
        ..About::NOTHING
    },
    About {
        name: "sasl",
        xeps: &[
            Xep {
                number: 175,
                version: "1.2",
                coverage: Coverage::Partial,
                note: "a guest is forgotten when the session ends, and until then may do what others may",
            },
            Xep {
                number: 178,
                version: "1.2",
                coverage: Coverage::Partial,
                note: "certificates of clients and of servers; SRVName has not been tried with a real certificate",
            },
            Xep {
                number: 386,
                version: "1.1.0",
                coverage: Coverage::Complete,
                note: "offline messages that the archive has are cleared when the session becomes available",
            },
            Xep {
                number: 388,
                version: "1.0.4",
                coverage: Coverage::Partial,
                note: "for clients; upgrades (XEP-0480) are the only tasks, and white space between elements is passed over",
            },
            Xep {
                number: 397,
                version: "0.1.1",
                coverage: Coverage::Complete,
                note: "for clients, over TLS, inside of SASL2 as it is today; a wrong token ends the session, and what waited in it goes on its way; no location is named",
            },
            Xep { number: 440, version: "1.0.0", coverage: Coverage::Complete, note: "" },
            Xep {
                number: 474,
                version: "0.5.0",
                coverage: Coverage::Complete,
                note: "over WebSocket and BOSH with SASL2 only: old web clients cannot log in with it",
            },
            Xep {
                number: 480,
                version: "0.2.0",
                coverage: Coverage::Complete,
                note: "for accounts that came without keys of a hash that the host offers",
            },
            Xep {
                number: 484,
                version: "0.2.0",
                coverage: Coverage::Complete,
                note: "bound by tls-exporter, by tls-server-end-point or not; early data of TLS is not taken",
            },
        ],
        ..About::NOTHING
    },
    About {
        name: "federation",
        xeps: &[
            Xep { number: 185, version: "1.0", coverage: Coverage::Complete, note: "" },
            Xep {
                number: 220,
                version: "1.1.1",
                coverage: Coverage::Partial,
                note: "accepts several domains on one stream, opens a stream for each pair",
            },
            Xep {
                number: 288,
                version: "1.0.1",
                coverage: Coverage::Partial,
                note: "a pair that has a stream of its own does not move to a later bidirectional one",
            },
        ],
        ..About::NOTHING
    },
    About {
        name: "web",
        xeps: &[
            Xep {
                number: 124,
                version: "1.11.2",
                coverage: Coverage::Partial,
                note: "one stream a session; the content type of answers cannot be chosen",
            },
            Xep { number: 156, version: "1.4.0", coverage: Coverage::Complete, note: "" },
            Xep { number: 206, version: "1.4", coverage: Coverage::Complete, note: "" },
            Xep {
                number: 487,
                version: "0.1.0",
                coverage: Coverage::Complete,
                note: "served when the public addresses are configured; asked after DNS, where that is wanted; no keys are pinned",
            },
        ],
        ..About::NOTHING
    },
    About {
        name: "component",
        xeps: &[Xep {
            number: 114,
            version: "1.6",
            coverage: Coverage::Complete,
            note: "components connect to the server; it connects to none",
        }],
        ..About::NOTHING
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_connection_are_no_features() {
        for about in &ABOUTS {
            assert!(!about.name.is_empty() && !about.xeps.is_empty(), "{about:?}");
            assert!(about.iq.is_empty() && about.hooks.is_empty(), "{} would never be called", about.name);
            assert!(about.server_features.is_empty() && about.account_features.is_empty(), "{}", about.name);
            assert!(about.stream_features.is_empty(), "{}: the stream machine offers its features itself", about.name);
        }
    }
}
