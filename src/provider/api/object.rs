//! What every object of the API has: a group, a version, and the name of its kind.

use std::marker::PhantomData;

use serde::{Serialize, Serializer};

/// The group of all kinds. What is below an `m` is namespaced.
pub const GROUP: &str = "infisical.m.crossplane.io";

/// The one version there is.
pub const VERSION: &str = "v1beta1";

/// What [`GROUP`] and [`VERSION`] are in a manifest.
pub const API_VERSION: &str = "infisical.m.crossplane.io/v1beta1";

/// The `apiVersion` of a manifest. It is written, and not read: whoever reads an object
/// of the API knows what it asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiVersion;

impl Serialize for ApiVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(API_VERSION)
    }
}

/// The `kind` of a manifest of `T`. It is written, and not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindName<T>(PhantomData<T>);

impl<T> Default for KindName<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Named> Serialize for KindName<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(T::KIND)
    }
}

/// What a kind is called.
pub trait Named {
    /// As in a manifest.
    const KIND: &'static str;
    /// As in the address of its objects.
    const PLURAL: &'static str;
}

/// Says where an API server keeps the objects of a type.
macro_rules! object {
    ([$($parameter:ident: $bound:path)?] $type:ty, $scope:ty) => {
        impl<$($parameter: $bound)?> kube::Resource for $type {
            type DynamicType = ();
            type Scope = $scope;

            fn kind((): &()) -> std::borrow::Cow<'_, str> {
                <Self as $crate::api::object::Named>::KIND.into()
            }

            fn group((): &()) -> std::borrow::Cow<'_, str> {
                $crate::api::object::GROUP.into()
            }

            fn version((): &()) -> std::borrow::Cow<'_, str> {
                $crate::api::object::VERSION.into()
            }

            fn plural((): &()) -> std::borrow::Cow<'_, str> {
                <Self as $crate::api::object::Named>::PLURAL.into()
            }

            fn meta(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

pub(super) use object;
