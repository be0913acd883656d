//! An operator's invitations (XEP-0401), whether or not the server is running.

use super::admin::{durable, store_failed};
use super::assemble;
use super::ports::SystemClock;
use crate::admin::{AdminError, Invited, Wanted};
use crate::config::{Config, DomainName};
use wire::jid::BareJid;
use xeps::accounts;
use xeps::clock::Clock;
use xeps::invitation::{self, NotIssued, Purpose, Wish};
use xeps::store::Store;

/// Makes an invitation. `port` is where HTTP over TLS is.
pub(super) async fn invite(
    config: &Config,
    store: &dyn Store,
    wanted: &Wanted,
    port: Option<u16>,
) -> Result<Invited, AdminError> {
    let domain = host_of(config, wanted)?;
    let host = &config.hosts[&domain];
    let terms = assemble::invitations(&domain, host, port);
    let invalid = |text: String| AdminError::Invalid(text);
    if let Some(contact) = &wanted.contact
        && accounts::find(store, contact.jid()).await.map_err(store_failed)?.is_none()
    {
        return Err(AdminError::NotFound(format!("there is no account {contact}")));
    }
    let username = match &wanted.user {
        Some(name) => {
            let user = BareJid::from_parts(Some(name), domain.as_str());
            let user = user.map_err(|error| invalid(format!("{name:?} can be no account's name: {error}")))?;
            user.local().map(str::to_owned)
        }
        None => None,
    };
    let makes_account = username.is_some() || wanted.contact.is_none();
    if makes_account && !terms.registers {
        let problem = "accounts cannot be made by invitation: set registration.mode of the host to \"invite\"";
        return Err(AdminError::Refused(format!("{domain}: {problem}")));
    }
    let wish = Wish {
        purpose: if makes_account { Purpose::Account { username } } else { Purpose::Contact },
        inviter: wanted.contact.as_ref().map(|contact| contact.jid().clone()),
        befriends: wanted.contact.is_some(),
    };
    // The operator is not counted.
    let terms = invitation::Config { most: usize::MAX, ..terms };
    let (now, id) = (SystemClock.now(), SystemClock.id());
    match invitation::issue(store, domain.as_str(), wish, &terms, now, &id).await {
        Ok((invitation, position)) => {
            durable(store, position).await?;
            Ok(Invited {
                uri: invitation.uri(domain.as_str(), terms.registers),
                page: terms.page(&invitation.token),
                expires: invitation.expires.format().into(),
            })
        }
        Err(NotIssued::NameTaken) => {
            Err(AdminError::Exists("there is such an account, or it is promised to somebody".into()))
        }
        Err(NotIssued::TooMany) => Err(AdminError::Refused("there are too many unused invitations".into())),
        Err(NotIssued::Store(error)) => Err(store_failed(error)),
    }
}

/// The host that is meant, which need not be said if there is one only.
fn host_of(config: &Config, wanted: &Wanted) -> Result<DomainName, AdminError> {
    let named = wanted.host.clone().or_else(|| wanted.contact.as_ref().map(|contact| contact.domain()));
    match named {
        Some(host) if !config.hosts.contains_key(&host) => {
            Err(AdminError::NotFound(format!("{host} is not served here")))
        }
        Some(host) => match &wanted.contact {
            Some(contact) if contact.domain() != host => {
                Err(AdminError::Invalid(format!("{contact}: expected an account of {host}")))
            }
            _ => Ok(host),
        },
        None => match config.hosts.keys().next() {
            Some(only) if config.hosts.len() == 1 => Ok(only.clone()),
            _ => Err(AdminError::Invalid("expected --host, as there are several".to_owned())),
        },
    }
}
