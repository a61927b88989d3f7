//! stub
use crate::{input::ReadinessCheck, manifest::Manifest, proto::v1::Ready};
/// x
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness { /// x
 Ready, /// x
 NotReady(String) }
/// x
pub fn instance_readiness(_: &[ReadinessCheck], r: Ready, o: Option<Manifest<'_>>) -> Readiness { if r == Ready::False || o.is_none() { Readiness::NotReady("x".into()) } else { Readiness::Ready } }
