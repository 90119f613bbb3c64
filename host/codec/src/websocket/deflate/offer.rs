//! What a client offers, and the answer (RFC 7692, section 7.1; RFC 6455, section 9.1).

use super::Window;
use std::borrow::Cow;

const NAME: &str = "permessage-deflate";

/// What both ends keep to from the handshake on: no context takeover, and a window for what the server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// For the messages that this end sends.
    pub window: Window,
    /// The client asked for the window, so it is in the answer (section 7.1.2.1).
    asked: bool,
}

impl Agreement {
    /// The value of `Sec-WebSocket-Extensions` in the answer.
    pub fn answer(&self) -> String {
        // Both may be said unasked (sections 7.1.1.1 and 7.1.1.2). A client's window is never limited: every window fits.
        let answer = format!("{NAME}; server_no_context_takeover; client_no_context_takeover");
        if self.asked { format!("{answer}; server_max_window_bits={}", self.window.bits()) } else { answer }
    }
}

/// The first offer in the `Sec-WebSocket-Extensions` of a request that can be kept to; `headers` are its values, in order.
///
/// A header that is not what the grammar says is not read further than that: the connection then opens without compression.
pub fn accept<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Agreement> {
    headers.into_iter().find_map(|header| {
        let mut text = Text(header);
        loop {
            if let Some(agreement) = offer(&mut text).ok()? {
                return Some(agreement);
            }
        }
    })
}

/// Nothing is left of a header, or what is left is not a list of extensions.
struct End;

/// The next extension in the list; `None` if it is another one, or cannot be kept to.
fn offer(text: &mut Text<'_>) -> Result<Option<Agreement>, End> {
    while text.sign(',') {}
    let name = text.token().ok_or(End)?;
    let mut agreement = (name == NAME).then_some(Offer::default());
    while text.sign(';') {
        let name = text.token().ok_or(End)?;
        let value = if text.sign('=') { Some(text.value().ok_or(End)?) } else { None };
        agreement = agreement.and_then(|offer| offer.with(name, value.as_deref()));
    }
    if !text.is_at_end() && !text.sign(',') {
        return Err(End);
    }
    Ok(agreement.map(|offer| Agreement {
        window: offer.server_window.unwrap_or(Window::WIDEST),
        asked: offer.server_window.is_some(),
    }))
}

/// The parameters so far, each at most once.
#[derive(Default)]
struct Offer {
    server_takeover: bool,
    client_takeover: bool,
    client_window: bool,
    server_window: Option<Window>,
}

impl Offer {
    /// `None`: one that is unknown, there twice, or has a value that it cannot have; section 7.1 has the offer declined.
    fn with(mut self, name: &str, value: Option<&str>) -> Option<Self> {
        let again = match (name, value) {
            ("server_no_context_takeover", None) => std::mem::replace(&mut self.server_takeover, true),
            ("client_no_context_takeover", None) => std::mem::replace(&mut self.client_takeover, true),
            ("client_max_window_bits", None) => std::mem::replace(&mut self.client_window, true),
            ("client_max_window_bits", Some(value)) => {
                bits(value)?;
                std::mem::replace(&mut self.client_window, true)
            }
            ("server_max_window_bits", Some(value)) => {
                self.server_window.replace(Window::from_bits(bits(value)?)?).is_some()
            }
            _ => true,
        };
        (!again).then_some(self)
    }
}

/// 8 to 15, without leading zeros (section 7.1.2).
fn bits(value: &str) -> Option<u8> {
    let bits: u8 = value.parse().ok().filter(|bits| (8..=15).contains(bits))?;
    (bits.to_string() == value).then_some(bits)
}

/// What is left of a header, read sign by sign. Blanks may stand between any two.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_blanks();
        self.0.is_empty()
    }

    /// Takes the sign, if it is next.
    fn sign(&mut self, sign: char) -> bool {
        self.skip_blanks();
        let rest = self.0.strip_prefix(sign);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn token(&mut self) -> Option<&'a str> {
        self.skip_blanks();
        let end = self.0.bytes().position(|byte| !is_token(byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// A token, or one in quotes.
    fn value(&mut self) -> Option<Cow<'a, str>> {
        if !self.sign('"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = String::new();
        let mut signs = self.0.chars();
        loop {
            let sign = match signs.next()? {
                '"' => break,
                '\\' => signs.next()?,
                sign => sign,
            };
            // RFC 6455, section 9.1: without the quotes it must be a token.
            value.push(u8::try_from(sign).is_ok_and(is_token).then_some(sign)?);
        }
        self.0 = signs.as_str();
        (!value.is_empty()).then_some(Cow::Owned(value))
    }
}

/// RFC 9110, section 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    fn answer(headers: &[&str]) -> Option<String> {
        accept(headers.iter().copied()).map(|agreement| agreement.answer())
    }

    #[test]
    fn offers_that_can_be_kept_to() {
        let narrow = |bits: u8| format!("{PLAIN}; server_max_window_bits={bits}");
        for (headers, expected) in [
            (&["permessage-deflate"][..], PLAIN.to_owned()),
            // What browsers, and the commonest libraries, offer.
            (&["permessage-deflate; client_max_window_bits"], PLAIN.to_owned()),
            (&["permessage-deflate; client_max_window_bits=8"], PLAIN.to_owned()),
            (
                &["permessage-deflate; server_no_context_takeover; client_no_context_takeover"],
                PLAIN.to_owned(),
            ),
            // Section 7.1.2.1: asked for, so said.
            (&["permessage-deflate; server_max_window_bits=15"], narrow(15)),
            (&["permessage-deflate;server_max_window_bits=\"9\""], narrow(9)),
            (&["permessage-deflate ; server_max_window_bits = \"1\\0\""], narrow(10)),
            // Section 5.1: the first that is acceptable, in one header or several.
            (&["permessage-deflate; server_max_window_bits=8, permessage-deflate"], PLAIN.to_owned()),
            (&["x-other; a=b", "permessage-deflate; server_max_window_bits=11"], narrow(11)),
            (&["x-webkit-deflate-frame, , permessage-deflate,"], PLAIN.to_owned()),
        ] {
            assert_eq!(answer(headers).as_deref(), Some(&*expected), "{headers:?}");
        }
    }

    #[test]
    fn offers_that_are_declined() {
        for offer in [
            "",
            ",",
            "x-permessage-deflate",
            "Permessage-deflates",
            "permessage-deflate; unknown",
            "permessage-deflate; unknown=1",
            "permessage-deflate; server_no_context_takeover=true",
            "permessage-deflate; client_no_context_takeover=\"\"",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=010",
            "permessage-deflate; server_max_window_bits=+10",
            "permessage-deflate; server_max_window_bits=-9",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=\"10",
            "permessage-deflate; server_max_window_bits=\"1 0\"",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=99999999999999999999",
            "permessage-deflate;",
            "permessage-deflate server_no_context_takeover",
            "permessage-deflate; =",
            "\"permessage-deflate\"",
            // Broken before it comes to what could be accepted.
            "x y, permessage-deflate",
            "x; a=\", permessage-deflate",
        ] {
            assert_eq!(answer(&[offer]), None, "{offer}");
        }
        assert_eq!(answer(&[]), None);
        assert_eq!(answer(&["broken header", "permessage-deflate"]).as_deref(), Some(PLAIN));
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(header in "[pd,;=\"\\\\ a-z_0-9\u{80}-\u{ff}-]{0,60}") {
            accept([&*header]);
        }

        #[test]
        fn what_stands_around_an_offer_does_not_matter(
            before in "([a-z]{1,5}(; ?[a-z]{1,5}(=([a-z0-9]{1,4}|\"[a-z0-9]{1,4}\"))?){0,3} ?, ?){0,3}",
            bits in 9..=15_u8,
        ) {
            let header = format!("{before}permessage-deflate; server_max_window_bits={bits}");
            prop_assert_eq!(accept([&*header]).map(|agreement| agreement.window.bits()), Some(bits));
        }
    }
}
