//! What a user has read, told to the user's other devices along with a message (XEP-0490 section 4.5).

use super::Pep;
use super::publisher::{Publication, publish};
use crate::account::Account;
use crate::context::Cx;
use crate::feature::Outcome;
use wire::stanza::Stanza;

/// The node, and the namespace of its payloads.
const DISPLAYED: &str = "urn:xmpp:mds:displayed:0";

impl Pep {
    /// Takes the element out, so that neither the recipient nor the archive sees it, and publishes it.
    pub(super) async fn displayed(&self, cx: &mut Cx<'_>, account: &mut Account, message: &mut Stanza) -> Outcome {
        let Some(payload) = message.child("displayed", DISPLAYED).and_then(|displayed| displayed.element()) else {
            return Ok(());
        };
        message.retain(|child| !child.is("displayed", DISPLAYED));
        let Some(chat) = message.to.clone() else { return Ok(()) };
        let publication = Publication { node: DISPLAYED, id: chat.as_str(), payload };
        publish(cx, &mut self.home(account), publication).await
    }
}
