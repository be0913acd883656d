//! Version 2: the sums of a log say up to which entry they count. Until version 1 they counted everything, and every tag of
//! an entry had a key of its own, which is a block of one id now.

use super::{Migrator, number};
use crate::store::chunks::Changes;
use crate::store::keys::{self, Parsed};
use std::ops::ControlFlow;
use xeps::store::{Direction, Result};

/// Changes that are made at a time.
const LOAD: usize = 1000;

/// Adds the id to all sums that have none.
pub fn sums_say_up_to_where(migrator: &mut Migrator<'_>) -> Result<()> {
    let up_to = number(migrator.mark);
    let (mut from, to) = keys::data();
    loop {
        let mut changes = Changes::new();
        migrator.engine.scan(&(from, to.clone()), Direction::Forward, &mut |key, stored| {
            if stored.len() == 16 && matches!(keys::parse(key), Some(Parsed::Sums { .. })) {
                changes.insert(key.to_vec(), Some([stored, up_to.clone()].concat().into()));
            }
            Ok(if changes.len() < LOAD { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        let Some((last, _)) = changes.last_key_value() else { return Ok(()) };
        // Right behind it.
        from = [last.as_slice(), &[0]].concat();
        migrator.apply(changes)?;
    }
}

#[cfg(test)]
mod tests;
