//! Errors that come back to the room: who cannot be reached is removed (XEP-0045 sections 11.1 and 18.1.2), who was asked and
//! is not there is told of (section 7.8.2), and the rest is for whom it is addressed to.

use super::Room;
use super::show::{Farewell, News};
use crate::muc::effects::Effects;
use crate::muc::status;
use wire::jid::Jid;
use wire::ns;
use wire::stanza::{Kind, MessageType, Stanza};
use wire::xml::Element;

/// The conditions which say that stanzas do not arrive, now or ever.
const UNREACHABLE: [&str; 10] = [
    "gone",
    "internal-server-error",
    "item-not-found",
    "jid-malformed",
    "recipient-unavailable",
    "redirect",
    "remote-server-not-found",
    "remote-server-timeout",
    "service-unavailable",
    "unexpected-request",
];

impl Room {
    /// A message or presence of type error has come.
    pub(super) fn bounced(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, to: &Jid) {
        let Some(who) = self.occupants.of(from.as_str()) else {
            return self.invitation_bounced(fx, stanza, from);
        };
        if is_unreachable(stanza) {
            let news = News { codes: &[status::UNREACHABLE], farewell: Some(Farewell::Silent), ..News::default() };
            self.part(fx, from, &news);
        } else if stanza.kind == Kind::Message(MessageType::Error)
            && let Some(writer) = self.occupants.at(to.as_str())
        {
            let mut error = stanza.clone();
            error.from = Some(who.address.clone());
            for session in &writer.sessions {
                fx.send(error.clone().with_to(session.jid.clone()));
            }
        }
    }
}

/// An error without a condition that can be read says that something is very wrong.
fn is_unreachable(stanza: &Stanza) -> bool {
    let error = stanza.child("error", ns::CLIENT).and_then(|child| child.element());
    match error.as_ref().and_then(condition) {
        Some(condition) => UNREACHABLE.contains(&condition.name()),
        None => true,
    }
}

fn condition(error: &Element) -> Option<&Element> {
    error.children().find(|child| child.ns() == ns::STANZA_ERROR && child.name() != "text")
}
