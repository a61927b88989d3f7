//! Every place at which something can end, one after the other: each request,
//! each transaction of a bootstrap and each apply of a few plain courses of
//! events, for every variant of the server and every kind of XR.
//!
//! A course is run once undisturbed to count its requests and applies. Then it
//! is run once for each of them and for each thing that can happen there, and
//! on until all is well. `cargo test` takes a sample of these runs, and a long run
//! all of them.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use crate::{
    schedule::{
        Fate, Fault, HandOff, Human, KINDS, Schedule, Server, Setup, Step, TRANSACTIONS, VARIANTS, View,
    },
    seeds, world,
};

/// What can happen at a request: somebody dies before or after it took effect,
/// or its answer is lost or never comes.
const ENDS: [Fault; 9] = [
    Fault::FunctionDiesBefore,
    Fault::FunctionDiesAfter,
    Fault::ServerDiesBefore,
    Fault::ServerDiesAfter,
    Fault::CloseBefore,
    Fault::CloseAfter,
    Fault::HangBefore,
    Fault::HangAfter,
    Fault::FailAfter,
];

/// A course of events: what comes before, and what is disturbed.
struct Course {
    name: &'static str,
    before: Vec<Step>,
    /// So many reconciles, two seconds apart.
    reconciles: usize,
}

fn courses() -> Vec<Course> {
    let about_to_start = vec![Step::Live { replica: 0, calls: 2 }, Step::Ready { is: true }];
    let connected = || {
        let mut steps = about_to_start.clone();
        steps.push(Step::Live { replica: 0, calls: 4 });
        steps
    };
    let then = |steps: &[Step]| connected().into_iter().chain(steps.iter().cloned()).collect();
    vec![
        Course { name: "from nothing", before: Vec::new(), reconciles: 2 },
        Course { name: "a first token", before: about_to_start.clone(), reconciles: 4 },
        Course { name: "a renewal", before: then(&[Step::Pass { seconds: 61 * 86_400 }]), reconciles: 3 },
        Course {
            name: "a token that was lost",
            before: then(&[Step::Human(Human::DeleteConnection), Step::Restart { replica: 0 }]),
            reconciles: 4,
        },
        Course {
            name: "a token that was revoked",
            before: then(&[Step::Server(Server::RevokeTokens), Step::Pass { seconds: 700 }]),
            reconciles: 4,
        },
        Course {
            name: "a database that was lost",
            before: then(&[Step::Server(Server::Empty), Step::Pass { seconds: 700 }]),
            reconciles: 4,
        },
        Course { name: "leftovers", before: then(&[Step::Pass { seconds: 700 }]), reconciles: 2 },
    ]
}

/// Those in which something is handed off.
fn courses_of_handing_off() -> Vec<Course> {
    let about_to_start = vec![Step::Live { replica: 0, calls: 2 }, Step::Ready { is: true }];
    let connected = [about_to_start.clone(), vec![Step::Live { replica: 0, calls: 6 }]].concat();
    let then = |steps: &[Step]| [&connected, steps].concat();
    vec![
        Course { name: "a first identity", before: about_to_start, reconciles: 6 },
        Course {
            name: "a client secret that was lost",
            before: then(&[Step::Human(Human::DeleteIdentity), Step::Restart { replica: 0 }]),
            reconciles: 4,
        },
        Course {
            name: "a client secret that was revoked",
            before: then(&[Step::Server(Server::RevokeClientSecrets), Step::Pass { seconds: 700 }]),
            reconciles: 4,
        },
        Course {
            name: "everything that was lost",
            before: then(&[
                Step::Human(Human::DeleteIdentity),
                Step::Human(Human::DeleteConnection),
                Step::Restart { replica: 0 },
            ]),
            reconciles: 5,
        },
        Course {
            name: "a database that was lost after handing off",
            before: then(&[Step::Server(Server::Empty), Step::Pass { seconds: 700 }]),
            reconciles: 6,
        },
    ]
}

impl Course {
    fn disturbed(&self, disturbed: usize, fate: Fate) -> Vec<Step> {
        let reconcile = |nth: usize| {
            let fate = if nth == disturbed { fate } else { Fate::Applied };
            [Step::Reconcile { replica: 0, view: View::Fresh, fate }, Step::Pass { seconds: 2 }]
        };
        (0..self.reconciles).flat_map(reconcile).collect()
    }

    fn with(&self, first: Option<Step>, rest: Vec<Step>) -> Vec<Step> {
        self.before.iter().cloned().chain(first).chain(rest).collect()
    }

    /// The course with one thing going wrong, for each thing and each place.
    fn disturbances(&self, setup: &Setup) -> Vec<Vec<Step>> {
        let undisturbed = || self.disturbed(usize::MAX, Fate::Applied);
        let of = |steps| Schedule { setup: setup.clone(), steps };
        let requests = requests(&of(self.with(None, undisturbed()))) - requests(&of(self.before.clone()));
        let mut all = Vec::new();
        for nth in 0..u8::try_from(requests).unwrap() {
            for fault in ENDS {
                all.push(self.with(Some(Step::Fault { nth, fault }), undisturbed()));
            }
        }
        for after in TRANSACTIONS {
            all.push(self.with(Some(Step::CutBootstrap { after }), undisturbed()));
        }
        for nth in 0..self.reconciles {
            let secrets = if setup.hand_off == HandOff::None { 8 } else { 16 };
            for resources in 0..secrets {
                for xr in [false, true] {
                    all.push(self.with(None, self.disturbed(nth, Fate::Partly { resources, xr })));
                }
            }
            all.push(self.with(None, self.disturbed(nth, Fate::Lost)));
            // The process ends with the response that was lost, or right after the apply.
            for fate in [Fate::Lost, Fate::Applied] {
                let mut steps = self.disturbed(nth, fate);
                steps.insert(2 * nth + 1, Step::Restart { replica: 0 });
                all.push(self.with(None, steps));
            }
        }
        all
    }
}

/// How many requests a schedule makes, without what comes after it.
fn requests(schedule: &Schedule) -> u32 {
    world::run_steps(schedule, 1, None).unwrap().requests
}

/// Of so many disturbances `cargo test` takes one. It divides neither the number of
/// [`ENDS`] nor that of an apply's fates, so that each of them comes up somewhere.
const SAMPLED: usize = 11;

/// Every kind with every variant in a long run, else every one with the default
/// of the other.
fn setups() -> impl Iterator<Item = Setup> {
    let of_kind = |kind| VARIANTS.map(|variant| Setup { kind, variant, ..Setup::default() });
    let default = Setup::default();
    let is_wanted = move |setup: &Setup| {
        seeds::is_long() || setup.kind == default.kind || setup.variant == default.variant
    };
    let handing_off =
        [HandOff::Projects, HandOff::Keep].map(|hand_off| Setup { hand_off, ..Setup::default() });
    let handing_off = handing_off.into_iter().take(if seeds::is_long() { 2 } else { 1 });
    KINDS.into_iter().flat_map(of_kind).filter(is_wanted).chain(handing_off)
}

#[test]
fn whatever_ends_wherever_all_becomes_well() {
    let mut all = Vec::new();
    for setup in setups() {
        let handing_off = setup.hand_off != HandOff::None;
        for course in if handing_off { courses_of_handing_off() } else { courses() } {
            let disturbances = course.disturbances(&setup);
            let of = |steps| (course.name, Schedule { setup: setup.clone(), steps });
            all.extend(disturbances.into_iter().map(of));
        }
    }
    let all: Vec<_> = all.into_iter().step_by(if seeds::is_long() { 1 } else { SAMPLED }).collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((course, schedule)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(broken) = seeds::run(schedule, 1) {
                        let how = format!("{course}: {}\n{}\n{schedule}", broken.promise, broken.how);
                        failed.lock().unwrap().push(how);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!("{} crash points", all.len());
    let first: Vec<&String> = failed.iter().take(3).collect();
    assert!(failed.is_empty(), "{} of {} end badly, such as\n{first:#?}", failed.len(), all.len());
}
