//! The namespaces that the stream layer itself speaks. A feature keeps the names of its own protocol in its own file.

/// RFC 6120 section 11.2.2: the content namespace of a client stream, and of every stanza inside the server.
pub const CLIENT: &str = "jabber:client";
/// RFC 6120 section 11.2.2: the content namespace of a server-to-server stream.
pub const SERVER: &str = "jabber:server";
/// XEP-0114 section 2: the content namespace of an external component's stream.
pub const COMPONENT: &str = "jabber:component:accept";
/// RFC 6120 section 11.2.1: the stream element itself and its features and errors.
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// RFC 6120 section 4.9.3: stream error conditions.
pub const STREAM_ERROR: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// RFC 6120 section 8.3.3: stanza error conditions.
pub const STANZA_ERROR: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// RFC 6120 section 5: STARTTLS.
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// RFC 6120 section 6: SASL.
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// XEP-0388: the extensible SASL profile.
pub const SASL2: &str = "urn:xmpp:sasl:2";
/// RFC 6120 section 7: resource binding.
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// RFC 3921 section 3: the session element of old clients, optional since RFC 6121.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// XEP-0440: the channel-binding types the server can verify.
pub const SASL_CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";
/// Namespaces in XML section 3: bound to the prefix `xml` without a declaration.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Namespaces in XML section 3: the namespace of namespace declarations; no prefix may be bound to it.
pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
