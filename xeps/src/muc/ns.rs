//! The namespaces that rooms speak.

pub const MUC: &str = "http://jabber.org/protocol/muc";
pub const USER: &str = "http://jabber.org/protocol/muc#user";
pub const ADMIN: &str = "http://jabber.org/protocol/muc#admin";
pub const OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// FORM_TYPE of the configuration (section 16.5.3).
pub const ROOMCONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
/// FORM_TYPE of what disco#info says of a room (section 16.5.4).
pub const ROOMINFO: &str = "http://jabber.org/protocol/muc#roominfo";
/// FORM_TYPE of a registration (section 16.5.1).
pub const REGISTER_FORM: &str = "http://jabber.org/protocol/muc#register";
/// FORM_TYPE of a request for voice (section 16.5.2).
pub const REQUEST: &str = "http://jabber.org/protocol/muc#request";
pub const STABLE_ID: &str = "http://jabber.org/protocol/muc#stable_id";
/// XEP-0307.
pub const UNIQUE: &str = "http://jabber.org/protocol/muc#unique";
/// XEP-0410 section 3.3.
pub const SELF_PING: &str = "http://jabber.org/protocol/muc#self-ping-optimization";
/// XEP-0249.
pub const CONFERENCE: &str = "jabber:x:conference";
/// XEP-0077.
pub const REGISTER: &str = "jabber:iq:register";
/// XEP-0421.
pub const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";
/// XEP-0359.
pub const SID: &str = "urn:xmpp:sid:0";
/// XEP-0203.
pub const DELAY: &str = "urn:xmpp:delay";
/// XEP-0424.
pub const RETRACT: &str = "urn:xmpp:message-retract:1";
pub const TOMBSTONE: &str = "urn:xmpp:message-retract:1#tombstone";
/// XEP-0425.
pub const MODERATE: &str = "urn:xmpp:message-moderate:1";
/// XEP-0317, with its commands and their FORM_TYPE.
pub const HATS: &str = "urn:xmpp:hats:0";
pub const HATS_FORM: &str = "urn:xmpp:hats:commands";
/// XEP-0463.
pub const VERSIONS: &str = "urn:xmpp:muc:affiliations:1";
/// XEP-0488.
pub const TOKEN: &str = "urn:xmpp:muc-token-invite:0";
/// XEP-0513, and FORM_TYPE of its permissions.
pub const MENTIONS: &str = "urn:xmpp:mentions:0";
pub const MENTIONS_CHANNEL: &str = "urn:xmpp:mentions:0#channel";
pub const MENTIONS_ASSOCIATIONS: &str = "urn:xmpp:mentions:0#associations";
pub const MENTIONS_HATS: &str = "urn:xmpp:mentions:0#hats";
/// XEP-0433, with the FORM_TYPE of a search and its errors.
pub const SEARCH: &str = "urn:xmpp:channel-search:0:search";
pub const SEARCH_FORM: &str = "urn:xmpp:channel-search:0:search-params";
pub const SEARCH_ERROR: &str = "urn:xmpp:channel-search:0:error";
/// XEP-0050.
/// XEP-0308.
pub const REPLACE: &str = "urn:xmpp:message-correct:0";
/// XEP-0334.
pub const HINTS: &str = "urn:xmpp:hints";
/// XEP-0085.
pub const CHATSTATES: &str = "http://jabber.org/protocol/chatstates";
/// XEP-0054.
pub const VCARD: &str = "vcard-temp";
/// XEP-0153.
pub const VCARD_UPDATE: &str = "vcard-temp:x:update";
/// XEP-0060.
pub const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
/// XEP-0199.
pub const PING: &str = "urn:xmpp:ping";
/// XEP-0030.
pub const INFO: &str = crate::info::NS;
pub const ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// XEP-0313.
pub const MAM: &str = crate::mam::NS;
pub const MAM_EXTENDED: &str = crate::mam::EXTENDED;
