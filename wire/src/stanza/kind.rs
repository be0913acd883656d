//! The three kinds of stanzas with their `type` attribute (RFC 6120 section 8.2, RFC 6121 sections 4.7.1 and 5.2.2).

/// A stanza's element name and `type` in one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Message(MessageType),
    Presence(PresenceType),
    Iq(IqType),
}

impl Kind {
    /// The element's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Message(_) => "message",
            Kind::Presence(_) => "presence",
            Kind::Iq(_) => "iq",
        }
    }

    /// The `type` attribute, or None where its absence says the same.
    pub fn type_attr(self) -> Option<&'static str> {
        match self {
            Kind::Message(kind) => kind.attr(),
            Kind::Presence(kind) => kind.attr(),
            Kind::Iq(kind) => Some(kind.attr()),
        }
    }
}

/// RFC 6121 section 5.2.2. A type that is not known counts as normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    Normal,
    Chat,
    Groupchat,
    Headline,
    Error,
}

impl MessageType {
    pub fn parse(attr: Option<&str>) -> Self {
        match attr {
            Some("chat") => MessageType::Chat,
            Some("groupchat") => MessageType::Groupchat,
            Some("headline") => MessageType::Headline,
            Some("error") => MessageType::Error,
            _ => MessageType::Normal,
        }
    }

    fn attr(self) -> Option<&'static str> {
        match self {
            MessageType::Normal => None,
            MessageType::Chat => Some("chat"),
            MessageType::Groupchat => Some("groupchat"),
            MessageType::Headline => Some("headline"),
            MessageType::Error => Some("error"),
        }
    }
}

/// RFC 6121 section 4.7.1; no attribute means available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresenceType {
    Available,
    Unavailable,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Probe,
    Error,
}

impl PresenceType {
    /// None for a type that the RFC does not define: the sender gets `bad-request`.
    pub fn parse(attr: Option<&str>) -> Option<Self> {
        Some(match attr {
            None => PresenceType::Available,
            Some("unavailable") => PresenceType::Unavailable,
            Some("subscribe") => PresenceType::Subscribe,
            Some("subscribed") => PresenceType::Subscribed,
            Some("unsubscribe") => PresenceType::Unsubscribe,
            Some("unsubscribed") => PresenceType::Unsubscribed,
            Some("probe") => PresenceType::Probe,
            Some("error") => PresenceType::Error,
            Some(_) => return None,
        })
    }

    fn attr(self) -> Option<&'static str> {
        match self {
            PresenceType::Available => None,
            PresenceType::Unavailable => Some("unavailable"),
            PresenceType::Subscribe => Some("subscribe"),
            PresenceType::Subscribed => Some("subscribed"),
            PresenceType::Unsubscribe => Some("unsubscribe"),
            PresenceType::Unsubscribed => Some("unsubscribed"),
            PresenceType::Probe => Some("probe"),
            PresenceType::Error => Some("error"),
        }
    }

    /// One of the four that manage subscriptions (RFC 6121 section 3).
    pub fn is_subscription(self) -> bool {
        matches!(
            self,
            PresenceType::Subscribe | PresenceType::Subscribed | PresenceType::Unsubscribe | PresenceType::Unsubscribed
        )
    }
}

/// RFC 6120 section 8.2.3; the attribute is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IqType {
    Get,
    Set,
    Result,
    Error,
}

impl IqType {
    pub fn parse(attr: Option<&str>) -> Option<Self> {
        Some(match attr? {
            "get" => IqType::Get,
            "set" => IqType::Set,
            "result" => IqType::Result,
            "error" => IqType::Error,
            _ => return None,
        })
    }

    fn attr(self) -> &'static str {
        match self {
            IqType::Get => "get",
            IqType::Set => "set",
            IqType::Result => "result",
            IqType::Error => "error",
        }
    }
}

impl From<MessageType> for Kind {
    fn from(kind: MessageType) -> Self {
        Kind::Message(kind)
    }
}

impl From<PresenceType> for Kind {
    fn from(kind: PresenceType) -> Self {
        Kind::Presence(kind)
    }
}

impl From<IqType> for Kind {
    fn from(kind: IqType) -> Self {
        Kind::Iq(kind)
    }
}
