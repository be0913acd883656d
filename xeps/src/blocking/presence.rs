//! Who is told when the block list changes (XEP-0191 sections 3.3 and 3.4): contacts who may see the user's presence see the user
//! go, or come back.

use super::list::BlockList;
use crate::account::{Account, Roster, Session, SessionId};
use crate::context::{Act, Cx};
use crate::feature::Outcome;
use wire::jid::{BareJid, Jid};
use wire::stanza::{PresenceType, Stanza};

/// What the change of the list means for the presence that others see.
pub(super) async fn changed(cx: &mut Cx<'_>, account: &mut Account, before: &BlockList, after: &BlockList) -> Outcome {
    let user = account.user.clone();
    let roster = account.roster(cx.store).await?;
    let gone = newly_blocked(&user, roster, before, after);
    let back = newly_blocked(&user, roster, after, before);
    let seen_by_user = |jid: &&Jid| roster.get(jid.bare_str()).is_some_and(|contact| contact.subscription.to);
    let probed: Vec<Jid> = back.iter().filter(seen_by_user).cloned().collect();

    for contact in &gone {
        // Past the hooks: these are the last stanzas that go there.
        cx.out.extend(account.absence_for(contact).map(Act::RoutePast));
    }
    for (session, shown) in shown_directly(account, |to| after.blocks(&user, to) && !before.blocks(&user, to)) {
        goodbye(cx, account, session, shown);
    }
    for contact in &back {
        account.presence_for(contact).for_each(|presence| cx.route(presence));
    }
    if account.available().next().is_some() {
        // What the user has missed of theirs.
        for contact in probed {
            cx.route(Stanza::new(PresenceType::Probe).with_from(user.clone()).with_to(contact));
        }
    }
    Ok(())
}

/// The contacts with a subscription to the user's presence that `after` holds back and `before` does not: as a whole, or
/// single resources of theirs.
fn newly_blocked(user: &BareJid, roster: &Roster, before: &BlockList, after: &BlockList) -> Vec<Jid> {
    let is_new = |jid: &Jid| after.blocks(user, jid) && !before.blocks(user, jid);
    let may_see = |jid: &Jid| roster.get(jid.bare_str()).is_some_and(|contact| contact.subscription.from);
    let resources = after.iter().filter(|jid| jid.is_full() && may_see(jid) && is_new(jid));
    let resources = resources.filter(|jid| !is_new(jid.to_bare().as_jid()));
    let contacts = roster.iter().filter(|contact| contact.subscription.from);
    contacts.map(|contact| contact.jid.as_jid()).filter(|jid| is_new(jid)).chain(resources).cloned().collect()
}

/// To whom sessions have shown themselves by directed presence, among those who `are_blocked`.
fn shown_directly(account: &Account, are_blocked: impl Fn(&Jid) -> bool) -> Vec<(SessionId, Jid)> {
    let shown = |session: &Session| {
        let to = session.directed.iter().filter(|to| are_blocked(to));
        to.map(|to| (session.id, to.clone())).collect::<Vec<_>>()
    };
    account.sessions.iter().flat_map(shown).collect()
}

fn goodbye(cx: &mut Cx<'_>, account: &mut Account, session: SessionId, to: Jid) {
    let Some(session) = account.session_mut(session) else { return };
    session.directed.remove(&to);
    let goodbye = Stanza::new(PresenceType::Unavailable).with_from(session.jid.clone());
    cx.out.push(Act::RoutePast(goodbye.with_to(to)));
}
