//! Federation as others see it: several servers on loopback addresses of their own, and users who talk across.

mod attacks;
mod broken;
mod channels;
mod crash;
mod dane;
mod delivery;
mod doctor;
mod domains;
mod eventing;
mod hostile;
mod interop;
mod jabberd;
mod multiplexed;
mod oriole;
mod others;
mod pair;
mod policy;
mod rooms;
mod signed;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod ways;
mod website;
