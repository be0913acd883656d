//! Nodes of publish-subscribe (XEP-0060 and what builds on it), at a service and at accounts in memory.

mod bounds;
mod departure;
mod digests;
mod large;
mod moved;
mod presence;
mod privacy;
mod privacy_of_accounts;
mod remains;
mod stage;
mod xep0060_examples;
mod xep0163_contacts;
mod xep0163_events;
mod xep0163_published;
mod xep0248_collections;
mod xep0496_relations;
mod xep0497_subscriptions;
mod xep0499_discovery;
