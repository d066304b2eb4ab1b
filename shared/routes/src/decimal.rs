//! Decimal numbers: Avro's `decimal`, and the numbers that it is compared with. Comparisons are exact.

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;

use cel::common::traits::Comparer;
use cel::common::types::{CelInt, CelString, CelUInt, Type};
use cel::common::value::{StaticVal, Val};
use cel::{Env, ExecutionError};

/// `unscaled` times 10^-`scale`. Numbers of different scales can be equal: 0.1 and 0.10.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    unscaled: i128,
    scale: u32,
}

/// The name of the conversion function, and of the type in CEL.
pub(super) const DECIMAL: &str = "decimal";

/// The maximum magnitude of an exponent in a number's text.
const MAX_EXPONENT: i64 = 10_000;

static DECIMAL_TYPE: Type = Type::new_unspecified_type(DECIMAL);

impl Decimal {
    /// The value of Avro's `decimal`: a big-endian two's complement number (Avro specification 1.12, "Decimal"). `None` if
    /// it does not fit into 128 bits, which are enough for 38 digits.
    pub(super) fn from_bytes(bytes: &[u8], scale: u32) -> Option<Self> {
        let fill = match bytes.first() {
            Some(first) if first & 0x80 != 0 => 0xff,
            _ => 0,
        };
        let (excess, low) = bytes.split_at(bytes.len().saturating_sub(16));
        let mut wide = [fill; 16];
        wide[16 - low.len()..].copy_from_slice(low);
        let unscaled = i128::from_be_bytes(wide);
        let is_excess_sign = excess.iter().all(|byte| *byte == fill);
        let has_sign = (unscaled < 0) == (fill == 0xff);
        (is_excess_sign && has_sign).then_some(Self { unscaled, scale })
    }

    /// Parses `-12.50` or `1.25e3`. `None` for other text, and for a number that does not fit into 128 bits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse().ok()?),
            None => (text, 0_i64),
        };
        let (is_negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let mut unscaled = 0_i128;
        for digit in whole.bytes().chain(fraction.bytes()) {
            unscaled = unscaled
                .checked_mul(10)?
                .checked_add(i128::from(digit - b'0'))?;
        }
        if is_negative {
            unscaled = -unscaled;
        }
        if !(-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent) {
            return None;
        }
        let scale = i64::try_from(fraction.len()).ok()? - exponent;
        match u32::try_from(scale) {
            Ok(scale) => Some(Self { unscaled, scale }),
            Err(_) => Some(Self {
                unscaled: times_power_of_ten(unscaled, u32::try_from(-scale).ok()?)?,
                scale: 0,
            }),
        }
    }
}

/// `None` if the product does not fit.
fn times_power_of_ten(number: i128, exponent: u32) -> Option<i128> {
    match number {
        0 => Some(0),
        _ => number.checked_mul(10_i128.checked_pow(exponent)?),
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale > other.scale {
            return other.cmp(self).reverse();
        }
        match times_power_of_ten(self.unscaled, other.scale - self.scale) {
            Some(unscaled) => unscaled.cmp(&other.unscaled),
            // The magnitude exceeds that of every number of 128 bits, so the sign decides.
            None => self.unscaled.cmp(&0),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    /// All digits, as many of them after the point as the scale.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale as usize;
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let digits = format!("{:0>1$}", self.unscaled.unsigned_abs(), scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        match fraction {
            "" => write!(f, "{sign}{whole}"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

impl Val for Decimal {
    fn get_type(&self) -> &Type {
        &DECIMAL_TYPE
    }

    fn cel_type() -> &'static Type {
        &DECIMAL_TYPE
    }

    fn as_comparer(&self) -> Option<&dyn Comparer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Self>() == Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Decimal {}

impl Comparer for Decimal {
    fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
        match other.downcast_ref::<Self>() {
            Some(other) => Ok(self.cmp(other)),
            None => Err(ExecutionError::UnexpectedType {
                got: other.get_type().name().to_owned(),
                want: DECIMAL.to_owned(),
            }),
        }
    }
}

/// Adds the function `decimal()` to the interpreter.
pub(super) fn declare(env: &mut Env) -> Result<(), cel::DeclarationError> {
    env.add_type(DECIMAL_TYPE.to_owned())?;
    cel::add_overload!(env, fn from_string: (CelString<'_>) -> Result<Decimal>,
        name = "decimal", id = "string_to_decimal")?;
    cel::add_overload!(env, fn from_int: (CelInt) -> Decimal, name = "decimal", id = "int64_to_decimal")?;
    cel::add_overload!(env, fn from_uint: (CelUInt) -> Decimal, name = "decimal", id = "uint64_to_decimal")?;
    cel::add_overload!(env, fn from_decimal: (Decimal) -> Decimal, name = "decimal", id = "decimal_to_decimal")
}

fn from_string(text: &CelString<'_>) -> Result<Decimal, ExecutionError> {
    Decimal::parse(text.inner())
        .ok_or_else(|| ExecutionError::function_error(DECIMAL, "not a number of at most 38 digits"))
}

fn from_int(number: &CelInt) -> Decimal {
    Decimal {
        unscaled: i128::from(*number.inner()),
        scale: 0,
    }
}

fn from_uint(number: &CelUInt) -> Decimal {
    Decimal {
        unscaled: i128::from(*number.inner()),
        scale: 0,
    }
}

fn from_decimal(number: &Decimal) -> Decimal {
    *number
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn numbers_of_different_scales_compare_by_value() {
        for (left, ordering, right) in [
            ("0.1", Ordering::Equal, "0.10"),
            ("1e2", Ordering::Equal, "100.000"),
            ("-0", Ordering::Equal, "0.00"),
            (
                "0.1",
                Ordering::Less,
                "0.1000000000000000055511151231257827",
            ),
            ("-1.5", Ordering::Less, "-1.49"),
            ("+7", Ordering::Greater, "-7"),
            ("1e-9000", Ordering::Greater, "0"),
            ("1e-9000", Ordering::Less, "1e-8999"),
            ("-1e-9000", Ordering::Greater, "-.1"),
            (
                "99999999999999999999999999999999999999",
                Ordering::Greater,
                "99999999999999999999999999999999999998.9",
            ),
        ] {
            let Some(right) = Decimal::parse(right) else {
                continue;
            };
            assert_eq!(number(left).cmp(&right), ordering, "{left} {right:?}");
            assert_eq!(
                right.cmp(&number(left)),
                ordering.reverse(),
                "{left} {right:?}"
            );
        }
    }

    #[test]
    fn rejects_text_that_is_not_a_number_of_at_most_38_digits() {
        let long = "9".repeat(40);
        for text in [
            "",
            "-",
            ".",
            "1.2.3",
            "0x10",
            "1e",
            "1e99999999999",
            "1e10001",
            "1e40",
            " 1",
            "1_0",
            "--1",
            "NaN",
            "é",
            &long,
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_text_has_the_digits_of_the_scale() {
        for (unscaled, scale, text) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (-5, 2, "-0.05"),
            (1234, 2, "12.34"),
            (-1234, 0, "-1234"),
        ] {
            assert_eq!(Decimal { unscaled, scale }.to_string(), text);
        }
        assert_eq!(
            Decimal {
                unscaled: i128::MIN,
                scale: 1
            }
            .to_string(),
            "-17014118346046923173168730371588410572.8"
        );
    }

    #[test]
    fn bytes_are_a_signed_big_endian_number() {
        for (bytes, text) in [
            (&[][..], "0"),
            (&[0x7b], "1.23"),
            (&[0xff, 0x85], "-1.23"),
            (&[0x00, 0xff], "2.55"),
            (&[0; 40], "0"),
            (&[0xff; 40], "-0.01"),
        ] {
            assert_eq!(Decimal::from_bytes(bytes, 2), Some(number(text)), "{text}");
        }
        let mut wide = [0; 17];
        wide[1] = 0x80;
        assert_eq!(Decimal::from_bytes(&wide, 0), None);
        wide[0] = 0xff;
        assert_eq!(
            Decimal::from_bytes(&wide, 0).map(|n| n.unscaled),
            Some(i128::MIN)
        );
        assert_eq!(Decimal::from_bytes(&[1; 17], 0), None);
    }

    proptest! {
        #[test]
        fn every_number_equals_its_bytes_with_any_sign_extension(unscaled: i128, extension in 0..4_usize, scale in 0..5_u32) {
            let fill = if unscaled < 0 { 0xff } else { 0 };
            let mut bytes = vec![fill; extension];
            bytes.extend(unscaled.to_be_bytes());
            prop_assert_eq!(Decimal::from_bytes(&bytes, scale), Some(Decimal { unscaled, scale }));
        }

        #[test]
        fn the_order_is_that_of_the_numbers(a in -2000..2000_i128, b in -2000..2000_i128, s in 0..3_u32, t in 0..3_u32) {
            let (left, right) = (Decimal { unscaled: a, scale: s }, Decimal { unscaled: b, scale: t });
            let scaled = |n: i128, scale: u32| n * 10_i128.pow(3 - scale);
            prop_assert_eq!(left.cmp(&right), scaled(a, s).cmp(&scaled(b, t)));
        }

        #[test]
        fn parsing_never_panics(text in "[-+0-9.eE]{0,50}") {
            let _ = Decimal::parse(&text);
        }
    }
}
