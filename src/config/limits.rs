//! `[limits]`: what one stream, session, remote address or account may use before it is told to stop.

use super::location::Location;
use super::units::{Period, Rate, Size};
use serde::{Deserialize, Serialize};

/// All limits, grouped by what is limited.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// One XML stream.
    pub stream: StreamLimits,
    /// One bound session.
    pub session: SessionLimits,
    /// One remote IP address (an IPv6 /64 counts as one address).
    pub address: AddressLimits,
    /// One account.
    pub account: AccountLimits,
}

/// `[limits.stream]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamLimits {
    /// The largest top-level element before authentication. RFC 6120 section 13.12 asks for 10,000 bytes at least.
    pub stanza_before_auth: Size,
    /// The largest stanza after authentication.
    pub stanza: Size,
    /// How deep elements may be nested in a stanza.
    pub depth: u32,
    /// How many attributes one element may have.
    pub attributes: u32,
    /// The longest name of an element or attribute.
    pub name: Size,
    /// The time from connecting to being authenticated.
    pub auth_deadline: Period,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            stanza_before_auth: Size::bytes(10_000),
            stanza: Size::bytes(256 << 10),
            depth: 128,
            attributes: 64,
            name: Size::bytes(1 << 10),
            auth_deadline: Period::seconds(60),
        }
    }
}

/// `[limits.session]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionLimits {
    /// Silence after which the peer is asked for a sign of life.
    pub ping_after: Period,
    /// How long the peer may take to give it.
    pub ping_timeout: Period,
    /// What may wait to be written to a peer that reads slowly; beyond it the connection is closed.
    pub outbox: Size,
    /// How long a session waits for its client to come back when the connection has broken (XEP-0198), unless the client
    /// wants it to be shorter. Zero: sessions end with their connections.
    pub resumption: Period,
    /// Whether it may come back in one round trip, by a token for its stream (XEP-0397).
    pub instant_resumption: bool,
    /// Where a client with a connection of its own (not over HTTP) is asked to come back to resume; anywhere when absent.
    pub location: Option<Location>,
    /// After a start of the server: how long the clients of such sessions have to come back by themselves, before those for
    /// which something waits are woken by push (XEP-0357).
    pub wake_after: Period,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            ping_after: Period::seconds(300),
            ping_timeout: Period::seconds(30),
            outbox: Size::bytes(4 << 20),
            resumption: Period::seconds(600),
            instant_resumption: true,
            location: None,
            wake_after: Period::seconds(30),
        }
    }
}

/// `[limits.address]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddressLimits {
    /// Connections at one time.
    pub connections: u32,
    /// Failed attempts to authenticate.
    pub auth_failures: Rate,
    /// Accounts registered in-band (XEP-0077).
    pub registrations: Rate,
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self {
            connections: 256,
            auth_failures: Rate { count: 30, window: Period::seconds(600) },
            registrations: Rate { count: 3, window: Period::seconds(3600) },
        }
    }
}

/// `[limits.account]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountLimits {
    /// Sessions at one time.
    pub sessions: u32,
    /// Failed attempts to authenticate.
    pub auth_failures: Rate,
    /// Contacts in the roster.
    pub roster_items: u32,
    /// Messages kept while the account is offline.
    pub offline_messages: u32,
    /// The bytes of those messages together.
    pub offline_size: Size,
    /// When a kept message is thrown away.
    pub offline_expiry: Period,
    /// Addresses that are blocked (XEP-0191).
    pub blocked: u32,
    /// Clients that are remembered (XEP-0494), each with its tokens (XEP-0484); with 0 none are, and no tokens given.
    pub devices: u32,
    /// When a client that does not come back is forgotten.
    pub device_expiry: Period,
    /// How long a token lets its client in.
    pub token_expiry: Period,
}

impl Default for AccountLimits {
    fn default() -> Self {
        Self {
            sessions: 25,
            auth_failures: Rate { count: 10, window: Period::seconds(300) },
            roster_items: 5_000,
            offline_messages: 1_000,
            offline_size: Size::bytes(10 << 20),
            offline_expiry: Period::days(60),
            blocked: 1_000,
            devices: 50,
            device_expiry: Period::days(90),
            token_expiry: Period::days(21),
        }
    }
}
