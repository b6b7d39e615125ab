//! Room to write in: an output whose end the writer keeps itself.
//!
//! A vector keeps its length in memory, and each append waits for the one before it. Here the place of the
//! next byte goes from call to call as a number, in a register, and the room ahead of it is there already,
//! so that a few bytes are one store of fixed size. What lies at the place and behind it counts for
//! nothing: it is written over or cut off. Look here for how bytes get into the output; which bytes, is
//! not known here.

/// An output. All methods that write take the place to write at and give the place behind what they wrote.
#[derive(Debug)]
pub(super) struct Room {
    bytes: Vec<u8>,
    /// Behind this place nothing is kept any more.
    most: usize,
}

/// The most that is made ready ahead of the place at once: little enough to be in the cache still when it
/// is written over.
const STEP: usize = 4096;

impl Room {
    /// Takes a vector, to write behind its content, with memory for as many bytes as are expected; gives
    /// the place to begin at as well.
    pub(super) fn new(mut bytes: Vec<u8>, expected: usize) -> (Self, usize) {
        let at = bytes.len();
        bytes.reserve(expected);
        bytes.resize(at + expected.min(STEP), 0);
        (Self { bytes, most: usize::MAX }, at)
    }

    /// The same with an end: what is written from a place behind it is dropped, so that memory ends there too,
    /// while places go on. Whoever writes asks at the end whether it is [over](Self::is_over).
    pub(super) fn ending(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Whether a place is behind the end, so that not all before it was kept.
    #[inline]
    pub(super) const fn is_over(&self, at: usize) -> bool {
        at > self.most
    }

    /// The vector again, with what was written up to a place.
    pub(super) fn into_vec(mut self, at: usize) -> Vec<u8> {
        self.bytes.truncate(at);
        self.bytes
    }

    /// What was written between two places.
    #[inline]
    pub(super) fn written(&self, start: usize, end: usize) -> &[u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Writes a chunk, of which the first `len` bytes count. A store of fixed size is several times cheaper
    /// than a copy of variable size.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, at: usize, chunk: &[u8; N], len: usize) -> usize {
        match self.bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            Some(slot) => *slot = *chunk,
            None => self.put_ahead(at, chunk),
        }
        at + len
    }

    /// Writes one byte.
    #[inline]
    pub(super) fn byte(&mut self, at: usize, byte: u8) -> usize {
        self.put(at, &[byte], 1)
    }

    /// Writes bytes that are known when the program is compiled.
    #[inline]
    pub(super) fn fixed<const N: usize>(&mut self, at: usize, bytes: &[u8; N]) -> usize {
        self.put(at, bytes, N)
    }

    /// Writes any number of bytes.
    pub(super) fn all(&mut self, at: usize, bytes: &[u8]) -> usize {
        let end = at + bytes.len();
        match self.bytes.get_mut(at..end) {
            Some(slot) => slot.copy_from_slice(bytes),
            None => self.put_ahead(at, bytes),
        }
        end
    }

    /// Replaces a byte that was written.
    #[inline]
    pub(super) fn set(&mut self, at: usize, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(at) {
            *slot = byte;
        }
    }

    /// Lets something write up to `most` bytes, and say how many it wrote.
    pub(super) fn fill(&mut self, at: usize, most: usize, write: impl FnOnce(&mut [u8]) -> usize) -> usize {
        let end = at + most;
        if end > self.bytes.len() {
            if self.is_over(at) {
                return at + write(&mut vec![0; most]);
            }
            self.bytes.resize(end + 64, 0);
        }
        at + write(self.bytes.get_mut(at..end).unwrap_or_default())
    }

    /// Makes room at a place and writes there.
    #[cold]
    #[inline(never)]
    fn put_ahead(&mut self, at: usize, chunk: &[u8]) {
        if self.is_over(at) {
            return;
        }
        let step = (at / 4).clamp(chunk.len() + 64, chunk.len() + STEP);
        self.bytes.resize(at + step, 0);
        if let Some(slot) = self.bytes.get_mut(at..at + chunk.len()) {
            slot.copy_from_slice(chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_stands_behind_what_was_there() {
        for expected in [0, 1, 40, 100_000] {
            let (mut room, start) = Room::new(b"before".to_vec(), expected);
            let mut at = start;
            let mut model = b"before".to_vec();
            for round in 0..500_usize {
                let bytes: Vec<u8> = (0..=u8::MAX).cycle().skip(round).take(round).collect();
                at = room.byte(at, b'<');
                at = room.put(at, b"one,two", 4);
                at = room.fixed(at, b"[]");
                at = room.all(at, &bytes);
                at = room.fill(at, 2 * round, |slot| {
                    slot.fill(b'f');
                    round
                });
                model.extend(b"<one,[]");
                model.extend(&bytes);
                model.extend(vec![b'f'; round]);
                assert_eq!(at, model.len());
            }
            room.set(start, b'>');
            model[start] = b'>';
            assert_eq!(room.written(0, at), model);
            assert_eq!(room.written(at + 1_000_000, at + 1_000_001), b"");
            assert_eq!(room.into_vec(at), model);
        }
    }

    #[test]
    fn the_place_may_go_back() {
        let (mut room, at) = Room::new(Vec::new(), 0);
        let end = room.all(at, &[7; 100]);
        let end = room.fixed(end - 50, b"x");
        assert_eq!(room.into_vec(end), [&[7; 50], &b"x"[..]].concat());
    }

    #[test]
    fn behind_the_end_nothing_is_kept_and_places_go_on() {
        for most in [0, 1, 99, 5000] {
            let (room, mut at) = Room::new(b"before".to_vec(), 10);
            let mut room = room.ending(6 + most);
            for round in 0..20_000 {
                at = room.fixed(at, b"[]");
                at = room.all(at, &[b'a'; 30]);
                at = room.fill(at, 7, |slot| {
                    slot.fill(b'f');
                    5
                });
                assert_eq!(at, 6 + (round + 1) * 37);
                assert_eq!(room.is_over(at), at > 6 + most);
            }
            assert!(room.bytes.len() <= 6 + most + 2 * STEP, "{}", room.bytes.len());
            // What went back within the end is whole.
            let at = room.fixed(6, b"x");
            assert!(most == 0 || !room.is_over(at));
            assert_eq!(room.into_vec(at), b"beforex");
        }
    }
}
