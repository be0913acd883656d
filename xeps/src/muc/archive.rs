//! The archive of a room (XEP-0313 section 6.1.2): what is asked of it, and the answers.

use super::records::archive;
use super::retention;
use crate::context::Cx;
use crate::feature::Halt;
use crate::mam::{self, Bounds, Query, Search};
use crate::stanza_id::Ids;
use std::time::Duration;
use wire::jid::BareJid;
use wire::stanza::{Condition, MessageType, Stanza, StanzaError};
use wire::xml::Element;

/// Messages of a page at most, and what they may amount to, so that a page never fills what may wait for a connection.
const PAGE: usize = 250;
const PAGE_BYTES: usize = 512 << 10;

/// What is asked of an archive.
#[derive(Debug)]
pub enum Ask {
    /// Which fields there are (section 4.1.5).
    Form(Search),
    /// What there is altogether (section 5).
    Metadata,
    Messages(Box<Query>),
}

impl Ask {
    pub fn parse(set: bool, element: &Element, ids: &Ids, search: Search) -> Result<Ask, StanzaError> {
        match (element.name(), set) {
            ("query", false) => Ok(Ask::Form(search)),
            ("metadata", false) => Ok(Ask::Metadata),
            ("query", true) => Ok(Ask::Messages(Box::new(Query::parse(element, ids, search)?))),
            _ => Err(Condition::BadRequest.into()),
        }
    }
}

/// Answers a request whose sender may read the archive.
pub async fn answer(
    cx: &mut Cx<'_>,
    room: &BareJid,
    expiry: Option<Duration>,
    request: &Stanza,
    ask: Ask,
) -> Result<(), Halt> {
    let result = match ask {
        Ask::Form(search) => mam::form(search),
        Ask::Metadata => mam::metadata(&cx.store.summary(archive(room)).await?, &cx.host.ids),
        Ask::Messages(query) => {
            let bounds = Bounds { max: PAGE, bytes: PAGE_BYTES, expired: retention::expired(cx.clock.now(), expiry) };
            let page = mam::fetch(cx.store, archive(room), &query, bounds).await?;
            let mut envelope = Stanza::new(MessageType::Normal).with_from(room.clone());
            envelope.to = request.from.clone();
            for result in page.results(&query, &cx.host.ids, mam::decode)? {
                cx.route(envelope.clone().with_child(&result));
            }
            page.fin(&cx.host.ids)
        }
    };
    cx.route(request.result(Some(&result)));
    Ok(())
}
