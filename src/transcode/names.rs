//! A table from names to small numbers, made once and probed with names from outside.
//!
//! The names are the schema's: who sends a message can probe the table, but not fill it with collisions.

/// The names of the fields of a message or the values of an enum.
#[derive(Debug)]
pub(super) struct Names {
    /// Open addressing: the position of an entry plus one, or zero.
    slots: Box<[u32]>,
    entries: Box<[(Box<[u8]>, u32)]>,
}

impl Names {
    /// The first of two equal names wins.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = (&'n str, u32)>) -> Self {
        let entries: Box<[_]> =
            names.into_iter().map(|(name, number)| (Box::from(name.as_bytes()), number)).collect();
        let slots = vec![0; (entries.len() * 2).next_power_of_two().max(4)].into_boxed_slice();
        let mut table = Self { slots, entries: Box::default() };
        for (position, (name, _)) in (1..).zip(&entries) {
            table.enter(&entries, name, position);
        }
        table.entries = entries;
        table
    }

    fn enter(&mut self, entries: &[(Box<[u8]>, u32)], name: &[u8], position: u32) {
        for slot in probe(name, self.slots.len()) {
            match self.slots.get_mut(slot) {
                Some(free) if *free == 0 => {
                    *free = position;
                    return;
                }
                Some(taken) if entry(entries, *taken).is_some_and(|(other, _)| **other == *name) => return,
                _ => {}
            }
        }
    }

    /// The number that a name stands for.
    #[inline]
    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        for slot in probe(name, self.slots.len()) {
            let (found, number) = entry(&self.entries, *self.slots.get(slot)?)?;
            if **found == *name {
                return Some(*number);
            }
        }
        None
    }
}

fn entry(entries: &[(Box<[u8]>, u32)], slot: u32) -> Option<&(Box<[u8]>, u32)> {
    entries.get((slot as usize).checked_sub(1)?)
}

/// The slots to look at, in order; `slots` is a power of two.
#[inline]
fn probe(name: &[u8], slots: usize) -> impl Iterator<Item = usize> {
    let first = (hash(name) >> 32) as usize;
    (0..slots).map(move |step| (first + step) & (slots - 1))
}

/// Mixes the length and the beginning, middle and end of a name, where names of one message differ.
#[inline]
fn hash(name: &[u8]) -> u64 {
    let (first, middle, last) = match name.len() {
        8.. => (word(name, 0), word(name, name.len() / 2 - 4), word(name, name.len() - 8)),
        4.. => (half(name, 0), 0, half(name, name.len() - 4)),
        _ => (name.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte)), 0, 0),
    };
    let mixed = first ^ middle.rotate_left(21) ^ last.rotate_left(42) ^ name.len() as u64;
    let product = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product ^ (product >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[inline]
fn word(name: &[u8], at: usize) -> u64 {
    name.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[inline]
fn half(name: &[u8], at: usize) -> u64 {
    name.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u32::from_le_bytes(*chunk).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        let names: Vec<String> = (0..500).map(|n| format!("{}field_{n}_x", "_".repeat(n % 40))).collect();
        let table = Names::new((0..).zip(&names).map(|(n, name)| (name.as_str(), n)));
        for (number, name) in (0..).zip(&names) {
            assert_eq!(table.find(name.as_bytes()), Some(number));
            assert_eq!(table.find(&name.as_bytes()[1..]), None);
            assert_eq!(table.find(format!("{name}y").as_bytes()), None);
        }
        assert_eq!(table.find(b""), None);
    }

    #[test]
    fn the_first_of_two_equal_names_wins() {
        let table = Names::new([("a", 1), ("a", 2), ("", 3)]);
        assert_eq!(table.find(b"a"), Some(1));
        assert_eq!(table.find(b""), Some(3));
        assert_eq!(Names::new([]).find(b"a"), None);
    }
}
