//! Plugin files as nobody would build them: real ones, with something added by hand.

use crate::artifact;
use std::fs;

/// Identifiers of sections (WebAssembly core specification, section 5.5.2).
const FUNCTIONS: u8 = 3;
const TABLES: u8 = 4;
const CODE: u8 = 10;

/// A module, section by section.
struct Module {
    head: Vec<u8>,
    sections: Vec<(u8, Vec<u8>)>,
}

impl Module {
    fn guest(name: &str) -> Self {
        let file = fs::read(artifact::guest(name)).expect("a guest");
        let (head, mut rest) = file.split_at(8);
        let mut sections = Vec::new();
        while let Some((id, after)) = rest.split_first() {
            let (length, body) = number(after);
            let (body, next) = body.split_at(length);
            sections.push((*id, body.to_vec()));
            rest = next;
        }
        Self { head: head.to_vec(), sections }
    }

    fn section(&mut self, id: u8) -> &mut Vec<u8> {
        &mut self.sections.iter_mut().find(|(other, _)| *other == id).expect("it has this section").1
    }

    fn bytes(self) -> Vec<u8> {
        let mut bytes = self.head;
        for (id, body) in self.sections {
            bytes.push(id);
            bytes.extend(leb(body.len()));
            bytes.extend(body);
        }
        bytes
    }
}

/// Unsigned LEB128.
fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(bytes: &[u8]) -> (usize, &[u8]) {
    let end = bytes.iter().position(|byte| byte & 128 == 0).expect("it ends") + 1;
    let (number, rest) = bytes.split_at(end);
    (number.iter().rev().fold(0, |value, byte| (value << 7) | usize::from(byte & 127)), rest)
}

/// A guest with `count` further functions, each of which computes on and on in `size` bytes of code. Nobody calls them; they are
/// compiled all the same. Of each `number` the file is another.
pub fn with_much_code(guest: &str, count: usize, size: usize, number: u8) -> Vec<u8> {
    let mut module = Module::guest(guest);
    // 1,000 locals of 64 bits, then: local = (local * other) ^ constant, over and over; an end that fits every type.
    let mut body = vec![1];
    body.extend(leb(1000));
    body.push(0x7e);
    let mut at = usize::from(number);
    while body.len() < size {
        at += 1;
        let local = |of: usize| leb(16 + (at * of) % 900);
        for (opcode, local) in [(0x20, local(7)), (0x20, local(11))] {
            body.push(opcode);
            body.extend(local);
        }
        body.extend([0x7e, 0x42, number & 0x3f, 0x85, 0x21]);
        body.extend(local(13));
    }
    body.extend([0x00, 0x0b]);
    let functions = module.section(FUNCTIONS);
    let (before, rest) = number_of(functions);
    // All of the first type.
    *functions = [leb(before + count), rest, vec![0; count]].concat();
    let code = module.section(CODE);
    let (before, rest) = number_of(code);
    let mut all = [leb(before + count), rest].concat();
    for _ in 0..count {
        all.extend(leb(body.len()));
        all.extend(&body);
    }
    *code = all;
    module.bytes()
}

/// A guest whose table has so many elements from the beginning.
pub fn with_large_table(guest: &str, elements: usize) -> Vec<u8> {
    let mut module = Module::guest(guest);
    let tables = module.section(TABLES);
    // One table of functions, with or without a maximum: then without.
    *tables = [vec![1, 0x70, 0], leb(elements)].concat();
    module.bytes()
}

fn number_of(section: &[u8]) -> (usize, Vec<u8>) {
    let (count, rest) = number(section);
    (count, rest.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for value in [0, 1, 127, 128, 300, 65_536, 100_000_000] {
            assert_eq!(number(&leb(value)), (value, &[][..]));
        }
    }
}
