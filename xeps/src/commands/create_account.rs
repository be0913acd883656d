//! An administrator invites somebody to make an account (XEP-0401 section 5.4).

use super::Command;
use super::invite::issue;
use crate::account::Account;
use crate::adhoc::Misuse;
use crate::context::Cx;
use crate::feature::Halt;
use crate::form::{Field, Form, FormType};
use crate::invitation::{Config, Purpose, Wish};
use async_trait::async_trait;
use wire::jid::BareJid;

const NODE: &str = "urn:xmpp:invite#create-account";

pub struct CreateAccount {
    config: Config,
}

impl CreateAccount {
    pub fn new(config: Config) -> Self {
        CreateAccount { config }
    }
}

#[async_trait]
impl Command for CreateAccount {
    fn node(&self) -> &'static str {
        NODE
    }

    fn name(&self) -> &'static str {
        "Create account"
    }

    fn is_for(&self, account: &Account) -> bool {
        self.config.registers && self.config.admins.contains(&account.user)
    }

    fn form(&self) -> Option<Form> {
        let mut form = Form::new(FormType::Form, NODE)
            .field(Field::new("username").kind("text-single").label("Username (empty: whoever is invited chooses)"))
            .field(Field::new("roster-subscription").kind("boolean").label("Become contacts of each other").value("0"));
        form.title = Some("Create account".to_owned());
        Some(form)
    }

    async fn run(&self, cx: &mut Cx<'_>, account: &Account, form: Option<&Form>) -> Result<Form, Halt> {
        let form = form.ok_or(Misuse::BadPayload)?;
        let username = match form.value("username").filter(|name| !name.is_empty()) {
            Some(name) => {
                let user = BareJid::from_parts(Some(name), cx.host.domain.as_str()).map_err(|_| Misuse::BadPayload)?;
                user.local().map(str::to_owned)
            }
            None => None,
        };
        let befriends = match form.value("roster-subscription") {
            None | Some("" | "0" | "false") => false,
            Some("1" | "true") => true,
            Some(_) => return Err(Misuse::BadPayload.into()),
        };
        let wish = Wish { purpose: Purpose::Account { username }, inviter: Some(account.user.clone()), befriends };
        issue(cx, &self.config, wish).await
    }
}
