//! The SASL mechanisms seen from outside: clients log in, err, and attack.

mod credentials;
mod external;
mod flows;
mod fuzz;
mod plain;
mod scram_final;
mod scram_first;
mod secrecy;
mod support;
mod token;
