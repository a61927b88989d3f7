//! Counts calls from outside of what answers them, under the names that every
//! gRPC dashboard knows.
//!
//! Around all services. Only the methods that this server has are
//! counted: a label never holds what a client sent. A call that is dropped
//! before its status was sent counts as cancelled, or as past its deadline. The
//! same bookkeeping tells a drain when no call is under way any more.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram, info::Info},
    registry::Registry,
};
use tokio::time::Instant;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};
use tonic::{Code, Status, body::Body};

use super::deadline;
use crate::contract::proto::{v1, v1beta1};

/// Upper bounds in seconds: Prometheus's usual ones, and on to the 120 s after
/// which Crossplane gives a reconcile up.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// The type of a method with one request and one response.
const UNARY: &str = "unary";

/// Every method of this server: service, method, type.
const METHODS: [[&str; 3]; 6] = [
    [v1::function_runner_service_server::SERVICE_NAME, "RunFunction", UNARY],
    [v1beta1::function_runner_service_server::SERVICE_NAME, "RunFunction", UNARY],
    ["grpc.health.v1.Health", "Check", UNARY],
    ["grpc.health.v1.Health", "Watch", "server_stream"],
    ["grpc.reflection.v1.ServerReflection", "ServerReflectionInfo", "bidi_stream"],
    ["grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo", "bidi_stream"],
];

/// The codes as gRPC's Go implementation prints them, by number.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Registers what this binary is.
pub(super) fn register_build_info(registry: &mut Registry) {
    registry.register(
        "function_infisical_build",
        "The version that is running",
        Info::new([("version", env!("CARGO_PKG_VERSION"))]),
    );
}

/// The metrics of every method, ready at hand.
#[derive(Clone)]
pub(super) struct CallMetrics {
    by_path: Arc<BTreeMap<String, Arc<MethodMetrics>>>,
    under_way: TaskTracker,
}

struct MethodMetrics {
    /// Whether a drain waits for calls of it. A stream has no end of its own.
    unary: bool,
    started: Counter,
    handled: [Counter; CODES.len()],
    handling_seconds: Histogram,
    received: Counter,
    sent: Counter,
}

impl CallMetrics {
    /// Registers the metrics, every series of them at zero.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let started = Family::<Labels<3>, Counter>::default();
        let handled = Family::<Labels<4>, Counter>::default();
        let received = Family::<Labels<3>, Counter>::default();
        let sent = Family::<Labels<3>, Counter>::default();
        let seconds = Family::<Labels<3>, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register("grpc_server_started", "RPCs started on the server", started.clone());
        registry.register("grpc_server_handled", "RPCs completed on the server", handled.clone());
        registry.register("grpc_server_msg_received", "Messages received", received.clone());
        registry.register("grpc_server_msg_sent", "Messages sent", sent.clone());
        registry.register("grpc_server_handling_seconds", "Time until an RPC was answered", seconds.clone());

        let by_path = METHODS.map(|[service, method, kind]| {
            let [of_type, of_service, of_method] =
                [("grpc_type", kind), ("grpc_service", service), ("grpc_method", method)];
            let labels = [of_type, of_service, of_method];
            let metrics = MethodMetrics {
                unary: kind == UNARY,
                started: started.get_or_create_owned(&labels),
                handled: CODES.map(|code| {
                    handled.get_or_create_owned(&[of_type, of_service, of_method, ("grpc_code", code)])
                }),
                handling_seconds: seconds.get_or_create_owned(&labels),
                received: received.get_or_create_owned(&labels),
                sent: sent.get_or_create_owned(&labels),
            };
            (format!("/{service}/{method}"), Arc::new(metrics))
        });
        Self { by_path: Arc::new(BTreeMap::from(by_path)), under_way: TaskTracker::new() }
    }

    /// The calls under way, to be waited for.
    pub(super) fn under_way(&self) -> TaskTracker {
        self.under_way.clone()
    }
}

impl CallMetrics {
    /// Counts a call while it is answered, and what goes in and out.
    pub(super) async fn count<F>(
        &self,
        request: Request<Incoming>,
        answer: impl FnOnce(Request<Received>) -> F,
    ) -> Response<Sent>
    where
        F: Future<Output = Response<Body>>,
    {
        let Some(metrics) = self.by_path.get(request.uri().path()) else {
            return answer(request.map(|inner| Received::new(inner, None))).await.map(Sent::uncounted);
        };
        let mut call = Call::start(metrics, &self.under_way, request.headers());
        let response = answer(request.map(|inner| Received::new(inner, Some(&metrics.received)))).await;
        // A status without messages is sent in the headers already.
        call.end_by(response.headers());
        let messages = Some(Messages::new(metrics.sent.clone()));
        response.map(|inner| Sent { inner, messages, call: Some(call) })
    }
}

/// One call under way; dropping it without a status means that it was cut off.
struct Call {
    metrics: Arc<MethodMetrics>,
    start: Instant,
    deadline: Option<Duration>,
    ended: bool,
    _under_way: Option<TaskTrackerToken>,
}

impl Call {
    fn start(metrics: &Arc<MethodMetrics>, under_way: &TaskTracker, headers: &HeaderMap) -> Self {
        metrics.started.inc();
        Self {
            metrics: Arc::clone(metrics),
            start: Instant::now(),
            deadline: deadline::parse(headers),
            ended: false,
            _under_way: metrics.unary.then(|| under_way.token()),
        }
    }

    fn end_by(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get(Status::GRPC_STATUS) {
            self.end(Code::from_bytes(status.as_bytes()));
        }
    }

    fn end(&mut self, code: Code) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.metrics.handling_seconds.observe(self.start.elapsed().as_secs_f64());
        if let Some(handled) = self.metrics.handled.get(code as usize) {
            handled.inc();
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let late = self.deadline.is_some_and(|deadline| self.start.elapsed() >= deadline);
        let code = if std::thread::panicking() {
            Code::Internal
        } else if late {
            Code::DeadlineExceeded
        } else {
            Code::Cancelled
        };
        self.end(code);
    }
}

/// What comes in, whose messages are counted.
pub(super) struct Received {
    inner: Incoming,
    messages: Option<Messages>,
    begun: bool,
    /// What follows a prefix that was handed out.
    rest: Bytes,
}

impl Received {
    fn new(inner: Incoming, counter: Option<&Counter>) -> Self {
        let messages = counter.cloned().map(Messages::new);
        Self { inner, messages, begun: false, rest: Bytes::new() }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    /// The first prefix comes alone: then tonic knows how long the message is before
    /// there is any of it, and takes it in as one piece that does not have to grow.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let Poll::Ready(Some(Ok(frame))) = polled else { return polled };
        let frame = frame.into_data().map_or_else(
            |other| other,
            |mut data| {
                if let Some(messages) = &mut self.messages {
                    messages.pass(&data);
                }
                if !std::mem::replace(&mut self.begun, true) && data.len() > PREFIX {
                    self.rest = data.split_off(PREFIX);
                }
                Frame::data(data)
            },
        );
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }
}

/// What goes out, whose messages are counted and whose trailers end the call.
pub(super) struct Sent {
    inner: Body,
    messages: Option<Messages>,
    call: Option<Call>,
}

impl Sent {
    /// What is only passed on.
    pub(super) fn uncounted(inner: Body) -> Self {
        Self { inner, messages: None, call: None }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            if let (Some(data), Some(messages)) = (frame.data_ref(), self.messages.as_mut()) {
                messages.pass(data);
            }
            if let (Some(trailers), Some(call)) = (frame.trailers_ref(), self.call.as_mut()) {
                call.end_by(trailers);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What is before a message: one byte for compression and four for its length.
const PREFIX: usize = 5;

/// Finds the ends of messages in a stream of bytes.
struct Messages {
    counter: Counter,
    prefix_seen: u8,
    length: u32,
    left: usize,
}

impl Messages {
    fn new(counter: Counter) -> Self {
        Self { counter, prefix_seen: 0, length: 0, left: 0 }
    }

    fn pass(&mut self, mut chunk: &[u8]) {
        while let Some((&first, rest)) = chunk.split_first() {
            if self.left > 0 {
                let (_, after) = chunk.split_at(self.left.min(chunk.len()));
                self.left -= chunk.len() - after.len();
                chunk = after;
            } else {
                self.length = if self.prefix_seen == 0 { 0 } else { self.length << 8 | u32::from(first) };
                self.prefix_seen += 1;
                chunk = rest;
                if usize::from(self.prefix_seen) < PREFIX {
                    continue;
                }
                self.prefix_seen = 0;
                self.left = self.length as usize;
            }
            if self.left == 0 {
                self.counter.inc();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn messages_are_counted_however_the_bytes_are_cut() {
        let mut bytes = Vec::new();
        for length in [0_u16, 1, 300, 0, 7] {
            bytes.push(0);
            bytes.extend_from_slice(&u32::from(length).to_be_bytes());
            bytes.extend(std::iter::repeat_n(9, usize::from(length)));
        }
        for size in 1..bytes.len() {
            let mut messages = Messages::new(Counter::default());
            for chunk in bytes.chunks(size) {
                messages.pass(chunk);
            }
            assert_eq!(messages.counter.get(), 5, "in chunks of {size}");
        }
    }

    #[test]
    fn a_message_that_did_not_end_is_not_counted() {
        let mut messages = Messages::new(Counter::default());
        messages.pass(&[0, 0, 0, 0, 2, 9]);
        assert_eq!(messages.counter.get(), 0);
    }

    /// What a call counts as whose future is dropped.
    async fn counted_when_dropped(timeout: Option<&'static str>) -> Vec<&'static str> {
        let metrics = CallMetrics::register(&mut Registry::default());
        let method = metrics.by_path.values().next().unwrap();
        let headers = HeaderMap::from_iter(
            timeout.map(|text| (HeaderName::from_static("grpc-timeout"), HeaderValue::from_static(text))),
        );
        let call = Call::start(method, &metrics.under_way, &headers);
        tokio::task::yield_now().await;
        drop(call);
        let counters = CODES.into_iter().zip(&method.handled);
        counters.filter(|(_, counter)| counter.get() > 0).map(|(code, _)| code).collect()
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_was_cancelled_or_past_its_deadline() {
        assert_eq!(counted_when_dropped(None).await, ["Canceled"]);
        assert_eq!(counted_when_dropped(Some("1H")).await, ["Canceled"]);
        assert_eq!(counted_when_dropped(Some("1n")).await, ["DeadlineExceeded"]);
    }

    #[test]
    fn every_code_has_its_name_at_its_number() {
        for (number, name) in (0_i32..).zip(CODES) {
            let code = format!("{:?}", Code::from_i32(number)).to_lowercase();
            assert_eq!(code.replace("cancelled", "canceled"), name.to_lowercase());
        }
    }
}
