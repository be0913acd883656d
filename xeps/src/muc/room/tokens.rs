//! Tokens by which unknown users become members (XEP-0488): made, listed, revoked and used.

use super::Room;
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::privileges::Power;
use crate::muc::records::{self, TOKEN};
use crate::muc::room::Taken;
use crate::muc::standing::Affiliation;
use crate::muc::tokens::Token;
use crate::store::{Expect, Key};
use wire::datetime::Timestamp;
use wire::jid::Jid;
use wire::stanza::{Condition, Stanza, StanzaError};
use wire::xml::Element;

impl Room {
    /// Section 3.2.
    pub(super) fn request_token(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, request: &Element) -> Taken {
        self.may_make_tokens(from)?;
        if self.options.protected {
            // A token is needed once, and the password whenever one enters: whoever came by a token would not come back.
            return Err(StanzaError::new(Condition::NotAllowed).with_text("a room with a password has no tokens"));
        }
        let token = Token::requested(request, from.to_bare(), fx.now)?;
        let Some(superfluous) = self.tokens.superfluous(fx.now) else {
            return Err(StanzaError::new(Condition::ResourceConstraint).with_text("there are too many tokens"));
        };
        superfluous.iter().for_each(|old| self.forget_token(fx, old));
        let text = fx.id.to_string();
        records::put_token(&mut fx.changes, &self.address, &text, &token);
        fx.send(stanza.result(Some(&token.to_element(&text, fx.now))));
        self.tokens.put(text, token);
        Ok(())
    }

    /// Section 3.6: those that the asker may revoke.
    pub(super) fn list_tokens(&self, fx: &mut Effects, stanza: &Stanza, from: &Jid) -> Taken {
        if self.affiliation(from) < Affiliation::Member && self.occupants.of(from.as_str()).is_none() {
            return Err(Condition::Forbidden.into());
        }
        let own = self.tokens.good(fx.now).filter(|(_, token)| self.may_revoke(from, token));
        let list = own.map(|(text, token)| token.to_element(text, fx.now));
        fx.send(stanza.result(Some(&Element::new("tokens", ns::TOKEN).with_children(list))));
        Ok(())
    }

    /// Section 3.7.
    pub(super) fn revoke_token(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, revoke: &Element) -> Taken {
        let text = revoke.text();
        let text = text.trim();
        match self.tokens.get(text).filter(|token| token.is_good(fx.now)) {
            Some(token) if self.may_revoke(from, token) => {}
            _ => {
                self.may_make_tokens(from)?;
                return Err(Condition::ItemNotFound.into());
            }
        }
        self.forget_token(fx, text);
        fx.send(stanza.result(None));
        Ok(())
    }

    /// What an unaffiliated user's password is as a token. Who is affiliated needs none (section 4).
    pub(super) fn token_of(&self, from: &Jid, password: Option<&str>, now: Timestamp) -> Presented {
        if self.options.protected || self.affiliation(from) != Affiliation::None {
            return Presented::Nothing;
        }
        match password.and_then(|text| self.tokens.get(text)) {
            Some(token) if token.is_good(now) => Presented::Good,
            Some(_) => Presented::Expired,
            None => Presented::Nothing,
        }
    }

    /// Section 3.5: who has come with a good token is a member from now on.
    pub(super) fn use_token(&mut self, fx: &mut Effects, from: &Jid, text: &str) {
        if let Some(mut token) = self.tokens.get(text).cloned() {
            if let Some(left) = &mut token.left {
                *left = left.saturating_sub(1);
                records::put_token(&mut fx.changes, &self.address, text, &token);
                self.tokens.put(text.to_owned(), token);
            }
            self.enroll(fx, &from.to_bare());
        }
    }

    fn forget_token(&mut self, fx: &mut Effects, text: &str) {
        self.tokens.remove(text);
        fx.changes.delete(Key::new(self.address.as_str(), TOKEN, text), Expect::Any);
    }

    /// Section 7: who looks after the members, and the members themselves where they may invite.
    fn may_make_tokens(&self, from: &Jid) -> Taken {
        let affiliation = self.affiliation(from);
        let member = affiliation == Affiliation::Member && self.options.allow_invites;
        if member || affiliation.can(Power::EditMemberList) { Ok(()) } else { Err(Condition::Forbidden.into()) }
    }

    fn may_revoke(&self, from: &Jid, token: &Token) -> bool {
        token.creator.as_str() == from.bare_str() || self.standing_of(from).moderates()
    }
}

/// What somebody has presented in the place of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presented {
    /// No token of this room, or one that is not needed.
    Nothing,
    Good,
    Expired,
}

/// Section 3.5.
pub(super) fn expired() -> StanzaError {
    StanzaError::new(Condition::NotAuthorized).with_extra(Element::new("expired-token", ns::TOKEN))
}
