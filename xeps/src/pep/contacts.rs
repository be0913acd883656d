//! What becomes of the nodes of an account for a contact with whom something has changed (XEP-0163 sections 4.3.4 and 7.1).

use super::Pep;
use super::home::Clients;
use crate::account::{Account, Contact};
use crate::context::Cx;
use crate::feature::Outcome;
use crate::pubsub::node::Node;
use crate::pubsub::notify;
use crate::pubsub::subscription::nodes_of;
use crate::pubsub::venue::Venue;
use std::collections::HashSet;
use wire::jid::{BareJid, Jid};

/// Nodes at which the subscriptions of a contact are looked at. At others they end when something is published there.
const MOST_NODES: usize = 1000;
/// Contacts that are waited for at a time.
const MOST_EXPECTED: usize = 100;

/// Contacts who have just begun to show their presence. They do not probe for it, by which one who comes online is known.
#[derive(Default)]
pub struct Newcomers {
    expected: HashSet<BareJid>,
    /// Those of their clients that have come, until they probe after all.
    came: HashSet<Jid>,
}

impl Newcomers {
    fn expect(&mut self, contact: &BareJid) {
        if self.expected.len() < MOST_EXPECTED {
            self.expected.insert(contact.clone());
        }
    }

    /// A client is available; whether it is one that was waited for.
    pub fn comes(&mut self, client: &Jid) -> bool {
        let expected = self.expected.iter().any(|contact| contact.as_str() == client.bare_str());
        expected && self.came.len() < MOST_EXPECTED && self.came.insert(client.clone())
    }

    pub fn went(&mut self, client: &Jid) {
        self.came.remove(client);
    }

    /// A client probes; whether it has been dealt with when it came. Nobody else of that contact is waited for.
    pub fn probes(&mut self, client: &Jid) -> bool {
        self.expected.retain(|contact| contact.as_str() != client.bare_str());
        self.came.remove(client)
    }
}

impl Pep {
    /// What is between the account and a contact has changed, or the contact is in other groups.
    pub(super) async fn contact(
        &self,
        cx: &mut Cx<'_>,
        account: &mut Account,
        before: &Contact,
        after: &Contact,
    ) -> Outcome {
        let (was, is) = (before.subscription, after.subscription);
        if (was.from && !is.from) || before.groups != after.groups {
            self.shut_out(cx, account, &after.jid).await?;
        }
        if is.from && !was.from {
            for (client, caps) in account.states.of::<Clients>().of_contact(&after.jid) {
                self.greet_when_known(cx, account, &client, &caps).await?;
            }
        }
        if is.to && !was.to {
            account.states.of::<Newcomers>().expect(&after.jid);
        }
        Ok(())
    }

    /// Ends the subscriptions of a contact to nodes that are closed to it by now.
    async fn shut_out(&self, cx: &mut Cx<'_>, account: &mut Account, contact: &BareJid) -> Outcome {
        let mut home = self.home(account);
        for name in nodes_of(cx.store, home.at(), contact.as_str(), MOST_NODES).await? {
            let Some(node) = Node::load_or_root(cx.store, home.at(), &name, &self.rules).await? else { continue };
            let mut lost = Vec::new();
            for subscription in node.subscriptions_of(cx.store, contact.as_str(), cx.clock.now()).await? {
                if !notify::reads(cx, &mut home, &node, &subscription).await? {
                    lost.push(subscription);
                }
            }
            notify::lost(cx, &mut home, &node, &lost).await?;
        }
        Ok(())
    }
}
