//! The fake answers on the routes of resources as the recorded servers did.
//!
//! Each recording is played in order against an instance in this process. Status and
//! answer must be the recorded ones, but for what another server has to make up:
//! ids, times, slugs with a random suffix, secrets and tokens. An id stands for the
//! same thing throughout a recording. What the recorder did without recording it is
//! in `setup.json`. What the fake answers otherwise is in `unmatched.json`, below the
//! reason, by name; one that is listed and answered as recorded fails the test too.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use fake_infisical::{Clusters, Instance, Request, Settings, Variant};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// The recordings, and which of them one server was asked in a row.
const RUNS: [&[&str]; 11] = [
    &["projects", "environments", "folders", "secrets", "identities", "universal-auth", "memberships"],
    &["projects-more"],
    &["environments-more"],
    &["folders-more"],
    &["identities-more"],
    &["memberships-more"],
    &["privileges", "delete-protection"],
    &["auth-methods", "auth-methods-more", "other-auth"],
    &["addresses"],
    &["secrets-more"],
    &["list-etag"],
];

/// Kinds of the server's own lists whose order among equals is the database's: an
/// item is compared with the one of the same id.
const LISTS: [&str; 7] =
    ["projects", "identities", "identityMemberships", "tokens", "clientSecretData", "folders", "secrets"];

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/exchanges/resources")
}

fn fixture(name: &str) -> Value {
    let text = fs::read_to_string(fixtures().join(format!("{name}.json"))).expect(name);
    serde_json::from_str(&text).expect(name)
}

/// What is in the folder beside the recordings.
const BESIDE: [&str; 3] = ["setup", "overrides", "unmatched"];

#[test]
fn the_fake_answers_on_the_routes_of_resources_as_recorded() {
    let (setup, mut outcome) = (fixture("setup"), Outcome::of(&fixture("unmatched")));
    let only = std::env::var("RECORDING").unwrap_or_default();
    for run in RUNS {
        if !only.is_empty() && !run.contains(&only.as_str()) {
            continue;
        }
        let mut played = Played::new(&setup["instance"], &setup["settings"][run[0]]);
        for file in run {
            played.play(file, &setup[file], &mut outcome);
        }
    }
    println!("{} as recorded, {} listed as not", outcome.matched, outcome.unmatched);
    if only.is_empty() {
        let none = outcome.listed.keys().map(|name| format!("{name} is listed and no exchange"));
        outcome.wrong.extend(none);
    }
    assert!(outcome.wrong.is_empty(), "{}\n{}", outcome.wrong.len(), outcome.wrong.join("\n"));
}

#[test]
fn every_recording_is_played() {
    let played: BTreeSet<String> = RUNS.concat().into_iter().chain(BESIDE).map(str::to_owned).collect();
    let all = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path());
    let of_json = all.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let there = of_json.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(played, there);
}

/// What became of the exchanges.
#[derive(Default)]
struct Outcome {
    matched: usize,
    unmatched: usize,
    /// Why the fake answers otherwise, by the name of the exchange.
    listed: BTreeMap<String, String>,
    wrong: Vec<String>,
}

impl Outcome {
    fn of(unmatched: &Value) -> Self {
        let mut listed = BTreeMap::new();
        for (reason, names) in unmatched.as_object().unwrap() {
            for name in names.as_array().unwrap() {
                listed.insert(name.as_str().unwrap().to_owned(), reason.clone());
            }
        }
        Self { listed, ..Self::default() }
    }

    fn add(&mut self, name: &str, played: Result<(), String>) {
        match (played, self.listed.remove(name)) {
            (Ok(()), None) => self.matched += 1,
            (Err(_), Some(_)) => self.unmatched += 1,
            (Err(difference), None) => self.wrong.push(format!("{name}: {difference}")),
            (Ok(()), Some(reason)) => {
                self.wrong.push(format!("{name} is as recorded, and listed because: {reason}"));
            }
        }
    }
}

/// A server that is played to, and what it has in the place of what was recorded.
struct Played {
    instance: Instance,
    now: Timestamp,
    ids: BTreeMap<String, String>,
    /// Tokens by who has them.
    tokens: BTreeMap<String, String>,
    /// Client secrets and tokens by the exchange that made them.
    made: BTreeMap<String, String>,
    etags: BTreeMap<String, String>,
}

impl Played {
    fn new(known: &Value, settings: &Value) -> Self {
        let flag = |name: &str| settings[name].as_bool().unwrap_or_default();
        let organization = settings["organization"].as_str().unwrap_or("Acme");
        let settings = Settings {
            variant: Variant::Lenient,
            // The recorder waited.
            permission_lag: 0,
            allow_internal_ip_connections: flag("internal"),
            clusters: Clusters { known_names: false, answer: true, refuse_reviewers: false },
            ..Settings::default()
        };
        let mut instance = Instance::new(settings, 7);
        let now: Timestamp = "2026-11-27T08:00:00Z".parse().unwrap();
        let body = json!({ "email": "admin@example.com", "password": "p", "organization": organization });
        let answer = instance.handle(now, &Request::new("POST", "/api/v1/admin/bootstrap").json(&body));
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let mut played = Self {
            instance,
            now,
            ids: BTreeMap::new(),
            tokens: BTreeMap::new(),
            made: BTreeMap::new(),
            etags: BTreeMap::new(),
        };
        for kind in ["organization", "identity", "user"] {
            let own = answer[kind]["id"].as_str().unwrap();
            for id in known[kind].as_array().unwrap() {
                played.ids.insert(id.as_str().unwrap().to_owned(), own.to_owned());
            }
        }
        let token = answer["identity"]["credentials"]["token"].as_str().unwrap();
        played.tokens.insert("admin".to_owned(), token.to_owned());
        played.log_in(answer["organization"]["id"].as_str().unwrap());
        played
    }

    fn log_in(&mut self, organization_id: &str) {
        let body = json!({ "email": "admin@example.com", "password": "p" });
        let answer = self.ask(&Request::new("POST", "/api/v3/auth/login").json(&body)).1;
        let body = json!({ "organizationId": organization_id });
        let request = Request::new("POST", "/api/v3/auth/select-organization").json(&body);
        let answer = self.ask(&request.bearer(answer["accessToken"].as_str().unwrap())).1;
        self.tokens.insert("the admin user".to_owned(), answer["token"].as_str().unwrap().to_owned());
    }

    fn ask(&mut self, request: &Request) -> (u16, Value) {
        let answer = self.instance.handle(self.now, request);
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::from("")))
    }

    fn play(&mut self, file: &str, setup: &Value, outcome: &mut Outcome) {
        let exchanges = fixture(file);
        let overrides = fixture("overrides");
        for (index, exchange) in in_order(exchanges.as_array().unwrap()) {
            let at = index.to_string();
            for step in setup[&at].as_array().into_iter().flatten() {
                self.set_up(file, &at, step);
            }
            // The others are no exchanges but what somebody measured.
            if exchange.get("method").is_some() {
                let known = self.ids.clone();
                let played = self.exchange(file, index, exchange, &overrides[file][&at]);
                if played.is_err() {
                    self.ids = known;
                }
                let what = exchange["what"].as_str().unwrap();
                outcome.add(&format!("{file} {index}: {what}"), played);
            }
        }
    }

    /// Does what the recorder did without recording it: asks for something, or lets
    /// time pass.
    fn set_up(&mut self, file: &str, at: &str, step: &Value) {
        if let Some(seconds) = step["wait"].as_i64() {
            self.now += SignedDuration::from_secs(seconds);
            return;
        }
        if let Some(clusters) = step.get("clusters") {
            self.instance.settings.clusters.refuse_reviewers = clusters["refuseReviewers"] == true;
            return;
        }
        let request = self.request(step);
        let (status, answer) = self.ask(&request);
        if std::env::var("RECORDING").is_ok() && status != 200 {
            println!("setup before {file} {at}: {step} was answered {answer}");
            return;
        }
        assert_eq!(status, 200, "setup before {file} {at}: {step} was answered {answer}");
        drop(self.compare("", &step["answer"], &answer, &Rules { partial: true }));
        if let Some(name) = step["tokenOf"].as_str() {
            self.tokens.insert(name.to_owned(), answer["accessToken"].as_str().unwrap().to_owned());
        }
        if let Some(name) = step["made"].as_str() {
            let secret = answer["clientSecret"].as_str().or(answer["accessToken"].as_str()).unwrap();
            self.made.insert(name.to_owned(), secret.to_owned());
        }
    }

    fn request(&self, exchange: &Value) -> Request {
        let path = self.translated(exchange["path"].as_str().unwrap());
        let mut request = Request::new(exchange["method"].as_str().unwrap(), &path);
        if let Some(body) = exchange.get("body") {
            request = request.json(&self.translated_value(body));
        }
        if exchange["what"].as_str().unwrap_or_default().contains("malformed JSON") {
            request.content_type = Some("application/json".to_owned());
            request.body = b"{".to_vec();
        }
        let header = exchange["headers"]["Authorization"].as_str();
        let who = exchange["use"].as_str().or(exchange["as"].as_str()).or(exchange["token"].as_str());
        match (header, who) {
            (Some(header), _) if !header.is_empty() => request.authorization = Some(header.to_owned()),
            (Some(_), _) | (None, Some("none")) => {}
            (None, who) => request = request.bearer(self.token(who.unwrap_or("admin"))),
        }
        let known = exchange["headers"]["If-None-Match"].as_str();
        request.if_none_match = known.map(|etag| self.etags.get(etag).map_or(etag, |it| it).to_owned());
        request
    }

    fn token<'a>(&'a self, who: &'a str) -> &'a str {
        let who = who.strip_prefix("of an ").unwrap_or(who);
        let found = self.tokens.get(who).or_else(|| self.made.get(who));
        found.map_or(who, String::as_str)
    }

    fn translated(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if !text.contains('-') {
            return text;
        }
        for (recorded, played) in &self.ids {
            text = text.replace(recorded, played);
            text = text.replace(&recorded.to_uppercase(), &played.to_uppercase());
        }
        text
    }

    fn translated_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.translated(&expanded(text))),
            Value::Array(items) => items.iter().map(|item| self.translated_value(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), self.translated_value(value))).collect()
            }
            _ => value.clone(),
        }
    }

    fn exchange(
        &mut self,
        file: &str,
        index: usize,
        exchange: &Value,
        overrides: &Value,
    ) -> Result<(), String> {
        let mut exchange = exchange.clone();
        if let Value::Object(changes) = overrides {
            for (name, value) in changes {
                let value = match value.as_str().and_then(|text| text.strip_prefix("made:")) {
                    Some(made) => Value::from(self.made.get(made).expect(made).as_str()),
                    None => value.clone(),
                };
                if name == "batch" || name == "long" {
                    exchange["body"] = if name == "batch" { batch(&value) } else { long(&value, &exchange) };
                } else if let Some(field) = name.strip_prefix("body.") {
                    exchange["body"][field] = value;
                } else {
                    exchange[name] = value;
                }
            }
        }
        let request = self.request(&exchange);
        let is_race = exchange["status"] == 500 && exchange["what"].as_str().unwrap().contains("at once");
        let answer = if is_race {
            self.instance.handle_late(self.now, &request)
        } else {
            self.instance.handle(self.now, &request)
        };
        let body = serde_json::from_slice(&answer.body).unwrap_or(Value::from(""));
        if let Some(secret) = body["clientSecret"].as_str().or(body["accessToken"].as_str()) {
            self.made.insert(format!("{file} {index}"), secret.to_owned());
        }
        let etag = answer.headers.iter().find(|(name, _)| *name == "etag");
        if let (Some(recorded), Some((_, played))) = (exchange["etag"].as_str(), etag) {
            self.etags.entry(recorded.to_owned()).or_insert_with(|| played.clone());
        }
        if Some(u64::from(answer.status)) != exchange["status"].as_u64() {
            return Err(format!("status {} and not {}: {body}", answer.status, exchange["status"]));
        }
        // Of long answers only the length and the fields were kept; the length depends on
        // names that were not.
        if let Some(keys) = exchange["answer"]["keys"].as_array() {
            let has_all = keys.iter().all(|key| body.get(key.as_str().unwrap()).is_some());
            return if has_all { Ok(()) } else { Err(format!("not with the fields {keys:?}")) };
        }
        self.compare("", &exchange["answer"], &body, &Rules { partial: false })
    }

    /// The first difference; ids are learned on the way.
    fn compare(&mut self, at: &str, recorded: &Value, played: &Value, rules: &Rules) -> Result<(), String> {
        match (recorded, played) {
            (Value::Object(left), Value::Object(right)) => self.compare_objects(at, left, right, rules),
            (Value::Array(left), Value::Array(right)) => self.compare_lists(at, left, right, rules),
            (Value::String(left), Value::String(right)) => self.compare_texts(at, left, right),
            _ if recorded == played => Ok(()),
            _ => Err(format!("{at} is {played} and not {recorded}")),
        }
    }

    fn compare_objects(
        &mut self,
        at: &str,
        left: &Map<String, Value>,
        right: &Map<String, Value>,
        rules: &Rules,
    ) -> Result<(), String> {
        let lacking: Vec<_> = left.keys().filter(|key| !right.contains_key(*key)).collect();
        let more: Vec<_> = right.keys().filter(|key| !left.contains_key(*key)).collect();
        if !lacking.is_empty() || (!more.is_empty() && !rules.partial) {
            return Err(format!("{at} lacks {lacking:?} and has {more:?}"));
        }
        for (key, value) in left {
            self.compare(&format!("{at}/{key}"), value, &right[key], rules)?;
        }
        Ok(())
    }

    fn compare_lists(
        &mut self,
        at: &str,
        left: &[Value],
        right: &[Value],
        rules: &Rules,
    ) -> Result<(), String> {
        if left.len() != right.len() && !rules.partial {
            return Err(format!("{at} has {} items and not {}: {right:?}", right.len(), left.len()));
        }
        let is_list = LISTS.contains(&at.rsplit('/').next().unwrap());
        let mut rest: Vec<&Value> = right.iter().collect();
        for (index, item) in left.iter().enumerate() {
            let known = ["id", "identityId"].iter().find_map(|key| {
                let id = self.ids.get(item.get(*key)?.as_str()?)?;
                rest.iter().position(|other| other[*key] == id.as_str())
            });
            let named = || rest.iter().position(|other| is_alike(item, other));
            let found = if is_list { known.or_else(named).unwrap_or(0) } else { 0 };
            if rest.is_empty() {
                break;
            }
            self.compare(&format!("{at}/{index}"), item, rest.remove(found), rules)?;
        }
        Ok(())
    }

    fn compare_texts(&mut self, at: &str, recorded: &str, played: &str) -> Result<(), String> {
        let key = at.rsplit('/').next().unwrap();
        if is_uuid(recorded) && is_uuid(played) {
            let known = self.ids.entry(recorded.to_owned()).or_insert_with(|| played.to_owned());
            return if known == played {
                Ok(())
            } else {
                Err(format!("{at} is {played} and not {known} for {recorded}"))
            };
        }
        let translated = self.translated(&expanded(recorded));
        let alike = match key {
            "reqId" => played.starts_with("req-"),
            "slug" => played == recorded || has_random_suffix(recorded),
            "clientSecret" | "clientSecretPrefix" => true,
            // The recorder took these for secrets.
            "code" if recorded == "removed" => true,
            "accessToken" => {
                return self.compare(at, &claims(recorded), &claims(played), &Rules { partial: false });
            }
            _ if is_time(recorded) => is_time(played),
            _ => played == translated,
        };
        if alike { Ok(()) } else { Err(format!("{at} is {played:?} and not {translated:?}")) }
    }
}

/// The body of a batch of which only the length was recorded.
fn batch(of: &Value) -> Value {
    let value = of["value"].as_u64().map(|length| "x".repeat(usize::try_from(length).unwrap()));
    let first = of["from"].as_u64().unwrap();
    let numbers = first..first + of["count"].as_u64().unwrap();
    let secret = |number| match &value {
        Some(value) => json!({ "secretKey": format!("K{number}"), "secretValue": value }),
        None => json!({ "secretKey": format!("K{number}") }),
    };
    json!({
        "projectId": of["projectId"], "environment": "prod", "secretPath": of["path"],
        "secrets": numbers.map(secret).collect::<Vec<_>>(),
    })
}

/// The body of a secret of which only the length was recorded: `(100000 bytes)`.
fn long(of: &Value, exchange: &Value) -> Value {
    let length = exchange["body"].as_str().unwrap().trim_matches(|c: char| !c.is_ascii_digit());
    let mut body =
        json!({ "projectId": of["projectId"], "environment": "prod", "secretPath": "/", "secretValue": "" });
    let rest = length.parse::<usize>().unwrap() - body.to_string().len();
    body["secretValue"] = Value::from("x".repeat(rest));
    body
}

/// How exact a comparison is.
struct Rules {
    /// Fields that the recording does not have may be there.
    partial: bool,
}

/// Whether two items of a list have the same name.
fn is_alike(a: &Value, b: &Value) -> bool {
    let names =
        |item: &Value| [item["name"].clone(), item["identity"]["name"].clone(), item["secretKey"].clone()];
    let name = |item: &Value| names(item).iter().find_map(|name| name.as_str().map(str::to_owned));
    name(a).is_some() && name(a) == name(b)
}

/// The exchanges in an order in which they can be played one after another: of those
/// that were under way at once the one that won comes first.
fn in_order(exchanges: &[Value]) -> Vec<(usize, &Value)> {
    let group = |exchange: &Value| {
        let what = exchange["what"].as_str().unwrap();
        let is_group = what.contains("at once") && what.ends_with(')');
        is_group.then(|| what.rsplit_once(" (").unwrap().0.to_owned())
    };
    let mut ordered: Vec<(usize, &Value)> = exchanges.iter().enumerate().collect();
    let mut start = 0;
    while start < ordered.len() {
        let of = group(ordered[start].1);
        let mut end = start + 1;
        while end < ordered.len() && of.is_some() && group(ordered[end].1) == of {
            end += 1;
        }
        ordered[start..end].sort_by_key(|(_, exchange)| exchange["status"] != 200);
        start = end;
    }
    ordered
}

/// Long texts are recorded as their length: `(300 times 'd')`.
fn expanded(text: &str) -> String {
    let parts = || {
        let (count, letter) = text.strip_prefix('(')?.strip_suffix("')")?.split_once(" times '")?;
        Some(letter.repeat(count.parse().ok()?))
    };
    parts().unwrap_or_else(|| text.to_owned())
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
        && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
        && !text.starts_with("00000000-")
}

fn is_time(text: &str) -> bool {
    text.len() == 24 && text.parse::<Timestamp>().is_ok()
}

/// Whether a slug is one that the server made up.
fn has_random_suffix(slug: &str) -> bool {
    let parts: Vec<&str> = slug.rsplit('-').take(2).collect();
    parts.iter().all(|part| (1..=3).contains(&part.len())) || slug.starts_with("c-")
}

/// What a token claims, but for the times.
fn claims(jwt: &str) -> Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
    let mut claims: Value = serde_json::from_slice(&payload).unwrap();
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    let fields = claims.as_object_mut().unwrap();
    for name in ["iat", "exp", "creationEpoch"] {
        fields.remove(name);
    }
    fields.insert("life".to_owned(), Value::from(life));
    claims
}
