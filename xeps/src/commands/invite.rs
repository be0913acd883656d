//! A user invites somebody (XEP-0401 section 5.1): no form, one invitation.

use super::Command;
use crate::account::Account;
use crate::context::Cx;
use crate::feature::Halt;
use crate::form::{Field, Form, FormType};
use crate::invitation::{self, Config, Invitation, NotIssued, Purpose, Wish};
use async_trait::async_trait;
use wire::stanza::{Condition, ErrorType, StanzaError};

pub struct Invite {
    config: Config,
}

impl Invite {
    pub fn new(config: Config) -> Self {
        Invite { config }
    }
}

#[async_trait]
impl Command for Invite {
    fn node(&self) -> &'static str {
        "urn:xmpp:invite#invite"
    }

    fn name(&self) -> &'static str {
        "Invite user"
    }

    fn is_for(&self, account: &Account) -> bool {
        self.config.users || self.config.admins.contains(&account.user)
    }

    fn form(&self) -> Option<Form> {
        None
    }

    async fn run(&self, cx: &mut Cx<'_>, account: &Account, _: Option<&Form>) -> Result<Form, Halt> {
        let wish = Wish { purpose: Purpose::Contact, inviter: Some(account.user.clone()), befriends: true };
        issue(cx, &self.config, wish).await
    }
}

/// Makes an invitation, and shows it once it is on disk.
pub(super) async fn issue(cx: &mut Cx<'_>, config: &Config, wish: Wish) -> Result<Form, Halt> {
    let (domain, now, id) = (cx.host.domain.as_str(), cx.clock.now(), cx.clock.id());
    match invitation::issue(cx.store, domain, wish, config, now, &id).await {
        Ok((invitation, position)) => {
            cx.written = cx.written.max(position);
            Ok(shown(domain, config, &invitation))
        }
        Err(NotIssued::NameTaken) => Err(Condition::Conflict.into()),
        Err(NotIssued::TooMany) => {
            let text = "too many of your invitations are not used yet";
            let error = StanzaError::new(Condition::ResourceConstraint).with_type(ErrorType::Wait).with_text(text);
            Err(error.into())
        }
        Err(NotIssued::Store(error)) => Err(error.into()),
    }
}

/// The fields of section 5.1.
fn shown(domain: &str, config: &Config, invitation: &Invitation) -> Form {
    let field = |name, value: String| Field::new(name).kind("text-single").value(value);
    let form = Form::new(FormType::Result, "urn:xmpp:invite#invitation")
        .field(field("uri", invitation.uri(domain, config.registers)));
    let form = match config.page(&invitation.token) {
        Some(page) => form.field(field("landing-url", page)),
        None => form,
    };
    form.field(field("expire", invitation.expires.format().into()))
}
