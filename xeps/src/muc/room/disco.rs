//! What a room says of itself (XEP-0045 sections 6.4 and 6.5).

use super::Room;
use super::subject::Subject;
use crate::form::{Field, Form, FormType};
use crate::info::Info;
use crate::mam::{FULL_TEXT, Search};
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::room::Taken;
use wire::jid::Jid;
use wire::stanza::{Condition, Stanza};
use wire::xml::Element;

/// What every room can do.
const FEATURES: [&str; 11] = [
    ns::INFO,
    ns::ITEMS,
    ns::MUC,
    ns::STABLE_ID,
    ns::SELF_PING,
    ns::OCCUPANT_ID,
    ns::SID,
    ns::RETRACT,
    ns::MODERATE,
    ns::VCARD,
    ns::PING,
];

impl Room {
    pub(super) fn info(&self, fx: &mut Effects, stanza: &Stanza) -> Taken {
        if self.locked {
            return Err(Condition::ItemNotFound.into());
        }
        let name = Some(self.options.name.as_str()).filter(|name| !name.is_empty()).or(self.address.local());
        let mut info = Info::default().identity("conference", "text", name);
        FEATURES.iter().for_each(|feature| info.add_feature(feature));
        for feature in self.type_features() {
            info.add_feature(feature);
        }
        if self.options.archive {
            [ns::MAM, ns::MAM_EXTENDED, ns::TOMBSTONE].iter().for_each(|feature| info.add_feature(feature));
            if self.config.search == Search::Offered {
                info.add_feature(FULL_TEXT);
            }
        }
        if self.options.registration {
            info.add_feature(ns::REGISTER);
        }
        if self.options.moderated && self.options.voice_requests {
            info.add_feature(ns::REQUEST);
        }
        info.forms.push(self.room_info());
        fx.send(stanza.result(Some(&info.to_element(None))));
        Ok(())
    }

    /// The occupants, for whom they are not hidden from.
    pub(super) fn items(&self, fx: &mut Effects, stanza: &Stanza, from: &Jid) -> Taken {
        if self.locked && self.occupants.of(from.as_str()).is_none() {
            return Err(Condition::ItemNotFound.into());
        }
        let open = self.options.public_list && self.options.public && !self.options.members_only;
        let mut query = Element::new("query", ns::ITEMS);
        if open || self.occupants.of(from.as_str()).is_some() {
            let item = |address: &Jid| Element::new("item", ns::ITEMS).with_attr("jid", address.as_str());
            query =
                query.with_children(self.occupants.iter().map(|who| item(&who.address).with_attr("name", who.nick())));
        }
        fx.send(stanza.result(Some(&query)));
        Ok(())
    }

    /// The room's type (section 4.2), a feature for each question.
    fn type_features(&self) -> [&'static str; 6] {
        let pick = |yes: bool, one: &'static str, other: &'static str| if yes { one } else { other };
        let options = &self.options;
        [
            pick(options.public, "muc_public", "muc_hidden"),
            pick(options.members_only, "muc_membersonly", "muc_open"),
            pick(options.moderated, "muc_moderated", "muc_unmoderated"),
            pick(options.non_anonymous, "muc_nonanonymous", "muc_semianonymous"),
            pick(options.protected, "muc_passwordprotected", "muc_unsecured"),
            pick(options.persistent, "muc_persistent", "muc_temporary"),
        ]
    }

    fn room_info(&self) -> Form {
        let options = &self.options;
        let flag = |value: bool| if value { "1" } else { "0" };
        let text =
            |var: &str, label: &str, value: String| Field::new(var).kind("text-single").label(label).value(value);
        let mut form = Form::new(FormType::Result, ns::ROOMINFO)
            .field(text("muc#roominfo_description", "Description", options.description.clone()))
            .field(text("muc#roominfo_lang", "Language", options.language.clone()))
            .field(text("muc#roominfo_occupants", "Number of occupants", self.occupants.len().to_string()))
            .field(text("muc#maxhistoryfetch", "Most messages of the history", options.max_history.to_string()))
            .field(
                Field::new("muc#roominfo_subjectmod")
                    .kind("boolean")
                    .label("Participants may change the subject")
                    .value(flag(options.change_subject)),
            );
        // Who may not enter does not learn what it is about.
        if !options.members_only && !options.protected {
            let subject = self.subject.as_ref().map(Subject::text).unwrap_or_default();
            form = form.field(text("muc#roominfo_subject", "Subject", subject));
        }
        if !options.pubsub.is_empty() {
            form = form.field(text("muc#roominfo_pubsub", "Associated pubsub node", options.pubsub.clone()));
        }
        if let Some(hash) = &self.avatar {
            form = form.field(text("muc#roominfo_avatarhash", "Hash of the picture", hash.clone()));
        }
        form
    }
}
