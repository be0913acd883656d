//! The errors of publish-subscribe (XEP-0060 sections 11 and 17.4): a condition of XMPP with one of pubsub in it.

use super::ERRORS;
use crate::feature::Halt;
use wire::stanza::{Condition, ErrorType, StanzaError};
use wire::xml::Element;

/// An error with a more precise condition.
pub fn fault(condition: Condition, detail: &str) -> Halt {
    typed(condition).with_extra(Element::new(detail, ERRORS)).into()
}

/// The service, or the node, does not do that.
pub fn unsupported(feature: &str) -> Halt {
    let detail = Element::new("unsupported", ERRORS).with_attr("feature", feature);
    StanzaError::new(Condition::FeatureNotImplemented).with_extra(detail).into()
}

/// A request without a node that needs one.
pub fn node_required() -> Halt {
    fault(Condition::BadRequest, "nodeid-required")
}

/// The error with the type that the examples of XEP-0060 give it: nothing but a change of mind helps.
fn typed(condition: Condition) -> StanzaError {
    match condition {
        Condition::UnexpectedRequest => StanzaError::new(condition).with_type(ErrorType::Cancel),
        Condition::PolicyViolation => StanzaError::new(condition).with_type(ErrorType::Wait),
        _ => StanzaError::new(condition),
    }
}
