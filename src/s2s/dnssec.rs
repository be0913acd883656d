//! TLSA records that DNSSEC proves (RFC 6698, RFC 7673 section 3), by a resolver that validates signatures itself.

use super::dane::Tlsa;
use super::dns::{Host, Place, absolute, servers, service, tune};
use super::steps::Tlsas;
use crate::config::Federation;
use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use std::sync::Arc;
use wire::stream::Audience;

/// TLSA records of a place that are looked at.
const RECORDS: usize = 16;

/// The resolver that validates, with its cache.
pub struct Dnssec(TokioResolver);

impl Dnssec {
    /// None when the configuration does not want it.
    ///
    /// # Errors
    /// The trust anchors or the name server of the configuration cannot be used.
    pub fn new(config: &Federation) -> Result<Option<Dnssec>, String> {
        if !config.dane {
            return Ok(None);
        }
        let anchors = match &config.trust_anchors {
            Some(file) => TrustAnchors::from_file(file)
                .map_err(|error| format!("federation.trust_anchors: {}: {error}", file.display()))?,
            None => TrustAnchors::default(),
        };
        let failed = |error: NetError| format!("federation.dane: {error}");
        let mut builder = servers(config).map_err(failed)?.with_trust_anchor(Arc::new(anchors));
        tune(builder.options_mut(), true);
        builder.build().map(Dnssec).map(Some).map_err(failed)
    }

    /// What is to be expected at a place of `domain`, and the name that was asked for. None where DANE has no say: at
    /// addresses that DNS did not give.
    ///
    /// The records of an SRV target count only when the SRV record that leads there is signed (RFC 7673 section 3.1).
    pub async fn tlsa(&self, domain: &str, place: &Place) -> Option<(String, Tlsas)> {
        let Host::Name(host) = &place.host else { return None };
        let name = format!("_{}._tcp.{host}", place.port);
        if host != domain {
            match self.leads_to(domain, place, host).await {
                Ok(true) => {}
                Ok(false) => return Some((name, Tlsas::Unsigned)),
                Err(why) => return Some((name, Tlsas::Unknown(why))),
            }
        }
        let found = self.secure(&name, RecordType::TLSA).await.map(|records| {
            let tlsas: Vec<Tlsa> = records.iter().filter_map(|record| tlsa(&record.data)).take(RECORDS).collect();
            if tlsas.is_empty() { Tlsas::Nothing } else { Tlsas::Records(tlsas) }
        });
        Some((name, found.unwrap_or_else(Tlsas::Unknown)))
    }

    /// Whether a signed SRV record of the domain names the place.
    async fn leads_to(&self, domain: &str, place: &Place, host: &str) -> Result<bool, String> {
        let name = format!("{}.{domain}", service(Audience::Servers, place.security));
        let records = self.secure(&name, RecordType::SRV).await?;
        Ok(records.iter().any(|record| {
            matches!(&record.data, RData::SRV(srv) if srv.port == place.port
                && srv.target.to_ascii().trim_end_matches('.').eq_ignore_ascii_case(host))
        }))
    }

    /// The records of that name and type that DNSSEC proves; none if they are not signed.
    async fn secure(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, String> {
        let Ok(name) = absolute(name) else { return Ok(Vec::new()) };
        match self.0.lookup(name, kind).await {
            Ok(found) => {
                let answers = found.answers().iter().filter(|record| record.record_type() == kind);
                Ok(answers.filter(|record| record.proof.is_secure()).cloned().collect())
            }
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn tlsa(data: &RData) -> Option<Tlsa> {
    let RData::TLSA(tlsa) = data else { return None };
    let (usage, selector, matching) = (tlsa.cert_usage.into(), tlsa.selector.into(), tlsa.matching.into());
    Some(Tlsa { usage, selector, matching, data: tlsa.cert_data.clone() })
}
