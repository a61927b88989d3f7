//! The wire types of the contract with Crossplane, generated from `proto/`.
//!
//! A manifest in them is `Bytes`, a slice of the frame that it came in, and is
//! read through [`crate::contract::manifest`]. How a frame becomes one lives in
//! [`codec`]. Nothing here can be printed: the messages
//! hold Secrets.
//!
//! Rule 11 is kept here.

pub mod codec;

/// The messages, and the service under its current name.
#[expect(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    reason = "generated from proto/, whose comments are the docs"
)]
pub mod v1 {
    tonic::include_proto!("apiextensions.r#fn.proto.v1");
}

/// The service under its older name, over the messages of [`v1`].
#[expect(clippy::pedantic, clippy::allow_attributes, reason = "generated from proto/")]
pub mod v1beta1 {
    tonic::include_proto!("apiextensions.r#fn.proto.v1beta1");
}

/// A manifest or a value in a message.
pub use bytes::Bytes;

/// The descriptors of both versions, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));
