//! A Service: it exists and, if it is to have a load balancer, has one.

use super::object::{Object, Verdict};

pub(super) fn verdict(object: Object<'_>) -> Verdict {
    if object.spec.string("type") != Some("LoadBalancer") {
        return Ok(());
    }
    let balancer = object.status.object("loadBalancer");
    match balancer.and_then(|balancer| balancer.list("ingress")) {
        Some(ingress) if !ingress.is_empty() => Ok(()),
        _ => Err("has no load balancer yet".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{
        LoadBalancerIngress, LoadBalancerStatus, Service, ServiceSpec, ServiceStatus,
    };

    use super::super::tests::{Row, assert_table, metadata};

    #[test]
    fn a_service_is_ready_when_it_has_the_load_balancer_that_it_wants() {
        let service = |kind: &str, ingress: Option<Vec<LoadBalancerIngress>>| Service {
            metadata: metadata("vault", 0),
            spec: Some(ServiceSpec { type_: Some(kind.to_owned()), ..Default::default() }),
            status: Some(ServiceStatus {
                load_balancer: Some(LoadBalancerStatus { ingress }),
                ..Default::default()
            }),
        };
        let address = LoadBalancerIngress { ip: Some("192.0.2.1".to_owned()), ..Default::default() };
        assert_table([
            Row::new("it wants none", &service("ClusterIP", None), Ok(())),
            Row::new("it has one", &service("LoadBalancer", Some(vec![address])), Ok(())),
            Row::new("none yet", &service("LoadBalancer", None), Err("has no load balancer yet")),
            Row::new(
                "an empty list",
                &service("LoadBalancer", Some(vec![])),
                Err("has no load balancer yet"),
            ),
        ]);
    }
}
