//! Delivery that depends on the presence of subscribers (XEP-0060 sections 12.5 and 12.6).
//!
//! A subscriber may choose the states in which it wants to be notified, or a subscription that ends when it becomes
//! unavailable; the owner of a node may choose both for all. An account sees the presence of its contacts anyway. A service asks
//! for that of subscribers for whom it matters ([`attend`], [`watch`]), and for no longer than it does; whoever does not show it
//! is not available as far as the service knows. What counts is the subscribed address: of a bare one every client, of a full
//! one that client.
//!
//! Items that go with their publisher ([`depart`]) make the presence of publishers matter in the same way.

pub mod attend;
mod choice;
pub mod depart;
mod seen;
pub mod watch;

pub use attend::{Review, RollCall, Why};
pub use choice::{Choice, Show, is_temporary, matters, required};
pub use seen::Seen;

use super::node::Node;
use super::subscription::{State, Subscription};
use super::venue::Venue;

/// Whether a subscriber may be notified now, as far as that depends on its presence.
pub fn allows(venue: &mut dyn Venue, node: &Node, subscription: &Subscription) -> bool {
    required(&node.config, &subscription.options)
        .is_none_or(|shows| venue.seen(&subscription.jid).into_iter().any(|show| shows.contains(show)))
}

/// Whether a place looks at the presence of a subscriber because of this subscription.
pub fn is_watched(node: &Node, subscription: &Subscription) -> bool {
    let (config, options) = (&node.config, &subscription.options);
    let needed = match node.at.local() {
        // A service sees nobody whom it does not ask.
        None => matters(config, options),
        // An account sees its contacts, and has to know only whose subscriptions end when they go.
        Some(_) => is_temporary(config, options),
    };
    needed && subscription.state == State::Subscribed
}
