//! An invitation as bytes in the store: lines of text, as no part of it can have a line end.

use super::{Invitation, Purpose};
use wire::datetime::Timestamp;
use wire::jid::BareJid;

const FORMAT: &str = "1";
const CONTACT: &str = "contact";
const ACCOUNT: &str = "account";

/// Format, end, purpose, name, inviter, whether they become contacts, who has used it; what is absent is an empty line.
pub fn encode(invitation: &Invitation) -> Vec<u8> {
    let address = |jid: &Option<BareJid>| jid.as_ref().map_or(String::new(), |jid| jid.as_str().to_owned());
    let (purpose, name) = match &invitation.purpose {
        Purpose::Contact => (CONTACT, ""),
        Purpose::Account { username } => (ACCOUNT, username.as_deref().unwrap_or_default()),
    };
    let lines = [
        FORMAT.to_owned(),
        invitation.expires.millis().to_string(),
        purpose.to_owned(),
        name.to_owned(),
        address(&invitation.inviter),
        u8::from(invitation.befriends).to_string(),
        address(&invitation.used_by),
    ];
    lines.join("\n").into_bytes()
}

pub fn decode(token: &str, version: u64, bytes: &[u8]) -> Option<Invitation> {
    let lines: Vec<&str> = std::str::from_utf8(bytes).ok()?.split('\n').collect();
    let &[FORMAT, expires, purpose, name, inviter, befriends, used_by] = lines.as_slice() else { return None };
    let address = |text: &str| match text {
        "" => Some(None),
        jid => BareJid::parse(jid).ok().map(Some),
    };
    let username = (!name.is_empty()).then(|| name.to_owned());
    Some(Invitation {
        token: token.to_owned(),
        purpose: match purpose {
            CONTACT => Purpose::Contact,
            ACCOUNT => Purpose::Account { username },
            _ => return None,
        },
        inviter: address(inviter)?,
        befriends: befriends == "1",
        expires: Timestamp::from_millis(expires.parse().ok()?)?,
        used_by: address(used_by)?,
        version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_there() {
        let jid = |text: &str| Some(BareJid::parse(text).unwrap());
        let purposes = [
            Purpose::Contact,
            Purpose::Account { username: None },
            Purpose::Account { username: Some("juliet".into()) },
        ];
        for purpose in purposes {
            for (inviter, used_by) in [(None, None), (jid("romeo@example.org"), jid("juliet@example.org"))] {
                let invitation = Invitation {
                    token: "000000001aB".into(),
                    purpose: purpose.clone(),
                    befriends: inviter.is_some(),
                    inviter,
                    expires: Timestamp::from_millis(1_700_000_000_123).unwrap(),
                    used_by,
                    version: 7,
                };
                assert_eq!(decode("000000001aB", 7, &encode(&invitation)), Some(invitation));
            }
        }
        for damaged in ["", "1", "2\n0\ncontact\n\n\n0\n", "1\nx\ncontact\n\n\n0\n", "1\n0\nwish\n\n\n0\n"] {
            assert_eq!(decode("t", 1, damaged.as_bytes()), None, "{damaged:?}");
        }
    }
}
