//! `oriole doctor DOMAIN`: see [`crate::doctor`].

use super::{Failure, operate, output};
use crate::config::{DomainName, Loaded};

/// Prints the report; fails when something does not work.
pub(super) fn doctor(
    loaded: &Loaded,
    domain: &DomainName,
    from: Option<&DomainName>,
    json: bool,
) -> Result<(), Failure> {
    let report = operate::run(async { Ok(operate::any(&loaded.config).await?.doctor(domain, from).await?) })?;
    let text = match json {
        true => serde_json::to_string(&report).map_err(|error| Failure::Failed(error.to_string()))? + "\n",
        false => report.to_text(),
    };
    output::print(&text)?;
    if report.works { Ok(()) } else { Err(Failure::Told) }
}
