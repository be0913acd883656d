//! From a connection to a bound resource (RFC 6120 sections 4 to 7), and a component's handshake (XEP-0114).

use super::incoming::Received;
use super::scram::{Binding, Hash, Scram};
use super::session::Session;
use super::{ComponentAccess, Security, Target};
use crate::play::{Carrier, Role, Stage};
use crate::xml::{CLIENT, COMPONENT, DIALBACK, Element, STREAM, STREAMS};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::time::Duration;
use tokio::time::Instant;

const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";

/// How to authenticate; what is absent is chosen here.
#[derive(Clone, Debug, Default)]
pub struct Login {
    pub mechanism: Option<String>,
    pub password: Option<String>,
    /// The type of channel binding; `wrong ` before it spoils its data, `none` claims that the server has none.
    pub binding: Option<String>,
}

impl Session {
    /// Brings the session to a stage, from wherever it is. Header and features of the last stream stay in the inbox
    /// for stages before a resource is bound.
    pub async fn reach(&mut self, stage: Stage, priority: Option<i8>) -> Result<(), String> {
        if stage == Stage::Component {
            return Err("components do not log in".to_owned());
        }
        if self.stage < Stage::Raw && stage >= Stage::Raw {
            self.dial().await?;
        }
        if self.stage < Stage::Secured && stage >= Stage::Secured {
            self.secure_stream().await?;
        }
        if self.role != Role::Client {
            if self.stage < Stage::Authenticated && stage >= Stage::Authenticated {
                self.dial_back().await?;
                self.stage = stage;
            }
            return Ok(());
        }
        if self.stage < Stage::Authenticated && stage >= Stage::Authenticated {
            self.authenticate(&Login::default()).await?;
            self.open().await?;
        }
        if self.stage < Stage::Connected && stage >= Stage::Connected {
            let resource = self.resource.clone();
            self.bind(Some(&resource)).await?;
            self.inbox.clear();
        }
        if self.stage < Stage::Available && stage >= Stage::Available {
            self.become_available(priority).await?;
        }
        Ok(())
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.target.patience()
    }

    /// Opens a stream and waits for its features.
    pub async fn open(&mut self) -> Result<(), String> {
        let domain = self.target.domain.clone();
        self.send_header(&domain).await?;
        let deadline = self.deadline();
        while self.features.is_none() {
            if !self.fill(deadline).await {
                return Err(self.why("no stream features came"));
            }
        }
        Ok(())
    }

    async fn secure_stream(&mut self) -> Result<(), String> {
        self.open().await?;
        let wanted = match self.role {
            Role::Client => self.target.security == Security::Starttls && self.carrier == Carrier::Tcp,
            // Servers encrypt whenever they can, unless the run is without TLS.
            _ if self.target.security == Security::None => false,
            _ => self.features.as_ref().is_some_and(|features| features.get(TLS, "starttls").is_some()),
        };
        if wanted && !self.is_tls() {
            self.negotiate_tls().await?;
            self.open().await?;
        }
        self.stage = Stage::Secured;
        Ok(())
    }

    /// `<starttls/>`, `<proceed/>` and the handshake; a new stream is not yet opened.
    pub async fn negotiate_tls(&mut self) -> Result<(), String> {
        self.send(&Element::new(TLS, "starttls")).await?;
        let deadline = self.deadline();
        match self.take(deadline, |element| element.ns == TLS).await {
            Some(element) if element.name == "proceed" => self.start_tls().await,
            Some(element) => Err(format!("<{}/> in answer to <starttls/>", element.name)),
            None => Err(self.why("no answer to <starttls/>")),
        }
    }

    /// Mechanisms offered in the features received last.
    pub fn mechanisms(&self) -> Vec<String> {
        let offered = self.features.as_ref().and_then(|features| features.get(SASL, "mechanisms"));
        offered.map(|list| list.elements().map(Element::text).collect()).unwrap_or_default()
    }

    /// Proves by a key that the stream is the domain's (XEP-0220 section 2.1.1), and waits for the verdict.
    pub async fn dial_back(&mut self) -> Result<(), String> {
        let Some(house) = self.house.clone() else { return Err("only other servers dial back".to_owned()) };
        let key = super::token();
        house.vouch(&self.stream_id, &key);
        let domain = self.target.domain.clone();
        let result = Element::new(DIALBACK, "result").with("from", &house.domain).with("to", &domain);
        self.send_bytes(crate::xml::write_element(&result.text_child(&key), self.default_ns).as_bytes()).await?;
        let deadline = self.deadline();
        let verdict = |element: &Element| element.is(DIALBACK, "result") && element.attr("type").is_some();
        match self.take(deadline, verdict).await {
            Some(verdict) if verdict.attr("type") == Some("valid") => Ok(()),
            Some(verdict) => Err(format!("dialback: the verdict is '{}'", verdict.attr("type").unwrap_or_default())),
            None => Err(self.why("dialback: no verdict")),
        }
    }

    /// SASL with a mechanism or the best of those offered. On success the stream must be opened anew.
    pub async fn authenticate(&mut self, login: &Login) -> Result<(), String> {
        // What a failed attempt before this one left behind is not an answer to it.
        self.inbox.retain(|item| !matches!(item, Received::Element(element) if element.ns == SASL));
        let offered = self.mechanisms();
        if login.mechanism.as_deref() == Some("EXTERNAL") {
            return self.authenticate_externally().await;
        }
        let mechanism = match &login.mechanism {
            Some(mechanism) => mechanism.clone(),
            None => ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]
                .into_iter()
                .find(|known| offered.iter().any(|offer| offer == known))
                .ok_or_else(|| format!("no known SASL mechanism among '{}'", offered.join(" ")))?
                .to_owned(),
        };
        let user = self.account.user.clone();
        let password = login.password.clone().unwrap_or_else(|| self.account.password.clone());
        let binding = self.binding(&mechanism, login.binding.as_deref())?;
        let scram = |hash: Hash| Some(Scram::new(hash, &user, &password, binding.clone()));
        let mut scram = match mechanism.trim_end_matches("-PLUS") {
            "SCRAM-SHA-512" => scram(Hash::Sha512),
            "SCRAM-SHA-256" => scram(Hash::Sha256),
            "SCRAM-SHA-1" => scram(Hash::Sha1),
            "PLAIN" => None,
            other => return Err(format!("the suite does not speak '{other}'")),
        };
        let initial = scram.as_ref().map_or_else(|| format!("\0{user}\0{password}"), Scram::first);
        let auth = Element::new(SASL, "auth").with("mechanism", &mechanism).text_child(&BASE64.encode(initial));
        self.send(&auth).await?;
        let deadline = self.deadline();
        let decode = |element: &Element| {
            let bytes = BASE64.decode(element.text()).map_err(|_| "SASL data is not base64".to_owned())?;
            String::from_utf8(bytes).map_err(|_| "SASL data is not UTF-8".to_owned())
        };
        let mut answered = false;
        loop {
            let Some(element) = self.take(deadline, |element| element.ns == SASL).await else {
                return Err(self.why("authentication: no answer"));
            };
            match (element.name.as_str(), scram.as_mut()) {
                ("challenge", Some(scram)) if !answered => {
                    let answer = scram.answer(&decode(&element)?)?;
                    answered = true;
                    self.send(&Element::new(SASL, "response").text_child(&BASE64.encode(answer))).await?;
                }
                ("challenge", Some(scram)) => {
                    scram.verify(&decode(&element)?)?;
                    self.send(&Element::new(SASL, "response")).await?;
                }
                ("success", scram) => {
                    if let Some(scram) = scram.filter(|_| !element.text().is_empty()) {
                        scram.verify(&decode(&element)?)?;
                    }
                    self.stage = Stage::Authenticated;
                    self.restart_stream();
                    return Ok(());
                }
                _ => {
                    let condition = element.elements().next().map_or("no condition", |e| e.name.as_str());
                    let what = format!("authentication: <{}/> ({condition})", element.name);
                    self.inbox.push(Received::Element(element));
                    return Err(what);
                }
            }
        }
    }

    /// By the certificate that was shown, as who the stream header says (XEP-0178 section 3).
    async fn authenticate_externally(&mut self) -> Result<(), String> {
        self.send(&Element::new(SASL, "auth").with("mechanism", "EXTERNAL").text_child("=")).await?;
        let deadline = self.deadline();
        match self.take(deadline, |element| element.ns == SASL).await {
            Some(success) if success.name == "success" => {
                self.stage = Stage::Authenticated;
                self.restart_stream();
                Ok(())
            }
            Some(other) => {
                let condition = other.elements().next().map_or("no condition", |e| e.name.as_str()).to_owned();
                let what = format!("authentication: <{}/> ({condition})", other.name);
                self.inbox.push(Received::Element(other));
                Err(what)
            }
            None => Err(self.why("authentication: no answer")),
        }
    }

    /// What a SCRAM mechanism says of channel binding: with -PLUS the wished type or the best that there is.
    fn binding(&self, mechanism: &str, wished: Option<&str>) -> Result<Binding, String> {
        match wished {
            Some("none") => return Ok(Binding::NotOffered),
            None if !mechanism.ends_with("-PLUS") => return Ok(Binding::None),
            _ => {}
        }
        let transport = self.transport().ok_or("not connected")?;
        let wished = wished.unwrap_or("tls-exporter");
        let kind = wished.strip_prefix("wrong ").unwrap_or(wished);
        let mut data = transport.channel_binding(kind)?;
        if kind != wished {
            data.iter_mut().for_each(|byte| *byte ^= 0x55);
        }
        Ok(Binding::To { kind: kind.to_owned(), data })
    }

    /// Binds a resource, the wished for or one of the server's choice.
    pub async fn bind(&mut self, resource: Option<&str>) -> Result<(), String> {
        let mut bind = Element::new(BIND, "bind");
        if let Some(resource) = resource {
            bind = bind.child(Element::new(BIND, "resource").text_child(resource));
        }
        let answer = self.request("bind-1", bind).await?;
        let jid = answer.get(BIND, "bind").and_then(|bind| bind.get(BIND, "jid")).map(Element::text);
        self.full_jid = Some(jid.ok_or("the server bound no address")?);
        let session = self.features.as_ref().and_then(|features| features.get(SESSION, "session"));
        if session.is_some_and(|session| session.get(SESSION, "optional").is_none()) {
            self.request("session-1", Element::new(SESSION, "session")).await?;
        }
        self.stage = Stage::Connected;
        Ok(())
    }

    /// Sends an IQ-set to the own account's server and returns the result.
    async fn request(&mut self, id: &str, payload: Element) -> Result<Element, String> {
        let name = payload.name.clone();
        self.send(&Element::new(CLIENT, "iq").with("type", "set").with("id", id).child(payload)).await?;
        let deadline = self.deadline();
        let answer = self.take(deadline, |e| e.is(CLIENT, "iq") && e.attr("id") == Some(id)).await;
        match answer {
            Some(answer) if answer.attr("type") == Some("result") => Ok(answer),
            Some(_) => Err(format!("<{name}/> was refused")),
            None => Err(self.why(&format!("no answer to <{name}/>"))),
        }
    }

    /// Initial presence; waits (not for long) until the server has reflected it.
    pub async fn become_available(&mut self, priority: Option<i8>) -> Result<(), String> {
        let mut presence = Element::new(CLIENT, "presence");
        if let Some(priority) = priority {
            presence = presence.child(Element::new(CLIENT, "priority").text_child(&priority.to_string()));
        }
        self.send(&presence).await?;
        let own = self.full_jid.clone();
        let own_presence = |e: &Element| e.is(CLIENT, "presence") && e.attr("from") == own.as_deref();
        self.take(Instant::now() + Duration::from_secs(1), own_presence).await;
        self.stage = Stage::Available;
        Ok(())
    }

    /// Connects as an external component.
    pub async fn become_component(&mut self, access: &ComponentAccess) -> Result<(), String> {
        self.default_ns = COMPONENT;
        self.dial_port(access.port, false).await?;
        self.send_header(&access.domain).await?;
        let deadline = self.deadline();
        let header = self.take(deadline, |element| element.is(STREAM, "stream")).await;
        let header = header.ok_or_else(|| self.why("no stream header for the component"))?;
        let id = header.attr("id").unwrap_or_default();
        let digest =
            ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{id}{}", access.secret).as_bytes());
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.send(&Element::new(COMPONENT, "handshake").text_child(&hex)).await?;
        match self.take(deadline, |element| element.is(COMPONENT, "handshake")).await {
            Some(_) => {
                self.stage = Stage::Component;
                self.full_jid = Some(access.domain.clone());
                Ok(())
            }
            None => Err(self.why("the component's handshake was not accepted")),
        }
    }

    /// Adds to a message what the stream's end says about the reason.
    fn why(&self, what: &str) -> String {
        let error = self.inbox.iter().find_map(|item| match item {
            Received::Element(e) if e.is(STREAM, "error") => Some(e),
            _ => None,
        });
        let condition = error.and_then(|error| error.elements().find(|e| e.ns == STREAMS));
        match (condition, &self.closed) {
            (Some(condition), _) => format!("{what} (stream error {})", condition.name),
            (None, Some(closed)) => format!("{what} ({closed:?})"),
            (None, None) => what.to_owned(),
        }
    }
}

impl Target {
    /// Whether streams end up encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.security != Security::None
    }
}
