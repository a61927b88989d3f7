//! Schedules that once broke a promise, as short as they were made.

use fake_infisical::{
    TokenAuth, Transaction,
    Variant::{Fixed, Lenient},
};

use crate::{
    schedule::{
        Admin, Change, Fate,
        Fault::*,
        HandOff,
        Human::*,
        Kind, Schedule, Server, Setup,
        Step::{self, *},
        View::*,
        Xrs,
    },
    seeds,
};

fn keeps_every_promise(setup: Setup, steps: Vec<Step>, seed: u64) {
    let schedule = Schedule { setup, steps };
    if let Err(broken) = seeds::run(&schedule, seed) {
        panic!("{}: {}\n{schedule}", broken.promise, broken.how);
    }
}

fn replicas(replicas: u8) -> Setup {
    Setup { replicas, ..Setup::default() }
}

#[test]
fn a_token_that_another_replica_has_revoked_is_not_handed_out() {
    let setup = Setup { variant: Fixed, latency: 900, ..replicas(3) };
    keeps_every_promise(setup, vec![Live { replica: 2, calls: 5 }], 145);
}

#[test]
fn a_token_is_not_preferred_while_its_rival_revokes_it() {
    let setup = Setup { variant: Lenient, latency: 900, verify: "24h", ..replicas(2) };
    keeps_every_promise(setup, Vec::new(), 213);
}

#[test]
fn a_token_that_was_never_handed_out_gives_way_to_the_one_in_the_cluster() {
    let setup = Setup { latency: 900, ..replicas(3) };
    keeps_every_promise(setup.clone(), vec![Together { replicas: 3, kept: 1 }], 205);
    let year = Pass { seconds: 100 * 86_400 };
    keeps_every_promise(setup, vec![Live { replica: 0, calls: 2 }, year.clone(), year], 371);
}

#[test]
fn replicas_do_not_fight_over_when_a_token_ends() {
    let setup = Setup { variant: Lenient, ..replicas(2) };
    let steps = vec![Ready { is: true }, Fault { nth: 7, fault: FailBefore }, Live { replica: 0, calls: 2 }];
    keeps_every_promise(setup.clone(), steps, 334);
    let steps = vec![
        Live { replica: 0, calls: 2 },
        Ready { is: true },
        Reconcile { replica: 1, view: Fresh, fate: Fate::Deadline { after: 8 } },
        Fault { nth: 6, fault: ServerDiesBefore },
        Live { replica: 1, calls: 5 },
        Reconcile { replica: 0, view: Fresh, fate: Fate::Partly { resources: 4, xr: true } },
    ];
    keeps_every_promise(setup, steps, 67);
}

#[test]
fn a_problem_of_before_stands_until_the_server_was_asked() {
    let setup = Setup {
        variant: Fixed,
        xrs: Xrs::TwoOfOneServer,
        cache: true,
        latency: 900,
        verify: "24h",
        token_life: 3600,
        ..replicas(2)
    };
    let steps = vec![Reconcile { replica: 1, view: StaleComposed(4), fate: Fate::Applied }];
    keeps_every_promise(setup, steps, 322);
}

#[test]
fn a_token_that_falls_due_while_it_is_verified_is_renewed() {
    let setup = Setup {
        variant: Fixed,
        xrs: Xrs::TwoOfOneServer,
        admin: Admin::Credential,
        latency: 900,
        token_life: 120,
        ..replicas(2)
    };
    keeps_every_promise(setup, Vec::new(), 1019);
    let setup = Setup { xrs: Xrs::Two, latency: 900, token_life: 120, ..replicas(2) };
    let steps = vec![Ready { is: true }, Live { replica: 0, calls: 4 }, Pass { seconds: 89 * 86_400 }];
    keeps_every_promise(setup, steps, 351);
}

#[test]
fn a_login_that_was_refused_before_says_nothing_of_a_token_that_stands() {
    let setup = Setup { verify: "24h", ..replicas(2) };
    let steps = vec![
        Ready { is: true },
        Live { replica: 1, calls: 2 },
        Live { replica: 0, calls: 1 },
        Reconcile { replica: 0, view: StaleXr(4), fate: Fate::Lost },
        Reconcile { replica: 1, view: StaleAll(2), fate: Fate::Applied },
        Server(Server::ChangePassword),
        Human(DeleteConnection),
    ];
    keeps_every_promise(setup, steps, 1261);
}

#[test]
fn what_went_wrong_long_ago_does_not_replace_what_another_replica_knows() {
    let setup = Setup { latency: 900, ..replicas(3) };
    let steps = vec![
        Live { replica: 0, calls: 2 },
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Reconcile { replica: 2, view: StaleAll(3), fate: Fate::Killed { after: 4 } },
        Live { replica: 2, calls: 1 },
        Fault { nth: 7, fault: RateLimited },
        Together { replicas: 3, kept: 0 },
        Live { replica: 2, calls: 5 },
    ];
    keeps_every_promise(Setup { token_life: 3600, ..setup.clone() }, steps, 2886);
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Fault { nth: 4, fault: CloseBefore },
        Live { replica: 1, calls: 2 },
    ];
    keeps_every_promise(setup, steps, 3509);
}

#[test]
fn replicas_agree_on_why_a_password_is_refused() {
    let steps = vec![
        Live { replica: 0, calls: 2 },
        Ready { is: true },
        Reconcile { replica: 0, view: Fresh, fate: Fate::Partly { resources: 6, xr: false } },
        Server(Server::Empty),
        Server(Server::SomebodyElse { same_email: true }),
    ];
    keeps_every_promise(replicas(2), steps, 4151);
    let steps = vec![
        Ready { is: true },
        Live { replica: 1, calls: 5 },
        Ready { is: false },
        Server(Server::ChangePassword),
        Human(DeleteConnection),
        Restart { replica: 0 },
        Reconcile { replica: 0, view: StaleXr(3), fate: Fate::Cancelled { after: 17 } },
    ];
    keeps_every_promise(replicas(2), steps, 5146);
}

#[test]
fn a_password_that_is_seen_after_a_long_time_is_remembered() {
    let steps = vec![
        Reconcile { replica: 0, view: StaleComposed(3), fate: Fate::Partly { resources: 3, xr: false } },
        Reconcile { replica: 2, view: StaleComposed(2), fate: Fate::Cancelled { after: 27 } },
        Pass { seconds: 61 * 86_400 },
        Reconcile { replica: 0, view: StaleComposed(2), fate: Fate::Partly { resources: 5, xr: true } },
        Human(DeleteAdmin),
    ];
    keeps_every_promise(replicas(3), steps, 27);
}

#[test]
fn what_is_under_way_at_the_end_is_awaited() {
    let setup = Setup { latency: 900, verify: "24h", token_life: 3600, ..replicas(3) };
    let steps = vec![Ready { is: true }, Live { replica: 0, calls: 4 }, Pass { seconds: 20 * 86_400 }];
    keeps_every_promise(setup, steps, 4589);
}

#[test]
fn an_admin_without_an_organization_is_said_to_be_one() {
    let steps = vec![
        Live { replica: 0, calls: 1 },
        Ready { is: true },
        CutBootstrap { after: Transaction::User },
        Reconcile { replica: 0, view: Fresh, fate: Fate::Partly { resources: 3, xr: false } },
        Server(Server::SomebodyElse { same_email: false }),
    ];
    keeps_every_promise(Setup::default(), steps, 4814);
}

#[test]
fn a_connection_and_a_password_that_are_both_lost_are_said_to_be() {
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Human(EmptyConnection),
        Restart { replica: 0 },
        Human(DeleteAdmin),
    ];
    keeps_every_promise(Setup::default(), steps, 5609);
}

#[test]
fn a_legacy_xr_that_is_read_stale_keeps_its_admin_secret() {
    let setup = Setup { kind: Kind::Legacy, ..Setup::default() };
    let steps = vec![
        Ready { is: true },
        Reconcile { replica: 0, view: StaleAll(2), fate: Fate::Deadline { after: 60 } },
        Reconcile { replica: 0, view: StaleXr(4), fate: Fate::Partly { resources: 7, xr: true } },
        Reconcile { replica: 0, view: StaleComposed(4), fate: Fate::Killed { after: 27 } },
        Reconcile { replica: 0, view: StaleComposed(3), fate: Fate::Applied },
    ];
    keeps_every_promise(setup, steps, 13246);
    let setup = Setup { kind: Kind::Legacy, latency: 900, ..replicas(3) };
    let steps = vec![
        Ready { is: true },
        Live { replica: 1, calls: 1 },
        Together { replicas: 3, kept: 0 },
        Restart { replica: 1 },
        Reconcile { replica: 1, view: StaleComposed(3), fate: Fate::Applied },
    ];
    keeps_every_promise(setup, steps, 10450);
}

#[test]
fn a_call_that_was_cancelled_has_seen_the_password() {
    let steps = vec![
        Ready { is: true },
        Together { replicas: 3, kept: 0 },
        Reconcile { replica: 1, view: Fresh, fate: Fate::Cancelled { after: 12 } },
        Reconcile { replica: 1, view: StaleAll(4), fate: Fate::Lost },
    ];
    keeps_every_promise(replicas(3), steps, 6543);
}

#[test]
fn tokens_are_swept_where_the_admin_is_not_in_the_identitys_organization() {
    let steps = vec![
        CutBootstrap { after: Transaction::Identity },
        Live { replica: 1, calls: 5 },
        Ready { is: true },
        Pass { seconds: 660 },
        Reconcile { replica: 0, view: StaleComposed(1), fate: Fate::Applied },
        Reconcile { replica: 0, view: StaleXr(1), fate: Fate::Partly { resources: 4, xr: true } },
        Server(Server::SomebodyElse { same_email: false }),
    ];
    keeps_every_promise(Setup { latency: 900, ..replicas(3) }, steps, 9105);
}

#[test]
fn tokens_that_replicas_minted_at_once_are_swept() {
    let setup = Setup { latency: 900, verify: "24h", token_life: 3600, ..replicas(3) };
    let steps = vec![Ready { is: true }, Live { replica: 1, calls: 5 }, Pass { seconds: 89 * 86_400 }];
    keeps_every_promise(setup, steps, 2080);
}

#[test]
fn a_token_whose_end_could_not_be_asked_for_is_renewed_in_time() {
    let setup = Setup { variant: Lenient, verify: "24h", token_life: 3600, ..replicas(2) };
    let steps = vec![
        Fault { nth: 7, fault: CloseBefore },
        Ready { is: true },
        Live { replica: 0, calls: 1 },
        Together { replicas: 2, kept: 0 },
    ];
    keeps_every_promise(setup, steps, 10496);
}

#[test]
fn a_token_lives_on_where_crossplane_answers_out_of_its_cache() {
    let setup = Setup { cache: true, token_life: 120, ..replicas(3) };
    let steps = vec![
        Ready { is: true },
        Live { replica: 2, calls: 1 },
        Together { replicas: 3, kept: 0 },
        Together { replicas: 3, kept: 1 },
        Reconcile { replica: 2, view: StaleComposed(1), fate: Fate::Applied },
    ];
    keeps_every_promise(setup, steps, 1798);
}

#[test]
fn what_goes_wrong_is_forgotten_when_the_response_is_not_cached_any_more() {
    let setup = Setup { cache: true, latency: 900, verify: "24h", ..replicas(2) };
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Reconcile { replica: 0, view: StaleAll(2), fate: Fate::Lost },
        Server(Server::Down),
        Human(GarbleConnection),
        Reconcile { replica: 0, view: Fresh, fate: Fate::Lost },
        Reconcile { replica: 0, view: StaleComposed(1), fate: Fate::Deadline { after: 60 } },
    ];
    keeps_every_promise(setup, steps, 11243);
}

#[test]
fn replicas_that_were_told_different_things_come_to_rest() {
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Server(Server::Down),
        Live { replica: 1, calls: 1 },
    ];
    keeps_every_promise(replicas(2), steps, 1080);
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Pass { seconds: 100 * 86_400 },
        Reconcile { replica: 1, view: StaleXr(3), fate: Fate::Deadline { after: 60 } },
        Server(Server::Down),
        Live { replica: 0, calls: 2 },
    ];
    keeps_every_promise(replicas(2), steps, 945);
    let steps = vec![
        Live { replica: 0, calls: 2 },
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Pass { seconds: 89 * 86_400 },
        Fault { nth: 2, fault: RateLimited },
        Reconcile { replica: 1, view: Fresh, fate: Fate::Applied },
        Ready { is: false },
        Live { replica: 1, calls: 5 },
    ];
    keeps_every_promise(Setup { latency: 900, token_life: 3600, ..replicas(3) }, steps, 1007);
}

#[test]
fn a_token_that_a_restored_backup_has_lost_is_not_fought_for() {
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Human(GarbleConnection),
        Server(Server::Backup),
        Together { replicas: 2, kept: 1 },
        Reconcile { replica: 1, view: StaleComposed(4), fate: Fate::Killed { after: 12 } },
        Reconcile { replica: 1, view: StaleComposed(2), fate: Fate::Partly { resources: 5, xr: false } },
        Server(Server::Restore),
        Live { replica: 1, calls: 1 },
    ];
    keeps_every_promise(replicas(2), steps, 7331);
}

#[test]
fn what_one_of_two_tasks_came_to_is_said_while_the_other_goes_on() {
    let setup = Setup { latency: 900, hand_off: HandOff::Keep, variant: Lenient, ..replicas(2) };
    keeps_every_promise(setup, Vec::new(), 68);
    let setup = Setup { latency: 900, hand_off: HandOff::Revoke, variant: Fixed, ..replicas(3) };
    keeps_every_promise(setup, vec![Live { replica: 0, calls: 2 }], 225);
}

#[test]
fn a_token_that_is_minted_after_the_right_is_gone_is_known_to_be_without_it() {
    let steps = vec![
        Live { replica: 0, calls: 2 },
        Ready { is: true },
        Reconcile { replica: 2, view: Fresh, fate: Fate::Killed { after: 38 } },
        Server(Server::RevokeInstanceAdmin),
    ];
    let setup = Setup { token_life: 120, hand_off: HandOff::Keep, ..replicas(3) };
    keeps_every_promise(setup, steps, 1700);
}

#[test]
fn the_connection_is_never_that_of_an_identity_with_fewer_rights() {
    let steps = vec![Ready { is: true }, Live { replica: 0, calls: 4 }, Server(Server::GrantInstanceAdmin)];
    let setup =
        Setup { xrs: Xrs::TwoOfOneServer, admin: Admin::SecretRef, hand_off: HandOff::Revoke, ..replicas(2) };
    keeps_every_promise(setup, steps.clone(), 5200);
    keeps_every_promise(Setup { latency: 900, hand_off: HandOff::Revoke, ..replicas(2) }, steps, 3948);
}

#[test]
fn a_client_secret_that_died_is_noticed_in_a_day_however_short_the_tokens_live() {
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Pass { seconds: 86_400 },
        Fault { nth: 5, fault: FailAfter },
        Live { replica: 0, calls: 2 },
        Server(Server::RevokeClientSecrets),
    ];
    let setup = Setup { verify: "24h", token_life: 120, hand_off: HandOff::Revoke, ..replicas(1) };
    keeps_every_promise(setup, steps, 3413);
}

#[test]
fn a_replica_that_does_not_know_the_right_goes_by_what_the_xr_says() {
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Fault { nth: 1, fault: FailBefore },
        Restart { replica: 0 },
        Fault { nth: 3, fault: RateLimited },
        Live { replica: 1, calls: 1 },
    ];
    let setup = Setup { admin: Admin::SecretRef, hand_off: HandOff::Revoke, ..replicas(2) };
    keeps_every_promise(setup, steps, 10862);
}

#[test]
fn handing_off_goes_on_while_the_token_is_due_for_renewal() {
    let steps = vec![Ready { is: true }, Fault { nth: 5, fault: HangBefore }, Live { replica: 0, calls: 5 }];
    let setup = Setup { latency: 900, token_life: 120, hand_off: HandOff::Revoke, ..replicas(3) };
    keeps_every_promise(setup, steps, 11369);
}

#[test]
fn what_a_replica_was_told_long_ago_of_a_client_secret_gives_way() {
    let steps = vec![
        Ready { is: true },
        Fault { nth: 7, fault: FailBefore },
        Live { replica: 1, calls: 5 },
        Live { replica: 0, calls: 5 },
        Reconcile { replica: 1, view: Fresh, fate: Fate::Killed { after: 8 } },
        Fault { nth: 7, fault: FailAfter },
        Together { replicas: 2, kept: 0 },
    ];
    let setup = Setup { variant: Fixed, latency: 900, hand_off: HandOff::Keep, ..replicas(2) };
    keeps_every_promise(setup, steps, 15980);
}

#[test]
fn an_identity_that_is_locked_is_one_thing_to_every_replica() {
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Reconcile { replica: 0, view: StaleComposed(1), fate: Fate::Partly { resources: 5, xr: false } },
        Restart { replica: 1 },
        Reconcile { replica: 1, view: StaleComposed(2), fate: Fate::Cancelled { after: 300 } },
        Server(Server::RevokeClientSecrets),
        Fault { nth: 6, fault: FunctionDiesAfter },
        Reconcile { replica: 1, view: Fresh, fate: Fate::Killed { after: 12 } },
        Reconcile { replica: 1, view: Fresh, fate: Fate::Lost },
        Live { replica: 0, calls: 5 },
    ];
    let setup = Setup { token_life: 120, hand_off: HandOff::Revoke, ..replicas(2) };
    keeps_every_promise(setup, steps, 19970);
}

#[test]
fn what_came_of_a_token_is_said_alike_while_handing_off_goes_on() {
    let steps = vec![
        Live { replica: 0, calls: 2 },
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Live { replica: 1, calls: 2 },
        Fault { nth: 3, fault: CloseAfter },
        Together { replicas: 2, kept: 0 },
        Reconcile { replica: 1, view: Fresh, fate: Fate::Applied },
    ];
    let setup = Setup { latency: 900, verify: "24h", hand_off: HandOff::Revoke, ..replicas(2) };
    keeps_every_promise(setup, steps, 24009);
}

#[test]
fn a_project_that_two_replicas_join_at_once_is_no_refusal() {
    let steps = vec![
        Ready { is: true },
        Reconcile { replica: 0, view: Fresh, fate: Fate::Applied },
        Live { replica: 0, calls: 2 },
        Fault { nth: 2, fault: HangBefore },
        Reconcile { replica: 1, view: StaleComposed(1), fate: Fate::Applied },
        Fault { nth: 7, fault: ServerDiesBefore },
        Reconcile { replica: 0, view: Fresh, fate: Fate::Partly { resources: 1, xr: false } },
        Live { replica: 0, calls: 5 },
    ];
    let setup = Setup {
        variant: Fixed,
        admin: Admin::SecretRef,
        latency: 900,
        hand_off: HandOff::Projects,
        ..replicas(2)
    };
    keeps_every_promise(setup, steps, 682);
}

#[test]
fn an_admin_secret_of_which_one_replica_knows_comes_back() {
    let steps = vec![
        Live { replica: 0, calls: 2 },
        Ready { is: true },
        Restart { replica: 0 },
        Reconcile { replica: 2, view: StaleXr(1), fate: Fate::Killed { after: 4 } },
        Reconcile { replica: 1, view: Fresh, fate: Fate::Applied },
        Human(DeleteAdmin),
    ];
    keeps_every_promise(replicas(3), steps, 16993);
}

#[test]
fn a_token_that_another_replica_has_found_is_as_young_to_both() {
    let setup = Setup { admin: Admin::SecretRef, latency: 900, hand_off: HandOff::Revoke, ..replicas(3) };
    let steps = vec![
        Live { replica: 0, calls: 2 },
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Reconcile { replica: 1, view: Fresh, fate: Fate::Applied },
        Reconcile { replica: 2, view: Fresh, fate: Fate::Applied },
        Together { replicas: 3, kept: 1 },
        Reconcile { replica: 0, view: StaleComposed(1), fate: Fate::Partly { resources: 3, xr: true } },
        Live { replica: 0, calls: 1 },
    ];
    keeps_every_promise(setup, steps, 903);
}

#[test]
fn a_right_that_another_replica_has_revoked_is_not_said_to_be_kept() {
    let setup = |hand_off| Setup { variant: Lenient, hand_off, ..replicas(2) };
    let second_factor = Step::Server(Server::SecondFactor { is: true });
    let steps = vec![second_factor, Ready { is: true }, Live { replica: 1, calls: 1 }];
    keeps_every_promise(setup(HandOff::Projects), steps, 2092);
    let no_password = Step::Server(Server::PasswordLogin { is: false });
    keeps_every_promise(Setup { verify: "24h", ..setup(HandOff::Revoke) }, vec![no_password], 2338);
}

#[test]
fn a_token_to_adopt_that_was_not_tried_is_not_known() {
    let steps = vec![
        Ready { is: true },
        Live { replica: 1, calls: 2 },
        Fault { nth: 1, fault: HangAfter },
        Input(Change::Adopt { is: true }),
        Live { replica: 0, calls: 1 },
        Human(DeleteConnection),
    ];
    keeps_every_promise(replicas(3), steps, 4256);
}

#[test]
fn an_empty_instance_that_is_not_ready_is_asked_once() {
    let setup = Setup { token_life: 3600, ..replicas(2) };
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Live { replica: 1, calls: 1 },
        Reconcile { replica: 1, view: StaleComposed(4), fate: Fate::Partly { resources: 5, xr: true } },
        Ready { is: false },
        Step::Server(Server::Empty),
        Live { replica: 1, calls: 5 },
    ];
    keeps_every_promise(setup, steps, 7678);
}

#[test]
fn the_identity_of_somebody_elses_bootstrap_is_not_stripped_beside_one_of_ours_that_broke_off() {
    let somebody_else = Step::Server(Server::SomebodyElse { same_email: false });
    let steps = vec![
        Reconcile { replica: 0, view: StaleComposed(4), fate: Fate::Applied },
        CutBootstrap { after: Transaction::Organization },
        Ready { is: true },
        Reconcile { replica: 0, view: Fresh, fate: Fate::Lost },
        somebody_else.clone(),
    ];
    keeps_every_promise(Setup { hand_off: HandOff::Projects, ..Setup::default() }, steps, 9346);
    let steps = vec![
        Ready { is: true },
        CutBootstrap { after: Transaction::Identity },
        Reconcile { replica: 1, view: StaleComposed(1), fate: Fate::Applied },
        Reconcile { replica: 1, view: Fresh, fate: Fate::Applied },
        somebody_else,
    ];
    keeps_every_promise(Setup { hand_off: HandOff::Revoke, ..replicas(3) }, steps, 7752);
}

#[test]
fn a_replica_that_cannot_tell_whose_the_right_is_goes_by_one_that_can() {
    let setup = Setup { variant: Fixed, token_life: 120, hand_off: HandOff::Revoke, ..replicas(3) };
    keeps_every_promise(setup, vec![Step::Server(Server::SecondFactor { is: true })], 4802);
}

#[test]
fn a_token_that_is_accepted_in_place_of_a_dead_one_is_renewed_when_it_is_due() {
    let setup = Setup { admin: Admin::SecretRef, cache: true, token_life: 120, ..replicas(2) };
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 5 },
        Reconcile { replica: 1, view: StaleAll(4), fate: Fate::Lost },
        Ready { is: true },
        Reconcile { replica: 0, view: StaleAll(1), fate: Fate::Applied },
        Live { replica: 1, calls: 1 },
    ];
    keeps_every_promise(setup, steps, 11640);
}

#[test]
fn a_token_that_has_ended_has_ended_for_every_replica() {
    let setup = Setup { variant: Lenient, latency: 900, token_life: 120, ..replicas(2) };
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Step::Server(Server::Down),
        Pass { seconds: 86_400 },
        Live { replica: 0, calls: 5 },
    ];
    keeps_every_promise(setup, steps, 13078);
}

#[test]
fn credentials_that_are_used_up_are_not_written_again_by_another_replica() {
    let setup = Setup { latency: 900, ..replicas(2) };
    let steps = vec![
        Ready { is: true },
        CutBootstrap { after: Transaction::User },
        Live { replica: 0, calls: 1 },
        Input(Change::Email(1)),
        Live { replica: 0, calls: 2 },
        Fault { nth: 2, fault: FailAfter },
        Restart { replica: 0 },
        Reconcile { replica: 0, view: StaleComposed(4), fate: Fate::Applied },
        Live { replica: 1, calls: 2 },
    ];
    keeps_every_promise(setup, steps, 14203);
}

const DAY: i64 = 24 * 3600;

#[test]
fn a_change_is_no_newer_than_now_when_the_clock_was_set_back() {
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Input(Change::HandOff(HandOff::Keep)),
        Live { replica: 1, calls: 2 },
        Step::Server(Server::ChangePassword),
        Clock { by: -30 * DAY },
        Input(Change::HandOff(HandOff::Revoke)),
    ];
    keeps_every_promise(replicas(3), steps, 48);
}

#[test]
fn what_a_stale_xr_says_is_not_newer_than_what_was_found_out_since() {
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Input(Change::HandOff(HandOff::Revoke)),
        Clock { by: -3600 },
        Live { replica: 0, calls: 1 },
        Live { replica: 0, calls: 2 },
        Pass { seconds: 120 },
        Reconcile { replica: 0, view: StaleXr(2), fate: Fate::Applied },
    ];
    keeps_every_promise(
        Setup { variant: Lenient, latency: 900, hand_off: HandOff::Keep, ..Setup::default() },
        steps,
        6307,
    );
}

#[test]
fn of_two_renewals_in_one_second_the_second_is_not_in_vain() {
    let setup = Setup { token_life: 120, hand_off: HandOff::Keep, ahead: 30 * DAY, ..replicas(2) };
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Reconcile { replica: 1, view: StaleComposed(2), fate: Fate::Cancelled { after: 3000 } },
        Fault { nth: 1, fault: ServerDiesAfter },
        Live { replica: 1, calls: 1 },
    ];
    keeps_every_promise(setup, steps, 839);
}

#[test]
fn a_token_of_few_uses_is_not_asked_about_without_pause_when_the_clock_was_set_back() {
    let token_auth = TokenAuth { ttl: 0, max_ttl: 0, uses: 30 };
    let steps = vec![Ready { is: true }, Live { replica: 0, calls: 4 }, Clock { by: -3600 }];
    keeps_every_promise(Setup { token_auth, ..Setup::default() }, steps, 7964);
}

#[test]
fn a_token_of_few_uses_gives_up_its_right_once() {
    let token_auth = TokenAuth { ttl: 0, max_ttl: 0, uses: 30 };
    let steps = vec![Input(Change::HandOff(HandOff::Revoke))];
    keeps_every_promise(Setup { token_auth, latency: 900, ..Setup::default() }, steps, 1930);
}

#[test]
fn a_known_end_is_not_forgotten_where_the_server_does_not_tell_it_again() {
    let steps = vec![
        Ready { is: true },
        Fault { nth: 5, fault: Page },
        Live { replica: 0, calls: 1 },
        Clock { by: -30 * DAY },
        Reconcile { replica: 0, view: Fresh, fate: Fate::Applied },
    ];
    keeps_every_promise(Setup { variant: Lenient, token_life: 120, ..Setup::default() }, steps, 11585);
}

#[test]
fn replicas_agree_on_a_token_that_may_have_ended_while_the_server_is_down() {
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Restart { replica: 0 },
        Step::Server(Server::Down),
        Live { replica: 1, calls: 2 },
    ];
    keeps_every_promise(Setup { token_life: 3600, ahead: 30 * DAY, ..replicas(2) }, steps, 2152);
}

#[test]
fn an_old_token_is_not_called_good_while_a_newer_one_is_known_to_have_ended() {
    let setup = Setup {
        variant: Fixed,
        latency: 900,
        token_life: 120,
        hand_off: HandOff::Keep,
        ahead: -30 * DAY,
        ..Setup::default()
    };
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Reconcile { replica: 0, view: StaleComposed(3), fate: Fate::Applied },
        Pass { seconds: 660 },
    ];
    keeps_every_promise(setup, steps, 288);
}

#[test]
fn a_process_that_was_not_answered_yet_says_no_more_than_the_xr() {
    let setup = Setup { admin: Admin::SecretRef, token_life: 120, ahead: -3600, ..Setup::default() };
    let steps = vec![
        Ready { is: true },
        Live { replica: 0, calls: 4 },
        Fault { nth: 0, fault: HangAfter },
        Reconcile { replica: 0, view: StaleComposed(3), fate: Fate::Killed { after: 300 } },
        Reconcile { replica: 0, view: StaleComposed(1), fate: Fate::Partly { resources: 3, xr: false } },
    ];
    keeps_every_promise(setup, steps, 16844);
}
