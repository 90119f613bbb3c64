//! Where a JSON pointer points to in a text, so that what is there can be replaced and nothing else changes.

use std::ops::Range;

/// The places of all values that the tokens lead to, in order and apart; `*` stands for every member or element. `json` must be valid.
pub(crate) fn places(json: &str, tokens: &[String], found: &mut Vec<Range<usize>>) {
    Scan { text: json, found }.value(0, tokens);
}

struct Scan<'a, 'f> {
    text: &'a str,
    found: &'f mut Vec<Range<usize>>,
}

impl Scan<'_, '_> {
    fn byte(&self, at: usize) -> u8 {
        // What is valid has an end; past it nothing matches.
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn space(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\t' | b'\n' | b'\r') {
            at += 1;
        }
        at
    }

    /// Follows the tokens from a value on; where it ends. Recursion is as deep as the pointer.
    fn value(&mut self, at: usize, tokens: &[String]) -> usize {
        let at = self.space(at);
        let Some((token, rest)) = tokens.split_first() else {
            let end = self.end(at);
            self.found.push(at..end);
            return end;
        };
        match self.byte(at) {
            b'{' => self.members(at + 1, token, rest),
            b'[' => self.elements(at + 1, token, rest),
            _ => self.end(at),
        }
    }

    fn members(&mut self, at: usize, token: &str, rest: &[String]) -> usize {
        let mut at = self.space(at);
        // Two members may have one name, and each is a place.
        while self.byte(at) == b'"' {
            let name_end = self.string(at);
            let is_next = token == "*" || self.is_name(at..name_end, token);
            // Past the colon.
            at = self.space(name_end) + 1;
            at = if is_next { self.value(at, rest) } else { self.end(self.space(at)) };
            at = self.space(at);
            if self.byte(at) == b',' {
                at = self.space(at + 1);
            }
        }
        at + 1
    }

    fn elements(&mut self, at: usize, token: &str, rest: &[String]) -> usize {
        let mut at = self.space(at);
        // RFC 6901, section 4: digits without a leading zero.
        let wanted = token.parse::<usize>().ok().filter(|index| index.to_string() == token);
        let mut index = 0_usize;
        while !matches!(self.byte(at), b']' | 0) {
            let is_next = token == "*" || wanted == Some(index);
            at = if is_next { self.value(at, rest) } else { self.end(at) };
            at = self.space(at);
            if self.byte(at) == b',' {
                at = self.space(at + 1);
            }
            index += 1;
        }
        at + 1
    }

    fn is_name(&self, at: Range<usize>, token: &str) -> bool {
        // A name may be written with escapes.
        serde_json::from_str::<String>(&self.text[at]).is_ok_and(|name| name == token)
    }

    /// The end of the value that begins here.
    fn end(&self, at: usize) -> usize {
        match self.byte(at) {
            b'"' => self.string(at),
            b'{' | b'[' => {
                let (mut at, mut depth) = (at, 0_usize);
                loop {
                    match self.byte(at) {
                        b'"' => {
                            at = self.string(at);
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth = depth.saturating_sub(1),
                        0 => return at,
                        _ => {}
                    }
                    at += 1;
                    if depth == 0 {
                        return at;
                    }
                }
            }
            _ => {
                let mut at = at;
                while !matches!(self.byte(at), b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r' | 0) {
                    at += 1;
                }
                at
            }
        }
    }

    /// The end of the string that begins here.
    fn string(&self, at: usize) -> usize {
        let mut at = at + 1;
        loop {
            match self.byte(at) {
                b'\\' => at += 2,
                b'"' => return at + 1,
                0 => return at,
                _ => at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(json: &'a str, pointer: &str) -> Vec<&'a str> {
        assert!(serde_json::from_str::<serde_json::Value>(json).is_ok());
        let tokens: Vec<_> = pointer.split('/').skip(1).map(str::to_owned).collect();
        let mut places_found = Vec::new();
        places(json, &tokens, &mut places_found);
        places_found.into_iter().map(|place| &json[place]).collect()
    }

    #[test]
    fn values_are_found_where_they_are() {
        let json =
            r#" { "a" : { "b" : [ 1 , "x,]}\"y" , { "c" : null } ] } , "d":-1.5e3,"a\u0062":true, "e":[] } "#;
        assert_eq!(found(json, "/a/b/0"), ["1"]);
        assert_eq!(found(json, "/a/b/1"), [r#""x,]}\"y""#]);
        assert_eq!(found(json, "/a/b/2/c"), ["null"]);
        assert_eq!(found(json, "/a/b/2"), [r#"{ "c" : null }"#]);
        assert_eq!(found(json, "/d"), ["-1.5e3"]);
        assert_eq!(found(json, "/ab"), ["true"], "a name that is written with an escape");
        assert_eq!(found(json, "/a/b/*").len(), 3);
        assert_eq!(found(json, "/*").len(), 4);
        assert!(found(json, "/a/b/3").is_empty());
        assert!(found(json, "/e/0").is_empty());
        assert!(found(json, "/d/x").is_empty());
        assert_eq!(found(json, "").len(), 1);
        assert_eq!(found("[[1,2],[3]]", "/*/0"), ["1", "3"]);
        assert_eq!(found(r#"{"p":"a","p":"b"}"#, "/p"), [r#""a""#, r#""b""#], "of two, both");
        assert_eq!(found(r#"{"*":{"x":1}}"#, "/*/x"), ["1"]);
    }
}
