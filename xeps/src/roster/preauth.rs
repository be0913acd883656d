//! Requests for a subscription that come with an invitation of the user's own (XEP-0379): the server approves them and asks for
//! the same in return, so that no client of the user has to be there. Any other token is nothing but a request.

use super::Config;
use super::set::room_for_one;
use crate::account::{Account, Subscription};
use crate::context::Cx;
use crate::feature::Halt;
use crate::invitation::{self, Invitation, PREAUTH};
use crate::store::StoreError;
use wire::jid::BareJid;
use wire::stanza::Stanza;

/// The invitation that a request for a subscription shows, if it is a good one of this user.
pub(super) async fn shown(
    cx: &Cx<'_>,
    account: &mut Account,
    from: &BareJid,
    request: &Stanza,
    config: Config,
) -> Result<Option<Invitation>, Halt> {
    let token = request.child("preauth", PREAUTH).and_then(|child| child.element()?.attr("token").map(str::to_owned));
    let Some(token) = token else { return Ok(None) };
    // Section 4.1: where it cannot be done automatically, the user is asked as ever.
    if room_for_one(account.roster(cx.store).await?, config).is_err() {
        return Ok(None);
    }
    let found = invitation::for_contact(cx.store, &account.user, &token, from, cx.clock.now()).await;
    found.map_err(|error: StoreError| error.into())
}

/// What is between the user and an invited contact once the request is approved, when this was between them before.
pub(super) fn approved(before: Subscription) -> Subscription {
    Subscription { from: true, pending_in: false, pending_out: !before.to, ..before }
}
