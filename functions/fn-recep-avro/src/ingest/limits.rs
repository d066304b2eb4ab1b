//! The limits of one request.

/// How much one request may contain.
#[derive(Clone, Debug)]
pub(super) struct RequestLimits {
    /// Bytes of the body as it arrives.
    pub(super) max_body: usize,
    /// Bytes of the body after base64, gzip and the codec of a container file are decoded.
    pub(super) max_decoded: usize,
    /// Records of one container file.
    pub(super) max_records: usize,
}
