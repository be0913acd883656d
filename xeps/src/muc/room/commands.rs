//! The commands of a room (XEP-0050): which there are, and who may run them.

use super::{Room, hats};
use crate::adhoc::{self, Call, Wish};
use crate::muc::effects::Effects;
use crate::muc::room::Taken;
use wire::jid::Jid;
use wire::stanza::{Condition, Stanza};
use wire::xml::Element;

impl Room {
    /// A `<command/>` has come.
    pub(super) fn command(&mut self, fx: &mut Effects, stanza: &Stanza, from: &Jid, command: &Element) -> Taken {
        let call = Call::read(command)?;
        let hat = hats::Command::of(&call.node).ok_or(Condition::ItemNotFound)?;
        self.may_run(hat, from)?;
        let answer = match call.wish()? {
            Wish::Cancel => call.canceled(&fx.id),
            Wish::Begin => match self.hat_form(hat) {
                Some(form) => call.wants(&fx.id, &form),
                None => call.done(&fx.id, Some(self.hat_list(hat))),
            },
            Wish::Do(form) => {
                let lang = stanza.lang.as_deref();
                // The answer goes first, as after any other change of the room.
                let at = fx.steps.len();
                let result = self.run_hat(fx, hat, form, lang)?;
                let answer = call.done(&fx.id, result);
                fx.steps.insert(at, crate::muc::effects::Step::Send(stanza.result(Some(&answer))));
                return Ok(());
            }
        };
        fx.send(stanza.result(Some(&answer)));
        Ok(())
    }

    /// XEP-0050 section 2.2: those that the asker may run.
    pub(super) fn list_commands(&self, fx: &mut Effects, stanza: &Stanza, from: &Jid) {
        let own = hats::Command::ALL.into_iter().filter(|command| self.may_run(*command, from).is_ok());
        let items = adhoc::items(self.address.as_str(), own.map(|command| (command.node(), command.name())));
        fx.send(stanza.result(Some(&items)));
    }

    /// XEP-0050 section 2.3; None when the node is no command's.
    pub(super) fn command_info(node: &str) -> Option<Element> {
        match node {
            adhoc::NS => Some(adhoc::list_info()),
            node => hats::Command::of(node).map(|command| adhoc::info(command.node(), command.name())),
        }
    }
}
