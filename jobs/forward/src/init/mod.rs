//! `forward init`: writes a commented `config.properties` and a routes file for a schema.
//!
//! - `cli`: the command line
//! - `fields`: the fields of the schema, with an example of a condition for each
//! - `files`: the text of the files

pub(crate) mod cli;
mod fields;
mod files;
mod outcome;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use avro::Schema;
use runtime::files::read_text;

pub use cli::InitOptions;
pub use outcome::InitOutcome;

/// The names of the files.
const CONFIG: &str = "config.properties";
const ROUTES: &str = "routes.yaml";

/// The maximum size of a schema, as for a document of a setting, in bytes.
const MAX_SCHEMA: usize = 1 << 20;

/// Why nothing is written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A file exists already.
    #[error("{} exists: nothing is written; name another --directory", .0.display())]
    Exists(PathBuf),
    /// The schema cannot be read.
    #[error("reading the schema {}: {}", .0.display(), .1)]
    Unreadable(PathBuf, String),
    /// The schema is invalid.
    #[error("the schema {}: {}", .0.display(), .1)]
    Schema(PathBuf, String),
    /// A path cannot be in `config.properties`.
    #[error("{} cannot be written into {CONFIG}: it is not plain text", .0.display())]
    Path(PathBuf),
    /// Writing failed.
    #[error("writing {}: {}", .0.display(), .1)]
    Write(PathBuf, io::Error),
}

impl InitError {
    /// How the command ends.
    pub fn outcome(&self) -> InitOutcome {
        match self {
            Self::Exists(_) => InitOutcome::Exists,
            Self::Schema(..) | Self::Path(_) => InitOutcome::Invalid,
            Self::Unreadable(..) | Self::Write(..) => InitOutcome::Failed,
        }
    }
}

/// Writes both files, and returns what to do next. An existing file is never replaced: then nothing is written.
///
/// # Errors
/// A file exists, the schema is invalid, or reading or writing fails.
pub fn init(options: &InitOptions) -> Result<String, InitError> {
    let path = &options.schema;
    let text = read_text(path, MAX_SCHEMA)
        .map_err(|reason| InitError::Unreadable(path.clone(), reason))?;
    let schema =
        Schema::parse(&text).map_err(|error| InitError::Schema(path.clone(), error.to_string()))?;
    let fields = fields::fields(&text, &schema);
    let (config, routes) = (
        options.directory.join(CONFIG),
        options.directory.join(ROUTES),
    );
    let config_text = files::config(&absolute(path)?, &absolute(&routes)?);
    let routes_text = files::routes(schema.name(), &fields);
    // Checked before the first write, so that a refusal leaves nothing behind.
    if let Some(existing) = [&config, &routes].into_iter().find(|path| path.exists()) {
        return Err(InitError::Exists(existing.clone()));
    }
    let failed = |error| InitError::Write(options.directory.clone(), error);
    fs::create_dir_all(&options.directory).map_err(failed)?;
    write(&routes, &routes_text)?;
    if let Err(error) = write(&config, &config_text) {
        let _ = fs::remove_file(&routes);
        return Err(error);
    }
    Ok(files::next(&config, &routes))
}

/// Writes a new file. A failure leaves no part of it.
fn write(path: &Path, text: &str) -> Result<(), InitError> {
    let mut file = File::create_new(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => InitError::Exists(path.to_owned()),
        _ => InitError::Write(path.to_owned(), error),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| {
        let _ = fs::remove_file(path);
        InitError::Write(path.to_owned(), error)
    })
}

/// The absolute path as text: the files are valid in any current directory.
fn absolute(path: &Path) -> Result<String, InitError> {
    let absolute = std::path::absolute(path);
    let absolute = absolute.map_err(|error| InitError::Write(path.to_owned(), error))?;
    let text = absolute.into_os_string().into_string().ok();
    text.filter(|text| !text.contains(char::is_control) && text.trim() == text)
        .ok_or_else(|| InitError::Path(path.to_owned()))
}
