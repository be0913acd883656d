//! PLAIN (RFC 4616), the server's side.

use super::authzid;
use super::error::Refusal;
use super::exchange::{Identity, Machine, Principal, Step, Verdict};
use super::{Password, SaslError};

pub(super) struct Plain {
    host: String,
    /// Who waits for the verdict on the password.
    claim: Option<Identity>,
}

impl Plain {
    pub fn new(host: &str) -> Plain {
        Plain { host: host.to_owned(), claim: None }
    }
}

impl Machine for Plain {
    fn respond(&mut self, message: &[u8]) -> Result<Step, Refusal> {
        if self.claim.is_some() {
            return Err(Refusal::malformed("PLAIN has one message only"));
        }
        let message = parse(message)?;
        let username = authzid::localpart(message.authcid, &self.host)?;
        if let Some(asked) = message.authzid {
            authzid::check(asked, &username, &self.host)?;
        }
        self.claim = Some(Identity {
            principal: Principal::User(username.clone()),
            authzid: message.authzid.map(str::to_owned),
            additional_data: None,
            token: None,
        });
        Ok(Step::CheckPassword { username, password: Password::new(message.password.to_owned()) })
    }

    fn password(&mut self, verdict: Verdict) -> Result<Step, Refusal> {
        let claim = self.claim.take().ok_or(Refusal::ours("no password was to be checked"))?;
        match verdict {
            Verdict::Accepted => Ok(Step::Success(claim)),
            Verdict::Refused => Err(Refusal::unproven("wrong password or unknown user")),
            Verdict::Disabled => Err(Refusal { error: SaslError::AccountDisabled, reason: "the account is disabled" }),
            Verdict::Expired => {
                Err(Refusal { error: SaslError::CredentialsExpired, reason: "the password has expired" })
            }
            Verdict::Unavailable => Err(Refusal::ours("the password could not be checked")),
        }
    }
}

#[derive(Debug)]
struct Message<'a> {
    authzid: Option<&'a str>,
    authcid: &'a str,
    password: &'a str,
}

/// RFC 4616 section 2: `message = [authzid] UTF8NUL authcid UTF8NUL passwd`, where the last two are not empty.
fn parse(message: &[u8]) -> Result<Message<'_>, Refusal> {
    let text = str::from_utf8(message).map_err(|_| Refusal::malformed("PLAIN message is not UTF-8"))?;
    let mut parts = text.split('\0');
    let (Some(authzid), Some(authcid), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::malformed("PLAIN message does not have three parts"));
    };
    if authcid.is_empty() || password.is_empty() {
        return Err(Refusal::malformed("PLAIN message has an empty user name or password"));
    }
    Ok(Message { authzid: (!authzid.is_empty()).then_some(authzid), authcid, password })
}
