//! Decodes input of any framing into validated datums.

use crate::{Data, DecodeError, Fault, Framing, Limits, Schema, container, framing};

/// Decodes the input into validated raw datums of the schema.
///
/// All datums of the input are valid, or the input is rejected as a whole.
///
/// # Errors
/// The input is malformed, exceeds a limit, or was written with a schema that cannot be resolved.
pub fn decode<'a>(
    schema: &Schema,
    bytes: &'a [u8],
    framing: Framing,
    limits: &Limits,
) -> Result<Data<'a>, DecodeError> {
    let (datum, header_length) = match framing {
        Framing::Raw => (bytes, 0),
        Framing::SingleObject => (
            framing::single_object_datum(schema, bytes)?,
            framing::SINGLE_OBJECT_HEADER,
        ),
        Framing::Container => return container::read(schema, bytes, limits),
    };
    match schema.validate(datum) {
        Ok(()) => Ok(Data::single(datum)),
        Err(fault) => {
            let offset = header_length + fault.offset;
            Err(DecodeError::malformed_at(
                None,
                None,
                Fault { offset, ..fault },
            ))
        }
    }
}
