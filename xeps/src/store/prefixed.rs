//! Records by the beginning of their names.

use super::{Record, Result, Store};

/// Records that are read first; each further look reads more, up to [`MOST`].
const FIRST: usize = 8;
const MOST: usize = 512;

/// Up to `limit` records whose names begin with `prefix` and are longer, in their order. What comes behind them may be of others, and
/// much: so only little more is read than there is.
pub async fn list_prefixed(
    store: &dyn Store,
    owner: &str,
    kind: &str,
    prefix: &str,
    limit: usize,
) -> Result<Vec<(String, Record)>> {
    list_prefixed_after(store, owner, kind, prefix, prefix, limit).await
}

/// The same behind a name that begins with `prefix`.
pub async fn list_prefixed_after(
    store: &dyn Store,
    owner: &str,
    kind: &str,
    prefix: &str,
    behind: &str,
    limit: usize,
) -> Result<Vec<(String, Record)>> {
    let (mut found, mut chunk) = (Vec::<(String, Record)>::new(), FIRST);
    while found.len() < limit {
        let wanted = chunk.min(limit - found.len());
        let after = found.last().map_or(behind, |(name, _)| name);
        let page = store.list(owner, kind, Some(after), wanted).await?;
        let before = found.len();
        found.extend(page.into_iter().take_while(|(name, _)| name.starts_with(prefix)));
        if found.len() < before + wanted {
            break;
        }
        chunk = (chunk * 4).min(MOST);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::memory::Memory;
    use super::super::{Batch, Expect, Key};
    use super::*;
    use crate::testing::now_or_never;

    #[test]
    fn those_with_the_prefix_are_found_and_no_others_however_many_there_are() {
        let store = Memory::at(0);
        let mut batch = Batch::new();
        for number in 0..50 {
            for who in ["a", "b", "c"] {
                batch.put(Key::new("o", "k", &format!("{who}/{number:02}")), Vec::new(), Expect::Any);
            }
        }
        batch.put(Key::new("o", "k", "b/"), Vec::new(), Expect::Any);
        now_or_never(store.commit(batch)).unwrap();
        let found = |prefix: &str, limit: usize| -> Vec<String> {
            let found = now_or_never(list_prefixed(&store, "o", "k", prefix, limit)).unwrap();
            found.into_iter().map(|(name, _)| name).collect()
        };
        let all: Vec<String> = (0..50).map(|number| format!("b/{number:02}")).collect();
        for limit in [0, 1, 7, 8, 9, 40, 49, 50, 51, 1000] {
            assert_eq!(found("b/", limit), all[..limit.min(50)], "{limit}");
        }
        assert_eq!(found("c/", 1000).len(), 50);
        assert_eq!(found("d/", 1000), [""; 0]);
        let rest = now_or_never(list_prefixed_after(&store, "o", "k", "b/", "b/30", 1000)).unwrap();
        assert_eq!(rest.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), all[31..]);
    }
}
