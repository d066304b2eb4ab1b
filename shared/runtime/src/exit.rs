//! Exit codes that mean the same in every program: those of BSD's `sysexits.h`.

/// `EX_USAGE`: the command line is invalid.
pub const USAGE: u8 = 64;
/// `EX_DATAERR`: the input is invalid.
pub const DATA: u8 = 65;
/// `EX_SOFTWARE`: an internal error that no setting can fix.
pub const SOFTWARE: u8 = 70;
/// `EX_IOERR`: reading or writing failed.
pub const IO: u8 = 74;
/// `EX_CONFIG`: a setting is missing, malformed, contradicts another, or cannot work on this machine.
pub const CONFIGURATION: u8 = 78;
