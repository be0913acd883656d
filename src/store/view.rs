//! What a reader sees: the pending commits over the engine, as if they were there already.
//!
//! The overlay is always looked at before the engine. The committer empties the overlay only after the engine has
//! everything, so nothing can slip between the two looks.

use super::chunks::{Changes, Chunked};
use super::engine::Visit;
use super::keys::Span;
use super::overlay::Overlay;
use bytes::Bytes;
use parking_lot::RwLock;
use std::ops::ControlFlow;
use xeps::store::{Direction, Result};

/// How many pending changes are looked at in one go.
const SLICE: usize = 256;

/// The engine with the commits that it does not have yet.
pub struct View {
    /// What is, or will be with the next sync, on disk.
    pub engine: Chunked,
    /// What is not. Locked for moments only, never while the engine works.
    pub overlay: RwLock<Overlay>,
}

impl View {
    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let pending = self.overlay.read().get(key);
        match pending {
            Some(value) => Ok(value),
            None => self.engine.get(key),
        }
    }

    /// Visits all keys of the span, in their order or against it.
    pub fn scan(&self, span: &Span, direction: Direction, visit: Visit<'_>) -> Result<()> {
        self.scan_in_slices(SLICE, span, direction, visit)
    }

    /// Up to `limit` keys and values of the span.
    pub fn collect(&self, span: &Span, direction: Direction, limit: usize) -> Result<Vec<(Vec<u8>, Bytes)>> {
        let mut found = Vec::new();
        if limit > 0 {
            self.scan(span, direction, &mut |key, value| {
                found.push((key.to_vec(), value));
                Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
        }
        Ok(found)
    }

    fn scan_in_slices(&self, slice: usize, span: &Span, direction: Direction, visit: Visit<'_>) -> Result<()> {
        let (mut from, mut to) = span.clone();
        loop {
            // However much is pending, only so much of it is copied at a time.
            let (pending, cut) = self.overlay.read().slice(&(from.clone(), to.clone()), direction, slice);
            let part = match (&cut, direction) {
                (None, _) => (from.clone(), to.clone()),
                (Some(cut), Direction::Forward) => (from.clone(), behind(cut)),
                (Some(cut), Direction::Backward) => (cut.clone(), to.clone()),
            };
            let flow = match direction {
                Direction::Forward => self.merge(&part, direction, pending.into_iter(), visit)?,
                Direction::Backward => self.merge(&part, direction, pending.into_iter().rev(), visit)?,
            };
            match (cut, direction) {
                (None, _) => return Ok(()),
                _ if flow.is_break() => return Ok(()),
                (Some(cut), Direction::Forward) => from = behind(&cut),
                (Some(cut), Direction::Backward) => to = cut,
            }
        }
    }

    fn merge<I>(&self, span: &Span, direction: Direction, pending: I, visit: Visit<'_>) -> Result<ControlFlow<()>>
    where
        I: Iterator<Item = <Changes as IntoIterator>::Item>,
    {
        let comes_first = |pending: &[u8], stored: &[u8]| match direction {
            Direction::Forward => pending <= stored,
            Direction::Backward => pending >= stored,
        };
        let mut pending = pending.peekable();
        let mut flow = ControlFlow::Continue(());
        self.engine.scan(span, direction, &mut |key, stored| {
            let mut hidden = false;
            while let Some((own, value)) = pending.next_if(|(own, _)| comes_first(own, key)) {
                hidden |= own == key;
                if let Some(value) = value {
                    flow = visit(&own, value)?;
                    if flow.is_break() {
                        return Ok(flow);
                    }
                }
            }
            if !hidden {
                flow = visit(key, stored)?;
            }
            Ok(flow)
        })?;
        for (key, value) in pending {
            if flow.is_break() {
                break;
            }
            if let Some(value) = value {
                flow = visit(&key, value)?;
            }
        }
        Ok(flow)
    }
}

/// The first key after this one.
fn behind(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::super::engine::memory::Memory;
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn changes() -> impl Strategy<Value = BTreeMap<u8, Option<u8>>> {
        btree_map(0_u8..24, proptest::option::weighted(0.7, any::<u8>()), 0..16)
    }

    fn stored(changes: &BTreeMap<u8, Option<u8>>) -> Changes {
        let bytes = |value: u8| Bytes::copy_from_slice(&[value]);
        changes.iter().map(|(key, value)| (vec![2, *key], value.map(bytes))).collect()
    }

    proptest! {
        /// Three layers of changes, the lowest in the engine, seen through the view as one map.
        #[test]
        fn three_layers_look_like_one(
            layers in vec(changes(), 3),
            span in (0_u8..25, 0_u8..25),
            (slice, limit, backward) in (1_usize..5, 1_usize..30, any::<bool>()),
        ) {
            let view = View { engine: Chunked::new(Box::new(Memory::default())), overlay: RwLock::default() };
            view.engine.apply(&stored(&layers[0]), 1).expect("applied");
            view.overlay.write().add(stored(&layers[1]), 2);
            view.overlay.write().take();
            view.overlay.write().add(stored(&layers[2]), 3);

            let mut model: BTreeMap<u8, Option<u8>> = BTreeMap::new();
            layers.iter().for_each(|layer| model.extend(layer));
            for key in 0..24 {
                let found = view.get(&[2, key]).expect("read");
                prop_assert_eq!(found.map(|value| value[0]), model.get(&key).copied().flatten());
            }
            let inside = model.iter().filter(|(key, _)| span.0 <= **key && **key < span.1);
            let mut expected: Vec<(u8, u8)> = inside.filter_map(|(key, value)| Some((*key, (*value)?))).collect();
            if backward {
                expected.reverse();
            }
            expected.truncate(limit);
            let direction = if backward { Direction::Backward } else { Direction::Forward };
            let mut found = Vec::new();
            let span = (vec![2, span.0], vec![2, span.1]);
            view.scan_in_slices(slice, &span, direction, &mut |key, value| {
                found.push((key[1], value[0]));
                Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            }).expect("scanned");
            prop_assert_eq!(found, expected);
        }
    }
}
