//! The stage of a play: before it, accounts, friendships, other servers and sessions are found for its cast, and its variables
//! set; after it, all is given back.

use super::performance::Performance;
use super::{accounts, stagehand};
use crate::net::{Account, Direction, Session};
use crate::play::{Actor, Place, Role, Stage};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

impl Performance<'_> {
    /// Accounts, friendships, sessions; at the end every inbox is empty.
    pub(super) async fn prepare(&mut self) -> Result<(), String> {
        self.set_built_ins();
        if self.requirement.cast.iter().any(|actor| actor.stage == Stage::Component) {
            let component = self.run.components.borrow().await.ok_or("no component access was given")?;
            self.scope.set("component", &component.domain);
            self.component = Some(component);
        }
        self.open_houses().await?;
        for actor in &self.requirement.cast {
            if actor.role == Role::Client
                && actor.stage != Stage::Component
                && !self.accounts.contains_key(&actor.account)
            {
                self.cast_account(actor).await?;
            }
        }
        for (a, b) in &self.requirement.friends {
            if let (Some(a), Some(b)) = (self.accounts.get(a), self.accounts.get(b)) {
                stagehand::befriend(&self.run.target, a, b, &self.log).await?;
            }
        }
        for actor in &self.requirement.cast {
            self.cast_session(actor).await?;
        }
        self.await_presence().await;
        for session in self.sessions.values_mut() {
            if session.barrier().await || session.role == Role::Remote {
                session.inbox.clear();
            }
        }
        Ok(())
    }

    fn set_built_ins(&mut self) {
        let target = &self.run.target;
        self.scope.set("domain", &target.domain);
        self.scope.set("host", &target.host);
        self.scope.set("port", &target.port.to_string());
        self.scope.set("websocket", target.websocket.as_deref().unwrap_or_default());
        self.scope.set("bosh", target.bosh.as_deref().unwrap_or_default());
        self.scope.set("web", target.web.as_deref().unwrap_or_default());
        let places =
            [("muc", Place::Muc), ("pubsub", Place::Pubsub), ("upload", Place::Upload), ("proxy", Place::Proxy)];
        for (name, place) in places {
            if let Some(info) = self.run.profile.place(place) {
                self.scope.set(name, &info.jid);
            }
        }
    }

    /// Borrows the domains that the cast has as other servers.
    async fn open_houses(&mut self) -> Result<(), String> {
        let others = self.requirement.cast.iter().filter(|actor| actor.role != Role::Client);
        let mut names: BTreeSet<&str> = others.map(|actor| actor.account.as_str()).collect();
        let count = names.len();
        let mut houses = Vec::new();
        for actor in &self.requirement.cast {
            if let Some(way) = &actor.way
                && names.remove(actor.account.as_str())
            {
                houses.extend(self.run.remotes.borrow_by(way, &actor.account, &self.log).await);
            }
        }
        if !names.is_empty() {
            let names: Vec<&str> = names.into_iter().collect();
            houses.extend(self.run.remotes.borrow(&names, &self.log).await);
        }
        for house in houses {
            self.scope.set(&house.name, &house.domain);
            self.houses.insert(house.name.clone(), house);
        }
        if self.houses.len() < count { Err("too few domains of other servers".to_owned()) } else { Ok(()) }
    }

    async fn cast_account(&mut self, actor: &Actor) -> Result<(), String> {
        let target = &self.run.target;
        let needed = self.requirement.needs_account(&actor.account);
        let account = if actor.is_admin() {
            self.run.accounts.admin().ok_or("no administrator was given")?.clone()
        } else if needed {
            let account = self.run.accounts.obtain(target, &actor.account, &self.log).await?;
            self.accounts.insert(actor.account.clone(), account.clone());
            account
        } else {
            let user = format!("{}-{}", actor.account, accounts::token());
            Account { user, domain: target.domain.clone(), password: accounts::token() }
        };
        self.scope.set(&actor.account, &account.bare());
        self.scope.set(&format!("{}.user", actor.account), &account.user);
        self.scope.set(&format!("{}.password", actor.account), &account.password);
        Ok(())
    }

    async fn cast_session(&mut self, actor: &Actor) -> Result<(), String> {
        let scope = &mut self.scope;
        let user = scope.get(&format!("{}.user", actor.account)).unwrap_or_default().to_owned();
        let password = scope.get(&format!("{}.password", actor.account)).unwrap_or_default().to_owned();
        let account = Account { user, domain: self.run.target.domain.clone(), password };
        // Plays side by side share the administrator.
        let resource = match actor.is_admin() {
            true => format!("{}-{}", actor.resource, accounts::token()),
            false => actor.resource.clone(),
        };
        let mut session = Session::new(&actor.name, self.run.target.clone(), account, &resource, self.log.clone());
        session.carrier = actor.carrier;
        if let Some(house) = self.houses.get(&actor.account) {
            session.at_home(house, actor.role);
        }
        if let (Stage::Component, Some(access)) = (actor.stage, &self.component) {
            session.become_component(access).await.map_err(|what| format!("{}: {what}", actor.name))?;
        } else if actor.stage >= Stage::Raw {
            session.reach(actor.stage, actor.priority).await.map_err(|what| format!("{}: {what}", actor.name))?;
        }
        self.note_address(actor, &session);
        self.sessions.insert(actor.name.clone(), session);
        Ok(())
    }

    /// Variables with the address of a session, bound or to be bound.
    pub(super) fn note_address(&mut self, actor: &Actor, session: &Session) {
        if let Some(house) = &session.house {
            self.scope.set(&actor.account, &house.domain);
            return;
        }
        if actor.stage == Stage::Component {
            let domain = self.component.as_ref().map_or("", |component| component.domain.as_str()).to_owned();
            self.scope.set(&actor.name, &domain);
            return;
        }
        let wished = format!("{}/{}", session.account.bare(), actor.resource);
        let full = session.full_jid.clone().unwrap_or(wished);
        if actor.name != actor.account {
            self.scope.set(&actor.name, &full);
        }
        self.scope.set(&format!("{}.full", actor.name), &full);
        self.scope.set(&format!("{}.resource", actor.name), full.split_once('/').map_or("", |(_, r)| r));
    }

    /// Waits, not for long, until sessions that see each other have each other's presence.
    async fn await_presence(&mut self) {
        let friends = &self.requirement.friends;
        let sees = |a: &str, b: &str| a == b || friends.iter().any(|(x, y)| (x == a && y == b) || (x == b && y == a));
        let available: Vec<(String, String)> = self
            .requirement
            .cast
            .iter()
            .filter(|actor| actor.role == Role::Client && actor.stage == Stage::Available)
            .map(|actor| (actor.name.clone(), actor.account.clone()))
            .collect();
        let deadline = Instant::now() + Duration::from_secs(2);
        for (name, account) in &available {
            for (other, other_account) in &available {
                if name == other || !sees(account, other_account) {
                    continue;
                }
                let jid = self.sessions.get(other).and_then(|session| session.full_jid.clone());
                if let Some(session) = self.sessions.get_mut(name) {
                    session.take(deadline, |e| e.name == "presence" && e.attr("from") == jid.as_deref()).await;
                }
            }
        }
    }

    /// Ends sessions and gives accounts back.
    pub async fn clean_up(&mut self) {
        let mut sessions = std::mem::take(&mut self.sessions);
        if let Some(component) = self.component.take() {
            for (_, session) in sessions.iter_mut().filter(|(_, session)| session.stage == Stage::Component) {
                session.disconnect().await;
            }
            self.run.components.give_back(component);
        }
        for (_, session) in sessions.iter_mut().filter(|(_, session)| session.house.is_some()) {
            session.disconnect().await;
        }
        for house in std::mem::take(&mut self.houses).into_values() {
            self.run.remotes.give_back(&house).await;
        }
        for session in sessions.iter_mut().filter(|(name, _)| name.split('/').next() == Some("admin")) {
            session.1.disconnect().await;
        }
        for (name, account) in std::mem::take(&mut self.accounts) {
            let own: Vec<String> =
                sessions.iter().filter(|(_, s)| s.account == account).map(|(n, _)| n.clone()).collect();
            let mut last = None;
            for session in own.iter().filter_map(|name| sessions.remove(name)) {
                if session.is_open() && session.stage >= Stage::Connected && session.stage < Stage::Component {
                    last = Some(session);
                }
            }
            self.log.add(&name, Direction::Note, "the play is over");
            self.run.accounts.give_back(&self.run.target, account, last, &self.log).await;
        }
    }
}
