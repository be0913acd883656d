//! A file goes out, or a part of it (RFC 9110 sections 13 and 14), in a way that no browser runs what is in it (XEP-0363 section 9).

use super::refuse;
use crate::http::Web;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tracing::error;
use xeps::store::StoreError;
use xeps::upload::ledger::{self, File};
use xeps::upload::slot::is_id;

/// `GET /upload/{id}/{name}`, and `HEAD`.
pub async fn give(
    State(web): State<Arc<Web>>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
    mut request: Request,
) -> Response {
    let not_there = || refuse(StatusCode::NOT_FOUND, "there is no such file");
    if !is_id(&id) {
        return not_there();
    }
    let found = match find(&web, &headers, &id).await {
        Ok(found) => found,
        Err(error) => {
            error!(%error, "the store failed: a file was not given out");
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "try again later");
        }
    };
    let Some(file) = found.filter(|file| file.name == name) else { return not_there() };
    // What an id stands for never changes.
    let tag = format!("\"{id}\"");
    let field = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let fields = request.headers_mut();
    // RFC 9110 section 13.1.5: of anything else the client has a part, it needs all.
    let of_another = field(header::IF_RANGE).is_some_and(|known| known != tag);
    if of_another || !field(header::RANGE).is_some_and(is_one_range) {
        fields.remove(header::RANGE);
    }
    // These are judged here, by the tag that is told. Dates count only without them (RFC 9110 section 13.2.2).
    for (by_tag, by_date) in
        [(header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE), (header::IF_MATCH, header::IF_UNMODIFIED_SINCE)]
    {
        if fields.remove(by_tag).is_some() {
            fields.remove(by_date);
        }
    }
    fields.remove(header::IF_RANGE);
    let mut response = if field(header::IF_NONE_MATCH).is_some_and(|tags| tags.trim() == "*" || tags.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if field(header::IF_MATCH).is_some_and(|tags| tags.trim() != "*" && !tags.contains(&tag)) {
        StatusCode::PRECONDITION_FAILED.into_response()
    } else {
        let kind = file.content_type.parse().unwrap_or(mime::APPLICATION_OCTET_STREAM);
        match web.files.give(&id, &kind, request).await {
            Ok(response) => response,
            Err(error) => {
                error!(%error, id, "a file could not be given out");
                return refuse(StatusCode::BAD_GATEWAY, "try again later");
            }
        }
    };
    let success = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let fields = response.headers_mut();
    if success && let Ok(tag) = HeaderValue::from_str(&tag) {
        fields.insert(header::ETAG, tag);
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    }
    // Whatever the file is, it must not act in the name of this site.
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    let disposition = if is_harmless(&file.content_type) { "inline" } else { "attachment" };
    fields.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    response
}

/// The file of that id; of the host that is asked, or of another one.
pub async fn find(web: &Web, headers: &HeaderMap, id: &str) -> Result<Option<File>, StoreError> {
    let asked = web.host(headers).and_then(|host| host.upload.as_ref());
    let all = web.hosts.values().filter_map(|host| host.upload.as_ref());
    for upload in asked.into_iter().chain(all) {
        let found = ledger::find(web.shared.engine.store.as_ref(), upload.domain.as_str(), id).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Whether a field `Range` asks for what can be given. What it asks beyond that may be ignored (RFC 9110 section 14.2).
fn is_one_range(range: &str) -> bool {
    let unit = range.split_once('=').map(|(unit, _)| unit);
    unit.is_some_and(|unit| unit.eq_ignore_ascii_case("bytes")) && !range.contains(',')
}

/// Whether a browser may show it at once: it cannot be made to run anything (XEP-0363 section 9).
fn is_harmless(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/').unwrap_or_default();
    let is_code = subtype.contains("xml") || subtype.contains("svg");
    essence == "text/plain" || (matches!(kind, "audio" | "image" | "video") && !is_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_run_is_downloaded_not_shown() {
        for (kind, harmless) in [
            ("image/jpeg", true),
            ("video/mp4", true),
            ("audio/ogg; codecs=opus", true),
            ("text/plain; charset=utf-8", true),
            ("text/html", false),
            ("image/svg+xml", false),
            ("image/svg", false),
            ("video/anything+xml", false),
            ("application/zip", false),
            ("IMAGE/SVG+XML", false),
            ("application/xhtml+xml", false),
            ("application/pdf", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_harmless(kind), harmless, "{kind}");
        }
    }

    #[test]
    fn a_part_is_one_range_of_bytes() {
        for (range, is_one) in
            [("bytes=0-1", true), ("Bytes=-5", true), ("bytes=0-1,3-4", false), ("lines=1-2", false), ("", false)]
        {
            assert_eq!(is_one_range(range), is_one, "{range}");
        }
    }
}
