//! Turns `proto/` into Rust, for the crate of the function.
//!
//! The file is compiled once, by protox, so that no `protoc` is needed. Two
//! things come out of it: the descriptors as they stand, for gRPC reflection,
//! and Rust types cut so that what the function does not read stays encoded:
//! every `google.protobuf.Struct` is a slice of the frame it came in, and
//! desired state is `crate::contract::desired::Desired`, which keeps fields it does not
//! know.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet, field_descriptor_proto::Type};

/// From the folder of the crate, in which Cargo runs this.
const PROTO: &str = "../../proto";
const FILE: &str = "apiextensions/fn/v1/run_function.proto";
const PACKAGE: &str = "apiextensions.fn.proto.v1";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTO}");
    println!("cargo:rerun-if-changed=../../build.rs");

    let mut descriptors = protox::compile([FILE], [PROTO])?;
    let older: Vec<_> = descriptors.file.iter().filter(|file| file.package() == PACKAGE).map(older).collect();
    descriptors.file.extend(older);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.binpb"), descriptors.encode_to_vec())?;

    keep_encoded(&mut descriptors);
    descriptors.file.push(desired());
    tonic_prost_build::configure()
        .build_client(true)
        .build_transport(false)
        .codec_path("crate::contract::proto::codec::Codec")
        .bytes(".")
        // Same state, same bytes: a map is written in the order of its keys.
        .btree_map(".")
        // The messages hold Secrets; what cannot be printed cannot leak.
        .skip_debug(unprintable(&descriptors))
        .extern_path(".desired.Desired", "crate::contract::desired::Desired")
        .extern_path(".apiextensions.fn.proto.v1beta1", "crate::contract::proto::v1")
        .compile_fds(descriptors)?;
    Ok(())
}

/// The same service and messages under the package name that they had before
/// `v1`: a client of either finds what it looks for.
fn older(file: &FileDescriptorProto) -> FileDescriptorProto {
    let older = format!("{PACKAGE}beta1");
    let renamed = |name: &mut Option<String>| {
        if let Some(rest) = name.as_deref().and_then(|name| name.strip_prefix(&format!(".{PACKAGE}."))) {
            *name = Some(format!(".{older}.{rest}"));
        }
    };
    let mut file = file.clone();
    file.name = Some(FILE.replace("v1", "v1beta1"));
    file.package = Some(older.clone());
    for message in &mut file.message_type {
        for nested in &mut message.nested_type {
            nested.field.iter_mut().for_each(|field| renamed(&mut field.type_name));
        }
        message.field.iter_mut().for_each(|field| renamed(&mut field.type_name));
    }
    for method in file.service.iter_mut().flat_map(|service| &mut service.method) {
        renamed(&mut method.input_type);
        renamed(&mut method.output_type);
    }
    file
}

fn keep_encoded(descriptors: &mut FileDescriptorSet) {
    for file in &mut descriptors.file {
        for message in &mut file.message_type {
            let is_run_function = matches!(message.name(), "RunFunctionRequest" | "RunFunctionResponse");
            for field in &mut message.field {
                if field.type_name() == ".google.protobuf.Struct" {
                    field.set_type(Type::Bytes);
                    field.type_name = None;
                    // Absent and empty are not the same manifest.
                    field.proto3_optional = Some(true);
                } else if is_run_function && field.name() == "desired" {
                    field.type_name = Some(".desired.Desired".to_owned());
                }
            }
        }
    }
}

/// Messages that hold neither manifests nor Secrets.
const PRINTABLE: [&str; 6] =
    ["Condition", "MatchLabels", "Requirements", "ResourceSelector", "Result", "SchemaSelector"];

fn unprintable(descriptors: &FileDescriptorSet) -> Vec<String> {
    let path = |package: &str, message: &DescriptorProto| format!(".{package}.{}", message.name());
    let messages = descriptors
        .file
        .iter()
        .flat_map(|file| file.message_type.iter().map(move |message| (file.package(), message)));
    messages
        .filter(|(_, message)| !PRINTABLE.contains(&message.name()))
        .map(|(package, message)| path(package, message))
        .collect()
}

/// Declares the message that `extern_path` maps to our own type.
fn desired() -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some("desired.proto".to_owned()),
        package: Some("desired".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![DescriptorProto { name: Some("Desired".to_owned()), ..Default::default() }],
        ..Default::default()
    }
}
