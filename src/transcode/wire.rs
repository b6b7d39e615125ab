//! Protobuf's wire format (protobuf.dev "Encoding"): tags, varints, lengths and groups, read with a cursor
//! and written to a vector.
//!
//! Nothing here knows of fields or JSON. What comes from outside is never trusted: every read can fail,
//! none allocates.

/// How a value is laid out on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireType {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    GroupStart = 3,
    GroupEnd = 4,
    Fixed32 = 5,
}

impl WireType {
    #[inline]
    const fn from_bits(bits: u32) -> Option<Self> {
        match bits & 7 {
            0 => Some(Self::Varint),
            1 => Some(Self::Fixed64),
            2 => Some(Self::Length),
            3 => Some(Self::GroupStart),
            4 => Some(Self::GroupEnd),
            5 => Some(Self::Fixed32),
            _ => None,
        }
    }
}

/// What is wrong with wire bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    Truncated,
    Overlong,
    Tag,
    Group,
    Depth,
    Utf8,
}

impl Broken {
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Truncated => "the message ends within a value",
            Self::Overlong => "a varint is longer than ten bytes or greater than 64 bits",
            Self::Tag => "a tag has no field number or an unknown wire type",
            Self::Group => "a group starts or ends where none can",
            Self::Depth => "the message is nested too deeply",
            Self::Utf8 => "a string is not valid UTF-8",
        }
    }
}

/// Groups of unknown fields may nest as deep as this; it is protobuf's own default.
const MAX_GROUP_DEPTH: usize = 100;
/// The most bytes of a varint.
const MAX_VARINT: usize = 10;

/// A field number and a wire type, as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) number: u32,
    pub(super) wire_type: WireType,
}

/// A place in wire bytes. `wire` begins where the whole input begins and ends where the message at hand
/// ends, so positions stay comparable between a message and its parents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'w> {
    wire: &'w [u8],
    pos: usize,
}

impl<'w> Cursor<'w> {
    pub(super) const fn new(wire: &'w [u8]) -> Self {
        Self { wire, pos: 0 }
    }

    #[inline]
    pub(super) const fn at_end(&self) -> bool {
        self.pos >= self.wire.len()
    }

    #[inline]
    pub(super) const fn pos(&self) -> usize {
        self.pos
    }

    /// The same message from another place.
    #[inline]
    pub(super) const fn at(&self, pos: usize) -> Self {
        Self { wire: self.wire, pos }
    }

    /// The bytes from here to another place of the same message.
    pub(super) fn until(&self, end: Self) -> &'w [u8] {
        self.wire.get(self.pos..end.pos).unwrap_or_default()
    }

    /// The bytes from here to the end of the message.
    #[inline]
    pub(super) fn rest(&self) -> &'w [u8] {
        self.wire.get(self.pos..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Broken> {
        match self.wire.get(self.pos) {
            Some(&byte) if byte < 0x80 => {
                self.pos += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0;
        for (index, &byte) in self.rest().iter().take(MAX_VARINT).enumerate() {
            if index == MAX_VARINT - 1 && byte > 1 {
                return Err(Broken::Overlong);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.pos += index + 1;
                return Ok(value);
            }
        }
        Err(Broken::Truncated)
    }

    #[inline]
    pub(super) fn head(&mut self) -> Result<Head, Broken> {
        let tag = u32::try_from(self.varint()?).map_err(|_| Broken::Tag)?;
        match (tag >> 3, WireType::from_bits(tag)) {
            (1.., Some(wire_type)) => Ok(Head { number: tag >> 3, wire_type }),
            _ => Err(Broken::Tag),
        }
    }

    /// Steps over the next tag when it is this one.
    #[inline]
    pub(super) fn follows(&mut self, head: Head) -> bool {
        let mut ahead = *self;
        let same = ahead.head() == Ok(head);
        if same {
            *self = ahead;
        }
        same
    }

    #[inline]
    pub(super) fn fixed32(&mut self) -> Result<[u8; 4], Broken> {
        self.chunk()
    }

    #[inline]
    pub(super) fn fixed64(&mut self) -> Result<[u8; 8], Broken> {
        self.chunk()
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let chunk = self.rest().first_chunk().ok_or(Broken::Truncated)?;
        self.pos += N;
        Ok(*chunk)
    }

    /// What is behind a length, as a message of its own; this cursor steps over it.
    #[inline]
    pub(super) fn delimited(&mut self) -> Result<Self, Broken> {
        let length = self.varint()?;
        let end = usize::try_from(length).ok().and_then(|length| self.pos.checked_add(length));
        let wire = end.and_then(|end| self.wire.get(..end)).ok_or(Broken::Truncated)?;
        let inner = Self { wire, pos: self.pos };
        self.pos = wire.len();
        Ok(inner)
    }

    /// What is between the group's start, which was read, and its end; this cursor steps over both.
    pub(super) fn group(&mut self, number: u32) -> Result<Self, Broken> {
        let start = self.pos;
        let end = self.skip_group(number, 0)?;
        Ok(Self { wire: self.wire.get(..end).unwrap_or_default(), pos: start })
    }

    /// Steps over the value whose tag was read.
    pub(super) fn skip(&mut self, head: Head) -> Result<(), Broken> {
        self.skip_nested(head, 0)
    }

    fn skip_nested(&mut self, head: Head, depth: usize) -> Result<(), Broken> {
        match head.wire_type {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.fixed64().map(drop),
            WireType::Fixed32 => self.fixed32().map(drop),
            WireType::Length => self.delimited().map(drop),
            WireType::GroupStart => self.skip_group(head.number, depth).map(drop),
            WireType::GroupEnd => Err(Broken::Group),
        }
    }

    /// Steps over a group and gives the place of its end tag.
    fn skip_group(&mut self, number: u32, depth: usize) -> Result<usize, Broken> {
        if depth >= MAX_GROUP_DEPTH {
            return Err(Broken::Depth);
        }
        while !self.at_end() {
            let end = self.pos;
            let head = self.head()?;
            if head == (Head { number, wire_type: WireType::GroupEnd }) {
                return Ok(end);
            }
            self.skip_nested(head, depth + 1)?;
        }
        Err(Broken::Truncated)
    }
}

/// An encoded tag, ready to be put in front of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    bytes: u64,
    len: u8,
}

impl Tag {
    /// No tag at all: for the elements of packed fields.
    pub(super) const NONE: Self = Self { bytes: 0, len: 0 };

    /// The tag of a field number, which has at most 29 bits.
    pub(super) const fn new(number: u32, wire_type: WireType) -> Self {
        let (bytes, len) = spread(((number as u64) << 3) | wire_type as u64);
        #[expect(clippy::cast_possible_truncation, reason = "32 bits spread over five bytes")]
        Self { bytes: bytes as u64, len: len as u8 }
    }
}

/// Appends the lowest `len` bytes of a word, at most 16. A store of fixed size that is then cut is
/// several times cheaper than a copy of variable size.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, word: u128, len: usize) {
    let end = out.len() + len;
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

/// How many bytes a varint takes.
#[inline]
pub(super) const fn varint_len(value: u64) -> usize {
    ((70 - (value | 1).leading_zeros()) / 7) as usize
}

/// The bytes of a varint, and how many they are.
#[inline]
#[expect(clippy::unreadable_literal, reason = "masks read best as runs of digits")]
const fn spread(value: u64) -> (u128, usize) {
    if value < 0x80 {
        return (value as u128, 1);
    }
    let len = varint_len(value);
    // 56 bits to eight groups of seven, by halves.
    let low = value & 0x00ff_ffff_ffff_ffff;
    let low = (low & 0x000000000fffffff) | ((low & 0x00fffffff0000000) << 4);
    let low = (low & 0x00003fff00003fff) | ((low & 0x0fffc0000fffc000) << 2);
    let low = (low & 0x007f007f007f007f) | ((low & 0x3f803f803f803f80) << 1);
    let high = ((value >> 56) & 0x7f) | ((value >> 63) << 8);
    let continued = 0x8080_8080_8080_8080_8080_u128 & ((1 << (8 * (len - 1))) - 1);
    (low as u128 | ((high as u128) << 64) | continued, len)
}

/// Appends a tag and a varint: a value, or the length of what follows.
#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, tag: Tag, value: u64) {
    let (word, len) = spread(value);
    let tag_len = usize::from(tag.len);
    put(out, u128::from(tag.bytes) | (word << (8 * tag_len)), tag_len + len);
}

/// Appends a tag alone.
#[inline]
pub(super) fn put_tag(out: &mut Vec<u8>, tag: Tag) {
    put(out, u128::from(tag.bytes), usize::from(tag.len));
}

/// Appends a tag and four bytes.
#[inline]
pub(super) fn put_fixed32(out: &mut Vec<u8>, tag: Tag, value: u32) {
    let tag_len = usize::from(tag.len);
    put(out, u128::from(tag.bytes) | (u128::from(value) << (8 * tag_len)), tag_len + 4);
}

/// Appends a tag and eight bytes.
#[inline]
pub(super) fn put_fixed64(out: &mut Vec<u8>, tag: Tag, value: u64) {
    let tag_len = usize::from(tag.len);
    put(out, u128::from(tag.bytes) | (u128::from(value) << (8 * tag_len)), tag_len + 8);
}

/// The bytes copied at once; strings are mostly shorter.
const COPY: usize = 32;

/// Appends `source[start..end]`. Given the bytes around, a short copy needs no loop.
#[inline]
pub(super) fn put_slice(out: &mut Vec<u8>, source: &[u8], start: usize, end: usize) {
    match source.get(start..).and_then(<[u8]>::first_chunk::<COPY>) {
        Some(chunk) if end - start <= COPY => {
            let len = out.len() + (end - start);
            out.extend_from_slice(chunk);
            out.truncate(len);
        }
        _ => out.extend_from_slice(source.get(start..end).unwrap_or_default()),
    }
}

/// Up to 16 bytes as one word, to be put together with others before they are stored.
#[inline]
pub(super) fn word_of(bytes: &[u8]) -> Option<u128> {
    let shift = |len: usize| 8 * (bytes.len() - len);
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) if bytes.len() <= 16 => {
            Some(u128::from(u64::from_le_bytes(*first)) | (u128::from(u64::from_le_bytes(*last)) << shift(8)))
        }
        (None, None) => Some(match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                u128::from(u32::from_le_bytes(*first)) | (u128::from(u32::from_le_bytes(*last)) << shift(4))
            }
            _ => bytes.iter().rev().fold(0, |word, byte| (word << 8) | u128::from(*byte)),
        }),
        _ => None,
    }
}

/// Appends a few bytes in one store.
#[inline]
pub(super) fn put_short(out: &mut Vec<u8>, bytes: &[u8]) {
    match word_of(bytes) {
        Some(word) => put(out, word, bytes.len()),
        None => out.extend_from_slice(bytes),
    }
}

/// Appends a few bytes between quotes in one store.
#[inline]
pub(super) fn put_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    let quote = u128::from(b'"');
    if let Some(word) = word_of(bytes).filter(|_| bytes.len() <= 14) {
        return put(out, quote | (word << 8) | (quote << (8 * bytes.len() + 8)), bytes.len() + 2);
    }
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
}

/// Appends a tag, a length and `source[start..end]`: most are short enough for one store.
#[inline]
pub(super) fn put_bytes(out: &mut Vec<u8>, tag: Tag, source: &[u8], start: usize, end: usize) {
    let length = end - start;
    let head = usize::from(tag.len) + 1;
    let chunk = source.get(start..).and_then(<[u8]>::first_chunk::<16>);
    if let Some(chunk) = chunk.filter(|_| head + length <= 16) {
        let word = u128::from(tag.bytes) | ((length as u128) << (8 * (head - 1)));
        put(out, word | (u128::from_le_bytes(*chunk) << (8 * head)), head + length);
        return;
    }
    put_varint(out, tag, length as u64);
    put_slice(out, source, start, end);
}

/// A length that is written before it is known: room for it, corrected when it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    start: usize,
    room: usize,
}

impl Reserved {
    /// Where the tag before the room starts.
    pub(super) fn tag_start(self, tag: Tag) -> usize {
        self.start - self.room - usize::from(tag.len)
    }
}

/// Appends a tag and room for a length of `room` bytes (1 to 5).
#[inline]
pub(super) fn reserve_length(out: &mut Vec<u8>, tag: Tag, room: usize) -> Reserved {
    put(out, u128::from(tag.bytes), usize::from(tag.len) + room);
    Reserved { start: out.len(), room }
}

/// Fills in the length of all that was appended since; gives how many bytes it took.
#[inline]
pub(super) fn fill_length(out: &mut Vec<u8>, reserved: Reserved) -> usize {
    let length = (out.len() - reserved.start) as u64;
    if length < 0x80 && reserved.room == 1 {
        if let (Some(slot), [byte, ..]) = (out.get_mut(reserved.start - 1), length.to_le_bytes()) {
            *slot = byte;
        }
        return 1;
    }
    fill_long_length(out, reserved, length)
}

fn fill_long_length(out: &mut Vec<u8>, reserved: Reserved, length: u64) -> usize {
    let (word, need) = spread(length);
    if need != reserved.room {
        shift(out, reserved, need);
    }
    let place = reserved.start - reserved.room;
    for (slot, byte) in out.iter_mut().skip(place).take(need).zip(word.to_le_bytes()) {
        *slot = byte;
    }
    need
}

/// Moves what was appended, so that the length before it has `need` bytes.
#[cold]
fn shift(out: &mut Vec<u8>, reserved: Reserved, need: usize) {
    let end = out.len();
    let target = reserved.start - reserved.room + need;
    if need > reserved.room {
        out.resize(end + (need - reserved.room), 0);
    }
    out.copy_within(reserved.start..end, target);
    out.truncate(target + (end - reserved.start));
}

#[cfg(test)]
mod tests;
