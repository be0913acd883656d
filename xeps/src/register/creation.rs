//! Making an account before authentication (XEP-0077 section 3.1), by an invitation if there is one (XEP-0445 section 4).

use super::submission::Submission;
use super::{Mode, Register, bad_password, not_acceptable};
use crate::account::{Contact, Subscription, first_contact};
use crate::accounts::{self, AccountRecord, Origin};
use crate::context::Cx;
use crate::feature::{Answer, Halt, Request};
use crate::former;
use crate::invitation::{self, Invitation, PREAUTH, Purpose};
use crate::state::States;
use crate::store::StoreError;
use std::net::Ipv4Addr;
use wire::jid::BareJid;
use wire::stanza::{Condition, PresenceType, Stanza, StanzaError};
use wire::xml::Element;

/// The invitation that a connection has shown. Its end counts only when it is shown.
#[derive(Default)]
struct Shown(Option<Invitation>);

pub(super) fn is_invited(early: &States) -> bool {
    early.get::<Shown>().is_some_and(|shown| shown.0.is_some())
}

pub(super) fn uninvited() -> Halt {
    StanzaError::new(Condition::NotAllowed).with_text("an account here needs an invitation").into()
}

impl Register {
    /// XEP-0445 section 4: somebody shows the token of an invitation.
    pub(super) async fn show_invitation(
        &self,
        cx: &mut Cx<'_>,
        early: &mut States,
        request: &Request<'_>,
    ) -> Result<Answer, Halt> {
        if !self.config.mode.takes_invitations() {
            return Err(Condition::ServiceUnavailable.into());
        }
        let element = request.element()?;
        let token = element.attr("token").ok_or(Condition::BadRequest)?;
        let found = invitation::open(cx.store, cx.host.domain.as_str(), token, cx.clock.now()).await?;
        let Some(found) = found else {
            let text = "The invitation is unknown, used or over";
            return Err(StanzaError::new(Condition::ItemNotFound).with_text(text).into());
        };
        early.of::<Shown>().0 = Some(found);
        Ok(Answer::Done)
    }

    pub(super) async fn create(&self, cx: &mut Cx<'_>, early: &mut States, wish: Submission) -> Result<Answer, Halt> {
        // XEP-0077 section 3.2: there is nobody yet whose account could be removed.
        let Submission::Fields { username, password } = wish else { return Err(Condition::UnexpectedRequest.into()) };
        let invitation = early.get::<Shown>().and_then(|shown| shown.0.as_ref());
        if invitation.is_none() && !self.admits(cx.address) {
            let by_invitation = self.config.mode == Mode::Invite;
            return Err(if by_invitation { uninvited() } else { Condition::NotAllowed.into() });
        }
        let (Some(username), Some(password)) = (username, password) else {
            return Err(not_acceptable("both username and password are needed"));
        };
        let user = BareJid::from_parts(Some(&username), cx.host.domain.as_str())
            .map_err(|error| not_acceptable(error.to_string()))?;
        self.check_name(cx, &user, invitation).await?;
        // An invitation is good once, so it needs no throttle.
        let address = cx.address.map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.to_canonical());
        if invitation.is_some() || self.is_near(address) {
            make_account(cx, &user, &password, invitation).await?;
            early.take::<Shown>();
            return Ok(Answer::Done);
        }
        if !self.throttle.take(address, cx.clock.now()) {
            let text = "too many registrations from your network, try again later";
            return Err(StanzaError::new(Condition::ResourceConstraint).with_text(text).into());
        }
        let created = make_account(cx, &user, &password, None).await;
        if created.is_err() {
            self.throttle.give_back(address);
        }
        created.map(|()| Answer::Done)
    }

    /// Whether somebody with this invitation, or none, may have the name.
    async fn check_name(&self, cx: &Cx<'_>, user: &BareJid, invitation: Option<&Invitation>) -> Result<(), Halt> {
        let local = user.local().unwrap_or_default();
        if let Some(Invitation { purpose: Purpose::Account { username: Some(name) }, .. }) = invitation {
            return if name == local { Ok(()) } else { Err(not_acceptable(format!("the invitation is for {name}"))) };
        }
        if self.config.reserved.iter().any(|name| name == local) {
            return Err(not_acceptable("this username is reserved"));
        }
        let (kept, now) = (self.config.former_names, cx.clock.now());
        former::sweep(cx.store, user.domain(), kept, now).await?;
        if former::is_kept(cx.store, user, kept, now).await? {
            let text = "there was an account of this name until not long ago";
            return Err(StanzaError::new(Condition::Conflict).with_text(text).into());
        }
        // XEP-0445 section 5: a name that was promised stays free for whom it was promised to.
        match invitation::holder_of(cx.store, user.domain(), local, cx.clock.now()).await? {
            Some(_) => Err(Condition::Conflict.into()),
            None => Ok(()),
        }
    }
}

async fn make_account(
    cx: &mut Cx<'_>,
    user: &BareJid,
    password: &str,
    invitation: Option<&Invitation>,
) -> Result<(), Halt> {
    // Asked before the password is hashed, because hashing is dear; asked again by the commit, because time passes.
    if accounts::find(cx.store, user).await?.is_some() {
        return Err(Condition::Conflict.into());
    }
    let credentials = cx.passwords.derive(password).await.map_err(bad_password)?;
    let origin = match invitation.map(|invitation| &invitation.purpose) {
        Some(Purpose::Account { .. }) => Origin::Provided,
        Some(Purpose::Contact) | None => Origin::Registered,
    };
    let record = AccountRecord { created: cx.clock.now(), origin, disabled: false, credentials: Some(credentials) };
    let mut batch = accounts::creation(user, &record)?;
    let friend = invitation.and_then(Invitation::friend);
    if let Some(invitation) = invitation {
        batch.extend(invitation.use_up(user.domain(), user));
    }
    if let Some(friend) = friend {
        let subscription = Subscription { pending_out: true, approved: true, ..Subscription::default() };
        let contact = Contact { subscription, listed: true, ..Contact::new(friend.clone()) };
        first_contact(&mut batch, user, &contact);
    }
    match cx.commit(batch).await {
        Ok(_) => {}
        Err(StoreError::Conflict) => return Err(lost(cx, user, invitation).await?),
        Err(error) => return Err(error.into()),
    }
    if let (Some(friend), Some(invitation)) = (friend, invitation) {
        // As the client of somebody with an account elsewhere asks (XEP-0379 section 3.4).
        let preauth = Element::new("preauth", PREAUTH).with_attr("token", invitation.token.as_str());
        let request = Stanza::new(PresenceType::Subscribe).with_from(user.clone()).with_to(friend.clone());
        cx.route(request.with_child(&preauth));
    }
    Ok(())
}

/// Somebody was quicker: took the name, or the invitation.
async fn lost(cx: &Cx<'_>, user: &BareJid, invitation: Option<&Invitation>) -> Result<Halt, StoreError> {
    Ok(match (invitation, accounts::find(cx.store, user).await?) {
        (Some(_), None) => StanzaError::new(Condition::NotAllowed).with_text("the invitation has been used").into(),
        _ => Condition::Conflict.into(),
    })
}
