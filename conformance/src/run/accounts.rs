//! Where the accounts of a play come from, and what becomes of them afterwards.

pub use crate::net::token;
use crate::net::{Account, Log, Session, Target, register, unregister};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub enum Source {
    /// In-band registration (XEP-0077): a fresh account each time, removed afterwards.
    Register,
    /// A fixed set, borrowed by one play at a time.
    Pool(Mutex<Vec<Account>>),
    /// Added and deleted by an administrator's ad-hoc commands (XEP-0133).
    Admin(Account),
    /// In-band registration, though there is an administrator for the plays that ask for one.
    RegisterBesideAdmin(Account),
}

pub struct Accounts {
    pub source: Source,
}

/// How long a play waits for accounts of a pool that others have borrowed.
const POOL_PATIENCE: Duration = Duration::from_secs(60);

impl Accounts {
    /// A pool from a file of lines `user@domain password`.
    pub fn from_file(path: &Path) -> Result<Accounts, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut accounts = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parts =
                line.split_once(char::is_whitespace).and_then(|(jid, p)| Some((jid.split_once('@')?, p.trim())));
            let Some(((user, domain), password)) = parts else {
                return Err(format!("{}:{}: expected 'user@domain password'", path.display(), index + 1));
            };
            let (user, domain, password) = (user.to_owned(), domain.to_owned(), password.to_owned());
            accounts.push(Account { user, domain, password });
        }
        Ok(Accounts { source: Source::Pool(Mutex::new(accounts)) })
    }

    /// The administrator of the server, if the run was given one.
    pub fn admin(&self) -> Option<&Account> {
        match &self.source {
            Source::Admin(admin) | Source::RegisterBesideAdmin(admin) => Some(admin),
            Source::Register | Source::Pool(_) => None,
        }
    }

    /// An account for a role; `name` is a wish that a pool cannot grant.
    pub async fn obtain(&self, target: &Arc<Target>, name: &str, log: &Log) -> Result<Account, String> {
        match &self.source {
            Source::Register | Source::RegisterBesideAdmin(_) => {
                let account = fresh(target, name);
                register(target, &account, log).await?;
                Ok(account)
            }
            Source::Pool(pool) => {
                let began = std::time::Instant::now();
                while began.elapsed() < POOL_PATIENCE {
                    if let Some(account) = pool.lock().unwrap_or_else(PoisonError::into_inner).pop() {
                        return Ok(account);
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err("the file of accounts has too few for this play".to_owned())
            }
            Source::Admin(admin) => {
                let account = fresh(target, name);
                super::stagehand::add_user(target, admin, &account, log).await?;
                Ok(account)
            }
        }
    }

    /// Takes an account back. `session` is one of its sessions if any is still open.
    pub async fn give_back(&self, target: &Arc<Target>, account: Account, session: Option<Session>, log: &Log) {
        let new = || Session::new("clean up", target.clone(), account.clone(), "cleanup", log.clone());
        match &self.source {
            Source::Register | Source::RegisterBesideAdmin(_) => {
                let mut session = session.unwrap_or_else(new);
                if unregister(&mut session).await.is_err() && session.name != "clean up" {
                    let _ = unregister(&mut new()).await;
                }
            }
            Source::Pool(pool) => {
                let mut session = new();
                super::stagehand::empty_account(&mut session).await;
                pool.lock().unwrap_or_else(PoisonError::into_inner).push(account);
            }
            Source::Admin(admin) => {
                drop(session);
                let _ = super::stagehand::delete_user(target, admin, &account, log).await;
            }
        }
    }
}

fn fresh(target: &Target, name: &str) -> Account {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    Account { user: format!("{name}-{}", token()), domain: target.domain.clone(), password: format!("pw-{}", token()) }
}
