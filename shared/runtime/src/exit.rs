//! Exit codes that mean the same in every program: those of BSD's `sysexits.h`.

/// `EX_USAGE`: the command line is not understood.
pub const USAGE: u8 = 64;
/// `EX_DATAERR`: what was to be read is not as it should be.
pub const DATA: u8 = 65;
/// `EX_SOFTWARE`: something that must not happen, or that no setting can mend.
pub const SOFTWARE: u8 = 70;
/// `EX_IOERR`: reading or writing failed.
pub const IO: u8 = 74;
/// `EX_CONFIG`: a setting is missing, malformed, contradicts another, or cannot work here.
pub const CONFIGURATION: u8 = 78;
