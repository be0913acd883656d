//! Stanza errors (RFC 6120 section 8.3): a condition, whether trying again can help, and words for a person.

use crate::ns;
use crate::xml::Element;

/// What went wrong with a stanza, ready to be sent back.
#[derive(Clone, Debug, PartialEq)]
pub struct StanzaError {
    pub condition: Condition,
    pub kind: ErrorType,
    /// Words for a person, in English.
    pub text: Option<String>,
    /// Where to go instead, as a URI: content of `<gone/>` and `<redirect/>` (RFC 6120 sections 8.3.3.5 and 8.3.3.16).
    pub address: Option<String>,
    /// A more precise condition of some extension (RFC 6120 section 8.3.4).
    pub extra: Option<Box<Element>>,
}

impl StanzaError {
    /// The error with the type that RFC 6120 recommends for the condition.
    pub fn new(condition: Condition) -> Self {
        StanzaError { condition, kind: condition.recommended_type(), text: None, address: None, extra: None }
    }

    pub fn with_type(mut self, kind: ErrorType) -> Self {
        self.kind = kind;
        self
    }

    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    pub fn with_address(mut self, uri: impl Into<String>) -> Self {
        self.address = Some(uri.into());
        self
    }

    /// Adds an application-specific condition.
    pub fn with_extra(mut self, extra: Element) -> Self {
        self.extra = Some(Box::new(extra));
        self
    }

    /// The `<error/>` child.
    pub fn to_element(&self) -> Element {
        let condition = Element::new(self.condition.name(), ns::STANZA_ERROR);
        let condition = self.address.iter().fold(condition, Element::with_text);
        let mut error = Element::new("error", ns::CLIENT).with_attr("type", self.kind.name()).with_child(condition);
        if let Some(text) = &self.text {
            error.push(Element::new("text", ns::STANZA_ERROR).with_text(text.as_str()));
        }
        if let Some(extra) = &self.extra {
            error.push((**extra).clone());
        }
        error
    }
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> Self {
        StanzaError::new(condition)
    }
}

/// The `type` of an error: what the sender can do about it (RFC 6120 section 8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    Auth,
    Cancel,
    Continue,
    Modify,
    Wait,
}

impl ErrorType {
    pub fn name(self) -> &'static str {
        match self {
            ErrorType::Auth => "auth",
            ErrorType::Cancel => "cancel",
            ErrorType::Continue => "continue",
            ErrorType::Modify => "modify",
            ErrorType::Wait => "wait",
        }
    }
}

macro_rules! conditions {
    ($($variant:ident $name:literal $kind:ident,)*) => {
        /// The conditions of RFC 6120 section 8.3.3.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Condition { $($variant,)* }

        impl Condition {
            pub const ALL: &'static [Condition] = &[$(Condition::$variant,)*];

            /// The element's name on the wire.
            pub fn name(self) -> &'static str {
                match self { $(Condition::$variant => $name,)* }
            }

            /// The condition of that name, as the XML reader reports it.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|condition| condition.name() == name)
            }

            /// The error type that the RFC gives as the usual one.
            pub fn recommended_type(self) -> ErrorType {
                match self { $(Condition::$variant => ErrorType::$kind,)* }
            }
        }
    };
}

conditions! {
    BadRequest "bad-request" Modify,
    Conflict "conflict" Cancel,
    FeatureNotImplemented "feature-not-implemented" Cancel,
    Forbidden "forbidden" Auth,
    Gone "gone" Cancel,
    InternalServerError "internal-server-error" Cancel,
    ItemNotFound "item-not-found" Cancel,
    JidMalformed "jid-malformed" Modify,
    NotAcceptable "not-acceptable" Modify,
    NotAllowed "not-allowed" Cancel,
    NotAuthorized "not-authorized" Auth,
    PolicyViolation "policy-violation" Modify,
    RecipientUnavailable "recipient-unavailable" Wait,
    Redirect "redirect" Modify,
    RegistrationRequired "registration-required" Auth,
    RemoteServerNotFound "remote-server-not-found" Cancel,
    RemoteServerTimeout "remote-server-timeout" Wait,
    ResourceConstraint "resource-constraint" Wait,
    ServiceUnavailable "service-unavailable" Cancel,
    SubscriptionRequired "subscription-required" Auth,
    UndefinedCondition "undefined-condition" Cancel,
    UnexpectedRequest "unexpected-request" Wait,
}
