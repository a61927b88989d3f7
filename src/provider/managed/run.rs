//! One reconcile of one object: each thing that the loop can do, and what is kept from
//! one to the next.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use daemon::clock::Clock;
use infisical::secret::SecretValue;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::OwnerReference};
use serde_json::{Value, json};

use super::{
    annotations::Annotations,
    cluster::{Cluster, ClusterError, Directory, Event, ObjectKey},
    conditions::Statement,
    external::{
        ConnectionDetails, Difference, External, ExternalError, Failure, Given, ManagedKind, Mark, Read,
    },
    halt::Halt,
    inputs, merge,
    observed::{Held, Observed, observe},
    plan::{Look, Situation},
    policies::Policies,
    record,
    refusals::Refusals,
    report::{self, Report, Requeue, Shown},
    resolve::References,
    secret::{self, Publish},
};
use crate::api::{
    object::API_VERSION,
    resource::Managed,
    secret::{Generate, SecretKeyReference},
};

/// From an object to whoever can ask the server for its resource.
#[async_trait]
pub trait Connect<K: ManagedKind>: Send + Sync {
    /// The server that the object's configuration names.
    ///
    /// # Errors
    /// The configuration is missing, or nothing can be made of it.
    async fn connect(&self, object: &Managed<K>) -> Result<Arc<dyn External<K>>, ExternalError>;
}

/// What a reconcile needs of the world.
pub struct Means<K: ManagedKind> {
    /// The objects.
    pub cluster: Arc<dyn Cluster<K>>,
    /// The way to the server.
    pub connect: Arc<dyn Connect<K>>,
    /// The objects of all kinds, for references.
    pub directory: Arc<dyn Directory>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// How often a create that may be under way is looked for.
const LOOK_FOR_CREATE: Duration = Duration::from_secs(5);

/// One reconcile.
pub(super) struct Run<'r, K: ManagedKind> {
    means: &'r Means<K>,
    refusals: &'r Refusals,
    at: &'r ObjectKey,
    /// The object as it was last read or written.
    pub(super) object: Managed<K>,
    /// What its author wants, with what is in no spec.
    wanted: K::Parameters,
    inputs: Option<(Vec<SecretKeyReference>, Vec<SecretValue>)>,
    external: Option<Arc<dyn External<K>>>,
    observed: Option<Arc<Observed<K>>>,
    shown: Shown<K::Observation>,
    read: Read,
    is_updated: bool,
    is_replaced: bool,
    delete_was_asked: bool,
    request: Option<String>,
}

impl<'r, K: ManagedKind> Run<'r, K> {
    pub(super) fn new(
        means: &'r Means<K>,
        refusals: &'r Refusals,
        at: &'r ObjectKey,
        object: Managed<K>,
    ) -> Self {
        Self {
            means,
            refusals,
            at,
            wanted: object.spec.for_provider.clone(),
            object,
            inputs: None,
            external: None,
            observed: None,
            shown: Shown::Unchanged,
            read: Read::Shared,
            is_updated: false,
            is_replaced: false,
            delete_was_asked: false,
            request: None,
        }
    }

    /// What is known of the object, before its resource is looked at.
    pub(super) fn situation<'a>(
        &self,
        object: &'a Managed<K>,
        policies: Option<&'a Policies>,
    ) -> Situation<'a> {
        let metadata = &object.metadata;
        let annotations = Annotations::of(metadata);
        let (has_finalizer, has_other_finalizers) = record::holders(metadata);
        let external_name = annotations.external_name();
        let uid = metadata.uid.as_deref().unwrap_or_default();
        Situation {
            is_paused: annotations.is_paused(),
            policies,
            is_deleted: metadata.deletion_timestamp.is_some(),
            has_finalizer,
            has_other_finalizers,
            external_name,
            is_id: external_name.is_some_and(K::is_id),
            open_create: annotations.open_create().filter(|&begun| !self.refusals.has(uid, begun)),
            found_by: K::FOUND_BY,
            is_shown_once: K::SHOWN_ONCE,
            is_updated: self.is_updated,
            is_replaced: self.is_replaced,
            delete_was_asked: self.delete_was_asked,
            now: self.means.clock.now(),
        }
    }

    /// Writes down that a create was refused, where that could not be done before.
    pub(super) async fn close_refused(&mut self) -> Result<(), Halt> {
        let metadata = &self.object.metadata;
        let uid = metadata.uid.as_deref().unwrap_or_default();
        match Annotations::of(metadata).open_create() {
            Some(begun) if self.refusals.has(uid, begun) => self.close(begun).await,
            _ => Ok(()),
        }
    }

    /// Writes down what references lead to. Whether there was something to write.
    pub(super) async fn resolve(&mut self) -> Result<bool, Halt> {
        let references = References::of(&self.object, &*self.means.directory);
        let failed = |why: &dyn std::fmt::Display| {
            let why = format!("cannot resolve references: {why}");
            Halt::from(Report::failure("CannotResolveResourceReferences", "", &why))
        };
        match references.patch().map_err(|error| failed(&error))? {
            None => match references.not_for() {
                None => Ok(false),
                // It never had an effect, and has none now.
                Some(_) if self.object.metadata.deletion_timestamp.is_some() => {
                    self.release().await.map(|()| true)
                }
                Some(why) => Err(failed(&why)),
            },
            Some(patch) => {
                let written = self.means.cluster.patch_references(self.at, &patch).await;
                self.written(written).map(|()| true)
            }
        }
    }

    /// Looks at the server, and at whether another object has what is there.
    pub(super) async fn look(&mut self, look: Look<'_>) -> Result<Arc<Observed<K>>, Halt> {
        self.accept_request().await;
        self.complete().await?;
        let external = self.external().await?;
        let held = Held { details: self.held().await?, now: self.means.clock.now() };
        let (cluster, looked) = (&*self.means.cluster, (look, self.read));
        let observed = observe(cluster, &*external, &self.object, &self.wanted, &held, looked).await;
        let observed = Arc::new(observed?);
        self.observed = Some(Arc::clone(&observed));
        Ok(observed)
    }

    /// Reads what is wanted and is in no spec. What goes may go without it, and who only
    /// looks needs none.
    async fn complete(&mut self) -> Result<(), Halt> {
        let object = &self.object;
        let is_deleted = object.metadata.deletion_timestamp.is_some();
        let policies = Policies::new(&object.spec.management_policies);
        let may_write = !is_deleted && policies.is_ok_and(|it| it.create() || it.update());
        let values = if may_write { self.values().await? } else { Vec::new() };
        let spec = &self.object.spec.for_provider;
        let observed = self.object.status.as_ref().and_then(|status| status.at_provider.as_ref());
        let wanted = K::with(spec, Given { values, observed });
        self.wanted = wanted.map_err(|why| inputs::failed(&why))?;
        Ok(())
    }

    /// What was asked for, read once in a reconcile.
    async fn values(&mut self) -> Result<Vec<SecretValue>, Halt> {
        let spec = &self.object.spec.for_provider;
        let wanted = K::inputs(spec);
        if let Some(generate) = K::generated(spec).filter(|_| wanted.is_empty()) {
            return Ok(vec![self.generated(generate).await?]);
        }
        match &self.inputs {
            Some((read, values)) if *read == wanted => Ok(values.clone()),
            _ => {
                let values = inputs::read(&*self.means.cluster, self.at, &wanted).await?;
                self.inputs = Some((wanted, values.clone()));
                Ok(values)
            }
        }
    }

    /// What was drawn. It is in the connection Secret before it is used.
    async fn generated(&self, generate: &Generate) -> Result<SecretValue, Halt> {
        let Some(to) = &self.object.spec.write_connection_secret_to_ref else {
            let why = "spec.forProvider.generate needs a Secret to keep it in: write \
                       spec.writeConnectionSecretToRef";
            return Err(inputs::failed(why));
        };
        let at = self.at.beside(&to.name);
        let kept = self.means.cluster.secret(&at).await.map_err(|error| inputs::cannot_read(&at, error))?;
        let value = match kept.as_ref().and_then(|secret| inputs::value_of(secret, inputs::GENERATED)) {
            Some(value) => value.map_err(|()| inputs::failed(&format!("the Secret {at} has no text")))?,
            None => inputs::draw(generate),
        };
        // Exposed: to the Secret that is for it.
        let bytes = value.expose().as_bytes().to_vec();
        let details = ConnectionDetails([(inputs::GENERATED.to_owned(), bytes)].into());
        self.publish_to(&at, kept.as_ref(), &details).await?;
        Ok(value)
    }

    /// What was read for others does not count any more.
    pub(super) fn only_fresh(&mut self) {
        self.read = Read::Fresh;
    }

    /// Tells of a reconcile that the author asked for, once for each token.
    async fn accept_request(&mut self) {
        let last = self.object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_deref());
        let request = Annotations::of(&self.object.metadata).reconcile_request(last);
        if let (Some(token), None) = (request, &self.request) {
            self.request = Some(token.to_owned());
            self.read = Read::Fresh;
            self.tell(&Event::normal("ReconcileRequestHandled", "Handling reconcile request")).await;
        }
    }

    async fn external(&mut self) -> Result<Arc<dyn External<K>>, Halt> {
        if self.external.is_none() {
            let connected = self.means.connect.connect(&self.object).await;
            let failed = |error| Report::refusal("CannotConnectToProvider", "connect failed", &error);
            self.external = Some(connected.map_err(failed)?);
        }
        self.external.clone().ok_or(Halt::Quiet(Requeue::Backoff))
    }

    /// Changes the object.
    pub(super) async fn patch(&mut self, patch: &Value) -> Result<(), Halt> {
        let written = self.means.cluster.patch(self.at, patch).await;
        self.written(written)
    }

    fn written(&mut self, written: Result<Managed<K>, ClusterError>) -> Result<(), Halt> {
        match written {
            Ok(object) => {
                self.object = object;
                Ok(())
            }
            Err(ClusterError::Other(why)) => {
                let why = format!("cannot update managed resource: {why}");
                Err(Report::failure("CannotUpdateManagedResource", "", &why).into())
            }
            Err(error) => Err(Halt::Cluster(error)),
        }
    }

    /// Takes our finalizer off. Without it the object may be gone at once.
    pub(super) async fn release(&mut self) -> Result<(), Halt> {
        self.patch(&record::released(&self.object.metadata)).await?;
        Err(Halt::Quiet(Requeue::Never))
    }

    /// Writes down that what was found is ours.
    pub(super) async fn adopt(&mut self, id: &str) -> Result<(), Halt> {
        self.patch(&record::made(&self.object.metadata, id, self.means.clock.now())).await
    }

    /// Makes another one in the place of one that is there, which is surplus then.
    pub(super) async fn replace(&mut self) -> Result<(), Halt> {
        self.is_replaced = true;
        self.create(false).await
    }

    /// Writes down that it will be made, makes it, writes down its name.
    pub(super) async fn create(&mut self, is_repeated: bool) -> Result<(), Halt> {
        let external = self.external().await?;
        if K::SHOWN_ONCE && self.object.spec.write_connection_secret_to_ref.is_none() {
            let why = "spec.writeConnectionSecretToRef is missing: name a Secret for what is shown only once";
            return Err(Report::failure("CannotCreateExternalResource", "create failed", why).into());
        }
        // Before: a Secret that is not to be had must not cost what is shown only once.
        self.publish(&ConnectionDetails::default()).await?;
        let pending = self.means.clock.now();
        self.patch(&record::begin(&self.object.metadata, pending)).await?;
        let mark = self.object.metadata.uid.clone().unwrap_or_default();
        let (wanted, mark) = (&self.wanted, Mark(&mark));
        let made = match Annotations::of(&self.object.metadata).external_name().filter(|name| K::is_id(name))
        {
            Some(before) => external.create_again(before, wanted, mark).await,
            None => external.create(wanted, mark).await,
        };
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                // What exists may be what an earlier one made after all.
                let is_closed = match error.failure {
                    Failure::Refused | Failure::TokenRefused | Failure::Forbidden => true,
                    Failure::Exists => !is_repeated,
                    Failure::Unknown => false,
                };
                if is_closed {
                    self.close(pending).await?;
                }
                let report = Report::refusal("CannotCreateExternalResource", "create failed", &error);
                // The one in whose place it was to be is there as before.
                return Err(
                    if self.is_replaced { report } else { report.with_ready(Statement::Creating) }.into()
                );
            }
        };
        // First the details: they are shown once, and an id is found again.
        self.publish(&made.details).await?;
        let named = record::made(&self.object.metadata, &made.id, self.means.clock.now());
        self.patch(&named).await?;
        let created = "Successfully requested creation of external resource";
        self.tell(&Event::normal("CreatedExternalResource", created)).await;
        self.only_fresh();
        Ok(())
    }

    /// Writes down that nothing was made. Whatever else was changed in the object
    /// meanwhile, this has to be known: what is found later is not ours.
    async fn close(&mut self, pending: jiff::Timestamp) -> Result<(), Halt> {
        let uid = self.object.metadata.uid.clone().unwrap_or_default();
        // Until it is written down.
        self.refusals.note(&uid, pending);
        loop {
            let failed = record::failed(&self.object.metadata, self.means.clock.now());
            match self.means.cluster.patch(self.at, &failed).await {
                Err(ClusterError::Conflict) => {}
                Ok(object) => {
                    self.refusals.forget(&uid);
                    self.object = object;
                    return Ok(());
                }
                Err(error) => return Err(Halt::Cluster(error)),
            }
            match self.means.cluster.get_latest(self.at).await.map_err(Halt::Cluster)? {
                Some(latest) if record::is_pending(&latest.metadata, pending) => self.object = latest,
                // It is gone, or somebody else has begun since.
                _ => {
                    self.refusals.forget(&uid);
                    return Err(Halt::Cluster(ClusterError::Conflict));
                }
            }
        }
    }

    /// Changes what differs.
    pub(super) async fn update(&mut self) -> Result<(), Halt> {
        let external = self.external().await?;
        let observed = self.observed.clone();
        let Some((seen, Difference::Change(change))) = observed.as_deref().and_then(Observed::difference)
        else {
            return Err(Halt::Quiet(Requeue::Backoff));
        };
        self.shown = Shown::Observed(K::observation(seen));
        let updated = external.update(K::id(seen), &self.wanted, change).await;
        let failed = |error| Report::refusal("CannotUpdateExternalResource", "update failed", &error);
        let details = updated.map_err(failed)?;
        self.is_updated = true;
        self.only_fresh();
        if !details.0.is_empty() {
            self.publish(&details).await?;
        }
        let updated = "Successfully requested update of external resource";
        self.tell(&Event::normal("UpdatedExternalResource", updated)).await;
        Ok(())
    }

    /// Deletes the resource.
    pub(super) async fn delete(&mut self, id: &str) -> Result<(), Halt> {
        self.delete_one(id).await.map_err(|report| report.with_ready(Statement::Deleting))?;
        self.delete_was_asked = true;
        let deleted = "Successfully requested deletion of external resource";
        self.tell(&Event::normal("DeletedExternalResource", deleted)).await;
        Ok(())
    }

    /// Deletes one of two resources with our mark.
    pub(super) async fn delete_surplus(&mut self, id: &str) -> Result<(), Halt> {
        Ok(self.delete_one(id).await?)
    }

    async fn delete_one(&mut self, id: &str) -> Result<(), Report> {
        let failed = |error| Report::refusal("CannotDeleteExternalResource", "delete failed", &error);
        self.only_fresh();
        let Some(external) = self.external.clone() else { return Ok(()) };
        let place = self.observed.as_deref().map_or(&self.wanted, |seen| &seen.place);
        external.delete(id, place).await.map_err(failed)
    }

    /// Fills in what the author left out.
    pub(super) async fn late_initialize(&mut self) -> Result<(), Halt> {
        let late = self.observed.as_deref().and_then(|observed| observed.late.clone());
        let value = |parameters| serde_json::to_value(parameters).unwrap_or_default();
        let before = value(&self.object.spec.for_provider);
        let Some(patch) = late.as_ref().and_then(|late| merge::diff(&before, &value(late))) else {
            return Err(Halt::Quiet(Requeue::Backoff));
        };
        let metadata = &self.object.metadata;
        self.patch(&json!({
            "metadata": { "resourceVersion": metadata.resource_version, "uid": metadata.uid },
            "spec": { "forProvider": patch },
        }))
        .await
    }

    /// What is there is what was wanted.
    pub(super) async fn settle(&mut self, poll: Requeue) -> Result<(), Halt> {
        let Some(observed) = self.observed.clone() else { return Err(Halt::Quiet(Requeue::Backoff)) };
        let Some(seen) = observed.found.as_ref() else { return Err(Halt::Quiet(Requeue::Backoff)) };
        self.publish(&K::connection_details(seen)).await?;
        self.show();
        let ready = K::unavailable(seen).map_or(Statement::Available, Statement::Unavailable);
        Err(Report::success(ready, poll).into())
    }

    /// Shows what was seen.
    pub(super) fn show(&mut self) {
        let seen = self.observed.as_deref().and_then(|observed| observed.found.as_ref());
        self.shown = seen.map_or(Shown::Unchanged, |seen| Shown::Observed(K::observation(seen)));
    }

    /// Shows nothing: it is not there, or it is not ours.
    pub(super) fn hide(&mut self) {
        self.shown = Shown::Nothing;
    }

    /// A create may be under way.
    pub(super) fn waiting(&self, left: Duration) -> Report {
        let pending = "Waiting for external resource existence to be confirmed";
        let is_deleted = self.object.metadata.deletion_timestamp.is_some();
        let is_there = self.observed.as_deref().is_some_and(|observed| observed.found.is_some());
        let ready = if is_deleted { Statement::Deleting } else { Statement::Creating };
        let report = Report::success(ready, Requeue::After(left.min(LOOK_FOR_CREATE)));
        let event = Some(Event::normal("PendingExternalResource", pending));
        // The one in whose place it is to be is there as before.
        let ready = report.ready.clone().filter(|_| is_deleted || !is_there);
        Report { ready, event, ..report }
    }

    /// What the connection Secret holds, of a kind of which something is shown only once.
    async fn held(&self) -> Result<ConnectionDetails, Halt> {
        let wanted = self.object.spec.write_connection_secret_to_ref.as_ref();
        let is_deleted = self.object.metadata.deletion_timestamp.is_some();
        let Some(wanted) = wanted.filter(|_| K::SHOWN_ONCE && !is_deleted) else {
            return Ok(ConnectionDetails::default());
        };
        match self.means.cluster.secret(&self.at.beside(&wanted.name)).await {
            Ok(existing) => Ok(secret::held(existing.as_ref(), &self.controller())),
            Err(ClusterError::Other(why)) => {
                let why = format!("cannot get connection secret: {why}");
                Err(Report::failure("CannotObserveExternalResource", "observe failed", &why).into())
            }
            Err(error) => Err(Halt::Cluster(error)),
        }
    }

    /// Writes the connection Secret, if the author wants one.
    async fn publish(&self, details: &ConnectionDetails) -> Result<(), Halt> {
        let Some(wanted) = &self.object.spec.write_connection_secret_to_ref else { return Ok(()) };
        let at = self.at.beside(&wanted.name);
        let existing = self.means.cluster.secret(&at).await.map_err(not_published)?;
        self.publish_to(&at, existing.as_ref(), details).await
    }

    /// The same, over what is there.
    async fn publish_to(
        &self,
        at: &ObjectKey,
        existing: Option<&Secret>,
        details: &ConnectionDetails,
    ) -> Result<(), Halt> {
        let cluster = &self.means.cluster;
        let publish = secret::publish(at, &self.controller(), existing, details);
        match publish.map_err(|error| not_published(ClusterError::Other(error.to_string())))? {
            Publish::Nothing => Ok(()),
            Publish::Create(secret) => cluster.create_secret(&secret).await.map_err(not_published),
            Publish::Patch(patch) => cluster.patch_secret(at, &patch).await.map_err(not_published),
        }
    }

    fn controller(&self) -> OwnerReference {
        OwnerReference {
            api_version: API_VERSION.to_owned(),
            kind: K::KIND.to_owned(),
            name: self.at.name.clone(),
            uid: self.object.metadata.uid.clone().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// Writes the status, and tells of what is new in it.
    pub(super) async fn report(self, report: Report) -> Result<Requeue, ClusterError> {
        let now = self.means.clock.now();
        let shown = self.shown.clone();
        let (patch, is_news) = report::status(&self.object, &report, shown, self.request.as_deref(), now);
        if let Some(patch) = patch {
            self.means.cluster.patch_status(self.at, &patch).await?;
        }
        if let (true, Some(event)) = (is_news, &report.event) {
            self.tell(event).await;
        }
        Ok(report.requeue)
    }

    async fn tell(&self, event: &Event) {
        self.means.cluster.event(&self.object, event).await;
    }
}

/// Why the connection Secret was not written.
fn not_published(error: ClusterError) -> Halt {
    match error {
        ClusterError::Other(why) => {
            let why = format!("cannot create or update connection secret: {why}");
            Report::failure("CannotPublishConnectionDetails", "", &why).into()
        }
        error => Halt::Cluster(error),
    }
}
