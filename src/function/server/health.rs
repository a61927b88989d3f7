//! The standard gRPC health service.
//!
//! Serving under the server's own name (the empty one) and under both names of
//! the function's service. A drain tells whoever watches, and then ends their
//! streams, which would otherwise hold the drain up for as long as they watch.

use tonic_health::{
    ServingStatus,
    pb::health_server::{Health as HealthService, HealthServer},
    server::{HealthReporter, HealthService as Statuses},
};

use crate::contract::proto::{v1, v1beta1};

const SERVICES: [&str; 3] = [
    "",
    v1::function_runner_service_server::SERVICE_NAME,
    v1beta1::function_runner_service_server::SERVICE_NAME,
];

/// What the health service answers.
pub(super) struct Health(HealthReporter);

impl Health {
    /// Everything is serving.
    pub(super) async fn serving() -> Self {
        let reporter = HealthReporter::new();
        for service in SERVICES {
            reporter.set_service_status(service, ServingStatus::Serving).await;
        }
        Self(reporter)
    }

    /// The service to mount.
    pub(super) fn service(&self) -> HealthServer<impl HealthService + use<>> {
        HealthServer::new(Statuses::from_health_reporter(self.0.clone()))
    }

    /// Nothing is serving any more. Watchers receive that, and their end.
    pub(super) async fn drain(mut self) {
        for service in SERVICES {
            self.0.set_service_status(service, ServingStatus::NotServing).await;
            self.0.clear_service_status(service).await;
        }
    }
}
