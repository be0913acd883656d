//! RFC 6121 in memory: rosters, subscriptions, presence and delivery.

mod agreement;
mod delivery;
mod presence;
mod roster;
mod subscribing;
mod subscription;
mod verona;
