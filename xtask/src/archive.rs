//! An image or a package in one file, which is an OCI layout and what `docker
//! save` writes at once: container engines load it, and `crossplane xpkg push`
//! pushes it.
//!
//! A package is the image with one more layer, which holds the metadata and the CRDs,
//! and by whose annotation Crossplane finds it.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{Failure, VERSION, about, arch::Arch, program::Program, rootfs::File};

const ANNOTATION: &str = "io.crossplane.xpkg";
const PACKAGE_LAYER: &str = "base";

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What a container is started as where nobody says otherwise.
const USER: &str = "65532:65532";

/// An image or a package.
pub struct Archive {
    manifest: Vec<u8>,
    config: Vec<u8>,
    layers: Vec<Layer>,
    program: Program,
    arch: Arch,
}

struct Layer {
    blob: Vec<u8>,
    /// Of what is compressed in the blob.
    diff_id: String,
    annotation: Option<&'static str>,
}

impl Archive {
    /// The image with these files, and the package if there is `package.yaml`.
    ///
    /// # Errors
    ///
    /// Where something is too large for an archive.
    pub fn new(
        program: Program,
        arch: Arch,
        files: &[File],
        package: Option<&[u8]>,
    ) -> Result<Self, Failure> {
        let mut layers = vec![Layer::new(files, None)?];
        if let Some(content) = package {
            let file = File { path: "package.yaml", content: content.to_vec(), mode: 0o644 };
            layers.push(Layer::new(&[file], Some(PACKAGE_LAYER))?);
        }
        let config = config(program, arch, &layers).to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor(CONFIG_TYPE, &config),
            "layers": layers.iter().map(Layer::descriptor).collect::<Vec<_>>(),
        });
        Ok(Self { manifest: manifest.to_string().into_bytes(), config, layers, program, arch })
    }

    /// As a registry has it: the layers, compressed.
    #[must_use]
    pub fn pulled_bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.blob.len()).sum()
    }

    /// Writes the one file.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn write(&self, to: &Path) -> Result<(), Failure> {
        let mut index = descriptor(MANIFEST_TYPE, &self.manifest);
        index["platform"] = json!({ "architecture": self.arch.name(), "os": "linux" });
        index["annotations"] = json!({ "org.opencontainers.image.ref.name": VERSION });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [index],
        });
        let docker = json!([{
            "Config": blob_name(&self.config),
            "RepoTags": [format!("{}:{VERSION}", self.program.name())],
            "Layers": self.layers.iter().map(|layer| blob_name(&layer.blob)).collect::<Vec<_>>(),
        }]);

        let file = fs::File::create(to).map_err(about(to))?;
        let mut archive = tar::Builder::new(file);
        append(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
        append(&mut archive, "index.json", index.to_string().as_bytes(), 0o644)?;
        append(&mut archive, "manifest.json", docker.to_string().as_bytes(), 0o644)?;
        let layers = self.layers.iter().map(|layer| &layer.blob);
        for blob in [&self.manifest, &self.config].into_iter().chain(layers) {
            append(&mut archive, &blob_name(blob), blob, 0o644)?;
        }
        archive.into_inner()?.sync_all()?;
        Ok(())
    }
}

impl Layer {
    fn new(files: &[File], annotation: Option<&'static str>) -> Result<Self, Failure> {
        let mut layer = tar::Builder::new(Vec::new());
        for file in files {
            append(&mut layer, file.path, &file.content, file.mode)?;
        }
        let plain = layer.into_inner()?;
        let mut blob = GzEncoder::new(Vec::new(), Compression::best());
        blob.write_all(&plain)?;
        Ok(Self { blob: blob.finish()?, diff_id: digest(&plain), annotation })
    }

    fn descriptor(&self) -> Value {
        let mut descriptor = descriptor(LAYER_TYPE, &self.blob);
        if let Some(annotation) = self.annotation {
            descriptor["annotations"] = json!({ ANNOTATION: annotation });
        }
        descriptor
    }
}

/// The same content gives the same configuration: nothing says when it was made.
fn config(program: Program, arch: Arch, layers: &[Layer]) -> Value {
    let ports: serde_json::Map<_, _> =
        program.ports().iter().map(|port| ((*port).to_owned(), json!({}))).collect();
    let mut labels = json!({
        "org.opencontainers.image.title": program.name(),
        "org.opencontainers.image.version": VERSION,
        "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
    });
    // `docker save` has no annotations; `crossplane xpkg push` makes them of these.
    for layer in layers {
        if let Some(annotation) = layer.annotation {
            labels[format!("{ANNOTATION}:{}", digest(&layer.blob))] = json!(annotation);
        }
    }
    json!({
        "architecture": arch.name(),
        "os": "linux",
        "config": {
            "Entrypoint": [format!("/{}", program.name())],
            "User": USER,
            "WorkingDir": "/",
            "ExposedPorts": ports,
            "Labels": labels,
        },
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| &layer.diff_id).collect::<Vec<_>>() },
    })
}

/// The `package.yaml` of a folder as `package/` is: `crossplane.yaml`, then the CRDs of
/// the input or of the managed resources.
///
/// # Errors
///
/// Where something cannot be read.
pub fn package_yaml(folder: &Path) -> Result<Vec<u8>, Failure> {
    let mut paths = vec![folder.join("crossplane.yaml")];
    for crds in ["input", "crds"].map(|name| folder.join(name)).iter().filter(|crds| crds.is_dir()) {
        let entries = fs::read_dir(crds).map_err(about(crds))?;
        let mut crds =
            entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>, std::io::Error>>()?;
        crds.sort();
        paths.extend(crds);
    }
    let mut all = Vec::new();
    for path in paths {
        all.extend_from_slice(b"---\n");
        all.extend(fs::read(&path).map_err(about(&path))?);
    }
    Ok(all)
}

/// A file out of a written archive, as a container would see it.
///
/// # Errors
///
/// Where there is no such file.
pub fn extract(archive: &Path, name: &str) -> Result<Vec<u8>, Failure> {
    let entry = |name: &str| find(tar::Archive::new(fs::File::open(archive).ok()?), name);
    let manifest = entry("manifest.json").ok_or("the archive has no manifest.json")?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let layers =
        manifest.pointer("/0/Layers").and_then(Value::as_array).ok_or("the archive has no layers")?;
    for layer in layers.iter().filter_map(Value::as_str) {
        let Some(blob) = entry(layer) else { continue };
        let mut plain = Vec::new();
        GzDecoder::new(blob.as_slice()).read_to_end(&mut plain)?;
        if let Some(content) = find(tar::Archive::new(plain.as_slice()), name) {
            return Ok(content);
        }
    }
    Err(format!("no layer of {} has {name}", archive.display()).into())
}

fn find<R: std::io::Read>(mut archive: tar::Archive<R>, name: &str) -> Option<Vec<u8>> {
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        if entry.path().is_ok_and(|path| path == Path::new(name)) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).ok()?;
            return Some(content);
        }
    }
    None
}

/// The same content gives the same bytes: no time, no owner.
fn append<W: std::io::Write>(
    archive: &mut tar::Builder<W>,
    name: &str,
    content: &[u8],
    mode: u32,
) -> Result<(), Failure> {
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(content.len())?);
    header.set_mode(mode);
    header.set_mtime(0);
    archive.append_data(&mut header, name, content)?;
    Ok(())
}

fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(blob), "size": blob.len() })
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}

fn blob_name(blob: &[u8]) -> String {
    format!("blobs/sha256/{}", sha256(blob))
}

/// The SHA-256 of something, in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // A String takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(program: Program) -> Archive {
        let binary = File { path: program.name(), content: b"binary".to_vec(), mode: 0o755 };
        let package = package_yaml(&program.metadata(&crate::root())).unwrap();
        Archive::new(program, Arch::Arm64, &[binary], Some(&package)).unwrap()
    }

    #[test]
    fn the_layer_with_the_package_is_annotated_in_both_ways() {
        let package = package(Program::Function);
        let manifest: Value = serde_json::from_slice(&package.manifest).unwrap();
        let config: Value = serde_json::from_slice(&package.config).unwrap();
        let annotated: Vec<_> = manifest["layers"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|layer| layer["annotations"][ANNOTATION] == PACKAGE_LAYER)
            .collect();
        let [layer] = annotated[..] else { panic!("{manifest}") };
        let label = format!("{ANNOTATION}:{}", layer["digest"].as_str().unwrap());
        assert_eq!(config["config"]["Labels"][label], PACKAGE_LAYER, "{config}");
        assert_eq!(config["architecture"], "arm64");
    }

    #[test]
    fn what_was_written_can_be_taken_out() {
        let folder = std::env::temp_dir().join(format!("xtask-archive-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("package.xpkg");
        package(Program::Function).write(&file).unwrap();
        let content = fs::read(&file).unwrap();
        assert_eq!(extract(&file, Program::Function.name()).unwrap(), b"binary");
        let yaml = String::from_utf8(extract(&file, "package.yaml").unwrap()).unwrap();
        assert_eq!(yaml.matches("\nkind: Function\n").count(), 1, "{yaml}");
        assert_eq!(yaml.matches("\nkind: CustomResourceDefinition\n").count(), 1, "{yaml}");
        package(Program::Function).write(&file).unwrap();
        assert_eq!(content, fs::read(&file).unwrap(), "the same content gives the same bytes");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_package_of_the_provider_has_all_its_crds_and_starts_safely() {
        let folder = Program::Provider.metadata(&crate::root());
        let crds = fs::read_dir(folder.join("crds")).unwrap().count();
        let yaml = String::from_utf8(package_yaml(&folder).unwrap()).unwrap();
        assert!(yaml.starts_with("---\napiVersion: meta.pkg.crossplane.io/v1\nkind: Provider\n"), "{yaml}");
        assert!(yaml.contains("\n    - safe-start\n"), "{yaml}");
        assert_eq!(yaml.matches("\nkind: Provider\n").count(), 1, "{yaml}");
        assert!(crds > 3, "{crds}");
        assert_eq!(yaml.matches("\nkind: CustomResourceDefinition\n").count(), crds);
        let config: Value = serde_json::from_slice(&package(Program::Provider).config).unwrap();
        assert_eq!(config["config"]["Entrypoint"], json!(["/provider-infisical"]));
        assert_eq!(config["config"]["ExposedPorts"], json!({ "8080/tcp": {} }));
    }
}
