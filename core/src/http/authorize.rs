//! Authorisation of every request, before its handler: the table `access::routes` says
//! which grant the route needs. A handler takes the [`Caller`] that was found.

use crate::access::routes::{RouteAccess, access_of};
use crate::access::{AccessControl, AccessRefusal, Caller, RequestProof};
use crate::http::error::ApiError;
use crate::http::state::CoreApi;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use sluice_contract::wire::ApiCode;
use std::sync::Arc;

/// Lets a request through to its handler if its caller may make it.
pub(super) async fn authorize(
    api: &CoreApi,
    route: Option<&str>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(route) = route else {
        return Ok(next.run(request).await);
    };
    let request = match listed(request.method().as_str(), route)? {
        RouteAccess::Granted(grant) => {
            let (mut request, caller) = identify(api, request).await?;
            caller.require(grant)?;
            request.extensions_mut().insert(caller);
            request
        }
        RouteAccess::SignedByChannel | RouteAccess::Open => request,
    };
    Ok(next.run(request).await)
}

/// Reads the line of the table. A route that is mounted and has none is not there for
/// anybody.
fn listed(method: &str, path: &str) -> Result<RouteAccess, ApiError> {
    let refusal = || ApiError::new(ApiCode::NoSuchPath, "no such method on this path");
    access_of(method, path).ok_or_else(refusal)
}

/// Finds out who calls. The body is read first if it is part of the proof.
async fn identify(api: &CoreApi, request: Request) -> Result<(Request, Caller), ApiError> {
    let (parts, mut stream) = request.into_parts();
    let mut body: Option<Bytes> = None;
    if AccessControl::covers_body(&parts.headers) {
        let bytes = api.body(Request::new(stream)).await?;
        stream = Body::from(bytes.clone());
        body = Some(bytes);
    }
    let proof = RequestProof {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        body: body.as_deref(),
    };
    let caller = api.access.caller(proof).await?;
    Ok((Request::from_parts(parts, stream), caller))
}

impl FromRequestParts<Arc<CoreApi>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<CoreApi>) -> Result<Self, ApiError> {
        // Whoever forgets the layer gets no answer, rather than one for anybody.
        parts
            .extensions
            .get()
            .cloned()
            .ok_or_else(|| ApiError::internal(&anyhow::anyhow!("a handler without authorisation")))
    }
}

impl From<AccessRefusal> for ApiError {
    fn from(refusal: AccessRefusal) -> Self {
        ApiError::new(refusal.code, &refusal.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_without_a_line_is_not_served() {
        for (method, path) in [
            ("GET", "/forgotten"),
            ("PUT", "/withdraw"),
            ("GET", "/deposit"),
        ] {
            assert!(listed(method, path).is_err(), "{method} {path}");
        }
        let read = |method: &str| listed(method, "/accounts/{id}").ok();
        assert_eq!(read("HEAD"), read("GET"));
        assert!(read("GET").is_some());
    }
}
