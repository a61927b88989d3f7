//! Whatever a request is: what can be decoded is answered, and the answer can be
//! decoded. The server that it names refuses every connection.

#![no_main]

use std::sync::Arc;

use async_trait::async_trait;
use function_infisical::{contract::proto::v1::{RunFunctionRequest, RunFunctionResponse, Severity}, function::Function};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use rand::{SeedableRng as _, rngs::StdRng};
use daemon::clock::Clock;
use infisical::{client::{Client, Exchange, Request, Response}, endpoint::Endpoint, error::Transport, Connect, Error, ErrorKind};

struct Nobody;

#[async_trait]
impl Exchange for Nobody {
    async fn send(&self, _: Request) -> Result<Response, ErrorKind> {
        Err(ErrorKind::Unreachable(Transport::Refused))
    }
}

impl Connect for Nobody {
    fn connect(&self, _: &Endpoint) -> Result<Client, Error> {
        Ok(Client::new(Self))
    }
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = RunFunctionRequest::decode(bytes) else { return };
    let function = Function::new(Arc::new(Nobody), Arc::new(Stopped), StdRng::seed_from_u64(1));
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let response = runtime.block_on(function.call(request, None)).encode_to_vec();
    let response = RunFunctionResponse::decode(response.as_slice()).unwrap();
    let is_fatal = response.results.iter().any(|result| result.severity() == Severity::Fatal);
    // Three with handOff.
    assert!(is_fatal || (2..=3).contains(&response.conditions.len()));
    assert!(response.meta.unwrap().ttl.unwrap().seconds > 0);
    assert!(response.results.iter().all(|result| result.message.len() <= 1024));
});
