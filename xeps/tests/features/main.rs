//! Features, each played in a host in memory that has it.

mod affiliation;
mod answers;
mod archive;
mod blocking;
mod carbons;
mod devices;
mod disco;
mod inbox;
mod invitations;
mod last;
mod offline;
mod push;
mod register;
mod statements;
mod storage;
mod unifiedpush;
mod upload;
