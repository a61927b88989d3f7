//! Calls that are answered, and calls that cannot be.

use std::time::Duration;

use function_infisical::contract::proto::{
    v1::function_runner_service_client::FunctionRunnerServiceClient as ClientV1,
    v1beta1::function_runner_service_client::FunctionRunnerServiceClient as ClientV1Beta1,
};
use tonic::{Code, Request};

use super::support::{PANIC, PANIC_TEXT, Running, mk_request, soon};

#[tokio::test]
async fn both_versions_of_the_service_answer() {
    let server = Running::insecure().await;
    let channel = server.channel().await;
    let v1 = soon(ClientV1::new(channel.clone()).run_function(mk_request("one"))).await.ok().unwrap();
    assert_eq!(v1.into_inner().meta.unwrap().tag, "one");
    let v1beta1 = soon(ClientV1Beta1::new(channel).run_function(mk_request("two"))).await.ok().unwrap();
    assert_eq!(v1beta1.into_inner().meta.unwrap().tag, "two");
}

#[tokio::test]
async fn the_function_is_told_the_deadline_of_the_caller() {
    let server = Running::insecure().await;
    let mut client = ClientV1::new(server.channel().await);
    let mut request = Request::new(mk_request(""));
    request.set_timeout(Duration::from_mins(2));
    soon(client.run_function(request)).await.ok().unwrap();
    assert_eq!(*server.function.deadline.lock().unwrap(), Some(Duration::from_mins(2)));

    soon(client.run_function(mk_request(""))).await.ok().unwrap();
    assert_eq!(*server.function.deadline.lock().unwrap(), None);
}

#[tokio::test]
async fn a_panic_costs_its_call_and_says_nothing() {
    let server = Running::insecure().await;
    let mut client = ClientV1::new(server.channel().await);
    let status = soon(client.run_function(mk_request(PANIC))).await.err().unwrap();
    assert_eq!(status.code(), Code::Internal);
    assert!(!format!("{status:?}").contains(PANIC_TEXT), "{status:?}");
    soon(client.run_function(mk_request("after"))).await.ok().unwrap();
}

#[tokio::test]
async fn a_message_over_the_limit_gets_a_status_and_the_server_goes_on() {
    let server = Running::insecure().await;
    let mut client = ClientV1::new(server.channel().await);
    let status = soon(client.run_function(mk_request(&"x".repeat(2 << 20)))).await.err().unwrap();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    soon(client.run_function(mk_request(&"x".repeat(1000 << 10)))).await.ok().unwrap();
}
