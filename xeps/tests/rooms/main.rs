//! Rooms (XEP-0045) of a service in memory: who enters, speaks, decides and reads.

mod admin;
mod archive;
mod discovery;
mod entering;
mod extensions;
mod large;
mod occupant;
mod operators;
mod owner;
mod restart;
mod stage;
