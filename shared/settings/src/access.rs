//! Whether connections may be opened to read settings.

/// Whether connections may be opened to read settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Access {
    /// Oracle Cloud is read.
    #[default]
    Online,
    /// Only files of this machine are read. A secret that is elsewhere, or in a file that is not on this machine, has no
    /// value, which is not an error.
    Offline,
}
