//! Schedules that once broke a promise.

use fake_infisical::Variant::{self, *};

use crate::{
    schedule::{Admin::*, Fate::*, Fault::*, Human::*, Kind::*, Schedule, Setup, Step::*, View::*, Xrs::*},
    seeds,
};
#[test]
fn t322() {
    let setup = Setup {
        kind: Namespaced,
        variant: Fixed,
        xrs: TwoOfOneServer,
        admin: Generated,
        replicas: 2,
        cache: true,
        latency: 900,
        verify: "24h",
        token_life: 3600,
    };
    let steps = vec![
        Reconcile { replica: 1, view: StaleComposed(4), fate: Applied }, // replica 1 is called, composed resources 4 changes old
    ];
    println!("{:?}", seeds::run(&Schedule { setup, steps }, 322));
}
#[test]
fn t334() {
    let setup = Setup {
        kind: Namespaced,
        variant: Lenient,
        xrs: One,
        admin: Generated,
        replicas: 2,
        cache: false,
        latency: 5,
        verify: "10m",
        token_life: 7776000,
    };
    let steps = vec![
        Ready { is: true },                  // the instance becomes ready
        Fault { nth: 7, fault: FailBefore }, // after 7 more requests: FailBefore
        Live { replica: 0, calls: 2 },       // 2 reconciles from replica 0 on, each in its time
    ];
    println!("{:?}", seeds::run(&Schedule { setup, steps }, 334));
}
