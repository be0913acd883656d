//! Namespace names that are cheap to copy.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A namespace name. Constants and the usual names of XMPP take no memory; others are shared by their copies.
#[derive(Clone)]
pub struct Ns(Name);

#[derive(Clone)]
enum Name {
    Known(&'static str),
    Shared(Arc<str>),
}

impl Ns {
    /// No namespace.
    pub const NONE: Ns = Ns::constant("");

    /// A name known at compile time.
    pub const fn constant(name: &'static str) -> Ns {
        Ns(Name::Known(name))
    }

    /// Any name.
    pub fn new(name: &str) -> Ns {
        Ns(usual(name).map_or_else(|| Name::Shared(Arc::from(name)), Name::Known))
    }

    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Known(name) => name,
            Name::Shared(name) => name,
        }
    }
}

/// The names that most traffic carries, to spare their allocation. Only speed depends on this list.
fn usual(name: &str) -> Option<&'static str> {
    macro_rules! known {
        ($($known:literal)*) => {
            match name {
                $($known => Some($known),)*
                _ => None,
            }
        };
    }
    known! {
        "" "jabber:client" "jabber:server" "jabber:component:accept" "http://etherx.jabber.org/streams"
        "http://www.w3.org/XML/1998/namespace" "urn:ietf:params:xml:ns:xmpp-stanzas"
        "jabber:iq:roster" "jabber:x:data" "jabber:x:oob" "jabber:x:conference" "vcard-temp" "vcard-temp:x:update"
        "http://jabber.org/protocol/disco#info" "http://jabber.org/protocol/disco#items" "http://jabber.org/protocol/caps"
        "http://jabber.org/protocol/chatstates" "http://jabber.org/protocol/rsm"
        "http://jabber.org/protocol/muc" "http://jabber.org/protocol/muc#user" "http://jabber.org/protocol/muc#owner"
        "http://jabber.org/protocol/muc#admin" "http://jabber.org/protocol/pubsub"
        "http://jabber.org/protocol/pubsub#event" "http://jabber.org/protocol/pubsub#owner"
        "urn:xmpp:sid:0" "urn:xmpp:delay" "urn:xmpp:forward:0" "urn:xmpp:carbons:2" "urn:xmpp:mam:2" "urn:xmpp:hints"
        "urn:xmpp:receipts" "urn:xmpp:chat-markers:0" "urn:xmpp:ping" "urn:xmpp:sm:3" "urn:xmpp:csi:0"
        "urn:xmpp:occupant-id:0" "urn:xmpp:blocking" "urn:xmpp:eme:0" "eu.siacs.conversations.axolotl"
    }
}

impl Deref for Ns {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Ns {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Ns {
    fn from(name: &str) -> Ns {
        Ns::new(name)
    }
}

impl From<&Ns> for Ns {
    fn from(name: &Ns) -> Ns {
        name.clone()
    }
}

impl PartialEq for Ns {
    fn eq(&self, other: &Ns) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Ns {}

impl PartialEq<str> for Ns {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Ns {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Hash for Ns {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
