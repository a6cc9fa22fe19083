//! Listeners of the core: the public API, the channels' callbacks, and what operators look
//! at. None of them can use up what another needs.

use crate::config::CoreConfig;
use crate::http::{self, CoreApi};
use sluice_contract::listener::{
    BoundListener, authorization_key, nobody_key, reserve_descriptors,
};
use sluice_contract::supervisor::Supervisor;
use sluice_contract::telemetry::{self, Readiness};
use std::sync::Arc;

/// The listeners, bound before anything else is started.
pub(super) struct CoreListeners {
    pub public: BoundListener,
    pub callbacks: BoundListener,
    pub admin: BoundListener,
}

impl CoreListeners {
    /// Listens on the addresses of the settings.
    ///
    /// # Errors
    /// The setting's name and the reason: a taken port, a certificate, too few descriptors.
    pub async fn bind(config: &CoreConfig) -> anyhow::Result<Self> {
        let (public, callbacks) = (&config.listener, &config.callbacks);
        let admin = &config.admin_listener;
        reserve_descriptors(
            public.max_connections + callbacks.listener.max_connections + admin.max_connections,
        )?;
        let at_callbacks = &callbacks.listen;
        Ok(CoreListeners {
            public: BoundListener::bind("public", "listen", &config.listen, public).await?,
            callbacks: BoundListener::bind(
                "callbacks",
                "callbacks.listen",
                at_callbacks,
                &callbacks.listener,
            )
            .await?,
            admin: BoundListener::bind("admin", "admin", &config.admin, admin).await?,
        })
    }
}

/// Serves `/live`, `/ready` and `/metrics`.
pub(super) fn serve_admin(parts: &Supervisor, listener: BoundListener, readiness: &Readiness) {
    listener.serve(parts, telemetry::router(readiness.clone()), nobody_key());
}

/// Serves the public API and the callbacks; after the stop open requests are still answered.
pub(super) fn serve_api(
    parts: &Supervisor,
    public: BoundListener,
    callbacks: BoundListener,
    api: Arc<CoreApi>,
) {
    public.serve(parts, http::router(api.clone()), authorization_key());
    callbacks.serve(parts, http::callback_router(api), nobody_key());
}
