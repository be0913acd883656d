//! What a room says of itself (XEP-0045 sections 6.4 and 6.5).

use super::Room;
use super::subject::Subject;
use crate::form::{Field, Form, FormType};
use crate::info::Info;
use crate::mam::{FULL_TEXT, Search};
use crate::muc::effects::Effects;
use crate::muc::ns;
use crate::muc::options::permissions;
use crate::muc::room::Taken;
use wire::datetime::Timestamp;
use wire::jid::Jid;
use wire::stanza::{Condition, Stanza};
use wire::xml::Element;

/// What every room can do.
const FEATURES: [&str; 19] = [
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
    crate::adhoc::NS,
    ns::HATS,
    ns::VERSIONS,
    ns::TOKEN,
    ns::MENTIONS,
    ns::MENTIONS_CHANNEL,
    ns::MENTIONS_ASSOCIATIONS,
    ns::MENTIONS_HATS,
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
        info.forms.push(self.room_info(fx.now));
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

    fn room_info(&self, now: Timestamp) -> Form {
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
            )
            .field(text("muc#roominfo_slow_mode_duration", "Slow mode, in seconds", options.slow_mode.to_string()));
        // XEP-0513 section 3.6.
        let permissions = permissions(FormType::Result, options).fields.into_iter();
        form.fields.extend(permissions.filter(|field| field.var.as_deref() != Some("FORM_TYPE")));
        // Who may not enter does not learn what it is about.
        if !options.members_only && !options.protected {
            let subject = self.subject.as_ref().map(Subject::text).unwrap_or_default();
            form = form.field(text("muc#roominfo_subject", "Subject", subject));
        }
        if !options.pubsub.is_empty() {
            form = form.field(text("muc#roominfo_pubsub", "Associated pubsub node", options.pubsub.clone()));
        }
        if !self.pictures.is_empty() {
            let mut hashes = Field::new("muc#roominfo_avatarhash").kind("text-multi").label("Hash of the picture");
            hashes.values = self.pictures.clone();
            form = form.field(hashes);
        }
        if let Some(hash) = self.hats.hash() {
            form = form.field(text("hats#hash", "Hash of the list of hats", hash));
        }
        // XEP-0502 sections 3.1 and 9.
        if options.persistent && options.public && options.is_open() {
            let rate = format!("{:.2}", self.activity.per_hour(now));
            form = form
                .field(Field::new("{urn:xmpp:muc-activity}message-activity").label("Messages per hour").value(rate));
        }
        form
    }
}
