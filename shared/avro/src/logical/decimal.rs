//! Decimal numbers: their text, and an unscaled integer in two's complement, big-endian.

/// The most digits of a number that is converted. It limits the time, which grows with the square.
pub(super) const MAX_DIGITS: usize = 1_000;

/// More bytes than an integer of [`MAX_DIGITS`] digits has.
const MAX_BYTES: usize = MAX_DIGITS / 2;

/// A decimal number: the digits without leading zeros, times 10^-`scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    is_negative: bool,
    /// Values from 0 to 9, the most significant first. Empty for zero.
    digits: Vec<u8>,
    scale: i64,
}

impl Decimal {
    /// Parses the text of a number: an optional sign, digits, an optional fraction and exponent.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            None => (rest, 0),
            Some((mantissa, exponent)) => {
                let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                is_digits(unsigned).then_some(())?;
                (mantissa, i64::from(exponent.parse::<i32>().ok()?))
            }
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            None => (mantissa, ""),
            Some((whole, fraction)) => (whole, is_digits(fraction).then_some(fraction)?),
        };
        is_digits(whole).then_some(())?;
        let digits = whole.bytes().chain(fraction.bytes());
        let digits: Vec<u8> = digits
            .map(|digit| digit - b'0')
            .skip_while(|digit| *digit == 0)
            .collect();
        Some(Self {
            is_negative: is_negative && !digits.is_empty(),
            digits,
            scale: fraction.len() as i64 - exponent,
        })
    }

    /// The number of a given unscaled integer. `None` if the integer is empty or has too many bytes.
    pub(super) fn from_unscaled(bytes: &[u8], scale: i64) -> Option<Self> {
        let first = *bytes.first().filter(|_| bytes.len() <= MAX_BYTES)?;
        let is_negative = first >= 0x80;
        let mut magnitude = bytes.to_vec();
        if is_negative {
            negate(&mut magnitude);
        }
        let mut digits = Vec::new();
        while magnitude.iter().any(|byte| *byte != 0) {
            let mut rest = 0;
            for byte in &mut magnitude {
                let value = rest * 256 + u32::from(*byte);
                *byte = (value / 10) as u8;
                rest = value % 10;
            }
            digits.push(rest as u8);
        }
        digits.reverse();
        Some(Self {
            is_negative,
            digits,
            scale,
        })
    }

    pub(super) fn scale(&self) -> i64 {
        self.scale
    }

    /// The number of digits without leading zeros.
    pub(super) fn precision(&self) -> usize {
        self.digits.len()
    }

    /// The same number with another scale. `None` if it would be rounded or would have more than `max` digits.
    pub(super) fn with_scale(mut self, scale: i64, max: usize) -> Option<Self> {
        if !self.digits.is_empty() {
            while self.scale > scale {
                (self.digits.pop() == Some(0)).then_some(())?;
                self.scale -= 1;
            }
            let zeros = usize::try_from(scale - self.scale).ok()?;
            (self.digits.len().saturating_add(zeros) <= max).then_some(())?;
            self.digits.resize(self.digits.len() + zeros, 0);
        }
        self.scale = scale;
        Some(self)
    }

    /// The shortest two's complement of the digits, of at least one byte. `None` if there are too many digits.
    pub(super) fn unscaled(&self) -> Option<Vec<u8>> {
        if self.digits.len() > MAX_DIGITS {
            return None;
        }
        // The lowest byte first.
        let mut magnitude: Vec<u8> = Vec::new();
        for digit in &self.digits {
            let mut carry = u32::from(*digit);
            for byte in &mut magnitude {
                let value = u32::from(*byte) * 10 + carry;
                *byte = value as u8;
                carry = value >> 8;
            }
            if carry > 0 {
                magnitude.push(carry as u8);
            }
        }
        magnitude.push(0);
        magnitude.reverse();
        if self.is_negative {
            negate(&mut magnitude);
        }
        // Remove the first byte if it only repeats the sign.
        let is_repeated = |bytes: &[u8]| match bytes {
            [0x00, next, ..] => *next < 0x80,
            [0xff, next, ..] => *next >= 0x80,
            _ => false,
        };
        while is_repeated(&magnitude) {
            magnitude.remove(0);
        }
        Some(magnitude)
    }

    /// The two's complement of exactly `size` bytes. `None` if the number does not fit.
    pub(super) fn unscaled_of_size(&self, size: usize) -> Option<Vec<u8>> {
        let short = self.unscaled()?;
        let missing = size.checked_sub(short.len())?;
        let sign = if self.is_negative { 0xff } else { 0 };
        let mut bytes = vec![sign; missing];
        bytes.extend_from_slice(&short);
        Some(bytes)
    }

    /// The number as text, with as many digits in the fraction as the scale says; with an exponent if the scale is negative or
    /// large.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if self.is_negative {
            text.push('-');
        }
        let scale = usize::try_from(self.scale).ok();
        let fraction = scale.filter(|scale| *scale <= MAX_DIGITS).unwrap_or(0);
        let zeros = (fraction + 1).saturating_sub(self.digits.len());
        let digits = std::iter::repeat_n(0, zeros).chain(self.digits.iter().copied());
        let point = zeros + self.digits.len() - fraction;
        for (index, digit) in digits.enumerate() {
            if index == point {
                text.push('.');
            }
            text.push(char::from(b'0' + digit));
        }
        if fraction as i64 != self.scale {
            text.push_str(&format!("E{}", -self.scale));
        }
        text
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Negates an integer in two's complement.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_integer_has_the_bytes_and_the_digits_of_its_value(value in any::<i128>(), shift in 0..120_u32) {
            let value = value >> shift;
            let number = Decimal::parse(&value.to_string()).unwrap();
            prop_assert_eq!(number.unscaled_of_size(16), Some(value.to_be_bytes().to_vec()));
            prop_assert_eq!(number.text(), value.to_string());
            let bytes = number.unscaled().unwrap();
            prop_assert_eq!(Decimal::from_unscaled(&bytes, 0), Some(number.clone()));
            prop_assert_eq!(Decimal::from_unscaled(&value.to_be_bytes(), 0), Some(number));
            let is_shorter = bytes.len() > 1 && {
                let mut shorter = bytes[1..].to_vec();
                shorter.splice(0..0, vec![if shorter[0] >= 0x80 { 0xff } else { 0 }; 16 - shorter.len()]);
                shorter == value.to_be_bytes()
            };
            prop_assert!(!is_shorter, "{bytes:?}");
        }

        #[test]
        fn the_text_keeps_value_and_scale(bytes in prop::collection::vec(any::<u8>(), 1..60), scale in -1_200..1_200_i64) {
            let number = Decimal::from_unscaled(&bytes, scale).unwrap();
            prop_assert_eq!(Decimal::parse(&number.text()), Some(number));
        }
    }

    #[test]
    fn a_fraction_has_the_digits_of_the_scale() {
        let text = |unscaled: &[u8], scale| Decimal::from_unscaled(unscaled, scale).unwrap().text();
        assert_eq!(text(&[0xfb, 0x2e], 2), "-12.34");
        assert_eq!(text(&[0], 2), "0.00");
        assert_eq!(text(&[5], 3), "0.005");
        assert_eq!(text(&[5], 0), "5");
        assert_eq!(text(&[5], -2), "5E2");
        assert_eq!(text(&[5], 2_000), "5E-2000");
    }

    #[test]
    fn a_scale_that_rounds_is_rejected() {
        let scaled = |text: &str| {
            let number = Decimal::parse(text).unwrap().with_scale(2, 6)?;
            Some(number.text())
        };
        for (text, expected) in [
            ("1", Some("1.00")),
            ("-1.5", Some("-1.50")),
            ("1.500", Some("1.50")),
            ("1.5e1", Some("15.00")),
            ("1500E-2", Some("15.00")),
            ("-0", Some("0.00")),
            ("0e999999999", Some("0.00")),
            ("1.505", None),
            ("12345", None),
            ("1e999999999", None),
            ("1e-999999999", None),
        ] {
            assert_eq!(scaled(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn rejects_other_texts() {
        for text in [
            "",
            "-",
            "1.",
            ".5",
            "1e",
            "e1",
            "1e+",
            "1,5",
            " 1",
            "1 ",
            "0x1",
            "NaN",
            "--1",
            "1e99999999999",
            "1e+-1",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
