//! Headers for browsers (CORS).

use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN,
};

const ALLOWED: &str = "content-type, accept, accept-charset, accept-language, authorization, x-auth-token, x-request-id, \
    x-pretty-print, x-http-method-override, if-match, if-none-match, range, cache-control, x-requested-with";
const EXPOSED: &str = "x-request-id, location, etag, content-type, content-length, content-disposition, content-range, \
    accept-ranges, allow, retry-after";

/// Adds what a browser of another origin wants to see; nothing when no browser asks. `allow`: the path's verbs.
pub fn cors(asked: &HeaderMap, allow: &str, headers: &mut HeaderMap) {
    let browser = [
        &ORIGIN,
        &ACCESS_CONTROL_REQUEST_METHOD,
        &ACCESS_CONTROL_REQUEST_HEADERS,
    ];
    if !browser.into_iter().any(|name| asked.contains_key(name)) {
        return;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let methods = if allow.is_empty() {
        "OPTIONS".to_owned()
    } else {
        format!("OPTIONS, {allow}")
    };
    if let Ok(methods) = HeaderValue::from_str(&methods) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(ALLOWED),
    );
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(EXPOSED),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
}
