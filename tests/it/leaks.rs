//! No secret gets out: not in logs at the most verbose level, of whatever
//! library, nor in conditions, events, errors, metrics or panics.
//!
//! The flows run in a process of their own, because logging belongs to a whole
//! process; this one starts it, and searches what it said. What it is searched
//! for are the passwords and tokens that were ever in a Secret, whatever begins
//! as a JWT does, and the word that all made-up secrets of these tests have in
//! common, each in several writings.

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use daemon::telemetry;
use fake_infisical::{FakeInfisical, Fault, On, Options, Route, Settings, Times, Transaction};
use function_infisical::{
    contract::proto::v1::function_runner_service_client::FunctionRunnerServiceClient, function::explain,
};
use infisical::{
    Connect as _, Error,
    api::{
        Bootstrap, Login, MintToken, ReadStatus, RenewToken, RevokeToken, SelectOrganization, VerifyToken,
    },
    client::{Connector, Limits},
    endpoint::{Endpoint, Origin, Tls},
    secret::{AccessToken, Credentials, Email, Password, UserToken},
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    faults, hand_off, human,
    server::support::{channel, get, soon, until},
    world::{KINDS, Kind, VARIANTS, World, input, variant},
};

const MINUTE: Duration = Duration::from_mins(1);

/// What every made-up secret of these tests has in it.
const MARKER: &str = "marker";

/// Where the process of the flows leaves what it knows.
const DIR: &str = "LEAKS_DIR";
/// Makes the process of the flows log a secret, in this writing.
const PLANT: &str = "LEAKS_PLANT";

/// The texts that would give a secret away: as it is, in base64 wherever it
/// starts in what is encoded, in hexadecimal, and as a list of bytes.
fn writings(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let mut texts = vec![
        secret.to_owned(),
        bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")),
        bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", "),
    ];
    for shift in 0..3 {
        // Whole groups only: what surrounds it decides over the rest.
        let from = bytes.get(shift..).unwrap_or_default();
        let whole = from.get(..from.len() / 3 * 3).unwrap_or_default();
        texts.push(STANDARD_NO_PAD.encode(whole));
    }
    texts.retain(|text| text.len() >= MARKER.len());
    texts
}

/// Which secrets a text gives away, without repeating them.
fn search(text: &str, secrets: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for secret in secrets {
        for (index, writing) in writings(secret).iter().enumerate() {
            if let Some(at) = text.find(writing.as_str()) {
                let line = text.get(..at).unwrap_or_default().lines().count();
                found.push(format!("writing {index} of a secret of {} bytes, line {line}", secret.len()));
            }
        }
    }
    // The beginning of the header of every JWT, and of that in base64.
    for beginning in ["eyJhbGci", "ZXlKaGJHY2"] {
        if text.contains(beginning) {
            found.push(format!("a JWT: {beginning}"));
        }
    }
    // A token in parts: its payload, without its header.
    for payload in secrets.iter().filter_map(|secret| secret.split('.').nth(1)) {
        if text.contains(payload) {
            found.push("the payload of a JWT".to_owned());
        }
    }
    found
}

/// Runs the flows in a process of their own. What it said, and the secrets.
fn run_flows(plant: &str) -> (String, BTreeSet<String>) {
    let dir = TempDir::new().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "leaks::flows_with_logging", "--ignored", "--nocapture"])
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .env(DIR, dir.path())
        .env(PLANT, plant)
        .output()
        .unwrap();
    let said = format!(
        "{}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        fs::read_to_string(dir.path().join("texts")).unwrap_or_default(),
    );
    assert!(output.status.success(), "{}", said.lines().rev().take(30).collect::<Vec<_>>().join("\n"));
    let secrets = fs::read_to_string(dir.path().join("secrets")).unwrap();
    (said, secrets.lines().map(str::to_owned).collect())
}

#[test]
fn no_flow_leaves_a_secret_in_what_is_logged_or_said() {
    let (said, secrets) = run_flows("");
    assert!(secrets.len() > 15, "{} secrets are searched for", secrets.len());
    // What is searched is what there is to search.
    for library in ["function_infisical", "hyper", "reqwest", "rustls", "a panic was stopped", "TLSFailed"] {
        assert!(said.contains(library), "{library} says nothing");
    }
    for reason in ["BootstrappedElsewhere", "MFARequired", "InvalidInput", "PartiallyBootstrapped"] {
        assert!(said.contains(reason), "{reason} was not reached");
    }
    assert!(said.len() > 1 << 20, "{} bytes", said.len());
    assert_eq!(search(&said, &secrets), [""; 0]);
}

#[test]
fn a_secret_that_is_logged_is_found() {
    for plant in ["raw", "base64", "debug", "payload", "jwt"] {
        let (said, secrets) = run_flows(plant);
        assert!(!search(&said, &secrets).is_empty(), "{plant} is not found");
    }
}

#[tokio::test]
#[ignore = "changes the process that it runs in: the tests above run it alone"]
async fn flows_with_logging() {
    telemetry::init(telemetry::LogFormat::Json, &[]);
    let plant = std::env::var(PLANT).unwrap_or_default();
    let mut heard = Heard::default();
    heard.flow(World::connected(Settings::default(), Kind::Namespaced).await).await;
    if plant.is_empty() {
        Box::pin(all_flows(&mut heard)).await;
    } else {
        let token = heard.secrets.iter().find(|secret| secret.contains('.')).unwrap();
        match plant.as_str() {
            "raw" => tracing::debug!(what = "x".to_owned() + token + "x", "planted"),
            "base64" => tracing::debug!(what = STANDARD_NO_PAD.encode(format!("?{token}?")), "planted"),
            "debug" => tracing::debug!(what = ?token.as_bytes(), "planted"),
            "payload" => tracing::debug!(what = token.split('.').nth(1), "planted"),
            _ => heard.texts.push(format!("Bearer {}", token.split('.').next().unwrap())),
        }
    }
    let dir = std::env::var(DIR).unwrap();
    heard.secrets.insert(MARKER.to_owned());
    let secrets: Vec<&str> = heard.secrets.iter().map(String::as_str).collect();
    fs::write(Path::new(&dir).join("secrets"), secrets.join("\n")).unwrap();
    fs::write(Path::new(&dir).join("texts"), heard.texts.join("\n")).unwrap();
}

/// What is collected of the flows.
#[derive(Default)]
struct Heard {
    texts: Vec<String>,
    secrets: BTreeSet<String>,
}

impl Heard {
    /// Lets a world that is prepared go on for a while, and takes down what is
    /// said in it.
    async fn flow(&mut self, world: World) {
        self.flow_for(MINUTE, world).await;
    }

    /// The same for as long as it takes.
    async fn flow_for(&mut self, span: Duration, mut world: World) {
        world.settle().await;
        world.live(span).await;
        let request = world.request();
        self.texts.push(explain(&request).map_or_else(|error| error, |explained| explained.text));
        self.texts.push(format!("{:?} {:?}", world.fake, world.crossplane.events));
        self.texts.push(world.xr_status());
        self.texts.append(&mut world.said.lock().unwrap());
        self.secrets.append(&mut world.secrets);
    }
}

/// All of them, some at once: what takes time is waiting.
async fn all_flows(heard: &mut Heard) {
    let parts = tokio::join!(
        part(connections),
        part(repairs),
        part(refusals),
        part(interrupted),
        part(ways),
        part(answers),
        part(inputs),
        part(errors),
        part(handed_off),
    );
    for part in [parts.0, parts.1, parts.2, parts.3, parts.4, parts.5, parts.6, parts.7, parts.8] {
        heard.texts.extend(part.texts);
        heard.secrets.extend(part.secrets);
    }
    // A panic's message may be about anything.
    let panicked = std::panic::catch_unwind(|| panic!("{MARKER}-of-a-panic"));
    assert!(panicked.is_err());
}

async fn part(flows: impl AsyncFnOnce(&mut Heard)) -> Heard {
    let mut heard = Heard::default();
    flows(&mut heard).await;
    heard
}

async fn connections(heard: &mut Heard) {
    for settings in VARIANTS.map(variant) {
        for kind in KINDS {
            heard.flow(World::connected(settings, kind).await).await;
        }
    }
}

/// What can be wrong with the way to the server.
async fn ways(heard: &mut Heard) {
    for faults::Row { wrong, .. } in faults::table() {
        // One that hangs takes its time and says no more than others.
        if matches!(wrong, faults::Wrong::Answer(Fault::Hang)) {
            continue;
        }
        let mut world = World::start(Settings::default(), Kind::Legacy).await;
        world.settle().await;
        wrong.begin(&mut world);
        world.crossplane.make_available("infisical");
        heard.flow(world).await;
        let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
        wrong.begin(&mut world);
        world.restart();
        heard.flow(world).await;
    }
}

/// What can be wrong with one answer.
async fn answers(heard: &mut Heard) {
    for route in
        [Route::Bootstrap, Route::Login, Route::SelectOrganization, Route::MintToken, Route::IdentityDetails]
    {
        for fault in [Fault::FailAfter(500), Fault::Page(200), Fault::RateLimit(Some(1)), Fault::CloseAfter] {
            let mut world = World::start(Settings::default(), Kind::Namespaced).await;
            world.settle().await;
            world.fake.inject(On::Route(route), Times::Next(1), fault);
            world.crossplane.make_available("infisical");
            heard.flow(world).await;
        }
    }
}

async fn repairs(heard: &mut Heard) {
    for is_new in [false, true] {
        let connected = async || {
            let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
            if is_new {
                world.restart();
            }
            world
        };
        let mut world = connected().await;
        world.crossplane.composed.remove("infisical-connection");
        heard.flow(world).await;
        for rubbish in ["marker-rubbish", "marker\nrubbish", "marker.bWFya2Vy.rubbish"] {
            let mut world = connected().await;
            world.put("token", rubbish);
            heard.flow(world).await;
        }
        let world = connected().await;
        world.fake.revoke_all_tokens();
        heard.flow_for(12 * MINUTE, world).await;
        let world = connected().await;
        world.fake.reset_database();
        heard.flow_for(12 * MINUTE, world).await;
        let mut world = connected().await;
        world.crossplane.composed.remove("infisical-admin");
        world.fake.revoke_all_tokens();
        heard.flow_for(12 * MINUTE, world).await;
    }
    let settings = Settings { max_token_ttl: 60, ..Settings::default() };
    heard.flow_for(5 * MINUTE, World::connected(settings, Kind::Legacy).await).await;
}

/// Client secrets that are handed off, lost, refused and written again.
async fn handed_off(heard: &mut Heard) {
    let asked = || hand_off::handed_off(json!({"instanceAdmin": "Revoke"}));
    let world = asked().await;
    world.fake.revoke_all_client_secrets();
    heard.flow_for(12 * MINUTE, world).await;
    let mut world = asked().await;
    world.restart();
    world.crossplane.update("infisical-identity", &json!({"data": {"clientSecret": "bWFya2VyLXJ1YmJpc2g="}}));
    heard.flow(world).await;
    for fault in [Fault::FailAfter(500), Fault::Page(200), Fault::CloseAfter] {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        world.crossplane.input["handOff"] = json!({});
        world.fake.inject(On::Route(Route::CreateClientSecret), Times::Next(1), fault.clone());
        world.fake.inject(On::Route(Route::UniversalAuthLogin), Times::Next(1), fault);
        world.settle().await;
        world.crossplane.make_available("infisical");
        heard.flow(world).await;
    }
}

async fn refusals(heard: &mut Heard) {
    for row in human::TABLE {
        heard.flow(human::in_need(row).await).await;
    }
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    let token = world.bootstrap_elsewhere("platform@example.org", "marker-theirs");
    world.crossplane.make_available("infisical");
    world.settle().await;
    world.crossplane.make_available("infisical");
    world.settle().await;
    world.crossplane.input["adopt"] = json!({"secretRef": {"name": "theirs"}});
    world.crossplane.others.push(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs", "namespace": "team-a"},
        "stringData": {"token": token},
        "data": {"token": base64::engine::general_purpose::STANDARD.encode(&token)},
    }));
    heard.secrets.insert(token);
    world.settle().await;
    for password in ["marker-wrong", "marker-theirs"] {
        world.crossplane.input["admin"] = json!({"credentials": "admin"});
        let data = [("email", "platform@example.org"), ("password", password)];
        let data = data.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
        world.crossplane.credentials.insert("admin".to_owned(), data.into_iter().collect());
        world.settle().await;
    }
    heard.flow(world).await;
}

async fn interrupted(heard: &mut Heard) {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.settle().await;
    world.fake.inject(On::Route(Route::Bootstrap), Times::Next(1), Fault::CrashAfter(Transaction::User));
    world.crossplane.make_available("infisical");
    world.until_reason("InfisicalBootstrapped", "PartiallyBootstrapped").await;
    heard.texts.append(&mut world.said.lock().unwrap());
    heard.secrets.append(&mut world.secrets);
}

/// A secret that somebody pasted where it does not belong.
async fn inputs(heard: &mut Heard) {
    let pasted = [
        json!({"admin": {"email": "platform@example.org", "password": "marker-pasted"}}),
        json!({"admin": {"email": "platform@example.org", "credentials": {"password": "marker-pasted"}}}),
        json!({"instance": {"endpoint": {"url": "http://root:marker-pasted@infisical"}}}),
        json!({"instance": {"endpoint": {"url": "http://infisical/?token=marker-pasted"}}}),
        json!({"token": "marker-pasted"}),
        json!({"adopt": {"secretRef": {"name": "marker pasted"}}}),
        json!({"organization": ["marker-pasted"]}),
    ];
    for fields in pasted {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        for (name, value) in fields.as_object().unwrap() {
            world.crossplane.input[name] = value.clone();
        }
        heard.flow(world).await;
    }
}

/// An error as it prints itself.
fn printed<T, R: fmt::Debug + fmt::Display>(answer: Result<T, Error<R>>) -> String {
    let error = answer.err().unwrap();
    format!("{error} {error:?} {error:#?}")
}

/// The errors of the client, as they print themselves.
async fn errors(heard: &mut Heard) {
    let world = World::connected(Settings::default(), Kind::Namespaced).await;
    let admin = Credentials {
        email: Email::parse("root@example.org").unwrap(),
        password: Password::new("marker-password"),
    };
    let token = AccessToken::new("marker-token");
    let session = UserToken::new("marker-session");
    for fault in [Fault::FailBefore(500), Fault::Page(200), Fault::Redirect("https://a/marker".to_owned())] {
        world.fake.clear_faults();
        world.fake.inject(On::Any, Times::Always, fault);
        let origin = Origin::parse(&world.fake.url()).unwrap();
        let endpoint = Endpoint::new(origin, Tls::default());
        let client = Connector::new(Limits::default()).connect(&endpoint).unwrap();
        heard.texts.extend([
            printed(client.send(&ReadStatus).await),
            printed(client.send(&Bootstrap { admin: &admin, organization: "marker-organization" }).await),
            printed(client.send(&Login { admin: &admin }).await),
            printed(
                client.send(&SelectOrganization { session: &session, organization_id: "marker-id" }).await,
            ),
            printed(
                client.send(&MintToken { session: &session, identity_id: "marker-id", name: "name" }).await,
            ),
            printed(client.send(&RevokeToken { session: &session, token_id: "marker-id" }).await),
            printed(client.send(&RenewToken { token: &token }).await),
            printed(client.send(&VerifyToken { token: &token }).await),
        ]);
    }
    heard.texts.push(format!("{admin:?} {token:?} {session:?}"));
}

/// The binary, running with everything logged into a file.
struct Binary(Child);

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_binary_says_no_secret_at_the_most_verbose_level() {
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("log");
    let child = Command::new(env!("CARGO_BIN_EXE_function-infisical"))
        .args(["--insecure", "--address=127.0.0.1:0", "--metrics-address=127.0.0.1:0"])
        .env_remove("TLS_SERVER_CERTS_DIR")
        .env("RUST_LOG", "trace")
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let _binary = Binary(child);
    let mut addresses = None;
    until("the binary listens", async || {
        let said = fs::read_to_string(&log).unwrap();
        let lines = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        addresses = lines.into_iter().find_map(|line| {
            let address = |name: &str| line[name].as_str()?.parse::<std::net::SocketAddr>().ok();
            Some((address("address")?, address("metrics_address")?))
        });
        addresses.is_some()
    })
    .await;
    let (address, metrics_address) = addresses.unwrap();
    let client = FunctionRunnerServiceClient::new(channel(address).await);

    let mut secrets = BTreeSet::from([MARKER.to_owned()]);
    let mut said = String::new();
    for kind in KINDS {
        let fake = Arc::new(FakeInfisical::start(Options::default()).await.unwrap());
        let mut world = World::start(Settings::default(), kind).await;
        world.crossplane.input = input(&fake.url());
        let mut step = 0;
        until("the XR has gone through all of it", async || {
            let mut client = client.clone();
            let call = async |request| {
                let response = soon(client.run_function(request)).await?.into_inner();
                Ok::<_, tonic::Status>(response)
            };
            world.crossplane.reconcile(call).await.ok().unwrap();
            for (name, key) in [("infisical-admin", "password"), ("infisical-connection", "token")] {
                let secret = world.crossplane.secret(name).unwrap_or_default();
                secrets.extend(secret.get(key).filter(|value| !value.is_empty()).cloned());
            }
            if !world.crossplane.is_ready() {
                world.crossplane.make_available("infisical");
                return false;
            }
            step += 1;
            match step {
                1 => world.put("token", "marker-rubbish"),
                2 => fake.reset_database(),
                3 => {
                    fake.revoke_all_tokens();
                    world.put("token", "marker.marker.marker");
                }
                _ => return true,
            }
            false
        })
        .await;
        let program = concat!("function-infisical/", env!("CARGO_PKG_VERSION"));
        assert!(fake.log().iter().all(|entry| entry.user_agent.as_deref() == Some(program)));
        said += &[format!("{:?}", world.crossplane.events), world.xr_status()].concat();
    }
    said.push_str(&get(metrics_address, "/metrics").await.1);
    said.push_str(&fs::read_to_string(&log).unwrap());
    assert!(secrets.len() > 3, "{}", secrets.len());
    assert!(said.contains("h2::") && said.contains("hyper") && said.contains("grpc_server_handled_total"));
    assert_eq!(search(&said, &secrets), [""; 0]);
}
