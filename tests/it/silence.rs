//! An instance that does not answer, with many XRs of it: one asks at a time, the others
//! are told what that one was told, and all go on when it answers.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fake_crossplane::Crossplane;
use fake_infisical::{Fault, On, Route, Settings, Times};
use function_infisical::contract::proto::v1::RunFunctionResponse;
use serde_json::json;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::task::TaskTracker;

use crate::world::{Kind, World, crossplane, last_request};

const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);
const XRS: usize = 20;

/// The same XR under so many UIDs, with all that is composed.
fn copies(of: &Crossplane) -> Vec<Crossplane> {
    let copy = |index| {
        let mut crossplane = of.clone();
        let uid = json!(format!("6d2f6c5e-0000-4000-8000-0000000001{index:02}"));
        crossplane.xr["metadata"]["uid"] = uid.clone();
        for object in crossplane.composed.values_mut() {
            if let Some(owner) = object["metadata"]["ownerReferences"].get_mut(0) {
                owner["uid"] = uid.clone();
            }
        }
        crossplane
    };
    (0..XRS).map(copy).collect()
}

/// Calls the function for all of them at once: how long each call took, and its response.
async fn call_all(world: &World, xrs: &[Crossplane]) -> Vec<(Duration, RunFunctionResponse)> {
    let calls = TaskTracker::new();
    let running: Vec<_> = xrs
        .iter()
        .map(|xr| {
            let (function, request) = (Arc::clone(&world.function), last_request(xr));
            calls.spawn(async move {
                let started = Instant::now();
                let response = function.call(request, None).await;
                (started.elapsed(), response)
            })
        })
        .collect();
    let mut answers = Vec::new();
    for call in running {
        answers.push(call.await.unwrap());
    }
    answers
}

/// The reasons and messages of a condition.
fn said(answers: &[(Duration, RunFunctionResponse)], condition_type: &str) -> BTreeSet<(String, String)> {
    let of = |response: &RunFunctionResponse| {
        let condition = response.conditions.iter().find(|it| it.r#type == condition_type).unwrap();
        (condition.reason.clone(), condition.message.clone().unwrap_or_default())
    };
    answers.iter().map(|(_, response)| of(response)).collect()
}

fn ttl(response: &RunFunctionResponse) -> u64 {
    u64::try_from(response.meta.as_ref().unwrap().ttl.unwrap().seconds).unwrap()
}

#[tokio::test]
async fn an_instance_that_hangs_is_asked_by_one_of_its_xrs_and_the_others_hold_no_call() {
    let world = World::connected(Settings::default(), Kind::Namespaced).await;
    let xrs = copies(&world.crossplane);
    let held = |answers: &[(Duration, RunFunctionResponse)]| {
        answers.iter().filter(|(took, _)| *took > Duration::from_millis(600)).count()
    };
    world.fake.inject(On::Any, Times::Always, Fault::Hang);
    let from = world.mark();
    // Nobody knows yet: all wait for what comes of the first.
    let answers = call_all(&world, &xrs).await;
    assert_eq!(world.asked(from), [Route::IdentityDetails]);
    let all = said(&answers, "InfisicalTokenValid");
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all.first().unwrap().0, "Unreachable");
    for round in 2..=4 {
        world.clock.advance(2 * MINUTE);
        let answers = call_all(&world, &xrs).await;
        assert_eq!(held(&answers), 1, "the one that asks");
        assert_eq!(said(&answers, "InfisicalTokenValid"), all);
        assert!(answers.iter().all(|(_, response)| ttl(response) <= 60));
        assert_eq!(world.asked(from).len(), round);
    }
    world.fake.clear_faults();
    world.clock.advance(2 * MINUTE);
    call_all(&world, &xrs).await;
    // Whoever was told to come later need not.
    let answers = call_all(&world, &xrs).await;
    let reasons: BTreeSet<String> =
        said(&answers, "InfisicalTokenValid").into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(reasons, BTreeSet::from(["Accepted".to_owned()]));
}

#[tokio::test]
async fn an_instance_that_is_gone_gets_a_connection_a_minute_however_many_xrs_it_has() {
    let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let (count, tasks) = (Arc::clone(&connections), TaskTracker::new());
    let accepting = tasks.spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    });
    let mut vault = crossplane(Kind::Namespaced, &gone);
    vault.input["admin"] = json!({"credentials": "admin"});
    let admin = [("email", "platform@example.org"), ("password", "marker-supplied")];
    let admin = admin.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    vault.credentials.insert("admin".to_owned(), admin.into_iter().collect());
    let first = std::mem::replace(&mut world.crossplane, vault);
    world.settle().await;
    let mut vault = std::mem::replace(&mut world.crossplane, first);
    vault.make_available("infisical");
    let xrs = copies(&vault);
    // Each is called when it has asked to be.
    let mut due = vec![Duration::ZERO; xrs.len()];
    let (mut calls, from) = (0, world.mark());
    for second in 0..30 * 60 {
        let now = Duration::from_secs(second);
        let called: Vec<usize> = (0..xrs.len()).filter(|nth| due[*nth] <= now).collect();
        let requests: Vec<_> = called.iter().map(|nth| xrs[*nth].clone()).collect();
        let answers = call_all(&world, &requests).await;
        let all = said(&answers, "InfisicalBootstrapped");
        assert!(all.len() <= 1 && all.iter().all(|(reason, _)| reason == "Unreachable"), "{all:?}");
        for (nth, (_, response)) in called.iter().zip(&answers) {
            due[*nth] = now + Duration::from_secs(ttl(response));
        }
        calls += called.len();
        if second % 60 == 59 {
            world.settle().await;
        }
        world.clock.advance(SECOND);
    }
    accepting.abort();
    let connections = connections.load(Ordering::SeqCst);
    // The first minute has five, each later one has one or, if it comes early, two.
    assert!((25..=5 + 29 * 60 / 48).contains(&connections), "{connections} connections, {calls} calls");
    assert!(calls >= XRS * 25, "each XR is called once a minute: {calls}");
    let verified = world.asked(from).iter().filter(|route| **route == Route::IdentityDetails).count();
    assert_eq!(verified, 3, "the other instance is asked as ever");
    assert_eq!(world.conditions()[1], ("True".to_owned(), "Accepted".to_owned()));
}
