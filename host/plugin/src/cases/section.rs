//! The custom section of a file that carries its cases. Modules and components are both a header of eight bytes and sections: an id,
//! a length (LEB128), and so many bytes; a custom section has the id 0 and begins with its name (WebAssembly 2.0, section 5.5.3).

use super::MAX_BYTES;

/// The name of the section.
pub const SECTION: &str = "weir:cases";

/// Why a file's cases cannot be read or put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectionError {
    /// Its sections do not add up.
    #[error("the file is not WebAssembly, or is damaged")]
    Damaged,
    /// More than the limit.
    #[error("its cases have {0} bytes; the most is {MAX_BYTES}")]
    TooLarge(usize),
    /// Not text.
    #[error("its cases are not UTF-8")]
    NotText,
}

const HEADER: usize = 8;

/// The cases in a file, if it carries any.
pub(crate) fn read(file: &[u8]) -> Result<Option<&str>, SectionError> {
    let found = sections(file)?.into_iter().find_map(|section| section.cases);
    let Some(cases) = found else { return Ok(None) };
    if cases.len() > MAX_BYTES {
        return Err(SectionError::TooLarge(cases.len()));
    }
    std::str::from_utf8(cases).map(Some).map_err(|_| SectionError::NotText)
}

/// The file with these cases in place of those that it carries; without any, if there are none.
pub fn embed(file: &[u8], cases: &str) -> Result<Vec<u8>, SectionError> {
    if cases.len() > MAX_BYTES {
        return Err(SectionError::TooLarge(cases.len()));
    }
    let mut whole = file.get(..HEADER).ok_or(SectionError::Damaged)?.to_vec();
    for section in sections(file)?.iter().filter(|section| section.cases.is_none()) {
        whole.extend_from_slice(section.whole);
    }
    if !cases.is_empty() {
        let mut content = leb128(SECTION.len());
        content.extend_from_slice(SECTION.as_bytes());
        content.extend_from_slice(cases.as_bytes());
        whole.push(0);
        whole.extend(leb128(content.len()));
        whole.extend(content);
    }
    Ok(whole)
}

struct Section<'a> {
    whole: &'a [u8],
    /// Its content, if it is ours.
    cases: Option<&'a [u8]>,
}

fn sections(file: &[u8]) -> Result<Vec<Section<'_>>, SectionError> {
    let mut rest = file.get(HEADER..).ok_or(SectionError::Damaged)?;
    let mut all = Vec::new();
    while let Some((id, after)) = rest.split_first() {
        let (length, content) = number(after).ok_or(SectionError::Damaged)?;
        let size = rest.len() - content.len() + length;
        let content = content.get(..length).ok_or(SectionError::Damaged)?;
        let named = || {
            let (length, name) = number(content)?;
            let (name, data) = name.split_at_checked(length)?;
            (name == SECTION.as_bytes()).then_some(data)
        };
        all.push(Section { whole: &rest[..size], cases: if *id == 0 { named() } else { None } });
        rest = &rest[size..];
    }
    Ok(all)
}

/// A number of at most 32 bits, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()? as usize, &bytes[at + 1..]));
        }
    }
    None
}

fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn cases_are_put_in_replaced_and_taken_out() {
        let module =
            wat::parse_str("(module (memory 1) (func (export \"f\")) (@custom \"other\" \"data\"))").unwrap();
        assert_eq!(read(&module), Ok(None));
        let long = "case long\n".repeat(2000);
        for cases in ["case a\n> x\n", &long] {
            let first = embed(&module, "case old\n").unwrap();
            let with = embed(&first, cases).unwrap();
            assert_eq!(read(&with), Ok(Some(cases)));
            wasmparser::validate(&with).unwrap();
            assert_eq!(embed(&with, "").unwrap(), module, "everything else is as it was");
        }
        assert_eq!(embed(&module, &"x".repeat(MAX_BYTES + 1)), Err(SectionError::TooLarge(MAX_BYTES + 1)));
    }

    #[test]
    fn what_is_damaged_is_told() {
        assert_eq!(read(b"\0asm"), Err(SectionError::Damaged));
        assert_eq!(read(EMPTY), Ok(None));
        let with = |section: &[u8]| [EMPTY, section].concat();
        for section in [
            &[0, 5, 1][..],
            &[0],
            &[0, 0x80],
            &[1, 0xff, 0xff, 0xff, 0xff, 0x7f],
            &[0, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
        ] {
            assert_eq!(read(&with(section)), Err(SectionError::Damaged), "{section:?}");
        }
        // A custom section with a name that is longer than it is somebody else's.
        assert_eq!(read(&with(&[0, 2, 90, b'w'])), Ok(None));
        let mut bad = embed(EMPTY, "case x\n").unwrap();
        let last = bad.len() - 1;
        bad[last] = 0xff;
        assert_eq!(read(&bad), Err(SectionError::NotText));
    }
}
