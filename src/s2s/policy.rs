//! Which other domains are talked to: an allow-list, a deny-list, and a file of denied domains that is read again while the
//! server runs.

use crate::config::{DomainName, Federation};
use arc_swap::ArcSwap;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The lists. A domain in a list stands for its subdomains too: otherwise a new subdomain would be a way round.
pub struct Lists {
    allow: HashSet<String>,
    deny: HashSet<String>,
    file: Option<PathBuf>,
    denied_by_file: ArcSwap<HashSet<String>>,
}

impl Lists {
    /// # Errors
    /// The file of denied domains cannot be read, or has a line that is no domain.
    pub fn new(config: &Federation) -> Result<Lists, String> {
        let names = |domains: &[DomainName]| domains.iter().map(|domain| domain.as_str().to_owned()).collect();
        let lists = Lists {
            allow: names(&config.allow),
            deny: names(&config.deny),
            file: config.deny_file.clone(),
            denied_by_file: ArcSwap::default(),
        };
        lists.reload()?;
        Ok(lists)
    }

    /// Reads the file again. When that fails, what was read before stays in force.
    ///
    /// # Errors
    /// As [`Lists::new`].
    pub fn reload(&self) -> Result<(), String> {
        if let Some(file) = &self.file {
            self.denied_by_file.store(Arc::new(read(file)?));
        }
        Ok(())
    }

    /// Whether there may be traffic with that domain.
    pub fn permit(&self, domain: &str) -> bool {
        let listed = |list: &HashSet<String>| !list.is_empty() && with_parents(domain).any(|name| list.contains(name));
        (self.allow.is_empty() || listed(&self.allow)) && !listed(&self.deny) && !listed(&self.denied_by_file.load())
    }
}

/// The domain and everything it is a subdomain of.
fn with_parents(domain: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(domain), |name| name.split_once('.').map(|(_, parent)| parent))
}

fn read(file: &Path) -> Result<HashSet<String>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let domains = lines.map(|(number, line)| match line.parse::<DomainName>() {
        Ok(domain) => Ok(domain.as_str().to_owned()),
        Err(_) => Err(format!("{}:{number}: expected a domain, found {line:?}", file.display())),
    });
    domains.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domains(names: &[&str]) -> Vec<DomainName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn lists_stand_for_subdomains() {
        let deny = Federation { deny: domains(&["spam.example"]), ..Federation::default() };
        let lists = Lists::new(&deny).unwrap();
        assert!(!lists.permit("spam.example") && !lists.permit("new.spam.example"));
        assert!(lists.permit("notspam.example") && lists.permit("example"));

        let both = Federation { allow: domains(&["friends.example"]), deny: domains(&["foe.friends.example"]), ..deny };
        let lists = Lists::new(&both).unwrap();
        assert!(lists.permit("friends.example") && lists.permit("muc.friends.example"));
        assert!(!lists.permit("foe.friends.example") && !lists.permit("others.example"));
    }

    #[test]
    fn the_file_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("denied");
        std::fs::write(&file, "# known for spam\n\nSpam.Example\n").unwrap();
        let lists = Lists::new(&Federation { deny_file: Some(file.clone()), ..Federation::default() }).unwrap();
        assert!(!lists.permit("spam.example") && lists.permit("good.example"));
        std::fs::write(&file, "good.example\n").unwrap();
        lists.reload().unwrap();
        assert!(lists.permit("spam.example") && !lists.permit("good.example"));
        std::fs::write(&file, "good.example\nnot a domain\n").unwrap();
        assert!(lists.reload().unwrap_err().ends_with(":2: expected a domain, found \"not a domain\""));
        assert!(!lists.permit("good.example"), "what was read before stays");
    }
}
