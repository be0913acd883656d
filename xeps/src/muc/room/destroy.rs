//! The end of a room (XEP-0045 section 10.9), and of its server (section 11.2).

use super::Room;
use super::show::{item, occupant_id};
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::standing::{Affiliation, Role};
use crate::muc::status;
use wire::jid::Jid;
use wire::stanza::{PresenceType, Stanza};
use wire::xml::Element;

impl Room {
    /// Sends everybody away, each with one presence. `request` is what an owner gave for reason and other venue.
    pub fn destroy(&mut self, fx: &mut Effects, request: Option<&Element>) {
        let part = |name: &str| {
            let text = request?.child(name, ns::OWNER)?.text();
            Some(Element::new(name, ns::USER).with_text(text))
        };
        let venue = request.and_then(|request| request.attr("jid")).and_then(|jid| Jid::parse(jid).ok());
        let destroy = Element::new("destroy", ns::USER)
            .maybe_attr("jid", venue.as_ref().map(Jid::as_str))
            .maybe_child(part("password"))
            .maybe_child(part("reason"));
        self.send_away(fx, [destroy]);
        self.over = true;
    }

    /// Section 11.2: the server stops. The room stays as it is, with nobody in it.
    pub fn stop(&mut self, fx: &mut Effects) {
        self.save_activity(fx);
        let codes = [status::SELF, status::SHUTDOWN];
        self.send_away(fx, codes.map(|code| Element::new("status", ns::USER).with_attr("code", code.to_string())));
    }

    fn send_away(&mut self, fx: &mut Effects, why: impl IntoIterator<Item = Element>) {
        let x = Element::new("x", ns::USER).with_child(item(Affiliation::None, Role::None)).with_children(why);
        let gone = Stanza::new(PresenceType::Unavailable).with_child(&x);
        for occupant in self.occupants.clear() {
            let gone = gone.clone().with_from(occupant.address.clone()).with_child(&occupant_id(&occupant));
            for session in &occupant.sessions {
                fx.send(gone.clone().with_to(session.jid.clone()));
            }
        }
    }
}
