//! Whether clients on the web find their way (XEP-0156 section 3): `https://DOMAIN/.well-known/host-meta`.

use super::{Doctor, Finding, Level};
use crate::config::DomainName;

const FILE: &str = "/.well-known/host-meta";

/// It is no fault to have none: only WebSocket and BOSH need it.
pub(super) async fn look(doctor: &Doctor<'_>, domain: &DomainName) -> Finding {
    let url = format!("https://{}{FILE}", domain.to_ascii());
    let tls = doctor.tls.host_covering(domain).servers().connect.clone();
    match doctor.federation.page(&tls, domain, FILE).await {
        Ok(page) if page.status == 200 && page.body.contains("urn:xmpp:alt-connections:") => {
            Finding::new(Level::Good, format!("{url} names connections"))
        }
        Ok(page) if page.status == 200 => {
            Finding::new(Level::Warning, format!("{url} is there, but names no connections"))
        }
        Ok(page) => Finding::new(Level::Note, format!("{url} is not there (status {})", page.status)),
        Err(why) => Finding::new(Level::Note, format!("{url} is not there ({why})")),
    }
}
