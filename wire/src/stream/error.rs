//! Stream errors (RFC 6120 section 4.9): all of them end the stream.

use crate::ns;
use crate::xml::Element;

macro_rules! conditions {
    ($($variant:ident $name:literal,)*) => {
        /// The conditions of RFC 6120 section 4.9.3.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum StreamCondition { $($variant,)* }

        impl StreamCondition {
            pub const ALL: &'static [StreamCondition] = &[$(StreamCondition::$variant,)*];

            /// The element's name on the wire.
            pub fn name(self) -> &'static str {
                match self { $(StreamCondition::$variant => $name,)* }
            }

            /// The condition of that name, as the XML reader reports it.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|condition| condition.name() == name)
            }
        }
    };
}

conditions! {
    BadFormat "bad-format",
    BadNamespacePrefix "bad-namespace-prefix",
    Conflict "conflict",
    ConnectionTimeout "connection-timeout",
    HostGone "host-gone",
    HostUnknown "host-unknown",
    ImproperAddressing "improper-addressing",
    InternalServerError "internal-server-error",
    InvalidFrom "invalid-from",
    InvalidNamespace "invalid-namespace",
    InvalidXml "invalid-xml",
    NotAuthorized "not-authorized",
    NotWellFormed "not-well-formed",
    PolicyViolation "policy-violation",
    RemoteConnectionFailed "remote-connection-failed",
    Reset "reset",
    ResourceConstraint "resource-constraint",
    RestrictedXml "restricted-xml",
    SeeOtherHost "see-other-host",
    SystemShutdown "system-shutdown",
    UndefinedCondition "undefined-condition",
    UnsupportedEncoding "unsupported-encoding",
    UnsupportedFeature "unsupported-feature",
    UnsupportedStanzaType "unsupported-stanza-type",
    UnsupportedVersion "unsupported-version",
}

/// A condition with words for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamError {
    pub condition: StreamCondition,
    pub text: Option<String>,
    /// A more precise condition of some extension (RFC 6120 section 4.9.4).
    pub extra: Option<Box<Element>>,
}

impl StreamError {
    pub fn with_text(condition: StreamCondition, text: impl Into<String>) -> Self {
        StreamError { condition, text: Some(text.into()), extra: None }
    }

    /// Adds an application-specific condition.
    pub fn with_extra(mut self, extra: Element) -> Self {
        self.extra = Some(Box::new(extra));
        self
    }

    /// The `<stream:error/>` element.
    pub fn to_element(&self) -> Element {
        let mut error =
            Element::new("error", ns::STREAM).with_child(Element::new(self.condition.name(), ns::STREAM_ERROR));
        if let Some(text) = &self.text {
            error.push(Element::new("text", ns::STREAM_ERROR).with_text(text.as_str()));
        }
        if let Some(extra) = &self.extra {
            error.push((**extra).clone());
        }
        error
    }
}

impl From<StreamCondition> for StreamError {
    fn from(condition: StreamCondition) -> Self {
        StreamError { condition, text: None, extra: None }
    }
}

impl std::fmt::Display for StreamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.condition.name())?;
        match &self.text {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}
