//! Where a report is, and reading it.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::error::ReportError;
use super::parse::{InvalidReport, MAX_REPORT, parse};
use crate::report::RunReport;

/// Where a report is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportSource {
    /// Standard input.
    Input,
    /// A file.
    File(PathBuf),
}

impl ReportSource {
    /// `-` is standard input, anything else a file.
    pub fn of(text: &str) -> Self {
        match text {
            "-" => Self::Input,
            path => Self::File(PathBuf::from(path)),
        }
    }

    /// The report of a file or of standard input.
    ///
    /// # Errors
    /// There is none, reading fails, or the content is no report.
    pub fn read(&self) -> Result<RunReport, ReportError> {
        match self {
            Self::Input => self.parsed(io::stdin().lock()),
            Self::File(path) => self.parsed(self.open(path)?),
        }
    }

    fn open(&self, path: &Path) -> Result<File, ReportError> {
        File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                ReportError::NotFound(self.to_string(), "there is no such file".to_owned())
            }
            _ => ReportError::Unreadable(self.to_string(), error.to_string()),
        })
    }

    fn parsed(&self, input: impl Read) -> Result<RunReport, ReportError> {
        let mut bytes = Vec::new();
        let limit = MAX_REPORT as u64 + 1;
        let read = input.take(limit).read_to_end(&mut bytes);
        read.map_err(|error| ReportError::Unreadable(self.to_string(), error.to_string()))?;
        parse(&bytes).map_err(|invalid| self.invalid(invalid))
    }

    fn invalid(&self, invalid: InvalidReport) -> ReportError {
        ReportError::Invalid(self.to_string(), invalid)
    }
}

impl fmt::Display for ReportSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}
