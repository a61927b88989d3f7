//! The provider, as its package and its users meet it.

mod crds;
