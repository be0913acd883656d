//! Avatars for clients that know only one of the two ways (XEP-0398): what is published as XEP-0084 becomes the photo of the
//! vCard, a photo of the vCard is published, and presence carries the hash of XEP-0153 and is sent anew when it changes.

use super::Pep;
use super::publisher::{Publication, publish};
use crate::account::Account;
use crate::card::{self, Photo};
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::pubsub::node::Node;
use crate::store::Batch;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wire::jid::BareJid;
use wire::stanza::Stanza;
use wire::xml::Element;

pub const METADATA: &str = "urn:xmpp:avatar:metadata";
const DATA: &str = card::AVATAR;
const UPDATE: &str = "vcard-temp:x:update";
const DELAY: &str = "urn:xmpp:delay";

/// The hash of the photo, once it has been looked up.
#[derive(Default)]
struct Hash(Option<Option<String>>);

impl Pep {
    /// Section 3.1: metadata has been published. What does not fit together changes nothing.
    pub(super) async fn avatar_published(&self, cx: &mut Cx<'_>, account: &mut Account, metadata: &Element) -> Outcome {
        let user = account.user.clone();
        let info = metadata.children_named("info", METADATA).find(|info| info.attr("url").is_none());
        let photo = match info {
            None if metadata.children().next().is_some() => return Ok(()),
            None => None,
            Some(info) => {
                let Some(id) = info.attr("id") else { return Ok(()) };
                let Some(node) = Node::load(cx.store, &user, DATA, &self.rules).await? else { return Ok(()) };
                let data = node.item(cx.store, id).await?.and_then(|item| item.payload);
                let text: Option<String> = data.map(|data| data.text().split_whitespace().collect());
                let Some(bytes) = text.and_then(|text| BASE64.decode(text).ok()) else { return Ok(()) };
                if card::hash(&bytes) != id {
                    return Ok(());
                }
                Some(Photo { kind: info.attr("type").unwrap_or("image/png").to_owned(), bytes })
            }
        };
        let mut own = card::get(cx.store, user.as_str()).await?.unwrap_or_else(|| Element::new("vCard", card::NS));
        own.retain_children(|child| !child.is("PHOTO", card::NS));
        let mut batch = Batch::new();
        if let Some(photo) = &photo {
            own.push(photo.to_element());
            card::note_copy(&mut batch, user.as_str(), &photo.hash());
        }
        card::put(&mut batch, user.as_str(), &own);
        cx.commit(batch).await.map_err(Halt::from)?;
        show_anew(cx, account, photo.map(|photo| photo.hash())).await
    }

    /// Section 3.2: the vCard has been replaced.
    pub(super) async fn photo_published(&self, cx: &mut Cx<'_>, account: &mut Account, own: &Element) -> Outcome {
        let photo = Photo::of(own);
        show_anew(cx, account, photo.as_ref().map(Photo::hash)).await?;
        let Some(photo) = photo else { return Ok(()) };
        let hash = photo.hash();
        if let Some(node) = Node::load(cx.store, &account.user, METADATA, &self.rules).await?
            && node.last(cx.store).await?.is_some_and(|last| last.id == hash)
        {
            return Ok(());
        }
        let data = Element::new("data", DATA).with_text(BASE64.encode(&photo.bytes));
        let info = Element::new("info", METADATA)
            .with_attr("id", &hash)
            .with_attr("bytes", photo.bytes.len().to_string())
            .with_attr("type", &photo.kind);
        let metadata = Element::new("metadata", METADATA).with_child(info);
        publish(cx, &mut self.home(account), Publication { node: DATA, id: &hash, payload: data }).await?;
        publish(cx, &mut self.home(account), Publication { node: METADATA, id: &hash, payload: metadata }).await
    }

    /// Section 4: puts the hash into presence, unless the client says that it has no photo to show.
    pub(super) async fn show_hash(&self, cx: &Cx<'_>, account: &mut Account, presence: &mut Stanza) -> Outcome {
        let known = account.states.of::<Hash>().0.clone();
        let hash = match known {
            Some(hash) => hash,
            None => {
                let hash = card::photo_hash(cx.store, account.user.as_str()).await?;
                account.states.of::<Hash>().0.insert(hash).clone()
            }
        };
        if let Some(hash) = hash
            && !shows_nothing(presence)
        {
            put_hash(presence, &hash);
        }
        Ok(())
    }
}

/// Whether the client says that it shows no photo.
fn shows_nothing(presence: &Stanza) -> bool {
    let own = presence.child("x", UPDATE).and_then(|x| x.element());
    own.as_ref().and_then(|x| x.child("photo", UPDATE)).is_some_and(|photo| photo.text().trim().is_empty())
}

/// An empty hash says that there is no photo (XEP-0153 section 4.1).
fn put_hash(presence: &mut Stanza, hash: &str) {
    presence.retain(|child| !child.is("x", UPDATE));
    presence.push(&Element::new("x", UPDATE).with_child(Element::new("photo", UPDATE).with_text(hash)));
}

/// The photo has changed: whoever sees a session by a subscription is sent its presence anew (XEP-0153 section 3.1). Where
/// presence was directed to is the client's affair (XEP-0398 section 5.1).
async fn show_anew(cx: &mut Cx<'_>, account: &mut Account, hash: Option<String>) -> Outcome {
    if account.states.of::<Hash>().0.replace(hash.clone()).as_ref() == Some(&hash) {
        return Ok(());
    }
    let mut shown = Vec::new();
    for presence in account.sessions.iter_mut().filter_map(|session| session.presence.as_mut()) {
        if shows_nothing(&presence.stanza) {
            continue;
        }
        let mut anew = presence.stanza.clone();
        anew.retain(|child| !child.is("delay", DELAY));
        put_hash(&mut anew, hash.as_deref().unwrap_or_default());
        shown.push(anew);
        // For those who ask later. Without a photo nothing is kept that would look like the client's own wish.
        presence.stanza.retain(|child| !child.is("x", UPDATE));
        if let Some(hash) = &hash {
            put_hash(&mut presence.stanza, hash);
        }
    }
    if shown.is_empty() {
        return Ok(());
    }
    let contacts = account.roster(cx.store).await?.iter().filter(|contact| contact.subscription.from);
    let contacts: Vec<BareJid> = contacts.map(|contact| contact.jid.clone()).collect();
    for presence in &shown {
        contacts.iter().for_each(|contact| cx.route(presence.clone().with_to(contact.clone())));
        for (session, _) in account.available() {
            cx.push(session.id, presence.clone().with_to(session.jid.clone()));
        }
    }
    Ok(())
}
