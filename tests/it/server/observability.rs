//! Health, reflection and metrics.

use function_infisical::contract::proto::v1::function_runner_service_client::FunctionRunnerServiceClient as ClientV1;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{v1, v1alpha};

use super::support::{PANIC, Running, WAIT, get, mk_request, soon, until};

const SERVICES: [&str; 2] = [
    "apiextensions.fn.proto.v1.FunctionRunnerService",
    "apiextensions.fn.proto.v1beta1.FunctionRunnerService",
];

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn the_server_and_both_services_are_healthy() {
    let server = Running::insecure().await;
    let mut client = HealthClient::new(server.channel().await);
    for service in ["", SERVICES[0], SERVICES[1]] {
        let answer = soon(client.check(of(service))).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    assert!(soon(client.check(of("other"))).await.is_err());
}

#[tokio::test]
async fn whoever_watches_is_told_of_a_drain_and_does_not_hold_it_up() {
    let server = Running::insecure().await;
    let mut client = HealthClient::new(server.channel().await);
    let mut statuses = soon(client.watch(of(""))).await.unwrap().into_inner();
    assert_eq!(soon(statuses.next()).await.unwrap().unwrap().status(), ServingStatus::Serving);
    server.stop().await;
    assert_eq!(soon(statuses.next()).await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(soon(statuses.next()).await.is_none());
    server.ending().await;
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_of_its_versions() {
    let server = Running::insecure().await;
    let ask = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(String::new())),
    };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let mut answers =
        soon(client.server_reflection_info(tokio_stream::once(ask))).await.unwrap().into_inner();
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        soon(answers.next()).await.unwrap().unwrap().message_response
    else {
        panic!("no list of services")
    };
    let listed: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    for service in SERVICES.into_iter().chain(["grpc.health.v1.Health"]) {
        assert!(listed.iter().any(|name| name == service), "{service} in {listed:?}");
    }

    let ask = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
            SERVICES[0].to_owned(),
        )),
    };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let mut answers =
        soon(client.server_reflection_info(tokio_stream::once(ask))).await.unwrap().into_inner();
    assert!(matches!(
        soon(answers.next()).await.unwrap().unwrap().message_response,
        Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_))
    ));
}

/// The name of a series of the service's current version.
fn series(name: &str, code: Option<&str>) -> String {
    let labels = format!("grpc_type=\"unary\",grpc_service=\"{}\",grpc_method=\"RunFunction\"", SERVICES[0]);
    match code {
        None => format!("{name}{{{labels}}}"),
        Some(code) => format!("{name}{{{labels},grpc_code=\"{code}\"}}"),
    }
}

#[tokio::test]
async fn calls_are_counted_by_how_they_ended() {
    let server = Running::insecure().await;
    let mut client = ClientV1::new(server.channel().await);
    soon(client.run_function(mk_request("one"))).await.ok().unwrap();
    soon(client.run_function(mk_request("two"))).await.ok().unwrap();
    soon(client.run_function(mk_request(PANIC))).await.err().unwrap();

    let mut cut_off = JoinSet::new();
    let mut caller = client.clone();
    cut_off.spawn(async move { caller.run_function(mk_request(WAIT)).await.is_ok() });
    server.function.until_entered(4).await;
    cut_off.shutdown().await;

    let ended = series("grpc_server_handled_total", Some("Canceled"));
    until("the cut-off call is counted", async || server.metric(&ended).await > 0.0).await;
    let expected = [
        ("grpc_server_started_total", None, 4.0),
        ("grpc_server_handled_total", Some("OK"), 2.0),
        ("grpc_server_handled_total", Some("Internal"), 1.0),
        ("grpc_server_handled_total", Some("Canceled"), 1.0),
        ("grpc_server_handled_total", Some("Unknown"), 0.0),
        ("grpc_server_msg_received_total", None, 4.0),
        ("grpc_server_msg_sent_total", None, 2.0),
        ("grpc_server_handling_seconds_count", None, 4.0),
    ];
    for (name, code, value) in expected {
        let series = series(name, code);
        let got = server.metric(&series).await;
        assert!((got - value).abs() < f64::EPSILON, "{series} is {got}, not {value}");
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_is_not_counted() {
    let server = Running::insecure().await;
    let mut client = tonic::client::Grpc::new(server.channel().await);
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/made.up.Service/MadeUp");
    let call = client.unary(tonic::Request::new(bytes::Bytes::new()), path, super::support::Raw);
    assert_eq!(soon(call).await.unwrap_err().code(), tonic::Code::Unimplemented);
    assert!(!server.metrics().await.to_lowercase().contains("made"));
}

#[tokio::test]
async fn the_port_for_metrics_tells_the_version_and_that_it_lives() {
    let server = Running::insecure().await;
    let version = env!("CARGO_PKG_VERSION");
    let line = format!("function_infisical_build_info{{version=\"{version}\"}} 1");
    assert!(server.metrics().await.lines().any(|found| found == line));
    assert!(get(server.metrics_addr, "/healthz").await.0.starts_with("HTTP/1.1 200"));
    assert!(get(server.metrics_addr, "/other").await.0.starts_with("HTTP/1.1 404"));
}
