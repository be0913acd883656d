//! The notification that is published (XEP-0357 section 7).

use super::registration::Registration;
use super::{Config, NS};
use crate::form::{Field, Form, FormType};
use compact_str::{CompactString, format_compact};
use wire::ns;
use wire::stanza::Stanza;
use wire::xml::Element;

const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const SUMMARY: &str = "urn:xmpp:push:summary";
/// Bytes of a body that are told.
const BODY: usize = 512;

/// What a notification says besides that there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub messages: Option<u32>,
    pub requests: Option<usize>,
    pub sender: Option<String>,
    pub body: Option<String>,
}

impl Summary {
    /// What may be told of a message (section 9: no more than the operator allows).
    pub fn of_message(message: &Stanza, config: &Config) -> Summary {
        let body = || Some(message.child("body", ns::CLIENT)?.text());
        let cut = |mut body: String| {
            body.truncate(body.floor_char_boundary(BODY));
            body
        };
        Summary {
            sender: message.from.as_ref().filter(|_| config.sender).map(|from| from.to_string()),
            body: config.body.then(body).flatten().map(cut),
            ..Summary::default()
        }
    }

    fn to_element(&self) -> Element {
        let fields = [
            ("message-count", self.messages.map(|count| count.to_string())),
            ("pending-subscription-count", self.requests.map(|count| count.to_string())),
            ("last-message-sender", self.sender.clone()),
            ("last-message-body", self.body.clone()),
        ];
        let fields = fields.into_iter().filter_map(|(var, value)| Some(Field::new(var).value(value?)));
        fields.fold(Form::new(FormType::Submit, SUMMARY), Form::field).to_element()
    }
}

/// The `<pubsub/>` that publishes a notification for a registration, with the options given when it was enabled.
pub fn publication(registration: &Registration, summary: &Summary) -> Element {
    let notification = Element::new("notification", NS).with_child(summary.to_element());
    let item = Element::new("item", PUBSUB).with_child(notification);
    let publish = Element::new("publish", PUBSUB).maybe_attr("node", registration.target.node.as_deref());
    let options = registration.options.clone().map(|x| Element::new("publish-options", PUBSUB).with_child(x));
    Element::new("pubsub", PUBSUB).with_child(publish.with_child(item)).maybe_child(options)
}

/// The id of a publication: its answer tells by it what it answers.
pub fn id_of(registration: &Registration, unique: &str) -> CompactString {
    format_compact!("push:{:016x}:{unique}", registration.target.fingerprint())
}

/// The fingerprint of the target in the id of an answer to a publication; None when it answers something else.
pub fn target_in(id: &str) -> Option<u64> {
    let (fingerprint, _) = id.strip_prefix("push:")?.split_once(':')?;
    u64::from_str_radix(fingerprint, 16).ok()
}
