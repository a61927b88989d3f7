//! Mistakes that only a person can mend.

use crate::input::InputError;

/// A mistake that only a person can mend: a fatal result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ObserveError {
    /// The input is wrong.
    #[error(transparent)]
    Input(#[from] InputError),
    /// No XR, or one without a name.
    #[error("the request has no observed composite resource with a name; it is not one of Crossplane's")]
    NoXr,
    /// An earlier step composes something under one of our names.
    #[error(
        "composed resource \"{0}\": an earlier step of the pipeline composes one of that name; if that is a step of \
         this function, take one of the two out, because an XR connects to one instance; if it is another, rename \
         the resource there"
    )]
    NameTaken(&'static str),
    /// What is observed under one of our names is no Secret.
    #[error(
        "composed resource \"{name}\" is a {kind}, not a Secret; give it another name in the step that composed it"
    )]
    NotOurs {
        /// The name in the pipeline.
        name: &'static str,
        kind: String,
    },
    /// What is observed under one of our names has not the XR as its controller.
    #[error(
        "composed resource \"{name}\": Secret {secret} has no controller, so it may be somebody else's, and it is \
         neither read nor changed; take it out of the composite resource's resourceRefs, or, if this composite resource \
         has composed it, give it an owner reference to it with controller: true"
    )]
    NotControlled {
        /// The name in the pipeline.
        name: &'static str,
        secret: String,
    },
    /// The namespace of the Secrets is not known.
    #[error(
        "input.writeConnectionSecretToRef.namespace: is missing, and composite resource {name:?} is cluster-scoped; write \
         here the namespace of its Secrets, or on the composite resource, in spec.writeConnectionSecretToRef.namespace"
    )]
    NoNamespace { name: String },
    /// The same of a legacy XR, whose own fields do not say.
    #[error(
        "input.writeConnectionSecretToRef.namespace: is missing, and composite resource {name:?} has neither a namespace \
         nor a claim; write here the namespace of its Secrets"
    )]
    NoNamespaceOfLegacy { name: String },
    /// A namespaced XR composes into its own namespace only.
    #[error(
        "{field}: is \"{given}\", but a namespaced composite resource composes into its own namespace only; leave it \
         out or write \"{own}\""
    )]
    OtherNamespace { field: &'static str, given: String, own: String },
    /// A value that was read by a field path cannot be used.
    #[error("{field}: {what}")]
    Value {
        /// The field of the input that led there, or the place itself.
        field: String,
        /// What is wrong and what to write.
        what: String,
    },
}
