//! Reports of abuse that come with a block (XEP-0377). They are kept for the operator, a log per host, and told in the server's
//! log; none is passed on to anybody.

use crate::context::Cx;
use crate::store::{Batch, LogKey, LogQuery, StoreError};
use crate::stored::element_to_bytes;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

/// The namespace.
pub const NS: &str = "urn:xmpp:reporting:1";
/// The store's collection: the owner is the host, the tag the reported address.
const KIND: &str = "abuse-report";
const FORMAT: u8 = 1;
/// Reports that are kept for a host, and how many of the oldest go when there are more.
const KEPT: u64 = 10_000;
const LOAD: usize = 100;
/// Bytes of one report.
const SIZE: usize = 16 << 10;

/// What a user says about somebody who is blocked.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    reported: Jid,
    reason: String,
    element: Element,
}

impl Report {
    /// The report in an item of a block request, if there is one (section 6).
    ///
    /// Errors: `bad-request` without a reason (section 4), `policy-violation` when it is too long.
    pub fn parse(item: &Element, reported: &Jid) -> Result<Option<Report>, StanzaError> {
        let Some(element) = item.child("report", NS) else { return Ok(None) };
        let Some(reason) = element.attr("reason").filter(|reason| !reason.is_empty()) else {
            return Err(StanzaError::new(Condition::BadRequest).with_text("a report has a reason"));
        };
        if element_to_bytes(element).len() > SIZE {
            return Err(StanzaError::new(Condition::PolicyViolation).with_text("the report is too long"));
        }
        Ok(Some(Report { reported: reported.clone(), reason: reason.to_owned(), element: element.clone() }))
    }

    /// Stages the report.
    pub(super) async fn keep(&self, cx: &mut Cx<'_>, reporter: &BareJid) -> Result<(), StoreError> {
        tracing::warn!(%reporter, reported = %self.reported, reason = self.reason, "abuse is reported");
        let log = LogKey::new(cx.host.domain.as_str(), KIND);
        if cx.store.summary(log).await?.entries >= KEPT
            && let Some(last) = cx.store.read(log, LogQuery::forward(LOAD)).await?.last()
        {
            let position = cx.store.trim(log, last.seq).await?;
            cx.written = cx.written.max(position);
        }
        let item = Element::new("item", super::NS).with_attr("jid", self.reported.as_str());
        let item = item.with_attr("reporter", reporter.as_str()).with_child(self.element.clone());
        let mut value = vec![FORMAT];
        value.extend(element_to_bytes(&item));
        let mut batch = Batch::new();
        batch.append(log, &[self.reported.bare_str()], value);
        cx.stage(batch);
        Ok(())
    }
}
