//! Occupant ids (XEP-0421): the same for a user at every visit to one room, under any nickname, and telling nothing of the
//! address to who does not know the room's secret.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use compact_str::CompactString;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use wire::jid::BareJid;

/// The id of a user in the room that has this secret.
pub fn of(secret: &str, user: &BareJid) -> CompactString {
    // A key of any length will do for HMAC, so there is always one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return CompactString::default() };
    mac.update(user.as_str().as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_depends_on_user_and_room() {
        let (juliet, romeo) = (BareJid::parse("juliet@a").unwrap(), BareJid::parse("romeo@a").unwrap());
        assert_eq!(of("secret", &juliet), of("secret", &juliet));
        assert_ne!(of("secret", &juliet), of("secret", &romeo));
        assert_ne!(of("secret", &juliet), of("other", &juliet));
        assert_eq!(of("secret", &juliet).len(), 43);
    }
}
