use std::os::unix::fs::symlink;

use crate::common::AVRO_SCHEMAS;
use crate::samples::GROUPS;
use crate::{Inspection, Settings};

/// The names (without the folder) and texts of the documents that the list names; `DIR` is the folder.
async fn gathered(folder: &tempfile::TempDir, list: &str) -> Result<Vec<(String, String)>, String> {
    let directory = folder.path().to_str().unwrap();
    let list = list.replace("DIR", directory);
    let lookup = |name: &str| (name == "AVRO_SCHEMAS").then(|| list.clone());
    let settings = Settings::gather(&GROUPS, &[], lookup).await;
    let settings = settings.map_err(|error| error.to_string().replace(directory, "DIR"))?;
    let documents = settings.documents(&AVRO_SCHEMAS).iter();
    let relative = |location: &str| location.replace(directory, "DIR");
    Ok(documents
        .map(|document| (relative(&document.location), document.text.clone()))
        .collect())
}

/// A folder with files whose text is their name.
fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    folder
}

#[tokio::test]
async fn reads_files_and_directories_in_the_order_of_the_list() {
    let folder = folder(&[
        "all/b.avsc",
        "all/a.avsc",
        "all/B.avsc",
        "all/é.avsc",
        "all/.hidden.avsc",
        "all/.avsc",
        "all/a.avsc.orig",
        "all/readme.md",
        "all/sub.avsc/x.avsc",
        "z.json",
    ]);
    let documents = gathered(&folder, "DIR/z.json , DIR/all/").await.unwrap();
    let (locations, texts): (Vec<_>, Vec<_>) = documents.into_iter().unzip();
    let expected = [
        "z.json",
        "all/B.avsc",
        "all/a.avsc",
        "all/b.avsc",
        "all/é.avsc",
    ];
    assert_eq!(locations, expected.map(|name| format!("DIR/{name}")));
    assert_eq!(texts, expected);
}

#[tokio::test]
async fn follows_symbolic_links_as_kubernetes_mounts_a_config_map() {
    let folder = folder(&["..2026/a.avsc", "..2026/b.avsc"]);
    let path = |name: &str| folder.path().join(name);
    symlink("..2026", path("..data")).unwrap();
    for name in ["a.avsc", "b.avsc"] {
        symlink(format!("..data/{name}"), path(name)).unwrap();
    }
    let documents = gathered(&folder, "DIR").await.unwrap();
    let locations: Vec<_> = documents.iter().map(|(location, _)| &**location).collect();
    assert_eq!(locations, ["DIR/a.avsc", "DIR/b.avsc"]);
    symlink("nowhere", path("c.avsc")).unwrap();
    assert_eq!(
        gathered(&folder, "DIR").await.unwrap_err(),
        "reading AVRO_SCHEMAS from DIR/c.avsc: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn an_unset_setting_names_no_documents() {
    let folder = folder(&[]);
    assert_eq!(gathered(&folder, "").await, Ok(Vec::new()));
}

#[tokio::test]
async fn reports_a_location_without_documents() {
    let folder = folder(&["a.avsc", "empty/readme.md"]);
    std::os::unix::net::UnixListener::bind(folder.path().join("empty/socket")).unwrap();
    for (list, error) in [
        (
            "DIR,DIR/empty",
            "reading AVRO_SCHEMAS from DIR/empty: no *.avsc in this directory",
        ),
        (
            "DIR/none/",
            "reading AVRO_SCHEMAS from DIR/none/: No such file or directory (os error 2)",
        ),
        (
            "DIR/a.avsc,",
            "AVRO_SCHEMAS is \"\", expected a comma-separated list of files, directories, \
          objects as oci://BUCKET/OBJECT and prefixes as oci://BUCKET/PREFIX/",
        ),
    ] {
        assert_eq!(gathered(&folder, list).await.unwrap_err(), error);
    }
    let socket = folder.path().join("empty/x.avsc");
    std::os::unix::net::UnixListener::bind(socket).unwrap();
    assert_eq!(
        gathered(&folder, "DIR/empty").await.unwrap_err(),
        "reading AVRO_SCHEMAS from DIR/empty: DIR/empty/x.avsc is not a regular file"
    );
}

#[tokio::test]
async fn bounds_the_number_and_the_size_of_documents() {
    let folder = folder(&[]);
    let write = |name: String, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    for number in 0..1000 {
        write(format!("{number:04}.avsc"), b"x");
    }
    assert_eq!(gathered(&folder, "DIR").await.unwrap().len(), 1000);
    let list = "DIR,DIR/0000.avsc";
    assert_eq!(
        gathered(&folder, list).await.unwrap_err(),
        format!("reading AVRO_SCHEMAS from {list}: it has more than 1000 documents")
    );
    write("1000.avsc".to_owned(), b"x");
    assert_eq!(
        gathered(&folder, "DIR").await.unwrap_err(),
        "reading AVRO_SCHEMAS from DIR: it has more than 1000 documents"
    );
    std::fs::remove_file(folder.path().join("1000.avsc")).unwrap();
    write("0007.avsc".to_owned(), &vec![b' '; (1 << 20) + 1]);
    assert_eq!(
        gathered(&folder, "DIR").await.unwrap_err(),
        "reading AVRO_SCHEMAS from DIR/0007.avsc: it is larger than 1048576 bytes"
    );
    for number in 0..16 {
        write(format!("{number:04}.avsc"), &vec![b' '; 1 << 20]);
    }
    assert_eq!(
        gathered(&folder, "DIR").await.unwrap_err(),
        "reading AVRO_SCHEMAS from DIR/0016.avsc: all documents together are larger than 16777216 bytes"
    );
}

#[tokio::test]
async fn an_inspection_reports_every_document() {
    let folder = folder(&["a.avsc", "c.avsc"]);
    std::fs::write(folder.path().join("b.avsc"), b"\xFF").unwrap();
    let list = format!("{},/nowhere.avsc", folder.path().display());
    let lookup = |name: &str| (name == "AVRO_SCHEMAS").then(|| list.clone());
    let inspection = Inspection::of(&GROUPS, &[], lookup).await;
    let parts = inspection.parts.iter().map(|part| {
        assert_eq!(part.setting.name, "avro_schemas");
        let outcome = part.outcome.as_ref().map_err(ToString::to_string);
        (part.location.rsplit('/').next().unwrap(), outcome.cloned())
    });
    let parts: Vec<_> = parts.collect();
    assert_eq!(parts.len(), 4);
    assert_eq!(parts[0], ("a.avsc", Ok("6 bytes".to_owned())));
    assert!(
        parts[1]
            .1
            .as_ref()
            .unwrap_err()
            .ends_with("b.avsc: it is not UTF-8 text")
    );
    assert_eq!(parts[2], ("c.avsc", Ok("6 bytes".to_owned())));
    assert!(
        parts[3]
            .1
            .as_ref()
            .unwrap_err()
            .starts_with("reading AVRO_SCHEMAS from /nowhere.avsc: ")
    );
}

#[tokio::test]
async fn a_list_is_printed_and_no_namespace_is_masked() {
    let folder = folder(&["a.avsc"]);
    let list = format!(
        "{}, oci://frontdoor-bucket@frontdoor-namespace/x/",
        folder.path().display()
    );
    let lookup = |name: &str| (name == "AVRO_SCHEMAS").then(|| list.clone());
    let settings = Inspection::of(&GROUPS, &[], lookup).await.settings;
    let listing = settings.listing();
    let (_, shown, _) = listing
        .iter()
        .find(|(name, ..)| *name == "avro_schemas")
        .unwrap();
    assert_eq!(*shown, list.replace(", ", ","));
    assert_eq!(
        runtime::redact::mask("frontdoor-bucket"),
        "frontdoor-bucket"
    );
}
