//! What the server says of itself, asked once per run: stream features, service discovery, software version.

use super::accounts::Accounts;
use super::stagehand::ask;
use crate::net::{Log, Login, Security, Session, Target};
use crate::play::{Actor, Carrier, Condition, Place, Requirement, Role, RunOption, Stage};
use crate::report::{Detail, Outcome, ServerInfo, Status};
use crate::xml::Element;
use std::collections::BTreeSet;
use std::sync::Arc;

const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

/// The result of the survey.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    pub places: Vec<PlaceInfo>,
    pub stream_namespaces: BTreeSet<String>,
    pub mechanisms: Vec<String>,
    pub software: String,
    pub options: Vec<RunOption>,
    /// The ways in which other servers can be found besides the usual one.
    pub ways: Vec<String>,
    /// Why no account could be had, if so.
    pub no_accounts: Option<String>,
}

#[derive(Clone, Debug)]
pub struct PlaceInfo {
    pub place: Place,
    pub jid: String,
    /// `category/type`
    pub identities: Vec<String>,
    pub features: BTreeSet<String>,
}

/// Asks the server.
pub async fn survey(target: &Arc<Target>, accounts: &Accounts) -> Profile {
    let mut profile = Profile { options: options(target, accounts), ways: ways(target), ..Profile::default() };
    let log = Log::default();
    let account = match accounts.obtain(target, "survey", &log).await {
        Ok(account) => account,
        Err(what) => {
            profile.no_accounts = Some(what);
            return profile;
        }
    };
    let mut session = Session::new("survey", target.clone(), account.clone(), "survey", log.clone());
    if let Err(what) = survey_session(&mut session, &mut profile).await {
        profile.no_accounts = Some(what);
    }
    accounts.give_back(target, account, Some(session), &log).await;
    profile
}

fn ways(target: &Target) -> Vec<String> {
    target.remote.iter().flat_map(|remote| remote.ways.keys().cloned()).collect()
}

fn options(target: &Target, accounts: &Accounts) -> Vec<RunOption> {
    let mut options = Vec::new();
    match target.security {
        Security::Starttls => options.push(RunOption::Starttls),
        Security::Direct => options.push(RunOption::DirectTls),
        Security::None => options.push(RunOption::Plaintext),
    }
    if target.direct_tls_port.is_some() && target.security != Security::Direct {
        options.push(RunOption::DirectTls);
    }
    if target.websocket.is_some() {
        options.push(RunOption::Websocket);
    }
    if target.bosh.is_some() {
        options.push(RunOption::Bosh);
    }
    if target.web.is_some() {
        options.push(RunOption::Web);
    }
    if let Some(remote) = &target.remote {
        options.push(RunOption::Remote);
        options.extend(remote.authority.as_ref().map(|_| RunOption::Authority));
        options.extend(remote.direct_tls_port.map(|_| RunOption::RemoteDirectTls));
    }
    if !target.components.is_empty() {
        options.push(RunOption::Component);
    }
    if accounts.admin().is_some() {
        options.push(RunOption::Admin);
    }
    options
}

async fn survey_session(session: &mut Session, profile: &mut Profile) -> Result<(), String> {
    session.reach(Stage::Raw, None).await?;
    session.open().await?;
    profile.note_features(session.features.as_ref());
    if session.target.security == Security::Starttls {
        session.negotiate_tls().await?;
        session.open().await?;
        profile.note_features(session.features.as_ref());
    }
    profile.mechanisms = session.mechanisms();
    session.stage = Stage::Secured;
    session.authenticate(&Login::default()).await?;
    session.open().await?;
    profile.note_features(session.features.as_ref());
    session.reach(Stage::Available, None).await?;

    let domain = session.target.domain.clone();
    profile.note_place(session, Place::Server, &domain).await;
    let bare = session.account.bare();
    profile.note_place(session, Place::Account, &bare).await;
    if let Ok(items) = ask(session, "get", Some(&domain), Element::new(ITEMS, "query")).await {
        let items = items.get(ITEMS, "query").cloned().unwrap_or_default();
        for jid in items.elements().filter_map(|item| item.attr("jid")) {
            profile.note_service(session, jid).await;
        }
    }
    if let Ok(version) = ask(session, "get", Some(&domain), Element::new("jabber:iq:version", "query")).await {
        let part = |name: &str| {
            let query = version.get("jabber:iq:version", "query")?;
            query.get("jabber:iq:version", name).map(Element::text)
        };
        profile.software =
            format!("{} {}", part("name").unwrap_or_default(), part("version").unwrap_or_default()).trim().to_owned();
    }
    Ok(())
}

impl Profile {
    fn note_features(&mut self, features: Option<&Element>) {
        fn walk(element: &Element, into: &mut BTreeSet<String>) {
            into.insert(element.ns.clone());
            element.elements().for_each(|child| walk(child, into));
        }
        if let Some(features) = features {
            walk(features, &mut self.stream_namespaces);
        }
    }

    async fn note_place(&mut self, session: &mut Session, place: Place, jid: &str) -> bool {
        let Ok(answer) = ask(session, "get", Some(jid), Element::new(INFO, "query")).await else { return false };
        let info = place_info(place, jid, &answer);
        self.places.push(info);
        true
    }

    /// A service is what its identity says; the first of a kind is the one that is tested.
    async fn note_service(&mut self, session: &mut Session, jid: &str) {
        let Ok(answer) = ask(session, "get", Some(jid), Element::new(INFO, "query")).await else { return };
        let info = place_info(Place::Server, jid, &answer);
        let has = |identity: &str| info.identities.iter().any(|known| known == identity);
        let muc = info.features.contains("http://jabber.org/protocol/muc") && has("conference/text");
        let kinds = [
            (Place::Muc, muc),
            (Place::Pubsub, has("pubsub/service")),
            (Place::Upload, info.features.contains("urn:xmpp:http:upload:0")),
            (Place::Proxy, has("proxy/bytestreams")),
        ];
        for (place, _) in kinds.into_iter().filter(|(_, is)| *is) {
            if self.place(place).is_none() {
                self.places.push(PlaceInfo { place, ..info.clone() });
            }
        }
    }

    pub fn place(&self, place: Place) -> Option<&PlaceInfo> {
        self.places.iter().find(|info| info.place == place)
    }

    /// The outcome of a requirement that need not be put on, because it does not apply or cannot be tested.
    pub fn rules_out(&self, requirement: &Requirement) -> Option<Outcome> {
        let outcome = |status: Status, why: String| {
            Some(Outcome::new(requirement, status, Some(Detail { why, ..Detail::default() })))
        };
        for need in &requirement.needs {
            if !need.any_of.iter().any(|condition| self.holds(condition)) {
                let about_run = need.any_of.iter().all(|condition| matches!(condition, Condition::Option(_)));
                let status = if about_run { Status::Untestable } else { Status::Unsupported };
                return outcome(status, format!("needs {}", need.text));
            }
        }
        let component = requirement.cast.iter().any(|actor| actor.stage == Stage::Component);
        if component && !self.options.contains(&RunOption::Component) {
            return outcome(Status::Untestable, "needs access for a component".to_owned());
        }
        if requirement.cast.iter().any(Actor::is_admin) && !self.options.contains(&RunOption::Admin) {
            return outcome(Status::Untestable, "needs an administrator".to_owned());
        }
        let lacks = |option: RunOption| !self.options.contains(&option);
        let over = |carrier: Carrier| requirement.cast.iter().any(|actor| actor.carrier == carrier);
        if over(Carrier::WebSocket) && lacks(RunOption::Websocket) {
            return outcome(Status::Untestable, "needs a WebSocket address".to_owned());
        }
        if over(Carrier::Bosh) && lacks(RunOption::Bosh) {
            return outcome(Status::Untestable, "needs a BOSH address".to_owned());
        }
        if requirement.cast.iter().any(|actor| actor.role != Role::Client) && lacks(RunOption::Remote) {
            return outcome(Status::Untestable, "needs a domain of another server that leads to the suite".to_owned());
        }
        let way = requirement.cast.iter().filter_map(|actor| actor.way.as_ref()).find(|way| !self.ways.contains(way));
        if let Some(way) = way {
            return outcome(Status::Untestable, format!("needs a domain of another server by {way}"));
        }
        let wants_account = requirement.cast.iter().any(|actor| requirement.needs_account(&actor.account));
        match &self.no_accounts {
            Some(why) if wants_account => outcome(Status::Untestable, format!("no account: {why}")),
            _ => None,
        }
    }

    fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Feature { var, at } => self.place(*at).is_some_and(|info| info.features.contains(var)),
            Condition::NoFeature { var, at } => self.place(*at).is_some_and(|info| !info.features.contains(var)),
            Condition::Identity { category, kind, at } => {
                let wanted = format!("{category}/{kind}");
                self.place(*at).is_some_and(|info| info.identities.contains(&wanted))
            }
            Condition::StreamFeature(ns) => self.stream_namespaces.contains(ns),
            Condition::Mechanism(name) => self.mechanisms.contains(name),
            Condition::Service(place) => self.place(*place).is_some(),
            Condition::Option(option) => self.options.contains(option),
        }
    }

    pub fn server_info(&self, target: &Target, label: Option<&str>) -> ServerInfo {
        let features: BTreeSet<String> = self.places.iter().flat_map(|info| info.features.iter().cloned()).collect();
        let own = if self.software.is_empty() { &target.domain } else { &self.software };
        ServerInfo {
            label: label.unwrap_or(own).to_owned(),
            host: target.host.clone(),
            port: target.port,
            domain: target.domain.clone(),
            software: self.software.clone(),
            features: features.into_iter().collect(),
            stream_features: self.stream_namespaces.iter().cloned().collect(),
            mechanisms: self.mechanisms.clone(),
        }
    }
}

fn place_info(place: Place, jid: &str, answer: &Element) -> PlaceInfo {
    let query = answer.get(INFO, "query").cloned().unwrap_or_default();
    let identities = query.elements().filter(|e| e.is(INFO, "identity"));
    let features = query.elements().filter(|e| e.is(INFO, "feature"));
    PlaceInfo {
        place,
        jid: jid.to_owned(),
        identities: identities
            .map(|e| format!("{}/{}", e.attr("category").unwrap_or_default(), e.attr("type").unwrap_or_default()))
            .collect(),
        features: features.filter_map(|e| e.attr("var")).map(str::to_owned).collect(),
    }
}
