//! Stanzas that come for the accounts of a [`World`] or leave them, through gates and hooks.

use super::written::{canonical_stanza, reason_of};
use super::{World, jid, now_or_never, stanza};
use crate::agenda;
use crate::delivery::{Delivery, Incoming};
use crate::feature::{Hook, Outcome};
use crate::spoken::RoomSpoke;
use wire::stanza::{Kind, Stanza};

/// What has become of a stanza that has come.
#[derive(Debug, PartialEq)]
pub enum Arrival {
    /// A hook has stopped it: the error for the sender, or why there is none.
    Stopped(String),
    /// These sessions get it, in this form.
    Delivered(Vec<String>, String),
    /// No session gets it.
    Decided(Delivery),
}

impl World {
    /// A message comes for an account: its delivery is decided and the hooks run.
    pub fn message_comes(&mut self, message: &str) -> Delivery {
        let stanza = stanza(message);
        let user = stanza.to.as_ref().expect("the message has a recipient").bare_str().to_owned();
        let mut incoming = Incoming::new(self.account(&user), stanza);
        let outcome = self.hook(Hook::MessageReceived, &user, async |feature, cx, account| {
            feature.message_received(cx, account, &mut incoming).await
        });
        outcome.expect("no hook stops the message");
        incoming.delivery
    }

    /// A stanza of any kind comes for an account: it may be refused, its delivery is decided, and the hooks run.
    pub fn arrives(&mut self, text: &str) -> Arrival {
        let stanza = stanza(text);
        let user = stanza.to.as_ref().expect("the stanza has a recipient").bare_str().to_owned();
        if let Err(halt) = self.gate(Hook::Entering, &user, &stanza) {
            return Arrival::Stopped(reason_of(halt));
        }
        let mut incoming = Incoming::new(self.account(&user), stanza);
        let hook = match incoming.stanza.kind {
            Kind::Message(_) => Hook::MessageReceived,
            Kind::Presence(_) => Hook::PresenceReceived,
            Kind::Iq(_) => Hook::Answered,
        };
        let outcome = self.hook(hook, &user, async |feature, cx, account| match hook {
            Hook::MessageReceived => feature.message_received(cx, account, &mut incoming).await,
            Hook::PresenceReceived => feature.presence_received(cx, account, &mut incoming).await,
            _ => feature.answered(cx, account, &incoming.stanza).await,
        });
        match outcome {
            Err(halt) => Arrival::Stopped(reason_of(halt)),
            Ok(()) => match incoming.delivery {
                Delivery::Sessions(ids) => {
                    let account = self.account(&user);
                    let names = ids.iter().filter_map(|id| account.session(*id)).map(|session| session.jid.to_string());
                    Arrival::Delivered(names.collect(), canonical_stanza(&incoming.stanza))
                }
                other => Arrival::Decided(other),
            },
        }
    }

    /// A session sends a message or something else to another address: it may be held back, and the hooks run. Returns what the
    /// recipient gets, or why it goes nowhere.
    pub fn sends(&mut self, from: &str, text: &str) -> Result<String, String> {
        let mut kept = stanza(text).with_from(jid(from));
        self.gate(Hook::Leaving, from, &kept).map_err(reason_of)?;
        let session = self.session(from);
        if let Kind::Message(_) = kept.kind {
            let outcome = self.hook(Hook::MessageSent, from, async |feature, cx, account| {
                feature.message_sent(cx, account, session, &mut kept).await
            });
            outcome.map_err(reason_of)?;
        }
        Ok(canonical_stanza(&kept))
    }

    /// Whether what hooks route from an account passes its own gate.
    pub fn lets_out(&mut self, text: &str) -> bool {
        let stanza = stanza(text);
        let from = stanza.from.as_ref().expect("the stanza has a sender").to_string();
        self.gate(Hook::Leaving, &from, &stanza).is_ok()
    }

    fn gate(&mut self, hook: Hook, user: &str, stanza: &Stanza) -> Outcome {
        let account = self.accounts.get_mut(jid(user).bare_str()).expect("the account exists");
        now_or_never(async {
            for feature in self.host.registry.chain(hook) {
                match hook {
                    Hook::Entering => feature.entering(&self.store, account, stanza).await?,
                    _ => feature.leaving(&self.store, account, stanza).await?,
                }
            }
            Ok(())
        })
    }

    /// Presence of any type comes for an account. True if it goes on to sessions.
    pub fn presence_comes(&mut self, presence: &str) -> bool {
        let stanza = stanza(presence);
        let user = stanza.to.as_ref().expect("the presence has a recipient").bare_str().to_owned();
        let mut incoming = Incoming::new(self.account(&user), stanza);
        let outcome = self.hook(Hook::PresenceReceived, &user, async |feature, cx, account| {
            feature.presence_received(cx, account, &mut incoming).await
        });
        outcome.is_ok()
    }

    /// Available or unavailable presence comes for an account that is asleep. Whether the account is woken for it.
    pub fn presence_is_missed(&mut self, presence: &str) -> bool {
        let stanza = stanza(presence);
        let chain = self.host.registry.chain(Hook::PresenceMissed);
        chain.fold(false, |wakes, feature| wakes | feature.presence_missed(&stanza))
    }

    /// The answer to a question that an account has asked comes back.
    pub fn answer_comes(&mut self, answer: &str) {
        let stanza = stanza(answer);
        let user = stanza.to.as_ref().expect("the answer has a recipient").bare_str().to_owned();
        let outcome =
            self.hook(Hook::Answered, &user, async |feature, cx, account| feature.answered(cx, account, &stanza).await);
        outcome.expect("no hook stops an answer");
    }

    /// Keeps the appointments that are due, as the engine does.
    pub fn keeps_appointments(&mut self) {
        let due = agenda::due(&self.store, &self.host.domain, self.clock.time(), None, usize::MAX);
        for appointment in now_or_never(due).expect("the agenda can be read") {
            let outcome = self.hook(Hook::Due, appointment.at.as_str(), async |feature, cx, account| {
                feature.due(cx, account, &appointment).await
            });
            outcome.expect("an appointment can be kept");
        }
    }

    /// A room has an account hear what was said in it.
    pub fn hears_of(&mut self, spoke: &RoomSpoke) {
        let outcome = self.hook(Hook::RoomSpoke, spoke.member.as_str(), async |feature, cx, account| {
            feature.room_spoke(cx, account, spoke).await
        });
        outcome.expect("no hook minds");
    }
}
