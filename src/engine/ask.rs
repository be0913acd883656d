//! Requests of this server's own services to a single session.

use super::Engine;
use wire::jid::Jid;
use wire::stanza::Stanza;

impl Engine {
    /// Hands a request to the session of that address, which may be asleep. It goes past the gates of the account: whoever
    /// uses this has been told by the session itself to ask it. False if there is no such session.
    pub async fn ask(&self, to: &Jid, request: Stanza) -> bool {
        let (Some(entry), Some(resource)) = (self.awake.find(to.bare_str()), to.resource()) else { return false };
        let taken = {
            let mut lane = entry.lane().await;
            let session = lane.account.resource(resource).map(|session| session.id);
            session.is_some_and(|session| lane.push(session, request.into()).is_ok())
        };
        // Its last session may have ended meanwhile, and could not let it fall asleep.
        self.awake.release(entry);
        taken
    }
}
