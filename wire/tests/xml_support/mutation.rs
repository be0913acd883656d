//! Spoiling bytes that were good: what the mutation tests do to the corpus and to dialogues.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// One way to spoil bytes.
#[derive(Debug, Clone)]
pub enum Mutation {
    Overwrite(Index, u8),
    Insert(Index, &'static str),
    Remove(Index, usize),
    Repeat(Index, usize),
    Swap(Index, Index),
}

pub fn mutation(tokens: &'static [&'static str]) -> impl Strategy<Value = Mutation> {
    prop_oneof![
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Overwrite(at, byte)),
        4 => (any::<Index>(), select(tokens)).prop_map(|(at, token)| Mutation::Insert(at, token)),
        2 => (any::<Index>(), 1..20usize).prop_map(|(at, len)| Mutation::Remove(at, len)),
        2 => (any::<Index>(), 1..60usize).prop_map(|(at, len)| Mutation::Repeat(at, len)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Mutation::Swap(a, b)),
    ]
}

impl Mutation {
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match self {
            Mutation::Insert(at, token) => {
                let at = place(at, bytes);
                bytes.splice(at..at, token.bytes());
            }
            Mutation::Overwrite(at, byte) => {
                let at = place(at, bytes);
                bytes.splice(at..(at + 1).min(bytes.len()), [*byte]);
            }
            Mutation::Remove(at, len) => {
                let at = place(at, bytes);
                bytes.drain(at..(at + len).min(bytes.len()));
            }
            Mutation::Repeat(at, len) => {
                let at = place(at, bytes);
                let piece = bytes[at..(at + len).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            Mutation::Swap(a, b) if !bytes.is_empty() => {
                let (a, b) = (a.index(bytes.len()), b.index(bytes.len()));
                bytes.swap(a, b);
            }
            Mutation::Swap(..) => {}
        }
    }
}

/// Some of the seeds, with up to four mutations each; `tokens` are put in.
pub fn spoilt(seeds: Vec<Vec<u8>>, tokens: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    (select(seeds), vec(mutation(tokens), 0..5)).prop_map(|(mut bytes, mutations)| {
        mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
        bytes
    })
}
